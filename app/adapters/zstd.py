"""zstd by python-zstandard. Knows levels and frames; must not know what is compressed, nor whether it is worth it."""

from typing import Final

import zstandard

from app.core.errors import Corrupt

_LEVEL: Final = 1  # 1 GB/s and more on one core; level 3 saves a few percent more at half the speed


class Zstd:
    """app.ports.compression.Compressor. Each call has a context of its own (20 us): they are for one thread only."""

    def __init__(self, level: int = _LEVEL) -> None:
        self._level = level

    def compress(self, data: bytes | memoryview) -> bytes:
        """See Compressor."""
        compressor = zstandard.ZstdCompressor(level=self._level, write_checksum=True, write_content_size=True)
        frame: bytes = compressor.compress(data)
        return frame

    def decompress(self, frame: bytes | memoryview, length: int) -> bytes:
        """See Compressor."""
        try:
            if zstandard.get_frame_parameters(frame).content_size != length:
                raise Corrupt(f"a compressed chunk does not hold {length} bytes")
            data: bytes = zstandard.ZstdDecompressor().decompress(frame, allow_extra_data=True)
        except zstandard.ZstdError as error:
            raise Corrupt(f"a compressed chunk does not open: {error}") from error
        return data
