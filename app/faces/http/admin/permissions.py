"""What users, groups and roles may do: their policies, boundaries, tags, memberships and trust; versions of managed
policies. Knows paths and shapes only."""

import json
from collections.abc import Mapping
from typing import Any

from app.core.cluster import ManagedPolicy, Role
from app.core.errors import S3Error
from app.core.limits import ROLE_SESSION_SECONDS
from app.faces.http.admin.endpoints import Asked, Endpoint, Further, Shape, rows
from app.faces.http.admin.entities import SHOWN, Document, RoleShape, about, tag_keys, text_of, there, who
from app.faces.http.admin.identities import path_of
from app.faces.http.admin.times import shown_time
from app.services.identity.commanding import CommandRefused
from app.services.identity.iam import Iam


class DocumentShape(Shape):
    """A policy, as an object or as its text."""

    document: Document


class NewVersionShape(DocumentShape):
    """`default`: whether it is in force from now on."""

    default: bool = False


class InlineShape(Shape):
    """An inline policy."""

    name: str
    document: dict[str, Any]


class InlinesShape(Shape):
    """Every inline policy of one entity."""

    inline_policies: list[InlineShape]


class VersionShape(Shape):
    """One version of a managed policy."""

    version: str
    default: bool
    created: str
    document: dict[str, Any]


class VersionsShape(Shape):
    """Every version, oldest first."""

    versions: list[VersionShape]


class DefaultShape(Shape):
    """The version in force."""

    version: str


class BoundaryShape(Shape):
    """The ARN of a managed policy of the account, or of a built-in one."""

    arn: str


class TagsShape(Shape):
    """All tags."""

    tags: dict[str, str]


class TrustShape(Shape):
    """Who may take a role, and for how long at most."""

    document: Document
    session_seconds_max: int = ROLE_SESSION_SECONDS


_HOLDERS = (("user", "User"), ("group", "Group"), ("role", "Role"))


def endpoints(iam: Iam) -> list[Endpoint]:
    """Everything that gives or takes a permission."""
    made: list[Endpoint] = []
    for kind, word in _HOLDERS:
        made += _inline(iam, kind, word) + _attached(iam, kind, word)
    for kind, word in (("user", "User"), ("role", "Role")):
        made += _boundary(iam, kind, word)
    for kind, word in (("user", "User"), ("role", "Role"), ("policy", "Policy"), ("oidc-provider", "OidcProvider")):
        made.append(_tags(iam, kind, word))
    return [*made, *_members(iam), _trust(iam), *_versions(iam)]


def _inline(iam: Iam, kind: str, word: str) -> list[Endpoint]:
    all_of = path_of(kind) + "/inline-policies"
    one = all_of + "/{policy}"

    def inline(asked: Asked) -> Mapping[str, str]:
        found: Mapping[str, str] = iam.find(who(asked, kind)).inline  # type: ignore[union-attr]
        return found

    def listed(asked: Asked) -> InlinesShape:
        shown = [InlineShape(name=name, document=json.loads(text)) for name, text in sorted(inline(asked).items())]
        return InlinesShape(inline_policies=shown)

    def get(asked: Asked) -> InlineShape:
        name = asked.names["policy"]
        if name not in inline(asked):
            raise CommandRefused("NoSuchEntity", f"The policy with name {name} cannot be found.")
        return InlineShape(name=name, document=json.loads(inline(asked)[name]))

    def put(asked: Asked) -> None:
        iam.put_inline(who(asked, kind), asked.names["policy"], text_of(asked.body.document))

    def delete(asked: Asked) -> None:
        iam.delete_inline(who(asked, kind), asked.names["policy"])

    return rows(
        about(iam, kind),
        ("GET", all_of, f"List{word}Policies", f"Inline policies of a {kind}.", listed, None, InlinesShape),
        ("GET", one, f"Get{word}Policy", "One inline policy.", get, None, InlineShape),
        ("PUT", one, f"Put{word}Policy", "An inline policy, new or replaced.", put, DocumentShape, None),
        ("DELETE", one, f"Delete{word}Policy", "Remove an inline policy.", delete, None, None),
    )


def _attached(iam: Iam, kind: str, word: str) -> list[Endpoint]:
    path = path_of(kind) + "/attached-policies/{policy_arn*}"

    def keys(names: Mapping[str, str], _: Any) -> Mapping[str, tuple[str, ...]]:
        return {"iam:policyarn": (names["policy_arn"],)}

    def attach(asked: Asked) -> None:
        iam.attach(who(asked, kind), asked.names["policy_arn"])

    def detach(asked: Asked) -> None:
        iam.detach(who(asked, kind), asked.names["policy_arn"])

    return rows(
        {**about(iam, kind), "keys": keys},
        ("PUT", path, f"Attach{word}Policy", "Attach a managed policy; again is no error.", attach, None, None),
        ("DELETE", path, f"Detach{word}Policy", "Take an attached policy away.", detach, None, None),
    )


