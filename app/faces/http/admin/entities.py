"""What the endpoints of users, groups, roles, managed policies and OIDC providers have alike: names, shapes, pages.

Knows how an entity is named in paths, in policies and in answers. Must not know what is done to it.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import Field

from app.core.cluster import Account, Entity, Group, ManagedPolicy, OidcProvider, Role, User, Who, arn
from app.core.cluster.entities import attached_to
from app.core.errors import S3Error
from app.core.limits import ADMIN_PAGE, ADMIN_PAGE_MAX
from app.faces.http.admin.accounts import KeyShape, shown_key
from app.faces.http.admin.endpoints import Asked, ResourceOf, Shape, ThereOf
from app.faces.http.admin.times import shown_time
from app.services.identity.commanding import CommandRefused
from app.services.identity.iam import Iam

ROOM_OF: Final[Mapping[str, str]] = {
    "user": "users",
    "group": "groups",
    "role": "roles",
    "policy": "policies",
    "oidc-provider": "oidc-providers",
}
"""Kind of an entity -> how paths and lists call its like."""
NAME_OF: Final[Mapping[str, str]] = {"user": "username"}
"""The field that holds a name, where it is not "name"."""
PAGE: Final[Mapping[str, str]] = {
    "limit": f"how many at most, 1..{ADMIN_PAGE_MAX}; {ADMIN_PAGE} if not given",
    "after": "go on behind this name: what the page before told as next",
    "path_prefix": "only those whose path begins so",
    "account": "of this account; for the operator's account only",
}
ABOUT: Final[Mapping[str, str]] = {"account": PAGE["account"]}
Document = dict[str, Any] | str
"""A policy as an object, or as its text."""


class UserShape(Shape):
    """A user. Policies by name and ARN; their texts have endpoints of their own."""

    username: str
    arn: str
    user_id: str
    path: str
    created: str
    disabled: bool
    tags: dict[str, str]
    groups: list[str]
    boundary: str
    inline_policies: list[str]
    attached_policies: list[str]
    access_keys: list[KeyShape]


class GroupShape(Shape):
    """A group and its members."""

    name: str
    arn: str
    group_id: str
    path: str
    created: str
    members: list[str]
    inline_policies: list[str]
    attached_policies: list[str]


class RoleShape(Shape):
    """A role. `trust`: the policy that says who may take it."""

    name: str
    arn: str
    role_id: str
    path: str
    created: str
    description: str
    tags: dict[str, str]
    boundary: str
    session_seconds_max: int
    trust: dict[str, Any]
    inline_policies: list[str]
    attached_policies: list[str]


class PolicyShape(Shape):
    """A managed policy. `attached_to`: ARNs."""

    name: str
    arn: str
    policy_id: str
    path: str
    created: str
    description: str
    tags: dict[str, str]
    default_version: str
    versions: list[str]
    attached_to: list[str]


class OidcProviderShape(Shape):
    """An issuer whose tokens are believed, for these audiences."""

    name: str
    arn: str
    created: str
    client_ids: list[str]
    thumbprints: list[str]
    tags: dict[str, str]


class NewUserShape(Shape):
    """`boundary`: the ARN of a managed policy."""

    username: str = Field(min_length=1)
    path: str = "/"
    tags: dict[str, str] = Field(default_factory=dict)
    boundary: str = ""


class NewGroupShape(Shape):
    """A group without members."""

    name: str = Field(min_length=1)
    path: str = "/"


class NewRoleShape(Shape):
    """`trust`: the policy that says who may take it."""

    name: str = Field(min_length=1)
    trust: Document
    path: str = "/"
    tags: dict[str, str] = Field(default_factory=dict)
    boundary: str = ""
    description: str = ""
    session_seconds_max: int = 3600


class NewPolicyShape(Shape):
    """`document`: becomes version v1."""

    name: str = Field(min_length=1)
    document: Document
    path: str = "/"
    tags: dict[str, str] = Field(default_factory=dict)
    description: str = ""


class NewOidcProviderShape(Shape):
    """`name`: the issuer's URL without https://."""

    name: str = Field(min_length=1)
    client_ids: list[str] = Field(default_factory=list)
    thumbprints: list[str] = Field(default_factory=list)
    tags: dict[str, str] = Field(default_factory=dict)


def who(asked: Asked, kind: str) -> Who:
    """The entity a path names."""
    return Who(asked.account, kind, asked.names["name"])


