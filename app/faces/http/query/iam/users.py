"""Users and access keys: IAM's actions on them.

Knows that without a name the caller itself is meant, and that nobody but an account's root touches the keys of root.
Must not know how keys are made.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from app.core.cluster import AccessKey, Holder, User, Who, arn
from app.core.cluster.identities import ACTIVE, INACTIVE
from app.core.s3.times import iso_time
from app.faces.http.query.answers import Values
from app.faces.http.query.iam import shown
from app.faces.http.query.iam.ask import USER, Act, Ask
from app.faces.http.query.iam.paging import paged
from app.services.identity.commanding import CommandRefused
from app.services.identity.iam import Wanted


def create_user(ask: Ask) -> Values:
    name, boundary = ask.needed("UserName"), ask.text("PermissionsBoundary")
    tags = ask.demand_creation(USER, name, boundary)
    wanted = Wanted(path=ask.text("Path", "/"), tags=tags, boundary=boundary)
    made = ask.use.iam.create(Who(ask.account.name, "user", name), wanted)
    assert isinstance(made, User)
    return {"User": shown.user(ask.account, made)}


def get_user(ask: Ask) -> Values:
    if ask.text("UserName"):
        return {"User": shown.user(ask.account, ask.found(User, USER)[1])}
    mine = _caller(ask)
    ask.demand(mine.resource, mine.user)
    return {"User": shown.root(ask.account) if mine.user is None else shown.user(ask.account, mine.user)}


def list_users(ask: Ask) -> Values:
    prefix = ask.path_prefix()
    ask.demand(ask.arn(f"user{prefix}"))
    found, more = paged(ask, ((one.name, one) for one in ask.account.users.values() if one.path.startswith(prefix)))
    return {"Users": [shown.user(ask.account, one, tagged=False) for one in found], **more}


def update_user(ask: Ask) -> Values:
    """Both what it is called and what it is to be called are the caller's to change."""
    who, user = ask.found(User, USER)
    name, path = ask.text("NewUserName") or user.name, ask.text("NewPath") or user.path
    if (name, path) != (user.name, user.path):
        ask.demand(arn(ask.account.account_id, replace(user, name=name, path=path)), user)
        ask.use.iam.rename(who, name, path)
    return {}


def delete_user(ask: Ask) -> Values:
    ask.use.iam.delete(ask.found(User, USER)[0])
    return {}


class _Keys(NamedTuple):
    """Whose keys an action is about. `user`: None for the account's own."""

    holder: Holder
    resource: str
    user: User | None
    keys: tuple[AccessKey, ...]


def create_access_key(ask: Ask) -> Values:
    whose = _whose(ask)
    made = ask.use.control.add_key(whose.holder)
    named = {"UserName": whose.holder.user} if whose.user is not None else {}
    key = next((one for one in ask.use.control.keys(whose.holder) if one.access_key == made.access_key), None)
    created_ms = ask.call.now_ms if key is None else key.created_ms
    return {
        "AccessKey": {
            **named,
            "AccessKeyId": made.access_key,
            "Status": ACTIVE,
            "SecretAccessKey": made.secret_key,
            "CreateDate": iso_time(created_ms),
        }
    }


def list_access_keys(ask: Ask) -> Values:
    whose = _whose(ask)
    found, more = paged(ask, ((one.access_key, one) for one in whose.keys))
    return {"AccessKeyMetadata": [shown.key(whose.holder.user, one) for one in found], **more}


def update_access_key(ask: Ask) -> Values:
    status = ask.needed("Status")
    if status not in (ACTIVE, INACTIVE):
        raise CommandRefused("ValidationError", f"Status must be {ACTIVE} or {INACTIVE}.")
    whose, access_key = _whose(ask), ask.needed("AccessKeyId")
    ask.use.control.set_key_active(whose.holder, access_key, status == ACTIVE)
    return {}


def delete_access_key(ask: Ask) -> Values:
    whose, access_key = _whose(ask), ask.needed("AccessKeyId")
    ask.use.control.remove_key(whose.holder, access_key)
    return {}


def get_access_key_last_used(ask: Ask) -> Values:
    """Whose it is. When it was used is not kept, and told as IAM tells of a key that never was."""
    access_key = ask.needed("AccessKeyId")
    holder = ask.use.iam.holder_of(access_key)
    account = ask.account
    if holder is None or holder.account != account.name:
        ask.demand(ask.arn("user/*"))
        raise CommandRefused("NoSuchEntity", f"The Access Key with id {access_key} cannot be found.")
    user = account.users.get(holder.user)
    ask.demand(ask.arn("root") if user is None else arn(account.account_id, user), user)
    named = {"UserName": user.name} if user is not None else {}
    return {**named, "AccessKeyLastUsed": {"ServiceName": "N/A", "Region": "N/A"}}


def _whose(ask: Ask) -> _Keys:
    """Whose keys, which the caller may act on."""
    if ask.text("UserName"):
        who, user = ask.found(User, USER)
        return _Keys(Holder(who.account, user.name), "", user, user.keys)
    mine = _caller(ask)
    ask.demand(mine.resource, mine.user)
    return mine


def _caller(ask: Ask) -> _Keys:
    """The caller itself: its account's root, or a user."""
    identity, account = ask.call.caller.identity, ask.account
    if identity.kind == "root":
        return _Keys(Holder(account.name), ask.arn("root"), None, account.keys)
    user = account.users.get(identity.name) if identity.kind == "user" else None
    if user is None:
        raise CommandRefused("ValidationError", "Must specify userName when calling with non-User credentials")
    return _Keys(Holder(account.name, user.name), arn(account.account_id, user), user, user.keys)


ACTIONS: Final[Mapping[str, Act]] = {
    "CreateAccessKey": create_access_key,
    "CreateUser": create_user,
    "DeleteAccessKey": delete_access_key,
    "DeleteUser": delete_user,
    "GetAccessKeyLastUsed": get_access_key_last_used,
    "GetUser": get_user,
    "ListAccessKeys": list_access_keys,
    "ListUsers": list_users,
    "UpdateAccessKey": update_access_key,
    "UpdateUser": update_user,
}