def _boundary(iam: Iam, kind: str, word: str) -> list[Endpoint]:
    path = path_of(kind) + "/boundary"

    def keys(_: Mapping[str, str], body: BoundaryShape) -> Mapping[str, tuple[str, ...]]:
        return {"iam:permissionsboundary": (body.arn,)}

    def put(asked: Asked) -> None:
        if not asked.body.arn:
            raise S3Error("InvalidRequest", "arn: a boundary is taken away by DELETE.")
        iam.set_boundary(who(asked, kind), asked.body.arn)

    def delete(asked: Asked) -> None:
        iam.set_boundary(who(asked, kind), "")

    common = about(iam, kind)
    put_action, delete_action = f"Put{word}PermissionsBoundary", f"Delete{word}PermissionsBoundary"
    return [
        *rows({**common, "keys": keys}, ("PUT", path, put_action, "What it may do at most.", put, BoundaryShape, None)),
        *rows(common, ("DELETE", path, delete_action, "No boundary any more.", delete, None, None)),
    ]


def _tags(iam: Iam, kind: str, word: str) -> Endpoint:
    def put(asked: Asked) -> None:
        iam.set_tags(who(asked, kind), asked.body.tags)

    def keys(_: Mapping[str, str], body: TagsShape) -> Mapping[str, tuple[str, ...]]:
        return tag_keys(body.tags)

    def also(account_id: str, names: Mapping[str, str], body: TagsShape) -> list[Further]:
        """What is not among all tags any more is taken away."""
        entity = there(iam, kind)(account_id, names)
        gone = tuple(name for name in getattr(entity, "tags", {}) if name not in body.tags)
        resource = iam.arn_of(account_id, kind, names["name"])
        return [Further(resource, f"Untag{word}", {"aws:tagkeys": gone})] if gone else []

    return Endpoint(
        "PUT",
        path_of(kind) + "/tags",
        f"Tag{word}",
        "Replace all tags.",
        put,
        body=TagsShape,
        keys=keys,
        also=also,
        **about(iam, kind),
    )


def _members(iam: Iam) -> list[Endpoint]:
    path = path_of("group") + "/members/{username}"

    def add(asked: Asked) -> None:
        iam.set_member(asked.account, asked.names["name"], asked.names["username"], member=True)

    def remove(asked: Asked) -> None:
        iam.set_member(asked.account, asked.names["name"], asked.names["username"], member=False)

    return rows(
        about(iam, "group"),
        ("PUT", path, "AddUserToGroup", "Put a user into a group; again is no error.", add, None, None),
        ("DELETE", path, "RemoveUserFromGroup", "Take a user out of a group.", remove, None, None),
    )


def _trust(iam: Iam) -> Endpoint:
    def put(asked: Asked) -> Shape:
        iam.set_trust(who(asked, "role"), text_of(asked.body.document), asked.body.session_seconds_max)
        role = iam.find(who(asked, "role"))
        assert isinstance(role, Role)
        return SHOWN["role"](iam.account(asked.account), role)

    return Endpoint(
        "PUT",
        path_of("role") + "/trust",
        "UpdateAssumeRolePolicy",
        "Who may take a role, and for how long at most.",
        put,
        body=TrustShape,
        returned=RoleShape,
        **about(iam, "role"),
    )


def _versions(iam: Iam) -> list[Endpoint]:
    all_of = path_of("policy") + "/versions"
    one, chosen = all_of + "/{version}", path_of("policy") + "/default"

    def policy(asked: Asked) -> ManagedPolicy:
        found = iam.find(who(asked, "policy"))
        assert isinstance(found, ManagedPolicy)
        return found

    def listed(asked: Asked) -> VersionsShape:
        return VersionsShape(versions=_shown(policy(asked)))

    def create(asked: Asked) -> VersionShape:
        iam.add_version(who(asked, "policy"), text_of(asked.body.document), asked.body.default)
        return _shown(policy(asked))[-1]

    def get(asked: Asked) -> VersionShape:
        named_so = [version for version in _shown(policy(asked)) if version.version == asked.names["version"]]
        if not named_so:
            raise CommandRefused("NoSuchEntity", f"Policy version {asked.names['version']} was not found.")
        return named_so[0]

    def delete(asked: Asked) -> None:
        iam.remove_version(who(asked, "policy"), asked.names["version"])

    def put_default(asked: Asked) -> None:
        iam.set_default_version(who(asked, "policy"), asked.body.version)

    return rows(
        about(iam, "policy"),
        ("GET", all_of, "ListPolicyVersions", "Every version with its text.", listed, None, VersionsShape),
        ("POST", all_of, "CreatePolicyVersion", "A further version.", create, NewVersionShape, VersionShape),
        ("GET", one, "GetPolicyVersion", "One version with its text.", get, None, VersionShape),
        ("DELETE", one, "DeletePolicyVersion", "Remove a version not in force.", delete, None, None),
        ("PUT", chosen, "SetDefaultPolicyVersion", "Which version is in force.", put_default, DefaultShape, None),
    )


def _shown(policy: ManagedPolicy) -> list[VersionShape]:
    return [
        VersionShape(
            version=version.version_id,
            default=version.version_id == policy.default,
            created=shown_time(version.created_ms),
            document=json.loads(version.text),
        )
        for version in policy.versions
    ]
