"""Users, groups, roles, managed policies and OIDC providers: list, make, show, change, remove. Knows paths and shapes
only; what they may do is in permissions.py."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from pydantic import Field, create_model

from app.core.cluster import Group, Holder, User, Who, arn
from app.faces.http.admin import accounts
from app.faces.http.admin import entities as shapes
from app.faces.http.admin.accounts import CreatedKeyShape, KeyChangeShape, KeysShape, NewKeyShape, shown_key
from app.faces.http.admin.endpoints import AlsoOf, Asked, Endpoint, Further, Shape, rows
from app.faces.http.admin.entities import (
    NAME_OF,
    PAGE,
    ROOM_OF,
    SHOWN,
    about,
    named,
    page,
    tag_keys,
    text_of,
    there,
    who,
)
from app.services.identity.control import Control
from app.services.identity.iam import Iam, Wanted


class UserChangeShape(Shape):
    """What is to change of a user; what is not given stays."""

    disabled: bool | None = None
    new_username: str | None = None
    new_path: str | None = None


class GroupChangeShape(Shape):
    """What is to change of a group; what is not given stays."""

    new_name: str | None = None
    new_path: str | None = None


class RoleChangeShape(Shape):
    """What is to change of a role."""

    description: str


class OidcChangeShape(Shape):
    """All audiences and thumbprints of a provider."""

    client_ids: list[str]
    thumbprints: list[str] = Field(default_factory=list)


_SHAPES: Final[Mapping[str, tuple[type[Shape], type[Shape]]]] = {
    "user": (shapes.NewUserShape, shapes.UserShape),
    "group": (shapes.NewGroupShape, shapes.GroupShape),
    "role": (shapes.NewRoleShape, shapes.RoleShape),
    "policy": (shapes.NewPolicyShape, shapes.PolicyShape),
    "oidc-provider": (shapes.NewOidcProviderShape, shapes.OidcProviderShape),
}
_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "user": ("User", "Users"),
    "group": ("Group", "Groups"),
    "role": ("Role", "Roles"),
    "policy": ("Policy", "Policies"),
    "oidc-provider": ("OidcProvider", "OidcProviders"),
}


def endpoints(iam: Iam, control: Control) -> list[Endpoint]:
    """Everything that is about one kind of entity as a whole."""
    made = [one for kind in ROOM_OF for one in _of_kind(iam, kind)]
    return made + _changes(iam) + _keys(control, iam)


def path_of(kind: str) -> str:
    """As in "/iam/users/{name}"; an OIDC provider's name has slashes in it."""
    return f"/iam/{ROOM_OF[kind]}/" + ("{name*}" if kind == "oidc-provider" else "{name}")


def _of_kind(iam: Iam, kind: str) -> list[Endpoint]:
    room, (one, many), (new, shape) = ROOM_OF[kind], _WORDS[kind], _SHAPES[kind]
    field = room.replace("-", "_")
    listed_shape = create_model(f"{many}Shape", __base__=Shape, **{field: (list[shape], ...), "next": (str, ...)})  # type: ignore[call-overload, valid-type]

    def listed(asked: Asked) -> Shape:
        account = iam.account(asked.account)
        found, following = page(asked, getattr(account, field))
        answer: Shape = listed_shape(**{field: [SHOWN[kind](account, each) for each in found], "next": following})
        return answer

    def create(asked: Asked) -> Shape:
        wanted = asked.body.model_dump()
        name = wanted.pop(NAME_OF.get(kind, "name"))
        for given, taken in (("trust", "document"), ("document", "document")):
            if given in wanted:
                wanted[taken] = text_of(wanted.pop(given))
        lists = {each: tuple(wanted[each]) for each in ("client_ids", "thumbprints") if each in wanted}
        entity = iam.create(Who(asked.account, kind, name), Wanted(**(wanted | lists)))
        return SHOWN[kind](iam.account(asked.account), entity)

    def get(asked: Asked) -> Shape:
        return SHOWN[kind](iam.account(asked.account), iam.find(who(asked, kind)))

    def delete(asked: Asked) -> None:
        iam.delete(who(asked, kind))

    all_of, path = f"/iam/{room}", path_of(kind)
    common = about(iam, kind)
    asked_for = {"keys": _asked_for, "also": _tagging(iam, kind)}
    empty = f"Remove one {one} that holds nothing and is held by nothing any more."
    return [
        *rows({**common, "query": PAGE}, ("GET", all_of, f"List{many}", "By name.", listed, None, listed_shape)),
        *rows({**common, **asked_for}, ("POST", all_of, f"Create{one}", f"One {one}.", create, new, shape)),
        *rows(
            common,
            ("GET", path, f"Get{one}", f"One {one}.", get, None, shape),
            ("DELETE", path, f"Delete{one}", empty, delete, None, None),
        ),
    ]


