"""The use cases on the keyring's keys: create, list, rotate, disable; and the two keys every server has.

Knows key ids, ARNs and states. Must not know what keys encrypt (services/content/keyring) or how material is
sealed: that is handed in. Material never leaves here in the open.
"""

import uuid
from collections.abc import Callable, Mapping
from typing import Final

from app.core.cluster import DEFAULT_KMS_ALIAS, SSE_S3_KEY, CreateKmsKey, KmsKey, RotateKmsKey, SetKmsKeyState
from app.core.cluster.keys import DISABLED, ENABLED, PENDING_DELETION
from app.core.limits import KMS_DELETION_DAYS_MAX, KMS_DELETION_DAYS_MIN, KMS_MATERIAL_BYTES
from app.services.identity.commanding import CommandRefused, Desk, Rule, rules

_DAY_MS: Final = 86_400_000
_RULES: Final[Mapping[str, Rule]] = rules(
    key_id=(r"[A-Za-z0-9_-]{1,128}", "1..128 letters, digits, '_' or '-'"),
    alias=(r"alias/(?!aws/)[A-Za-z0-9/_-]{1,250}", '"alias/" and letters, digits, "/", "_" or "-", not "alias/aws/…"'),
    description=(r"[^\x00-\x1f\x7f]{0,512}", "up to 512 characters without control characters"),
)
SealMaterial = Callable[[str, int, bytes], bytes]
"""(key id, version, material) -> sealed."""


class KmsKeys:
    """Every change is durable on return. Raises CommandRefused (NotFoundException, EntityAlreadyExists, InvalidInput,
    KMSInvalidStateException), Unavailable, Full."""

    def __init__(self, desk: Desk, seal: SealMaterial, region: str) -> None:
        self._desk = desk
        self._seal = seal
        self._region = region

    def listed(self) -> list[KmsKey]:
        """Every key by id; material stays sealed."""
        return [key for _, key in sorted(self._desk.cluster.state().kms_keys.items())]

    def ensure(self) -> None:
        """Make the key of SSE-S3 and the default key of SSE-KMS, unless they are there. For every start."""
        state = self._desk.cluster.state()
        if SSE_S3_KEY not in state.kms_keys:
            self._submit(self._made(SSE_S3_KEY, (), "SSE-S3"))
        if DEFAULT_KMS_ALIAS not in state.kms_aliases:
            key_id = str(uuid.UUID(bytes=self._desk.identities.random(16), version=4))
            self._submit(self._made(key_id, (DEFAULT_KMS_ALIAS,), "default key of SSE-KMS"))

    def create(self, key_id: str = "", alias: str = "", description: str = "") -> KmsKey:
        """A key of that id, or of a random one."""
        if key_id:
            _RULES["key_id"].check("key_id", key_id)
        if alias:
            _RULES["alias"].check("alias", alias)
        _RULES["description"].check("description", description)
        named = key_id or str(uuid.UUID(bytes=self._desk.identities.random(16), version=4))
        key = self._made(named, (alias,) if alias else (), description)
        self._submit(key)
        return key

    def rotate(self, named: str) -> None:
        """New material for what is encrypted from now on; older material stays for what it encrypted."""
        key = self.find(named)
        version = len(key.versions)
        sealed = self._seal(key.key_id, version, self._desk.identities.random(KMS_MATERIAL_BYTES))
        self._desk.submit(lambda command_id: RotateKmsKey(command_id, key.key_id, version, sealed))

    def set_enabled(self, named: str, enabled: bool) -> None:
        """A disabled key neither encrypts nor decrypts. Enabling also cancels a scheduled deletion."""
        key = self.find(named)
        state = ENABLED if enabled else DISABLED
        self._desk.submit(lambda command_id: SetKmsKeyState(command_id, key.key_id, state))

    def schedule_deletion(self, named: str, days: int) -> None:
        """Disable it for good after a time of grace, in which enabling brings it back."""
        if not KMS_DELETION_DAYS_MIN <= days <= KMS_DELETION_DAYS_MAX:
            raise CommandRefused("InvalidInput", f"days must be {KMS_DELETION_DAYS_MIN}..{KMS_DELETION_DAYS_MAX}")
        key = self.find(named)
        due_ms = self._desk.now_ms() + days * _DAY_MS
        self._desk.submit(lambda command_id: SetKmsKeyState(command_id, key.key_id, PENDING_DELETION, due_ms))

    def find(self, named: str) -> KmsKey:
        """By id, alias or the ARN of either. NotFoundException."""
        key = self._desk.cluster.state().kms_key(named)
        if key is None:
            raise CommandRefused("NotFoundException", f"Key '{named}' does not exist")
        return key

    def _made(self, key_id: str, aliases: tuple[str, ...], description: str) -> KmsKey:
        sealed = self._seal(key_id, 0, self._desk.identities.random(KMS_MATERIAL_BYTES))
        root = next((a.account_id for a in self._desk.cluster.state().accounts.values() if a.root), "0" * 12)
        arn = f"arn:aws:kms:{self._region}:{root}:key/{key_id}"
        return KmsKey(key_id, arn, self._desk.now_ms(), (sealed,), aliases, description)

    def _submit(self, key: KmsKey) -> None:
        self._desk.submit(lambda command_id: CreateKmsKey(command_id, key))
