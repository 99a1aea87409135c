"""Roles: IAM's actions on them. Knows element names. Must not know who may take a role."""

from collections.abc import Mapping
from typing import Final

from app.core.cluster import Role, Who
from app.core.limits import ROLE_SESSION_SECONDS
from app.faces.http.query.answers import Values
from app.faces.http.query.iam import shown
from app.faces.http.query.iam.ask import ROLE, Act, Ask
from app.faces.http.query.iam.paging import paged
from app.services.identity.iam import Wanted


def create_role(ask: Ask) -> Values:
    name, boundary = ask.needed("RoleName"), ask.text("PermissionsBoundary")
    tags = ask.demand_creation(ROLE, name, boundary)
    wanted = Wanted(
        path=ask.text("Path", "/"),
        tags=tags,
        boundary=boundary,
        document=ask.needed("AssumeRolePolicyDocument"),
        session_seconds_max=ask.number("MaxSessionDuration", ROLE_SESSION_SECONDS),
        description=ask.text("Description"),
    )
    made = ask.use.iam.create(Who(ask.account.name, "role", name), wanted)
    assert isinstance(made, Role)
    return {"Role": shown.role(ask.account, made)}


def get_role(ask: Ask) -> Values:
    return {"Role": shown.role(ask.account, ask.found(Role, ROLE)[1])}


def list_roles(ask: Ask) -> Values:
    prefix = ask.path_prefix()
    ask.demand(ask.arn(f"role{prefix}"))
    found, more = paged(ask, ((one.name, one) for one in ask.account.roles.values() if one.path.startswith(prefix)))
    return {"Roles": [shown.role(ask.account, one, tagged=False) for one in found], **more}


def update_role(ask: Ask) -> Values:
    who, role = ask.found(Role, ROLE)
    seconds = ask.number("MaxSessionDuration", role.session_seconds_max)
    if seconds != role.session_seconds_max:
        ask.use.iam.set_trust(who, role.trust, seconds)
    if "Description" in ask.form:
        ask.use.iam.set_description(who, ask.text("Description"))
    return {}


def update_role_description(ask: Ask) -> Values:
    who, _ = ask.found(Role, ROLE)
    ask.use.iam.set_description(who, ask.text("Description"))
    changed = ask.use.iam.find(who)
    assert isinstance(changed, Role)
    return {"Role": shown.role(ask.account, changed)}


def update_assume_role_policy(ask: Ask) -> Values:
    who, role = ask.found(Role, ROLE)
    ask.use.iam.set_trust(who, ask.needed("PolicyDocument"), role.session_seconds_max)
    return {}


def delete_role(ask: Ask) -> Values:
    ask.use.iam.delete(ask.found(Role, ROLE)[0])
    return {}


def list_instance_profiles_for_role(ask: Ask) -> Values:
    """There are none: tools look before they delete a role."""
    ask.found(Role, ROLE)
    return {"InstanceProfiles": [], "IsTruncated": False}


ACTIONS: Final[Mapping[str, Act]] = {
    "CreateRole": create_role,
    "DeleteRole": delete_role,
    "GetRole": get_role,
    "ListInstanceProfilesForRole": list_instance_profiles_for_role,
    "ListRoles": list_roles,
    "UpdateAssumeRolePolicy": update_assume_role_policy,
    "UpdateRole": update_role,
    "UpdateRoleDescription": update_role_description,
}
