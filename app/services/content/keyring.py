"""The keyring: which wrapping key a write takes and which one opens a stored data key.

Knows keys' names, states and versions from the control state, and that the newest version wraps while every version
unwraps. Must not know objects. Materials opened under the master key are kept in the memory of this process, bounded.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from app.core import limits
from app.core.cluster.keys import DEFAULT_KMS_ALIAS, DISABLED, SSE_S3_KEY, KmsKey
from app.core.cluster.state import ClusterState
from app.core.errors import Corrupt, S3Error

OpenMaterial = Callable[[str, int, bytes], bytes]
"""(key id, version, sealed material) -> 32 bytes. Raises Corrupt."""


class WrappingKey(NamedTuple):
    """`material`: 32 bytes. `version`: its number, stored with what it wraps. `arn`: as answers name the key."""

    material: bytes
    version: int
    arn: str

    def __repr__(self) -> str:
        return f"WrappingKey({self.arn}, version {self.version})"


class Keyring:
    """One per worker process. `state` gives the newest control state known here."""

    def __init__(self, state: Callable[[], ClusterState], open_material: OpenMaterial) -> None:
        self._state = state
        self._open_material = open_material
        self._opened: OrderedDict[bytes, bytes] = OrderedDict()  # sealed material -> material

    def of_server(self) -> WrappingKey:
        """SSE-S3's own key, its newest version. Raises ServiceUnavailable while the control plane has none yet."""
        return self._newest(self._servers_own())

    def named(self, name: str) -> WrappingKey:
        """The newest version of a KMS key by id, alias or ARN; "" is the default one.

        Raises KMS.NotFoundException, KMS.DisabledException, KMS.KMSInvalidStateException.
        """
        return self._newest(self._usable(name or DEFAULT_KMS_ALIAS))

    def server_version(self, version: int) -> bytes:
        """The material of one version of SSE-S3's own key. Raises Corrupt when there is no such version."""
        return self._version(self._servers_own(), version)

    def named_version(self, name: str, version: int) -> bytes:
        """The material of one version of a KMS key. Raises as `named`, and Corrupt."""
        return self._version(self._usable(name), version)

    def _servers_own(self) -> KmsKey:
        key = self._state().kms_keys.get(SSE_S3_KEY)
        if key is None:
            raise S3Error("ServiceUnavailable", reason="the control plane has made no key for SSE-S3 yet")
        return key

    def _usable(self, name: str) -> KmsKey:
        key = self._state().kms_key(name)
        if key is None or key.key_id == SSE_S3_KEY:
            raise S3Error("KMS.NotFoundException", f"Key '{name[:256]}' does not exist")
        if not key.enabled:
            if key.state == DISABLED:
                raise S3Error("KMS.DisabledException", f"{key.arn} is disabled.")
            raise S3Error("KMS.KMSInvalidStateException", f"{key.arn} is pending deletion.")
        return key

    def _newest(self, key: KmsKey) -> WrappingKey:
        version = len(key.versions) - 1
        return WrappingKey(self._version(key, version), version, key.arn)

    def _version(self, key: KmsKey, version: int) -> bytes:
        if not 0 <= version < len(key.versions):
            raise Corrupt(f"key {key.key_id} has no version {version}")
        sealed = key.versions[version]
        material = self._opened.get(sealed)
        if material is None:
            material = self._opened[sealed] = self._open_material(key.key_id, version, sealed)
            while len(self._opened) > limits.SECRETS_OPEN_MAX:
                self._opened.popitem(last=False)
        return material
