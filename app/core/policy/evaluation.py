"""The decision: what all the policies of a request say together, in AWS's order.

Knows the order and what each kind of policy may give or take. Must not know where policies are kept, lists of grants,
or S3. An explicit denial anywhere is final; a policy that does not parse denies everything.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Final, NamedTuple

from app.core.errors import S3Error
from app.core.policy.audience import Named
from app.core.policy.grammar import IDENTITY, parse
from app.core.policy.principal import AttachedPolicy, Principal
from app.core.policy.statement import Policy, Request, Statement


class Effect(Enum):
    """How it ended. IMPLICIT_DENY: nothing that had to allow it does."""

    ALLOW = "allow"
    EXPLICIT_DENY = "explicit deny"
    IMPLICIT_DENY = "implicit deny"


_WORDS: Final = {
    "boundary": "permissions boundary",
    "session": "session policy",
    "resource": "resource-based policy",
    "acl": "access control list",
}
_NOT_ASKED: Final = {
    "owner": "root keys of the bucket's owner or of the operator, and nothing that could forbid it",
    "root": "by root of its account or by the operator, and nothing forbids it",
    "service": "by the system itself",
}


class Decision(NamedTuple):
    """`kind`, `name`: of the policy that decided (kinds of AttachedPolicy, resource, acl, owner, root, service; "" when
    none did), `sid`, `statement`: of its statement, counted from 0 (-1: none). `missing`: the kind whose word was
    wanting.
    """

    effect: Effect
    kind: str = ""
    name: str = ""
    sid: str = ""
    statement: int = -1
    missing: str = ""

    @property
    def allowed(self) -> bool:
        """Whether it may be done."""
        return self.effect is Effect.ALLOW

    @property
    def reason(self) -> str:
        """For the log: `explicit deny by inline policy 'x', statement 'NoDelete'`."""
        if self.effect is Effect.IMPLICIT_DENY:
            return f"implicit deny: no {_policy_words(self.missing)} allows it"
        if self.kind in _NOT_ASKED:
            return f"allow: {_NOT_ASKED[self.kind]}"
        text = f"{self.effect.value} by {_policy_words(self.kind)}"
        if self.name:
            text += f" {self.name!r}"
        if self.statement >= 0:
            text += f", statement {self.sid!r}" if self.sid else f", statement {self.statement}"
        return text

    def message(self, principal: str, action: str, resource: str) -> str:
        """What who may be told is told, as AWS phrases it.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
        """
        text = f'User: {principal} is not authorized to perform: {action} on resource: "{resource}" '
        if self.effect is Effect.EXPLICIT_DENY:
            return f"{text}with an explicit deny in {_article(_policy_words(self.kind))}"
        return f"{text}because no {_policy_words(self.missing)} allows the {action} action"


class _Said(NamedTuple):
    """What one policy says: the statement that denies, else the one that allows and how nearly it names who calls."""

    deny: Statement | None
    allow: Statement | None
    named: Named


_SILENT: Final = _Said(None, None, Named.NOT)
_SERVICE: Final = Decision(Effect.ALLOW, "service")
_ROOT: Final = Decision(Effect.ALLOW, "root")
_ACL: Final = Decision(Effect.ALLOW, "acl")
_UNREADABLE: Final = "it cannot be read"


def decide(request: Request, resource: Policy | None = None, acl_allows: bool = False) -> Decision:
    """May it be done? `resource`: the policy of the bucket. `acl_allows`: an access control list grants it to the
    caller's account or to everybody; for the account that owns the resource only the latter counts.

    Never raises for a policy's sake: a policy of the caller's that does not parse denies.
    """
    principal = request.principal
    if principal.kind == "service" and not principal.name:
        return _SERVICE
    action = request.action.lower()
    of_resource = _SILENT if resource is None else _ask(resource, request, action)
    if of_resource.deny is not None:
        return _decision(Effect.EXPLICIT_DENY, "resource", resource.policy_id if resource else "", of_resource.deny)
    boundary = (principal.boundary,) if principal.boundary else ()
    denial, allowed_by = _ask_own(request, action, (*principal.identity, *boundary, *principal.session))
    if denial is not None:
        return denial
    of_identity = _identity_allow(request, allowed_by)
    missing = _missing(principal, allowed_by)
    if acl_allows:
        granted: Decision | None = _ACL
    elif resource is not None and of_resource.allow is not None:
        granted = _decision(Effect.ALLOW, "resource", resource.policy_id, of_resource.allow)
    else:
        granted = None
    if not principal.account_id or principal.kind in ("anonymous", "service"):
        return granted or _wanting("resource")
    if principal.account_id == request.resource_account:
        return _within_account(of_identity, granted, of_resource.named, missing)
    if granted is None:
        return _wanting("resource")
    return _narrowed(granted if of_identity else None, missing)


def trusts(request: Request, trust: Policy) -> bool:
    """Whether a role's trust policy itself allows the request, and nothing in it denies: necessary for whoever takes
    the role, and for those without an account here also enough."""
    said = _ask(trust, request, request.action.lower())
    return said.deny is None and said.allow is not None


def _within_account(own: Decision | None, granted: Decision | None, named: Named, missing: str) -> Decision:
    """Either side allows. What names the caller itself, or everybody, needs nothing more; what names its role is still
    narrowed; what names its account gives nothing to those in it."""
    if granted is not None and (granted.kind == "acl" or named is Named.SELF):
        return granted
    if own is None and granted is not None and named is Named.ROLE:
        return _narrowed(granted, missing)
    return _narrowed(own, missing)


def _missing(principal: Principal, allowed_by: Mapping[AttachedPolicy, Statement]) -> str:
    """The kind of policy that ought to allow too and does not, "" when none is wanting. Session policies are one set:
    what any of them allows, the session may."""
    if principal.boundary is not None and principal.boundary not in allowed_by:
        return "boundary"
    return "session" if principal.session and not any(one in allowed_by for one in principal.session) else ""


def _narrowed(found: Decision | None, missing: str) -> Decision:
    """What identity policies allow, as far as boundary and session policies do too."""
    if found is None:
        return _wanting("identity")
    return _wanting(missing) if missing else found


def _identity_allow(request: Request, allowed_by: dict[AttachedPolicy, Statement]) -> Decision | None:
    if request.principal.kind == "root":
        return _ROOT
    for policy in request.principal.identity:
        statement = allowed_by.get(policy)
        if statement is not None:
            return _decision(Effect.ALLOW, policy.kind, policy.name, statement)
    return None


def _ask_own(
    request: Request, action: str, policies: Iterable[AttachedPolicy]
) -> tuple[Decision | None, dict[AttachedPolicy, Statement]]:
    """The first denial of the caller's own policies, or which of them allow by which statement."""
    allowed_by: dict[AttachedPolicy, Statement] = {}
    for attached in policies:
        try:
            policy = parse(attached.text, IDENTITY)
        except S3Error:
            return Decision(Effect.EXPLICIT_DENY, attached.kind, attached.name, _UNREADABLE), allowed_by
        said = _ask(policy, request, action)
        if said.deny is not None:
            return _decision(Effect.EXPLICIT_DENY, attached.kind, attached.name, said.deny), allowed_by
        if said.allow is not None:
            allowed_by[attached] = said.allow
    return None, allowed_by


def _ask(policy: Policy, request: Request, action: str) -> _Said:
    allow, nearest = None, Named.NOT
    for statement in policy.statements:
        if statement.allows and nearest is Named.SELF:
            continue
        named = statement.speaks_of(request, action)
        if named is Named.NOT:
            continue
        if not statement.allows:
            return _Said(statement, None, named)
        if named > nearest:
            allow, nearest = statement, named
    return _Said(None, allow, nearest)


def _decision(effect: Effect, kind: str, name: str, statement: Statement) -> Decision:
    return Decision(effect, kind, name, statement.sid, statement.index)


def _wanting(kind: str) -> Decision:
    return Decision(Effect.IMPLICIT_DENY, missing=kind)


def _policy_words(kind: str) -> str:
    return _WORDS.get(kind, "identity-based policy")


def _article(words: str) -> str:
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"
