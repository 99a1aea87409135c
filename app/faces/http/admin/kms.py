"""The keyring's keys. Knows paths and JSON; key material is in no answer."""

from typing import Any, Final

from flask import Blueprint, Response

from app.core.cluster import KmsKey
from app.core.limits import KMS_DELETION_DAYS_MAX
from app.faces.http.admin.gate import Gate
from app.faces.http.admin.json_wire import answer, done, fields
from app.services.identity.kms_keys import KmsKeys

_KEYS: Final = "/admin/v1/kms/keys"
_KEY: Final = f"{_KEYS}/<path:named>"


def add(face: Blueprint, gate: Gate, keys: KmsKeys) -> None:
    """The routes. A key is named by its id, an alias or the ARN of either."""

    @face.get(_KEYS)
    def list_kms_keys() -> Response:
        gate.admitted()
        return answer({"keys": [_shown(key) for key in keys.listed()]})

    @face.post(_KEYS)
    def create_kms_key() -> Response:
        chosen = fields(gate.admitted(), key_id=str, alias=str, description=str)
        return answer(_shown(keys.create(**chosen)), 201)

    @face.get(_KEY)
    def get_kms_key(named: str) -> Response:
        gate.admitted()
        return answer(_shown(keys.find(named)))

    @face.post(f"{_KEY}/rotate")
    def rotate_kms_key(named: str) -> Response:
        gate.admitted()
        keys.rotate(named)
        return done()

    @face.post(f"{_KEY}/<any(enable,disable):change>")
    def change_kms_key(named: str, change: str) -> Response:
        gate.admitted()
        keys.set_enabled(named, change == "enable")
        return done()

    @face.delete(_KEY)
    def schedule_kms_key_deletion(named: str) -> Response:
        days = fields(gate.admitted(), days=int).get("days", KMS_DELETION_DAYS_MAX)
        keys.schedule_deletion(named, days)
        return done()


def _shown(key: KmsKey) -> dict[str, Any]:
    return {
        "key_id": key.key_id,
        "arn": key.arn,
        "aliases": list(key.aliases),
        "description": key.description,
        "state": key.state,
        "created_ms": key.created_ms,
        "deletion_ms": key.deletion_ms,
        "versions": len(key.versions),
    }
