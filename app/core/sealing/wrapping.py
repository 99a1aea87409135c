"""Wraps: a data key sealed under a wrapping key, bound to the object it belongs to.

Knows the stored form of a wrap. Must not know which wrapping key is whose (services/content/keyring), nor frames.

Stored form: 1 byte of form (1), 4 bytes of the wrapping key's version, 16 bytes of seal id, the sealed key with its
16-byte tag. The seal id is random; with it a key of its own is derived for every wrap, so the nonce may be zero and no
number of wraps wears a wrapping key out. The associated data is everything the wrap is bound to: scheme, bucket id,
object key, encryption context, the version's number and the seal id.
"""

from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.core.errors import Corrupt
from app.core.sealing.frames import KEY_BYTES, TAG_BYTES, derive
from app.core.types import BucketId

SEAL_ID_BYTES: Final = 16

_FORM: Final = b"\x01"
_VERSION_BYTES: Final = 4
_HEAD_BYTES: Final = len(_FORM) + _VERSION_BYTES + SEAL_ID_BYTES
_WRAP: Final = b"zapfs wrap 1"
_NONCE: Final = bytes(12)


class Binding(NamedTuple):
    """What a data key belongs to. A wrap opens under exactly this and nothing else."""

    scheme: str
    bucket_id: BucketId
    key: bytes
    context: str = ""


def wrap(wrapping_key: bytes, version: int, binding: Binding, seal_id: bytes, data_key: bytes) -> bytes:
    """The stored form of `data_key`. `seal_id`: SEAL_ID_BYTES fresh random bytes; `version`: of `wrapping_key`."""
    head = _FORM + version.to_bytes(_VERSION_BYTES, "big") + seal_id
    return head + _cipher(wrapping_key, seal_id).encrypt(_NONCE, data_key, _bound(head, binding))


def wrapping_version(wrapped: bytes) -> int:
    """The number of the wrapping key's version that opens `wrapped`. Raises Corrupt for no known form."""
    if len(wrapped) != _HEAD_BYTES + KEY_BYTES + TAG_BYTES or not wrapped.startswith(_FORM):
        raise Corrupt("a wrapped data key is not in a known form")
    return int.from_bytes(wrapped[1 : 1 + _VERSION_BYTES], "big")


def unwrap(wrapping_key: bytes, binding: Binding, wrapped: bytes) -> bytes:
    """The data key. Raises Corrupt when it was wrapped by another key, for another object, or was altered."""
    wrapping_version(wrapped)
    head, sealed = wrapped[:_HEAD_BYTES], wrapped[_HEAD_BYTES:]
    try:
        return _cipher(wrapping_key, head[-SEAL_ID_BYTES:]).decrypt(_NONCE, sealed, _bound(head, binding))
    except InvalidTag:
        raise Corrupt("a data key does not open: wrapped by another key, for another object, or altered") from None


def _cipher(wrapping_key: bytes, seal_id: bytes) -> AESGCM:
    return AESGCM(derive(wrapping_key, _WRAP + seal_id))


def _bound(head: bytes, binding: Binding) -> bytes:
    """Every field with its length before it, so that no two bindings read alike."""
    fields = (head, binding.scheme.encode(), binding.bucket_id, binding.key, binding.context.encode())
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)
