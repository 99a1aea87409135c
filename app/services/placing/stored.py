"""How a chunk becomes what devices store: perhaps compressed, then as copies or coded into fragments; and back.

Knows lengths as the only mark of compression: what is stored for a chunk of n bytes is compressed exactly when it is
shorter than that of n bytes in clear would be. Must not know devices. Runs in native threads.
"""

from app.core import cluster_limits
from app.core.layout.profiles import ZSTD, Profile
from app.ports.compression import Compressor
from app.ports.erasure import ErasureCodec


def fragments_of(
    profile: Profile, codec: ErasureCodec | None, compressor: Compressor, chunk: memoryview
) -> list[memoryview]:
    """What to store, by index, `profile.width` entries. Nothing in it refers to `chunk`'s buffer."""
    stored = bytes(chunk)
    if profile.compression == ZSTD:
        stored = shrunk(compressor, stored)
    if not profile.erasure or codec is None:
        return [memoryview(stored)] * profile.width
    return codec.encode(stored)


def shrunk(compressor: Compressor, chunk: bytes) -> bytes:
    """The chunk compressed where that saves enough, else the chunk itself.

    Of a large chunk two samples are tried first: bytes that do not shrink (media, archives, ciphertext) cost 0.2 ms
    then and not 10.
    """
    if len(chunk) < cluster_limits.COMPRESS_BYTES_MIN:
        return chunk
    sample = cluster_limits.COMPRESS_SAMPLE_BYTES
    if len(chunk) >= 8 * sample and not any(
        _saves(compressor.compress(piece), piece) for piece in (chunk[:sample], chunk[len(chunk) // 2 :][:sample])
    ):
        return chunk
    frame = compressor.compress(chunk)
    return frame if _saves(frame, chunk) else chunk


def clear_fragment_bytes(profile: Profile, codec: ErasureCodec | None, length: int) -> int:
    """Size of each copy or fragment of a chunk of `length` bytes stored without compression."""
    return codec.payload_bytes(length) if profile.erasure and codec is not None else length


def memory_of(profile: Profile, length: int) -> int:
    """Bytes `fragments_of` holds, at most."""
    return length + (length * profile.width // profile.data if profile.erasure else 0)


def _saves(frame: bytes, data: bytes) -> bool:
    return len(frame) * 100 <= len(data) * (100 - cluster_limits.COMPRESS_SAVES_PERCENT_MIN)
