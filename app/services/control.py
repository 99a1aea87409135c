"""The accounts' use cases: list, create, delete. Only root may; the face sees to that.

Knows what a well-formed identity is. Must not know wires, files or how secrets are sealed: sealing, secrets and ids are
handed in. A secret leaves this room once, in the answer to the creation.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from app.core.cluster import AccessKey, Account, CreateAccount, DeleteAccount
from app.core.errors import Conflict, Missing, S3Error
from app.core.limits import ACCOUNTS_MAX
from app.ports.cluster import Cluster
from app.services.call import Sources

_NAME: Final = re.compile(r"[A-Za-z0-9+=,.@_-]{1,64}")
_RULES: Final = {
    "name": (_NAME, "1..64 letters, digits or one of +=,.@_-"),
    "access_key": (re.compile(r"[A-Za-z0-9_.-]{3,128}"), "3..128 letters, digits, '_', '.' or '-'"),
    "secret_key": (re.compile(r"[\x21-\x7e]{8,128}"), "8..128 printable ASCII characters without spaces"),
    "account_id": (re.compile(r"[0-9]{12}"), "12 digits"),
    "canonical_id": (re.compile(r"[A-Za-z0-9_-]{1,64}"), "1..64 letters, digits, '_' or '-'"),
    "display_name": (re.compile(r"[^\x00-\x1f\x7f]{1,128}"), "1..128 characters without control characters"),
    "email": (re.compile(r"[^\s@]{1,64}@[^\s@]{1,190}"), "an address"),
}


@dataclass(frozen=True, slots=True)
class Identities:
    """Where generated identities come from."""

    access_key: Callable[[], str]
    secret_key: Callable[[], str]
    random: Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What is chosen for an account; "" is generated (the e-mail and the display name stay empty)."""

    name: str
    access_key: str = ""
    secret_key: str = ""
    account_id: str = ""
    canonical_id: str = ""
    display_name: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class CreatedAccount:
    """The account, and its secret for the only time it is shown."""

    account: Account
    access_key: str
    secret_key: str


class Control:
    """Accounts, kept by the cluster. `seal(access_key, secret)` gives the form a secret is stored in."""

    def __init__(
        self, cluster: Cluster, sources: Sources, identities: Identities, seal: Callable[[str, str], bytes]
    ) -> None:
        self._cluster = cluster
        self._sources = sources
        self._identities = identities
        self._seal = seal

    def accounts(self) -> list[Account]:
        """Every account by name; secrets stay sealed."""
        return [account for _, account in sorted(self._cluster.state().accounts.items())]

    def create(self, wanted: NewAccount) -> CreatedAccount:
        """Durable on return, effective in every worker within a second. Raises S3Error InvalidArgument for a malformed
        choice, Conflict when a name, id or key is taken or there are ACCOUNTS_MAX accounts, Unavailable, Full."""
        _check(wanted)
        if len(self._cluster.state().accounts) >= ACCOUNTS_MAX:
            raise Conflict(f"there are {ACCOUNTS_MAX} accounts already")
        made = self._identities
        access_key = wanted.access_key or made.access_key()
        secret_key = wanted.secret_key or made.secret_key()
        account = Account(
            account_id=wanted.account_id or "".join(str(byte % 10) for byte in made.random(12)),
            canonical_id=wanted.canonical_id or made.random(32).hex(),
            name=wanted.name,
            email=wanted.email,
            created_ms=self._sources.now_ms(),
            keys=(AccessKey(access_key, self._seal(access_key, secret_key)),),
            display_name=wanted.display_name,
        )
        outcome = self._cluster.submit(CreateAccount(self._sources.new_id().hex(), account))
        if outcome.error:
            raise Conflict(outcome.message)
        return CreatedAccount(account, access_key, secret_key)

    def delete(self, name: str) -> None:
        """Its keys stop working within a second; its buckets stay. Missing, Conflict (root), Unavailable, Full."""
        outcome = self._cluster.submit(DeleteAccount(self._sources.new_id().hex(), name))
        if outcome.error == "NoSuchEntity":
            raise Missing(f"there is no account {name}")
        if outcome.error:
            raise Conflict(outcome.message)


def _check(wanted: NewAccount) -> None:
    for field, (rule, text) in _RULES.items():
        value = getattr(wanted, field)
        if (value or field == "name") and not rule.fullmatch(value):
            raise S3Error("InvalidArgument", f"{field} must be {text}", fields={"ArgumentName": field})
