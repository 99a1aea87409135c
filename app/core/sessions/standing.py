"""What a session is worth in the control state of now: its principal, or nothing.

Knows where everybody a session rests on is found. Must not know tokens, secrets or time. Permissions are those of now:
nothing of a policy but the session's own is in the session, so what is taken from a role is taken from its sessions.
"""

from dataclasses import replace
from typing import Final, NamedTuple

from app.core.cluster.identities import Account, Role, User, arn
from app.core.cluster.principals import NOTHING, policy_text, principal_of, principal_of_role
from app.core.cluster.state import ClusterState
from app.core.policy.principal import AttachedPolicy, Principal
from app.core.s3.times import iso_time
from app.core.sessions.session import FEDERATED_USER, OIDC_PROVIDER, ROLE, ROOT, USER, Party, Session

_EVERYTHING: Final = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'


class Standing(NamedTuple):
    """Whose a session is, and as whom policies see it."""

    account: Account
    principal: Principal


class _Found(NamedTuple):
    account: Account
    entity: User | Role | None


def standing(state: ClusterState, session: Session) -> Standing | None:
    """None when somebody the session rests on is gone, disabled, or has lost the key it began with."""
    acts = _found(state, session.acts)
    if acts is None or any(_found(state, party) is None for party in session.chain):
        return None
    account, entity = acts
    principal = _principal(account, entity, session)
    narrowing = (
        *(AttachedPolicy("session", "inline", text) for text in session.policies),
        *(
            AttachedPolicy("session", policy_arn, policy_text(account, policy_arn) or NOTHING)
            for policy_arn in session.policy_arns
        ),
    )
    if session.kind == FEDERATED_USER and not narrowing:
        # Without a session policy a federated user has what resource policies give it by name, and nothing else.
        narrowing = (AttachedPolicy("session", "none", NOTHING),)
    # Tags of a session go before its role's of the same name, which knows no case.
    given = {name.lower() for name in session.tags}
    tags = {name: value for name, value in principal.tags.items() if name.lower() not in given} | dict(session.tags)
    return Standing(
        account,
        replace(principal, session=narrowing, tags=tags, keys=_keys(session)),
    )


def _found(state: ClusterState, party: Party) -> _Found | None:
    account = state.accounts.get(state.by_account_id.get(party.account_id, ""))
    if account is None or account.created_ms != party.account_ms or account.disabled:
        return None
    entity: User | Role | None = None
    if party.kind == USER:
        entity = _user(account, party)
        if entity is None or entity.disabled:
            return None
    elif party.kind == ROLE:
        entity = account.roles.get(party.name)
        if entity is None or entity.unique_id != party.unique_id:
            return None
    elif party.kind == OIDC_PROVIDER:
        provider = account.oidc_providers.get(party.name)
        if provider is None or str(provider.created_ms) != party.unique_id:
            return None
    if party.access_key and not _has_key(account, entity, party):
        return None
    return _Found(account, entity)


def _user(account: Account, party: Party) -> User | None:
    """By its name, or, if it was renamed, by its unique id."""
    user = account.users.get(party.name)
    if user is None or user.unique_id != party.unique_id:
        user = next((one for one in account.users.values() if one.unique_id == party.unique_id), None)
    return user


def _has_key(account: Account, entity: User | Role | None, party: Party) -> bool:
    keys = entity.keys if isinstance(entity, User) else account.keys
    began = (party.access_key, party.key_ms)
    return any((key.access_key, key.created_ms) == began and key.active for key in keys)


def _principal(account: Account, entity: User | Role | None, session: Session) -> Principal:
    account_id = account.account_id
    if isinstance(entity, Role):
        return replace(
            principal_of_role(account, entity),
            arn=f"arn:aws:sts::{account_id}:assumed-role/{entity.name}/{session.name}",
            unique_id=f"{entity.unique_id}:{session.name}",
            role_arn=arn(account_id, entity),
        )
    own = principal_of(account, entity)
    if session.kind != FEDERATED_USER:
        return own
    identity = own.identity if entity is not None else (AttachedPolicy("inline", ROOT, _EVERYTHING),)
    return Principal(
        "federated",
        f"arn:aws:sts::{account_id}:federated-user/{session.name}",
        account_id,
        unique_id=f"{account_id}:{session.name}",
        identity=identity,
        boundary=own.boundary,
    )


def _keys(session: Session) -> dict[str, tuple[str, ...]]:
    """Condition keys of every request of the session."""
    keys = {
        **session.keys,
        "aws:tokenissuetime": (iso_time(session.issued_ms),),
        "aws:multifactorauthpresent": ("false",),
        "sts:authentication": ("true",),
    }
    if session.source_identity:
        keys["aws:sourceidentity"] = (session.source_identity,)
    if session.acts.kind == ROLE:
        keys["sts:rolesessionname"] = (session.name,)
    return keys
