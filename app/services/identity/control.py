"""The accounts' use cases: list, create, delete; and the access keys of accounts and users.

Knows what a well-formed identity is. Must not know wires, files or how secrets are sealed: sealing, secrets and ids are
handed in. A secret leaves this room once, in the answer to its creation. Only root may; the face sees to that.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from app.core.cluster import (
    AccessKey,
    Account,
    AddKey,
    CreateAccount,
    DeleteAccount,
    Holder,
    RemoveKey,
    SetKeyActive,
)
from app.services.identity.commanding import CommandRefused, Desk, Rule, rules

_RULES: Final[Mapping[str, Rule]] = rules(
    name=(r"[A-Za-z0-9+=,.@_-]{1,64}", "1..64 letters, digits or one of +=,.@_-"),
    access_key=(r"[A-Za-z0-9_.-]{3,128}", "3..128 letters, digits, '_', '.' or '-'"),
    secret_key=(r"[\x21-\x7e]{8,128}", "8..128 printable ASCII characters without spaces"),
    account_id=(r"[0-9]{12}", "12 digits"),
    canonical_id=(r"[A-Za-z0-9_-]{1,64}", "1..64 letters, digits, '_' or '-'"),
    display_name=(r"[^\x00-\x1f\x7f]{1,128}", "1..128 characters without control characters"),
    email=(r"[^\s@]{1,64}@[^\s@]{1,190}", "an address"),
)


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What is chosen for an account; "" is generated (the e-mail and the display name stay empty)."""

    name: str
    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    account_id: str = ""
    canonical_id: str = ""
    display_name: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """An access key, and its secret for the only time it is shown."""

    access_key: str
    secret_key: str

    def __repr__(self) -> str:
        """Without the secret: reprs end up in logs."""
        return f"CreatedKey({self.access_key!r})"


class Control:
    """Accounts, kept by the cluster. `seal(access_key, secret)` gives the form a secret is stored in.

    Every change is durable on return and effective in every worker within a second. Raises CommandRefused for what
    cannot be, Unavailable, Full.
    """

    def __init__(self, desk: Desk, seal: Callable[[str, str], bytes]) -> None:
        self._desk = desk
        self._seal = seal

    def accounts(self) -> list[Account]:
        """Every account by name; secrets stay sealed."""
        return [account for _, account in sorted(self._desk.cluster.state().accounts.items())]

    def create(self, wanted: NewAccount) -> tuple[Account, CreatedKey]:
        """An account with one key. InvalidInput for a malformed choice, EntityAlreadyExists when a name, id or key is
        taken, LimitExceeded."""
        _RULES["name"].check("name", wanted.name)
        for part in ("account_id", "canonical_id", "display_name", "email"):
            if getattr(wanted, part):
                _RULES[part].check(part, getattr(wanted, part))
        key, shown = self._new_key(wanted.access_key, wanted.secret_key)
        random = self._desk.identities.random
        account = Account(
            account_id=wanted.account_id or "".join(str(byte % 10) for byte in random(12)),
            canonical_id=wanted.canonical_id or random(32).hex(),
            name=wanted.name,
            email=wanted.email,
            created_ms=self._desk.now_ms(),
            keys=(key,),
            display_name=wanted.display_name,
        )
        self._desk.submit(lambda command_id: CreateAccount(command_id, account))
        return account, shown

    def delete(self, name: str) -> None:
        """Its keys and its users' stop working; its buckets stay. NoSuchEntity, DeleteConflict for root."""
        self._desk.submit(lambda command_id: DeleteAccount(command_id, name))

    def keys(self, holder: Holder) -> tuple[AccessKey, ...]:
        """The keys of an account or a user. NoSuchEntity."""
        account = self._desk.cluster.state().accounts.get(holder.account)
        if account is None or (holder.user and holder.user not in account.users):
            raise CommandRefused("NoSuchEntity", f"there is no {' '.join(holder).strip()}")
        return account.users[holder.user].keys if holder.user else account.keys

    def add_key(self, holder: Holder, access_key: str = "", secret_key: str = "") -> CreatedKey:
        """One more key; "" is generated. NoSuchEntity, EntityAlreadyExists, LimitExceeded."""
        key, shown = self._new_key(access_key, secret_key)
        self._desk.submit(lambda command_id: AddKey(command_id, holder, key))
        return shown

    def remove_key(self, holder: Holder, access_key: str) -> None:
        """NoSuchEntity; DeleteConflict for the last key of root."""
        self._desk.submit(lambda command_id: RemoveKey(command_id, holder, access_key))

    def set_key_active(self, holder: Holder, access_key: str, active: bool) -> None:
        """An inactive key is refused as an unknown one. NoSuchEntity, DeleteConflict as above."""
        self._desk.submit(lambda command_id: SetKeyActive(command_id, holder, access_key, active))

    def _new_key(self, access_key: str, secret_key: str) -> tuple[AccessKey, CreatedKey]:
        made = self._desk.identities
        shown = CreatedKey(access_key or made.access_key(), secret_key or made.secret_key())
        _RULES["access_key"].check("access_key", shown.access_key)
        _RULES["secret_key"].check("secret_key", shown.secret_key)
        sealed = self._seal(shown.access_key, shown.secret_key)
        return AccessKey(shown.access_key, sealed, created_ms=self._desk.now_ms()), shown
