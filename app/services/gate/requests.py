"""Who may be told of a recent request: the operator's accounts of any, the others of those they made themselves.

Knows whose a request was. Must not know where traces lie, nor wires.
"""

from collections.abc import Callable, Mapping
from typing import Any

from app.ports.cluster import Cluster
from app.services.call import Caller
from app.services.identity.commanding import CommandRefused

Find = Callable[[str], Mapping[str, Any] | None]
"""(request id) -> what is known of it on this node."""


class Requests:
    """One per process."""

    def __init__(self, cluster: Cluster, find: Find) -> None:
        self._cluster = cluster
        self._find = find

    def get(self, caller: Caller, request_id: str) -> Mapping[str, Any]:
        """What is known. The key, too: who may ask is the operator, or of the account that sent it.

        Raises CommandRefused NoSuchEntity, also for requests of others, so that nobody learns that there was one.
        """
        found = self._find(request_id)
        if found is None or not self._may_see(caller, found):
            text = "No request with this id is known on this node: not yet, or no longer."
            raise CommandRefused("NoSuchEntity", text)
        return found

    def _may_see(self, caller: Caller, found: Mapping[str, Any]) -> bool:
        state = self._cluster.state()
        account = state.accounts.get(state.by_account_id.get(caller.account_id, ""))
        if account is None:
            return False
        return account.root or found.get("account_id") == account.account_id
