"""Frames: how the bytes of an encrypted content lie in storage, and the cipher that seals and opens them.

Knows the frame's form and its arithmetic; every length is in bytes. Must not know where keys come from (wrapping.py),
nor chunks. A content of P bytes is max(1, ceil(P / FRAME_BYTES)) frames; each is its plaintext's AES-256-GCM ciphertext
and a 16-byte tag, only the last is shorter, and that of an empty content is a tag alone.

The key of a content is HKDF-SHA256 of the data key over (bucket id, the content's ref id). A ref id names one attempt
and is never used again, so no two contents share a key, and a frame's nonce is its index. The associated data says
whether it is the last one. Hence a frame opens nowhere but in its own place of its own content, and a content that was
cut off or drawn out does not open at its end. Source: NIST SP 800-38D, RFC 5869; docs/design/encryption.md.
"""

import hmac
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.core.errors import Corrupt
from app.core.limits import KIB
from app.core.types import BucketId, RefId

FRAME_BYTES: Final = 64 * KIB
"""Plaintext of a frame: what a ranged read decrypts at least. Part of the stored form, never to be changed."""
TAG_BYTES: Final = 16
STORED_FRAME_BYTES: Final = FRAME_BYTES + TAG_BYTES
KEY_BYTES: Final = 32

_CONTENT: Final = b"zapfs content 1"
_ETAG: Final = b"zapfs etag 1"
_MORE, _LAST = b"\x00", b"\x01"


def frame_count(size: int) -> int:
    """Frames of a content of `size` bytes of plaintext."""
    return max(1, -(-size // FRAME_BYTES))


def stored_size(size: int) -> int:
    """What `size` bytes of plaintext take as frames."""
    return size + TAG_BYTES * frame_count(size)


class FrameSpan(NamedTuple):
    """The frames a span of plaintext touches. `first`: index of the first; `start`..`end`: where they lie in the stored
    bytes; `lead`: bytes of the first frame's plaintext before the span."""

    first: int
    start: int
    end: int
    lead: int


def frame_span(size: int, start: int, end: int) -> FrameSpan:
    """Of the plaintext [start, end) of a content of `size` bytes, 0 <= start < end <= size."""
    first, last = start // FRAME_BYTES, (end - 1) // FRAME_BYTES
    stored_end = min((last + 1) * STORED_FRAME_BYTES, stored_size(size))
    return FrameSpan(first, first * STORED_FRAME_BYTES, stored_end, start - first * FRAME_BYTES)


class Frames:
    """Seals and opens the frames of one content of `size` bytes. Sealing a frame twice is the caller's mistake."""

    __slots__ = ("_cipher", "_last")

    def __init__(self, key: bytes, size: int) -> None:
        self._cipher = AESGCM(key)
        self._last = frame_count(size) - 1

    def seal(self, first: int, plain: memoryview, sealed: memoryview) -> int:
        """Seal `plain`, whole frames from index `first` on (the content's last may be short), into `sealed`.

        Returns how many bytes of `sealed` were filled. About 10 us a frame, in which nothing else runs.
        """
        encrypt, last = self._cipher.encrypt_into, self._last
        filled = 0
        for index, start in enumerate(range(0, len(plain) or 1, FRAME_BYTES), first):
            frame = plain[start : start + FRAME_BYTES]
            end = filled + len(frame) + TAG_BYTES
            encrypt(index.to_bytes(12, "big"), frame, _LAST if index == last else _MORE, sealed[filled:end])
            filled = end
        return filled

    def open(self, first: int, sealed: memoryview, plain: memoryview) -> int:
        """Open whole frames from index `first` on into `plain`; returns how many bytes of it were filled.

        Raises Corrupt when a frame was altered, or belongs anywhere else; `plain` holds nothing to be used then.
        """
        decrypt, last = self._cipher.decrypt_into, self._last
        filled = 0
        try:
            for index, start in enumerate(range(0, len(sealed), STORED_FRAME_BYTES), first):
                frame = sealed[start : start + STORED_FRAME_BYTES]
                end = filled + len(frame) - TAG_BYTES
                decrypt(index.to_bytes(12, "big"), frame, _LAST if index == last else _MORE, plain[filled:end])
                filled = end
        except (InvalidTag, ValueError):
            raise Corrupt(f"frame {index} of an encrypted content does not open") from None
        return filled


class DataKey:
    """The key of one version or upload, open. It makes the keys of its contents; it never shows itself."""

    __slots__ = ("_bucket_id", "_key")

    def __init__(self, key: bytes, bucket_id: BucketId) -> None:
        self._key = key
        self._bucket_id = bucket_id

    def frames(self, ref_id: RefId, size: int) -> Frames:
        """The cipher of the content `ref_id`, `size` bytes of plaintext."""
        return Frames(derive(self._key, _CONTENT + self._bucket_id + ref_id), size)

    def etag(self, md5: bytes) -> str:
        """32 hex digits that tell nothing of the plaintext, not even that two are equal."""
        return hmac.digest(derive(self._key, _ETAG), md5, "sha256")[:16].hex()


def derive(key: bytes, purpose: bytes) -> bytes:
    """A 32-byte key for one purpose. `key` is uniformly random already, so no salt is needed (RFC 5869, 3.1)."""
    return HKDF(hashes.SHA256(), KEY_BYTES, None, purpose).derive(key)
