"""May this caller do this, where no bucket has a say: administration, IAM and STS.

Knows that the caller's own policies decide, and that an account's root may do everything in its account. Must not know
wires. S3's own actions are decided by services/gate/guard.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from app.core.cluster import Entity
from app.core.errors import S3Error
from app.core.policy.evaluation import Decision, Effect, decide
from app.core.policy.s3_context import Acted, S3Context
from app.core.policy.statement import Request
from app.core.sessions.session import ASSUMED_ROLE, LDAP, SESSION, WEB_IDENTITY
from app.services.call import Call

_OPERATORS: Final = Decision(Effect.ALLOW, "root")
_TEMPORARY: Final = Decision(Effect.EXPLICIT_DENY, "session", "temporary credentials administer nothing")
_OF_ROLES: Final = frozenset({ASSUMED_ROLE, WEB_IDENTITY, LDAP})
_OF_TAKING_ROLES: Final = frozenset({"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"})


@dataclass(frozen=True, slots=True)
class Deed:
    """An action and what it is done to. `action`: "iam:CreateUser". `account_id`: of the account whose the resource is,
    "" for the system's own. `keys`: condition keys only the action has, canonical ("iam:policyarn"). `tags`: of what is
    acted on."""

    action: str
    resource: str
    account_id: str = ""
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def on_entity(deed: Deed, entity: Entity | None) -> Deed:
    """The deed, done to what is there: its tags and its boundary are condition keys, so far as the action itself does
    not say what they are to be. None: nothing is."""
    if entity is None:
        return deed
    tags: Mapping[str, str] = getattr(entity, "tags", {})
    keys = {f"iam:resourcetag/{name}": (value,) for name, value in tags.items()}
    boundary: str = getattr(entity, "boundary", "")
    if boundary:
        keys["iam:permissionsboundary"] = (boundary,)
    return replace(deed, keys={**keys, **deed.keys}, tags=tags)


def decision(call: Call, deed: Deed) -> Decision:
    """What the caller's policies say. The root of the operator's account may do everything; root of another account
    everything in it; users and sessions need an allow. Whether the caller may act on another account at all is to be
    decided before: policies are asked as if everything were in the caller's own."""
    caller = call.caller
    if (refused := of_temporary(call, deed.action)) is not None:
        return refused
    if caller.root:
        return _OPERATORS
    acted = Acted(deed.account_id, resource_tags=deed.tags, more=deed.keys)
    context = S3Context(call.facts, caller.identity, call.now_ms, acted)
    request = Request(caller.identity, deed.action, deed.resource, caller.account_id, context)
    return decide(request)


def of_temporary(call: Call, action: str) -> Decision | None:
    """The denial temporary credentials meet whatever policies say; None when there is none.

    A role's sessions may ask for what their policies allow. Those of GetSessionToken and GetFederationToken, which
    users may make for themselves, neither administer nor make further sessions, so that nothing made by them outlives
    or exceeds them; but taking a role is what the former are for.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_sts-comparison.html
    """
    kind = "" if call.caller.session is None else call.caller.session.kind
    if not kind or kind in _OF_ROLES or not action.startswith(("iam:", "sts:", "admin:")):
        return None
    if kind == SESSION and action in _OF_TAKING_ROLES:
        return None
    return _TEMPORARY


def demand(call: Call, deed: Deed) -> None:
    """Raises AccessDenied, which says which kind of policy denied, to who is somebody."""
    found = call.stages.decision = decision(call, deed)
    call.stages.resource = deed.resource
    if found.allowed:
        return
    arn = call.caller.identity.arn
    if not arn:
        raise S3Error("AccessDenied", reason=found.reason)
    raise S3Error("AccessDenied", found.message(arn, deed.action, deed.resource), reason=found.reason)
