"""Groups and their members: IAM's actions on them. Knows element names. Must not know rules of groups."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from app.core.cluster import Group, User, Who, arn
from app.faces.http.query.answers import Values
from app.faces.http.query.iam import shown
from app.faces.http.query.iam.ask import GROUP, USER, Act, Ask
from app.faces.http.query.iam.paging import paged
from app.services.identity.commanding import CommandRefused
from app.services.identity.iam import Wanted


def create_group(ask: Ask) -> Values:
    name = ask.needed("GroupName")
    ask.demand(ask.arn(f"group{ask.text('Path', '/')}{name}"))
    made = ask.use.iam.create(Who(ask.account.name, "group", name), Wanted(path=ask.text("Path", "/")))
    assert isinstance(made, Group)
    return {"Group": shown.group(ask.account, made)}


def get_group(ask: Ask) -> Values:
    _, group = ask.found(Group, GROUP)
    members = ((one.name, one) for one in ask.account.users.values() if group.name in one.groups)
    found, more = paged(ask, members)
    users = [shown.user(ask.account, one, tagged=False) for one in found]
    return {"Group": shown.group(ask.account, group), "Users": users, **more}


def list_groups(ask: Ask) -> Values:
    prefix = ask.path_prefix()
    ask.demand(ask.arn(f"group{prefix}"))
    found, more = paged(ask, ((one.name, one) for one in ask.account.groups.values() if one.path.startswith(prefix)))
    return {"Groups": [shown.group(ask.account, one) for one in found], **more}


def list_groups_for_user(ask: Ask) -> Values:
    _, user = ask.found(User, USER)
    there = ask.account.groups
    found, more = paged(ask, ((name, there[name]) for name in user.groups if name in there))
    return {"Groups": [shown.group(ask.account, one) for one in found], **more}


def update_group(ask: Ask) -> Values:
    """Both what it is called and what it is to be called are the caller's to change."""
    who, group = ask.found(Group, GROUP)
    name, path = ask.text("NewGroupName") or group.name, ask.text("NewPath") or group.path
    if (name, path) != (group.name, group.path):
        ask.demand(arn(ask.account.account_id, replace(group, name=name, path=path)))
        ask.use.iam.rename(who, name, path)
    return {}


def delete_group(ask: Ask) -> Values:
    ask.use.iam.delete(ask.found(Group, GROUP)[0])
    return {}


def add_user_to_group(ask: Ask) -> Values:
    return _set_member(ask, member=True)


def remove_user_from_group(ask: Ask) -> Values:
    return _set_member(ask, member=False)


def _set_member(ask: Ask, *, member: bool) -> Values:
    """The group is what is changed: its ARN is what policies name."""
    who, group = ask.found(Group, GROUP)
    name = ask.needed("UserName")
    user = ask.named("user", name)
    if not isinstance(user, User):
        raise CommandRefused("NoSuchEntity", f"The user with name {name} cannot be found.")
    ask.use.iam.set_member(who.account, group.name, user.name, member)
    return {}


ACTIONS: Final[Mapping[str, Act]] = {
    "AddUserToGroup": add_user_to_group,
    "CreateGroup": create_group,
    "DeleteGroup": delete_group,
    "GetGroup": get_group,
    "ListGroups": list_groups,
    "ListGroupsForUser": list_groups_for_user,
    "RemoveUserFromGroup": remove_user_from_group,
    "UpdateGroup": update_group,
}
