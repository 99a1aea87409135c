"""Users, groups, roles and managed policies of an account. Knows paths and JSON only.

Paths: /admin/v1/accounts/ACCOUNT/{users,groups,roles,policies}/NAME and what belongs to one below it.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, Response

from app.core.cluster import Account, Entity, Group, ManagedPolicy, OidcProvider, Role, Who, arn
from app.core.cluster.identities import ROOMS
from app.core.limits import ROLE_SESSION_SECONDS
from app.faces.http.admin.accounts import shown_key
from app.faces.http.admin.gate import Gate
from app.faces.http.admin.json_wire import answer, done, fields, needed
from app.services.identity.iam import Iam, Wanted

_KINDS: Final = {room: kind for kind, room in ROOMS.items()}
_ALL: Final = "/admin/v1/accounts/<account>/<any(users,groups,roles,policies):room>"
_ONE: Final = _ALL + "/<name>"
_HOLDER: Final = "/admin/v1/accounts/<account>/<any(users,groups,roles):room>/<name>"
_POLICY: Final = "/admin/v1/accounts/<account>/policies/<name>"
_CHOICES: Final[Mapping[str, Mapping[str, type]]] = {
    "users": {"path": str, "tags": dict, "boundary": str},
    "groups": {"path": str},
    "roles": {"path": str, "tags": dict, "boundary": str, "document": object, "session_seconds_max": int},
    "policies": {"path": str, "document": object},
}


def add(face: Blueprint, gate: Gate, iam: Iam) -> None:
    """The routes."""
    _add_entities(face, gate, iam)
    _add_permissions(face, gate, iam)
    _add_attributes(face, gate, iam)
    _add_versions(face, gate, iam)


def _add_entities(face: Blueprint, gate: Gate, iam: Iam) -> None:
    @face.get(_ALL)
    def list_entities(account: str, room: str) -> Response:
        gate.admitted()
        found = iam.account(account)
        entities = sorted(getattr(found, room).items())
        return answer({room: [_shown(found, one) for _, one in entities]})

    @face.post(_ALL)
    def create_entity(account: str, room: str) -> Response:
        chosen = fields(gate.admitted(), name=str, **_CHOICES[room])
        name = chosen.pop("name", "")
        made = iam.create(Who(account, _KINDS[room], name), Wanted(**chosen))
        return answer(_shown(iam.account(account), made), 201)

    @face.get(_ONE)
    def get_entity(account: str, room: str, name: str) -> Response:
        gate.admitted()
        entity = iam.find(Who(account, _KINDS[room], name))
        return answer(_shown(iam.account(account), entity) | _policies(entity))

    @face.delete(_ONE)
    def delete_entity(account: str, room: str, name: str) -> Response:
        gate.admitted()
        iam.delete(Who(account, _KINDS[room], name))
        return done()


def _add_permissions(face: Blueprint, gate: Gate, iam: Iam) -> None:
    @face.put(f"{_HOLDER}/inline/<policy>")
    def put_inline_policy(account: str, room: str, name: str, policy: str) -> Response:
        document = needed(gate.admitted(), "document", object)
        iam.put_inline(Who(account, _KINDS[room], name), policy, document)
        return done()

    @face.delete(f"{_HOLDER}/inline/<policy>")
    def delete_inline_policy(account: str, room: str, name: str, policy: str) -> Response:
        gate.admitted()
        iam.delete_inline(Who(account, _KINDS[room], name), policy)
        return done()

    @face.put(f"{_HOLDER}/attached/<path:policy_arn>")
    def attach_policy(account: str, room: str, name: str, policy_arn: str) -> Response:
        gate.admitted()
        iam.attach(Who(account, _KINDS[room], name), policy_arn)
        return done()

    @face.delete(f"{_HOLDER}/attached/<path:policy_arn>")
    def detach_policy(account: str, room: str, name: str, policy_arn: str) -> Response:
        gate.admitted()
        iam.detach(Who(account, _KINDS[room], name), policy_arn)
        return done()

    @face.put(f"{_HOLDER}/boundary")
    def put_boundary(account: str, room: str, name: str) -> Response:
        policy_arn = needed(gate.admitted(), "arn", str)
        iam.set_boundary(Who(account, _KINDS[room], name), policy_arn)
        return done()


def _add_attributes(face: Blueprint, gate: Gate, iam: Iam) -> None:
    @face.put(f"{_HOLDER}/tags")
    def put_tags(account: str, room: str, name: str) -> Response:
        tags = needed(gate.admitted(), "tags", dict)
        iam.set_tags(Who(account, _KINDS[room], name), tags)
        return done()

    @face.put("/admin/v1/accounts/<account>/roles/<name>/trust")
    def put_trust(account: str, name: str) -> Response:
        chosen = fields(gate.admitted(), document=object, session_seconds_max=int)
        seconds = chosen.get("session_seconds_max", ROLE_SESSION_SECONDS)
        iam.set_trust(Who(account, "role", name), chosen.get("document", ""), seconds)
        return done()

    @face.put("/admin/v1/accounts/<account>/groups/<group>/members/<user>")
    def add_member(account: str, group: str, user: str) -> Response:
        gate.admitted()
        iam.set_member(account, group, user, member=True)
        return done()

    @face.delete("/admin/v1/accounts/<account>/groups/<group>/members/<user>")
    def remove_member(account: str, group: str, user: str) -> Response:
        gate.admitted()
        iam.set_member(account, group, user, member=False)
        return done()


def _add_versions(face: Blueprint, gate: Gate, iam: Iam) -> None:
    @face.post(f"{_POLICY}/versions")
    def create_version(account: str, name: str) -> Response:
        chosen = fields(gate.admitted(), document=object, default=bool)
        who = Who(account, "policy", name)
        iam.add_version(who, chosen.get("document", ""), chosen.get("default", False))
        policy = iam.find(who)
        return answer(_shown(iam.account(account), policy), 201)

    @face.delete(f"{_POLICY}/versions/<version_id>")
    def delete_version(account: str, name: str, version_id: str) -> Response:
        gate.admitted()
        iam.remove_version(Who(account, "policy", name), version_id)
        return done()

    @face.put(f"{_POLICY}/default")
    def set_default_version(account: str, name: str) -> Response:
        version_id = needed(gate.admitted(), "version", str)
        iam.set_default_version(Who(account, "policy", name), version_id)
        return done()


def _shown(account: Account, entity: Entity) -> dict[str, Any]:
    assert not isinstance(entity, OidcProvider)
    shown: dict[str, Any] = {
        "name": entity.name,
        "arn": arn(account.account_id, entity),
        "unique_id": entity.unique_id,
        "path": entity.path,
        "created_ms": entity.created_ms,
    }
    if isinstance(entity, ManagedPolicy):
        versions = [{"version": one.version_id, "created_ms": one.created_ms} for one in entity.versions]
        return shown | {"default": entity.default, "versions": versions}
    shown |= {"inline": sorted(entity.inline), "attached": list(entity.attached)}
    if isinstance(entity, Group):
        return shown | {"members": sorted(user.name for user in account.users.values() if entity.name in user.groups)}
    shown |= {"tags": dict(entity.tags), "boundary": entity.boundary}
    if isinstance(entity, Role):
        return shown | {"session_seconds_max": entity.session_seconds_max}
    return shown | {"groups": list(entity.groups), "keys": [shown_key(key) for key in entity.keys]}


def _policies(entity: Entity) -> dict[str, Any]:
    assert not isinstance(entity, OidcProvider)
    """The texts of policies, shown only of one entity at a time."""
    if isinstance(entity, ManagedPolicy):
        return {"documents": {one.version_id: json.loads(one.text) for one in entity.versions}}
    inline = {name: json.loads(text) for name, text in entity.inline.items()}
    return {"inline": inline} | ({"trust": json.loads(entity.trust)} if isinstance(entity, Role) else {})
