"""Who the accounts are: ids, display names and e-mail addresses, one by the other.

Knows the cluster's state. Must not know keys or policies (services/gate/access).
"""

from app.core.cluster import Account
from app.ports.cluster import Cluster


class Directory:
    """One per worker process; every question is a look-up or two in memory."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def account_id(self, canonical_id: str) -> str:
        """The 12-digit id of the account, "" when there is none."""
        account = self._account(canonical_id)
        return "" if account is None else account.account_id

    def display_name(self, canonical_id: str) -> str:
        """What S3 shows beside the canonical id, "" when there is no such account."""
        account = self._account(canonical_id)
        return "" if account is None else account.display_name or account.name

    def canonical_id_of_email(self, email: str) -> str:
        """The account with that address, however it is capitalised; "" when there is none."""
        state = self._cluster.state()
        name = state.by_email.get(email.lower())
        return "" if name is None else state.accounts[name].canonical_id

    def _account(self, canonical_id: str) -> Account | None:
        state = self._cluster.state()
        name = state.by_canonical_id.get(canonical_id)
        return None if name is None else state.accounts[name]
