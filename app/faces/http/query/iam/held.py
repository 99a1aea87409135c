"""What users, groups and roles hold alike: inline policies, attached ones, boundaries, tags.

Knows how IAM names an action after what it is done to. Must not know what policies mean.
"""

from collections.abc import Callable, Mapping

from app.core.cluster import Group, Role, User
from app.faces.http.query.answers import Values
from app.faces.http.query.iam import shown
from app.faces.http.query.iam.ask import GROUP, ROLE, USER, Act, Ask, Kind, tag_keys
from app.faces.http.query.iam.paging import paged
from app.services.identity.commanding import CommandRefused

Holder = type[User] | type[Group] | type[Role]
_HOLDERS: tuple[tuple[Holder, Kind], ...] = ((User, USER), (Group, GROUP), (Role, ROLE))
_Step = Callable[[Ask, Holder, Kind], Values]


def _put_inline(ask: Ask, kind: Holder, what: Kind) -> Values:
    who, _ = ask.found(kind, what)
    ask.use.iam.put_inline(who, ask.needed("PolicyName"), ask.needed("PolicyDocument"))
    return {}


def _get_inline(ask: Ask, kind: Holder, what: Kind) -> Values:
    _, entity = ask.found(kind, what)
    name = ask.needed("PolicyName")
    if name not in entity.inline:
        raise CommandRefused("NoSuchEntity", f"The {what.kind} policy with name {name} cannot be found.")
    text = shown.document(entity.inline[name])
    return {what.parameter: entity.name, "PolicyName": name, "PolicyDocument": text}


def _list_inline(ask: Ask, kind: Holder, what: Kind) -> Values:
    _, entity = ask.found(kind, what)
    found, more = paged(ask, ((name, name) for name in entity.inline))
    return {"PolicyNames": found, **more}


def _delete_inline(ask: Ask, kind: Holder, what: Kind) -> Values:
    who, _ = ask.found(kind, what)
    ask.use.iam.delete_inline(who, ask.needed("PolicyName"))
    return {}


def _attach(ask: Ask, kind: Holder, what: Kind) -> Values:
    policy_arn = ask.needed("PolicyArn")
    who, _ = ask.found(kind, what, {"iam:policyarn": (policy_arn,)})
    ask.use.iam.attach(who, policy_arn)
    return {}


def _detach(ask: Ask, kind: Holder, what: Kind) -> Values:
    policy_arn = ask.needed("PolicyArn")
    who, _ = ask.found(kind, what, {"iam:policyarn": (policy_arn,)})
    ask.use.iam.detach(who, policy_arn)
    return {}


def _list_attached(ask: Ask, kind: Holder, what: Kind) -> Values:
    _, entity = ask.found(kind, what)
    prefix = ask.path_prefix()
    there = ((one, one) for one in entity.attached if one.partition(":policy")[2].startswith(prefix))
    found, more = paged(ask, there)
    return {"AttachedPolicies": [attached(one) for one in found], **more}


def attached(policy_arn: str) -> Values:
    """An attachment."""
    return {"PolicyName": policy_arn.rpartition("/")[2], "PolicyArn": policy_arn}


def _put_boundary(ask: Ask, kind: Holder, what: Kind) -> Values:
    policy_arn = ask.needed("PermissionsBoundary")
    who, _ = ask.found(kind, what, {"iam:permissionsboundary": (policy_arn,)})
    ask.use.iam.set_boundary(who, policy_arn)
    return {}


def _delete_boundary(ask: Ask, kind: Holder, what: Kind) -> Values:
    who, entity = ask.found(kind, what)
    if not getattr(entity, "boundary", ""):
        raise CommandRefused("NoSuchEntity", f"{what.word} {entity.name} does not have a permission boundary.")
    ask.use.iam.set_boundary(who, "")
    return {}


def _tag(ask: Ask, kind: Holder, what: Kind) -> Values:
    given = ask.tags()
    who, entity = ask.found(kind, what, tag_keys(given))
    ask.use.iam.set_tags(who, with_tags(getattr(entity, "tags", {}), given))
    return {}


def _untag(ask: Ask, kind: Holder, what: Kind) -> Values:
    taken = ask.members("TagKeys")
    who, entity = ask.found(kind, what, tag_keys(taken))
    ask.use.iam.set_tags(who, without_tags(getattr(entity, "tags", {}), taken))
    return {}


def _list_tags(ask: Ask, kind: Holder, what: Kind) -> Values:
    _, entity = ask.found(kind, what)
    return listed_tags(ask, getattr(entity, "tags", {}))


def listed_tags(ask: Ask, tags: Mapping[str, str]) -> Values:
    """A page of tags."""
    found, more = paged(ask, ((name, name) for name in tags))
    return {"Tags": [{"Key": name, "Value": tags[name]} for name in found], **more}


def with_tags(there: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Tags with some more; keys know no case, and the newest spelling stays."""
    names = {name.lower() for name in given}
    return {**{name: value for name, value in there.items() if name.lower() not in names}, **given}


def without_tags(there: Mapping[str, str], taken: tuple[str, ...]) -> dict[str, str]:
    """Tags without some."""
    names = {name.lower() for name in taken}
    return {name: value for name, value in there.items() if name.lower() not in names}


_ALL: dict[str, _Step] = {
    "Put{}Policy": _put_inline,
    "Get{}Policy": _get_inline,
    "Delete{}Policy": _delete_inline,
    "List{}Policies": _list_inline,
    "Attach{}Policy": _attach,
    "Detach{}Policy": _detach,
    "ListAttached{}Policies": _list_attached,
}
_BOUNDED: dict[str, _Step] = {
    "Put{}PermissionsBoundary": _put_boundary,
    "Delete{}PermissionsBoundary": _delete_boundary,
    "Tag{}": _tag,
    "Untag{}": _untag,
    "List{}Tags": _list_tags,
}
"""What groups have not."""


def _bound(step: _Step, kind: Holder, what: Kind) -> Act:
    return lambda ask: step(ask, kind, what)


def _actions() -> dict[str, Act]:
    made: dict[str, Act] = {}
    for kind, what in _HOLDERS:
        steps = _ALL if what is GROUP else {**_ALL, **_BOUNDED}
        for name, step in steps.items():
            made[name.format(what.word)] = _bound(step, kind, what)
    return made


ACTIONS = _actions()
