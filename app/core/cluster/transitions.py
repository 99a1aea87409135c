"""The control plane as a pure function: apply(state, command) -> (state, outcome).

Knows what each command does to accounts, access keys and the keyring (entities.py knows the rest). Applying the same
sequence gives the same state everywhere, also under a later release: whether a policy's text is well-formed is decided
before a command is made, never here. A change copies the mappings it touches and rebuilds no index.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from app.core.cluster import commands, entities, layout_transitions, manager_transitions, restore_transitions
from app.core.cluster.commands import Command
from app.core.cluster.identities import AccessKey, Account, Holder
from app.core.cluster.keys import ENABLED, PENDING_DELETION, SSE_S3_KEY, KmsKey
from app.core.cluster.limits import ACCOUNT, NO_LIMITS, Scope
from app.core.cluster.refusals import Refused, check_limit, no_such, with_entry, without_entries
from app.core.cluster.state import ClusterState, Outcome, holders_of
from app.core.limits import (
    ACCESS_KEYS_MAX,
    ACCOUNTS_MAX,
    KMS_KEYS_MAX,
    KMS_VERSIONS_MAX,
    LIMITS_MAX,
)

OUTCOMES_REMEMBERED: Final = 1_024  # newest command ids kept to answer repeated submissions alike


def apply(state: ClusterState, command: Command) -> tuple[ClusterState, Outcome]:
    """Total: never raises for a well-formed command. A repeated command id changes nothing and answers as before."""
    known = state.outcomes.get(command.command_id)
    if known is not None:
        return state, known
    try:
        changed, outcome = _TRANSITIONS[type(command)](state, command), Outcome()
    except Refused as refused:
        changed, outcome = state, refused.outcome
    outcomes = with_entry(state.outcomes, command.command_id, outcome)
    while len(outcomes) > OUTCOMES_REMEMBERED:
        del outcomes[next(iter(outcomes))]
    return replace(changed, version=changed.version + 1, outcomes=outcomes), outcome


# --- accounts


def _create_account(state: ClusterState, command: commands.CreateAccount) -> ClusterState:
    account = replace(command.account, root=False)
    _check_new_account(state, account)
    return _with_account(state, account)


def _check_new_account(state: ClusterState, account: Account) -> None:
    taken = (
        account.name in state.accounts
        or account.canonical_id in state.by_canonical_id
        or account.account_id in state.by_account_id
        or (bool(account.email) and account.email.lower() in state.by_email)
    )
    if taken:
        text = "an account of this name, canonical id, account id or e-mail address exists"
        raise Refused("EntityAlreadyExists", text)
    check_limit(len(state.accounts) + 1, ACCOUNTS_MAX, "Accounts")
    check_limit(len(account.keys), ACCESS_KEYS_MAX, "AccessKeysPerAccount")
    for key in account.keys:
        _check_new_key(state, key)


def _delete_account(state: ClusterState, command: commands.DeleteAccount) -> ClusterState:
    account = _account(state, command.name)
    if account.root:
        raise Refused("DeleteConflict", "the root account cannot be deleted")
    email = account.email.lower()
    return replace(
        state,
        accounts=without_entries(state.accounts, account.name),
        limits=without_entries(state.limits, Scope(ACCOUNT, account.name).key),
        by_access_key=without_entries(state.by_access_key, *holders_of(account)),
        by_canonical_id=without_entries(state.by_canonical_id, account.canonical_id),
        by_account_id=without_entries(state.by_account_id, account.account_id),
        by_email=without_entries(state.by_email, email)
        if state.by_email.get(email) == account.name
        else state.by_email,
    )


def _put_root(state: ClusterState, command: commands.PutRoot) -> ClusterState:
    old = next((a for a in state.accounts.values() if a.root), None)
    for key in command.account.keys:
        holder = state.by_access_key.get(key.access_key)
        if holder is not None and (old is None or holder != Holder(old.name)):
            raise _key_taken()
    if old is None:
        _check_new_account(state, command.account)
        return _with_account(state, replace(command.account, root=True))
    stripped = without_entries(state.by_access_key, *(key.access_key for key in old.keys))
    return _with_account(replace(state, by_access_key=stripped), replace(old, keys=command.account.keys))


def _with_account(state: ClusterState, account: Account) -> ClusterState:
    emails = state.by_email
    if account.email and account.email.lower() not in emails:
        emails = with_entry(emails, account.email.lower(), account.name)
    return replace(
        state,
        accounts=with_entry(state.accounts, account.name, account),
        by_access_key={**state.by_access_key, **holders_of(account)},
        by_canonical_id=with_entry(state.by_canonical_id, account.canonical_id, account.name),
        by_account_id=with_entry(state.by_account_id, account.account_id, account.name),
        by_email=emails,
    )


def _account(state: ClusterState, name: str) -> Account:
    account = state.accounts.get(name)
    if account is None:
        raise no_such("account", name)
    return account


# --- access keys


def _add_key(state: ClusterState, command: commands.AddKey) -> ClusterState:
    keys = _keys(state, command.holder)
    check_limit(len(keys) + 1, ACCESS_KEYS_MAX, "AccessKeysPerUser")
    _check_new_key(state, command.key)
    changed = _with_keys(state, command.holder, (*keys, command.key))
    indexed = with_entry(state.by_access_key, command.key.access_key, command.holder)
    return replace(changed, by_access_key=indexed)


def _remove_key(state: ClusterState, command: commands.RemoveKey) -> ClusterState:
    keys = _keys(state, command.holder)
    _check_key(keys, command.access_key)
    if not command.holder.user and state.accounts[command.holder.account].root and len(keys) == 1:
        raise Refused("DeleteConflict", "the root account's last access key cannot be removed")
    changed = _with_keys(state, command.holder, tuple(key for key in keys if key.access_key != command.access_key))
    return replace(changed, by_access_key=without_entries(state.by_access_key, command.access_key))


def _set_key_active(state: ClusterState, command: commands.SetKeyActive) -> ClusterState:
    keys = _keys(state, command.holder)
    _check_key(keys, command.access_key)
    changed = tuple(
        replace(key, active=command.active) if key.access_key == command.access_key else key for key in keys
    )
    account = state.accounts[command.holder.account]
    if account.root and not command.holder.user and not any(key.active for key in changed):
        raise Refused("DeleteConflict", "the root account's last active access key must stay active")
    return _with_keys(state, command.holder, changed)


def _keys(state: ClusterState, holder: Holder) -> tuple[AccessKey, ...]:
    account = _account(state, holder.account)
    if not holder.user:
        return account.keys
    if holder.user not in account.users:
        raise no_such("user", holder.user)
    return account.users[holder.user].keys


def _with_keys(state: ClusterState, holder: Holder, keys: tuple[AccessKey, ...]) -> ClusterState:
    account = state.accounts[holder.account]
    if holder.user:
        user = replace(account.users[holder.user], keys=keys)
        account = replace(account, users=with_entry(account.users, user.name, user))
    else:
        account = replace(account, keys=keys)
    return replace(state, accounts=with_entry(state.accounts, account.name, account))


def _check_key(keys: tuple[AccessKey, ...], access_key: str) -> None:
    if all(key.access_key != access_key for key in keys):
        raise no_such("Access Key", access_key)


def _check_new_key(state: ClusterState, key: AccessKey) -> None:
    if key.access_key in state.by_access_key:
        raise _key_taken()


def _key_taken() -> Refused:
    return Refused("EntityAlreadyExists", "another account or user has this access key")


def _set_disabled(state: ClusterState, command: commands.SetDisabled) -> ClusterState:
    account = _account(state, command.holder.account)
    if command.holder.user:
        user = account.users.get(command.holder.user)
        if user is None:
            raise no_such("user", command.holder.user)
        users = with_entry(account.users, user.name, replace(user, disabled=command.disabled))
        account = replace(account, users=users)
    else:
        if account.root and command.disabled:
            raise Refused("DeleteConflict", "the root account cannot be disabled")
        account = replace(account, disabled=command.disabled)
    return replace(state, accounts=with_entry(state.accounts, account.name, account))


# --- what is in an account


def _entity(state: ClusterState, command: Any) -> ClusterState:
    who = getattr(command, "who", None)
    account = _account(state, command.account if who is None else who.account)
    changed = entities.changed(account, command)
    return replace(state, accounts=with_entry(state.accounts, changed.name, changed))


def _rename(state: ClusterState, command: commands.Rename) -> ClusterState:
    account = entities.renamed(_account(state, command.who.account), command.who, command.name, command.path)
    holders = {**state.by_access_key, **holders_of(account)}
    return replace(state, accounts=with_entry(state.accounts, account.name, account), by_access_key=holders)


# --- the keyring


def _create_kms_key(state: ClusterState, command: commands.CreateKmsKey) -> ClusterState:
    key = command.key
    check_limit(len(state.kms_keys) + 1, KMS_KEYS_MAX, "KmsKeys")
    names = (key.key_id, *key.aliases)
    if any(name in state.kms_keys or name in state.kms_aliases for name in names):
        raise Refused("EntityAlreadyExists", f"a key or alias of the name {key.key_id} exists")
    aliases = {**state.kms_aliases, **dict.fromkeys(key.aliases, key.key_id)}
    return replace(state, kms_keys=with_entry(state.kms_keys, key.key_id, key), kms_aliases=aliases)


def _rotate_kms_key(state: ClusterState, command: commands.RotateKmsKey) -> ClusterState:
    key = _kms_key(state, command.key_id)
    if key.state == PENDING_DELETION:
        raise Refused("KMSInvalidStateException", f"{key.arn} is pending deletion.")
    if len(key.versions) != command.expected:
        raise Refused("ConcurrentModification", f"{key.arn} was rotated meanwhile; ask again.")
    check_limit(len(key.versions) + 1, KMS_VERSIONS_MAX, "RotationsPerKey")
    return _with_kms_key(state, replace(key, versions=(*key.versions, command.sealed)))


def _set_kms_key_state(state: ClusterState, command: commands.SetKmsKeyState) -> ClusterState:
    key = _kms_key(state, command.key_id)
    if key.key_id == SSE_S3_KEY and command.state != ENABLED:
        raise Refused("InvalidInput", "the key of SSE-S3 stays enabled")
    deletion_ms = command.deletion_ms if command.state == PENDING_DELETION else 0
    return _with_kms_key(state, replace(key, state=command.state, deletion_ms=deletion_ms))


def _kms_key(state: ClusterState, key_id: str) -> KmsKey:
    key = state.kms_keys.get(key_id)
    if key is None:
        raise Refused("NotFoundException", f"Key '{key_id}' does not exist")
    return key


def _with_kms_key(state: ClusterState, key: KmsKey) -> ClusterState:
    return replace(state, kms_keys=with_entry(state.kms_keys, key.key_id, key))


# --- limits, and secrets sealed anew


def _set_limits(state: ClusterState, command: commands.SetLimits) -> ClusterState:
    key = command.scope.key
    if command.limits == NO_LIMITS:
        return replace(state, limits=without_entries(state.limits, key))
    if command.scope.kind == ACCOUNT:
        _account(state, command.scope.name)
    check_limit(len(state.limits.keys() | {key}), LIMITS_MAX, "Limits")
    return replace(state, limits=with_entry(state.limits, key, command.limits))


def _reseal(state: ClusterState, command: commands.Reseal) -> ClusterState:
    for one in command.secrets:
        holder = state.by_access_key.get(one.name)
        if holder is not None:
            keys = tuple(
                replace(key, sealed_secret=one.sealed)
                if (key.access_key, key.sealed_secret) == (one.name, one.old)
                else key
                for key in _keys(state, holder)
            )
            state = _with_keys(state, holder, keys)
    return state


def _reseal_material(state: ClusterState, command: commands.ResealMaterial) -> ClusterState:
    key = _kms_key(state, command.key_id)
    if tuple(one.old for one in command.versions) != key.versions:
        raise Refused("ConcurrentModification", f"{key.arn} was rotated meanwhile; ask again.")
    return _with_kms_key(state, replace(key, versions=tuple(one.sealed for one in command.versions)))


_TRANSITIONS: Final[Mapping[type, Callable[[ClusterState, Any], ClusterState]]] = {
    commands.CreateAccount: _create_account,
    commands.DeleteAccount: _delete_account,
    commands.PutRoot: _put_root,
    commands.AddKey: _add_key,
    commands.RemoveKey: _remove_key,
    commands.SetKeyActive: _set_key_active,
    commands.SetDisabled: _set_disabled,
    commands.Rename: _rename,
    commands.SetLimits: _set_limits,
    commands.Reseal: _reseal,
    commands.ResealMaterial: _reseal_material,
    commands.CreateKmsKey: _create_kms_key,
    commands.RotateKmsKey: _rotate_kms_key,
    commands.SetKmsKeyState: _set_kms_key_state,
    **dict.fromkeys(entities.COMMANDS, _entity),
    **layout_transitions.TRANSITIONS,
    **manager_transitions.TRANSITIONS,
    **restore_transitions.TRANSITIONS,
}
