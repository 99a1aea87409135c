"""The control plane as a pure function: apply(state, command) -> (state, outcome).

Knows accounts and their access keys. Secrets in the state are sealed bytes; this room never sees them open. A command
carries its own id, time and every random value; applying the same sequence gives the same state everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

OUTCOMES_REMEMBERED = 1_024  # newest command ids kept to answer repeated submissions alike


@dataclass(frozen=True, slots=True)
class AccessKey:
    """`sealed_secret`: nonce and ciphertext, see app/adapters/cluster/sealing.py."""

    access_key: str
    sealed_secret: bytes
    active: bool = True


@dataclass(frozen=True, slots=True)
class Account:
    """`account_id`: 12 digits. `canonical_id`: the Owner ID of S3, 64 hex digits unless chosen otherwise. `root` may
    administer the system. `display_name`: what S3 shows beside the id; the name when "".
    """

    account_id: str
    canonical_id: str
    name: str
    email: str
    created_ms: int
    keys: tuple[AccessKey, ...] = ()
    root: bool = False
    display_name: str = ""


@dataclass(frozen=True, slots=True)
class CreateAccount:
    command_id: str
    account: Account


@dataclass(frozen=True, slots=True)
class DeleteAccount:
    """Remove the account of that name and its keys. The root account cannot be removed."""

    command_id: str
    name: str


@dataclass(frozen=True, slots=True)
class PutRoot:
    """Create the root account, or replace its keys and keep its identity."""

    command_id: str
    account: Account


Command = CreateAccount | DeleteAccount | PutRoot


@dataclass(frozen=True, slots=True)
class Outcome:
    """`error` is "" when the command took effect, else one of: AccountExists, AccessKeyExists, NoSuchAccount,
    RootAccount."""

    error: str = ""


@dataclass(frozen=True, slots=True)
class ClusterState:
    """`version` grows by one with each command. `accounts` by name; `by_access_key` and `by_canonical_id` index it."""

    version: int = 0
    accounts: Mapping[str, Account] = field(default_factory=dict)
    by_access_key: Mapping[str, Account] = field(default_factory=dict)
    by_canonical_id: Mapping[str, Account] = field(default_factory=dict)
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)


def apply(state: ClusterState, command: Command) -> tuple[ClusterState, Outcome]:
    """Total: never raises for a well-formed command. A repeated command id changes nothing and answers as before."""
    if command.command_id in state.outcomes:
        return state, state.outcomes[command.command_id]
    accounts = dict(state.accounts)
    match command:
        case CreateAccount(account=account):
            outcome = _create(accounts, account)
        case DeleteAccount(name=name):
            outcome = _delete(accounts, name)
        case PutRoot(account=account):
            outcome = _put_root(accounts, account)
    return _advanced(state, accounts, command.command_id, outcome), outcome


def _key_owner(accounts: Mapping[str, Account], access_key: str) -> str | None:
    return next((a.name for a in accounts.values() for k in a.keys if k.access_key == access_key), None)


def _create(accounts: dict[str, Account], account: Account) -> Outcome:
    same_identity = (
        (a.canonical_id == account.canonical_id or a.account_id == account.account_id) for a in accounts.values()
    )
    if account.name in accounts or any(same_identity):
        return Outcome("AccountExists")
    if any(_key_owner(accounts, k.access_key) is not None for k in account.keys):
        return Outcome("AccessKeyExists")
    accounts[account.name] = replace(account, root=False)
    return Outcome()


def _delete(accounts: dict[str, Account], name: str) -> Outcome:
    if name not in accounts:
        return Outcome("NoSuchAccount")
    if accounts[name].root:
        return Outcome("RootAccount")
    del accounts[name]
    return Outcome()


def _put_root(accounts: dict[str, Account], account: Account) -> Outcome:
    old = next((a for a in accounts.values() if a.root), None)
    if old is None and account.name in accounts:
        return Outcome("AccountExists")
    owners = (_key_owner(accounts, k.access_key) for k in account.keys)
    if any(owner is not None and (old is None or owner != old.name) for owner in owners):
        return Outcome("AccessKeyExists")
    base = account if old is None else old
    accounts[base.name] = replace(base, keys=account.keys, root=True)
    return Outcome()


def _advanced(state: ClusterState, accounts: Mapping[str, Account], command_id: str, outcome: Outcome) -> ClusterState:
    outcomes = dict(state.outcomes)
    outcomes[command_id] = outcome
    while len(outcomes) > OUTCOMES_REMEMBERED:
        del outcomes[next(iter(outcomes))]
    return ClusterState(
        version=state.version + 1,
        accounts=accounts,
        by_access_key={k.access_key: a for a in accounts.values() for k in a.keys},
        by_canonical_id={a.canonical_id: a for a in accounts.values()},
        outcomes=outcomes,
    )
