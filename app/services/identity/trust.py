"""May this principal take that role: the role's trust policy asked, and the caller's own policies where they count.

Knows the actions of taking a role and their condition keys. Must not know sessions or wires. Source:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html
"""

from collections.abc import Mapping
from typing import NamedTuple

from app.core.cluster import Account, Role
from app.core.cluster.identities import arn
from app.core.errors import S3Error
from app.core.policy.evaluation import Decision, Effect, decide, trusts
from app.core.policy.grammar import TRUST, parse
from app.core.policy.principal import Principal
from app.core.policy.s3_context import Acted, S3Context
from app.core.policy.statement import Request
from app.services.call import Call
from app.services.gate.permits import of_temporary

_NO_TRUST = Decision(Effect.IMPLICIT_DENY, missing="resource")


class Taking(NamedTuple):
    """The role, and what the session is to have of what trust policies may ask."""

    account: Account
    role: Role
    session_name: str
    tags: Mapping[str, str] = {}
    transitive: tuple[str, ...] = ()
    source_identity: str = ""
    external_id: str = ""

    def keys(self) -> dict[str, tuple[str, ...]]:
        """Condition keys."""
        keys: dict[str, tuple[str, ...]] = {f"aws:requesttag/{name}": (value,) for name, value in self.tags.items()}
        keys |= {f"iam:resourcetag/{name}": (value,) for name, value in self.role.tags.items()}
        if self.tags:
            keys["aws:tagkeys"] = tuple(self.tags)
        if self.transitive:
            keys["sts:transitivetagkeys"] = self.transitive
        texts = {
            "sts:rolesessionname": self.session_name,
            "sts:externalid": self.external_id,
            "sts:sourceidentity": self.source_identity,
        }
        return keys | {name: (value,) for name, value in texts.items() if value}


def check_trust(call: Call, principal: Principal, action: str, taking: Taking) -> None:
    """Raises AccessDenied unless the role may be taken, and with tags and a source identity if it is to have them."""
    actions = [action]
    if taking.tags:
        actions.append("sts:TagSession")
    if taking.source_identity:
        actions.append("sts:SetSourceIdentity")
    resource = arn(taking.account.account_id, taking.role)
    for one in actions:
        found = _decision(call, principal, one, taking)
        if not found.allowed:
            who = principal.arn or "the bearer of the token"
            text = f"User: {who} is not authorized to perform: {one} on resource: {resource}"
            raise S3Error("AccessDenied", text, reason=found.reason)


def _decision(call: Call, principal: Principal, action: str, taking: Taking) -> Decision:
    if (refused := of_temporary(call, action)) is not None:
        return refused
    account, role = taking.account, taking.role
    acted = Acted(account.account_id, resource_tags=role.tags, more=taking.keys())
    request = Request(
        principal=principal,
        action=action,
        resource=arn(account.account_id, role),
        resource_account=account.account_id,
        context=S3Context(call.facts, principal, call.now_ms, acted),
        canonical_id=call.caller.canonical_id if principal.account_id else "",
    )
    try:
        trust = parse(role.trust, TRUST)
    except S3Error:
        return _NO_TRUST
    # An allow of the caller's own policies is no trust: the role's must speak itself.
    return decide(request, trust) if trusts(request, trust) else _NO_TRUST
