"""The control state: every account and key, and the indices that find them by what requests carry.

Knows shapes only; transitions.py changes them. Mappings are never changed in place: a state handed out stays as it is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from app.core.cluster.identities import Account, Holder, User
from app.core.cluster.keys import KmsKey, plain_name
from app.core.cluster.limits import NO_LIMITS, Limits, Scope
from app.core.layout.placement import EMPTY, Placement


@dataclass(frozen=True, slots=True)
class Outcome:
    """`error` is "" when the command took effect, else AWS's name for why not (EntityAlreadyExists, NoSuchEntity,
    DeleteConflict, LimitExceeded, InvalidInput, NotFoundException …); `message` says it in words."""

    error: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class ClusterState:
    """`version` grows by one with each command, with that which ends a restore by more.

    `cluster_id`: 32 hex digits, "" on a single machine. `database_id`: of the one its gateways share, "" until the
    first named it. `placement`: where bytes lie. `managers`: gRPC address of each manager by its node id, as the
    membership procedure keeps it.

    `accounts` by name; `by_access_key` says whose a key is; the other `by_…` give account names, `by_email` of
    lower-case addresses. `kms_keys` by id, `kms_aliases` gives ids. `outcomes`: of the newest commands, by their ids.
    `limits` by the keys of scopes. `restored`: id of the restore this state began with, "" of one that grew from
    nothing. `staged`: what a restore has brought so far and is not in force.
    """

    version: int = 0
    accounts: Mapping[str, Account] = field(default_factory=dict)
    kms_keys: Mapping[str, KmsKey] = field(default_factory=dict)
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    by_access_key: Mapping[str, Holder] = field(default_factory=dict)
    by_canonical_id: Mapping[str, str] = field(default_factory=dict)
    by_account_id: Mapping[str, str] = field(default_factory=dict)
    by_email: Mapping[str, str] = field(default_factory=dict)
    kms_aliases: Mapping[str, str] = field(default_factory=dict)
    cluster_id: str = ""
    database_id: str = ""
    placement: Placement = EMPTY
    managers: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, Limits] = field(default_factory=dict)
    restored: str = ""
    staged: "Staged | None" = None

    def limits_of(self, scope: Scope) -> Limits:
        """The limits of an account, a bucket or everybody."""
        return self.limits.get(scope.key, NO_LIMITS)

    def kms_key(self, named: str) -> KmsKey | None:
        """The key of an id, an alias, or the ARN of either, in whatever state it is; None when there is none."""
        name = plain_name(named)
        return self.kms_keys.get(self.kms_aliases.get(name, name))


@dataclass(frozen=True, slots=True)
class Staged:
    """A restore under way. `contents`: without indices. `pieces`: that have come."""

    restore_id: str
    pieces: int
    contents: ClusterState


def assembled(
    version: int, accounts: Iterable[Account], kms_keys: Iterable[KmsKey], outcomes: Mapping[str, Outcome]
) -> ClusterState:
    """A state from its contents, indices made anew: for a state read back, never for a single change."""
    by_name = {account.name: account for account in accounts}
    by_id = {key.key_id: key for key in kms_keys}
    holders: dict[str, Holder] = {}
    emails: dict[str, str] = {}
    for account in by_name.values():
        holders.update(holders_of(account))
        if account.email:
            # Before e-mails were unique two accounts could share one; the older keeps it.
            emails.setdefault(account.email.lower(), account.name)
    return ClusterState(
        version=version,
        accounts=by_name,
        kms_keys=by_id,
        outcomes=outcomes,
        by_access_key=holders,
        by_canonical_id={account.canonical_id: account.name for account in by_name.values()},
        by_account_id={account.account_id: account.name for account in by_name.values()},
        by_email=emails,
        kms_aliases={alias: key.key_id for key in by_id.values() for alias in key.aliases},
    )


def bare(state: ClusterState) -> ClusterState:
    """A state's contents without its indices: what `assembled` makes a state of."""
    return replace(
        state, by_access_key={}, by_canonical_id={}, by_account_id={}, by_email={}, kms_aliases={}, outcomes={}
    )


def holders_of(account: Account) -> dict[str, Holder]:
    """Access key -> whose, of the account and its users."""
    found = {key.access_key: Holder(account.name) for key in account.keys}
    for user in account.users.values():
        found |= {key.access_key: Holder(account.name, user.name) for key in user.keys}
    return found


def holder_of(state: ClusterState, access_key: str) -> tuple[Account, User | None] | None:
    """The account an access key belongs to, and the user if it is not the account's own; None for an unknown key."""
    holder = state.by_access_key.get(access_key)
    if holder is None:
        return None
    account = state.accounts[holder.account]
    return account, account.users[holder.user] if holder.user else None