def _asked_for(_: Mapping[str, str], body: Any) -> Mapping[str, tuple[str, ...]]:
    """The condition keys of what something new is to have."""
    boundary: str = getattr(body, "boundary", "")
    bounded = {"iam:permissionsboundary": (boundary,)} if boundary else {}
    return {**tag_keys(getattr(body, "tags", {})), **bounded}


def _tagging(iam: Iam, kind: str) -> AlsoOf:
    """Who makes something with tags must be allowed to tag it, as on IAM."""
    action, resource = f"Tag{_WORDS[kind][0]}", named(iam, kind)

    def further(account_id: str, names: Mapping[str, str], body: Any) -> list[Further]:
        tagged = bool(getattr(body, "tags", {}))
        return [Further(resource(account_id, names, body), action, _asked_for(names, body))] if tagged else []

    return further


def _moving(iam: Iam, kind: str) -> AlsoOf:
    """Both what it is called and what it is to be called are to be the caller's to change, as on IAM."""

    def further(account_id: str, names: Mapping[str, str], body: Any) -> list[Further]:
        entity = there(iam, kind)(account_id, names)
        if not isinstance(entity, User | Group):
            return []
        name = body.new_username if isinstance(body, UserChangeShape) else body.new_name
        path = entity.path if body.new_path is None else body.new_path
        moved = replace(entity, name=entity.name if name is None else name, path=path)
        return [] if moved == entity else [Further(arn(account_id, moved))]

    return further


def _changes(iam: Iam) -> list[Endpoint]:
    def change_user(asked: Asked) -> Shape:
        wanted, target = asked.body, who(asked, "user")
        if wanted.disabled is not None:
            iam.set_disabled(Holder(asked.account, target.name), wanted.disabled)
        return _renamed(iam, asked, "user", wanted.new_username, wanted.new_path)

    def change_group(asked: Asked) -> Shape:
        return _renamed(iam, asked, "group", asked.body.new_name, asked.body.new_path)

    def change_role(asked: Asked) -> Shape:
        iam.set_description(who(asked, "role"), asked.body.description)
        return SHOWN["role"](iam.account(asked.account), iam.find(who(asked, "role")))

    def change_oidc(asked: Asked) -> Shape:
        target = who(asked, "oidc-provider")
        iam.set_oidc_trust(target, tuple(asked.body.client_ids), tuple(asked.body.thumbprints))
        return SHOWN["oidc-provider"](iam.account(asked.account), iam.find(target))

    changes: tuple[tuple[str, str, str, Callable[[Asked], Shape], type[Shape]], ...] = (
        ("user", "UpdateUser", "Rename, move, disable or enable a user.", change_user, UserChangeShape),
        ("group", "UpdateGroup", "Rename or move a group.", change_group, GroupChangeShape),
        ("role", "UpdateRole", "Describe a role.", change_role, RoleChangeShape),
        ("oidc-provider", "UpdateOidcProvider", "Change whom one is believed for.", change_oidc, OidcChangeShape),
    )
    return [
        endpoint
        for kind, action, text, answers, body in changes
        for endpoint in rows(
            {**about(iam, kind), **({"also": _moving(iam, kind)} if kind in ("user", "group") else {})},
            ("PATCH", path_of(kind), action, text, answers, body, _SHAPES[kind][1]),
        )
    ]


def _renamed(iam: Iam, asked: Asked, kind: str, name: str | None, path: str | None) -> Shape:
    """The entity, under another name or path where one is given."""
    target = who(asked, kind)
    entity = iam.find(target)
    if name is not None or path is not None:
        iam.rename(target, entity.name if name is None else name, entity.path if path is None else path)
        target = target._replace(name=entity.name if name is None else name)
    return SHOWN[kind](iam.account(asked.account), iam.find(target))


def _keys(control: Control, iam: Iam) -> list[Endpoint]:
    keys_path = path_of("user") + "/access-keys"
    key_path = keys_path + "/{access_key}"

    def holder(asked: Asked) -> Holder:
        return Holder(asked.account, asked.names["name"])

    def listed(asked: Asked) -> KeysShape:
        return KeysShape(access_keys=[shown_key(key) for key in control.keys(holder(asked))])

    def create(asked: Asked) -> CreatedKeyShape:
        return accounts.made_key(control, holder(asked), asked.body)

    def change(asked: Asked) -> None:
        control.set_key_active(holder(asked), asked.names["access_key"], asked.body.active)

    def delete(asked: Asked) -> None:
        control.remove_key(holder(asked), asked.names["access_key"])

    return rows(
        about(iam, "user"),
        ("GET", keys_path, "ListAccessKeys", "Access keys of a user.", listed, None, KeysShape),
        (
            "POST",
            keys_path,
            "CreateAccessKey",
            "One more key.",
            create,
            NewKeyShape,
            CreatedKeyShape,
        ),
        ("PATCH", key_path, "UpdateAccessKey", "Switch a key on or off.", change, KeyChangeShape, None),
        ("DELETE", key_path, "DeleteAccessKey", "Remove a key for good.", delete, None, None),
    )
