"""The keyring's keys. Knows paths and shapes; key material is in no answer. Of the operator's account only."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.core.cluster import KmsKey
from app.core.limits import KMS_DELETION_DAYS_MAX
from app.faces.http.admin.endpoints import OF_SYSTEM, Asked, Endpoint, ResourceOf, Shape, rows
from app.faces.http.admin.times import shown_time
from app.services.identity.commanding import CommandRefused
from app.services.identity.kms_keys import KmsKeys


class NewKmsKeyShape(Shape):
    """`key_id`: random when "". `alias`: "alias/NAME"."""

    key_id: str = ""
    alias: str = ""
    description: str = ""


class KmsKeyShape(Shape):
    """`state`: Enabled, Disabled or PendingDeletion, with `deletion`. `versions`: of its material."""

    key_id: str
    arn: str
    aliases: list[str]
    description: str
    state: str
    created: str
    deletion: str
    versions: int


class KmsKeysShape(Shape):
    """Every key, by id."""

    keys: list[KmsKeyShape]


class KmsKeyChangeShape(Shape):
    """Enabling also cancels a scheduled deletion."""

    enabled: bool


class DeletionShape(Shape):
    """After so many days the key may go."""

    days: int = KMS_DELETION_DAYS_MAX


_ALL = "/kms/keys"
_ONE = _ALL + "/{key_id*}"


def endpoints(keys: KmsKeys) -> list[Endpoint]:
    """A key is named by its id, an alias or the ARN of either; policies name it by its id however it was named."""

    def by_id(key_path: str) -> ResourceOf:
        def resource(_: str, names: Mapping[str, str], __: Any) -> str:
            try:
                key_id = keys.find(names["key_id"]).key_id
            except CommandRefused:
                key_id = names["key_id"]
            return "arn:aws:zapfs:::" + key_path.replace("{key_id*}", key_id).lstrip("/")

        return resource

    def listed(_: Asked) -> KmsKeysShape:
        return KmsKeysShape(keys=[_shown(key) for key in keys.listed()])

    def create(asked: Asked) -> KmsKeyShape:
        return _shown(keys.create(**asked.body.model_dump()))

    def get(asked: Asked) -> KmsKeyShape:
        return _shown(keys.find(asked.names["key_id"]))

    def rotate(asked: Asked) -> KmsKeyShape:
        keys.rotate(asked.names["key_id"])
        return get(asked)

    def change(asked: Asked) -> KmsKeyShape:
        keys.set_enabled(asked.names["key_id"], asked.body.enabled)
        return get(asked)

    def delete(asked: Asked) -> KmsKeyShape:
        keys.schedule_deletion(asked.names["key_id"], asked.body.days)
        return get(asked)

    anew = "New material for what is encrypted from now on; the older stays for what it encrypted."
    made = rows(
        OF_SYSTEM,
        ("GET", _ALL, "ListKmsKeys", "Every key of the keyring.", listed, None, KmsKeysShape),
        ("POST", _ALL, "CreateKmsKey", "A key for SSE-KMS.", create, NewKmsKeyShape, KmsKeyShape),
        ("GET", _ONE, "GetKmsKey", "One key.", get, None, KmsKeyShape),
        ("POST", _ONE + "/rotate", "RotateKmsKey", anew, rotate, None, KmsKeyShape),
        ("PATCH", _ONE, "UpdateKmsKey", "Enable or disable a key.", change, KmsKeyChangeShape, KmsKeyShape),
        ("DELETE", _ONE, "ScheduleKmsKeyDeletion", "Disable it, to go later.", delete, DeletionShape, KmsKeyShape),
    )
    return [replace(one, resource=by_id(one.path)) if "{key_id*}" in one.path else one for one in made]


def _shown(key: KmsKey) -> KmsKeyShape:
    return KmsKeyShape(
        key_id=key.key_id,
        arn=key.arn,
        aliases=list(key.aliases),
        description=key.description,
        state=key.state,
        created=shown_time(key.created_ms),
        deletion=shown_time(key.deletion_ms),
        versions=len(key.versions),
    )