def named(iam: Iam, kind: str) -> ResourceOf:
    """The ARN of the entity a path, or a body, names."""

    def arn_of(account_id: str, names: Mapping[str, str], body: Any) -> str:
        if "name" in names:
            return iam.arn_of(account_id, kind, names["name"])
        if body is None:
            return f"arn:aws:iam::{account_id}:{kind}/*"
        path = getattr(body, "path", "/")
        return f"arn:aws:iam::{account_id}:{kind}{path}{getattr(body, NAME_OF.get(kind, 'name'))}"

    return arn_of


def there(iam: Iam, kind: str) -> ThereOf:
    """The entity a path names, None for none."""

    def found(account_id: str, names: Mapping[str, str]) -> Entity | None:
        try:
            return iam.find(Who(iam.account_of_id(account_id).name, kind, names["name"]))
        except (CommandRefused, KeyError):
            return None

    return found


def about(iam: Iam, kind: str) -> dict[str, Any]:
    """What all endpoints about one entity have in common."""
    return {"query": ABOUT, "resource": named(iam, kind), "there": there(iam, kind)}


def tag_keys(given: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The condition keys of tags that are given."""
    keys = {f"aws:requesttag/{name}": (value,) for name, value in given.items()}
    return {**keys, "aws:tagkeys": tuple(given)} if given else {}


def text_of(document: Document) -> str:
    """A policy as the text that is stored."""
    return document if isinstance(document, str) else json.dumps(document, separators=(",", ":"))


def page(asked: Asked, entities: Mapping[str, Entity]) -> tuple[list[Entity], str]:
    """One page of entities by name, and the name the next begins behind, "" at the end. Raises InvalidRequest."""
    limit = asked.query.get("limit", str(ADMIN_PAGE))
    if not (limit.isascii() and limit.isdigit() and len(limit) < 6 and 1 <= int(limit) <= ADMIN_PAGE_MAX):
        raise S3Error("InvalidRequest", f"limit must be 1..{ADMIN_PAGE_MAX}.")
    after, prefix = asked.query.get("after", ""), asked.query.get("path_prefix", "")
    found = [one for name, one in sorted(entities.items()) if name > after and one.path.startswith(prefix)]
    shown = found[: int(limit)]
    return shown, shown[-1].name if len(found) > len(shown) else ""


def shown_user(account: Account, user: User) -> UserShape:
    return UserShape(
        username=user.name,
        arn=arn(account.account_id, user),
        user_id=user.unique_id,
        path=user.path,
        created=shown_time(user.created_ms),
        disabled=user.disabled,
        tags=dict(user.tags),
        groups=list(user.groups),
        boundary=user.boundary,
        inline_policies=sorted(user.inline),
        attached_policies=list(user.attached),
        access_keys=[shown_key(key) for key in user.keys],
    )


def _shown_group(account: Account, group: Group) -> GroupShape:
    return GroupShape(
        name=group.name,
        arn=arn(account.account_id, group),
        group_id=group.unique_id,
        path=group.path,
        created=shown_time(group.created_ms),
        members=sorted(user.name for user in account.users.values() if group.name in user.groups),
        inline_policies=sorted(group.inline),
        attached_policies=list(group.attached),
    )


def _shown_role(account: Account, role: Role) -> RoleShape:
    return RoleShape(
        name=role.name,
        arn=arn(account.account_id, role),
        role_id=role.unique_id,
        path=role.path,
        created=shown_time(role.created_ms),
        description=role.description,
        tags=dict(role.tags),
        boundary=role.boundary,
        session_seconds_max=role.session_seconds_max,
        trust=json.loads(role.trust),
        inline_policies=sorted(role.inline),
        attached_policies=list(role.attached),
    )


def _shown_policy(account: Account, policy: ManagedPolicy) -> PolicyShape:
    own = arn(account.account_id, policy)
    return PolicyShape(
        name=policy.name,
        arn=own,
        policy_id=policy.unique_id,
        path=policy.path,
        created=shown_time(policy.created_ms),
        description=policy.description,
        tags=dict(policy.tags),
        default_version=policy.default,
        versions=[version.version_id for version in policy.versions],
        attached_to=attached_to(account, own),
    )


def _shown_oidc(account: Account, provider: OidcProvider) -> OidcProviderShape:
    return OidcProviderShape(
        name=provider.name,
        arn=arn(account.account_id, provider),
        created=shown_time(provider.created_ms),
        client_ids=list(provider.client_ids),
        thumbprints=list(provider.thumbprints),
        tags=dict(provider.tags),
    )


SHOWN: Final[Mapping[str, Callable[[Account, Any], Shape]]] = {
    "user": shown_user,
    "group": _shown_group,
    "role": _shown_role,
    "policy": _shown_policy,
    "oidc-provider": _shown_oidc,
}
"""Kind -> how one is told."""
