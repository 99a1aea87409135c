"""The promise of an erasure codec: a chunk to k + m fragments and back from any k of them.

Knows fragments as bytes. Must not know where they lie.

Rules (tests/contract/test_erasure.py): the same chunk gives the same fragments on every machine and in every release;
data fragment i is the chunk's bytes [i * payload, (i + 1) * payload) in clear, zeros after the chunk's end, so that
ranges are read without decoding; fragments bear no head, so that equal ranges of k fragments decode to the same range
of any other. `rebuild` gives exactly what `encode` gave. Whether a fragment's bytes are the right ones is for the
device's checksums to say: the codec sees only counts, indices and lengths.
"""

from collections.abc import Mapping
from typing import Protocol


class ErasureCodec(Protocol):
    """One per (k, m). Calls may take milliseconds: callers offload them. For any thread."""

    data: int
    parity: int

    def payload_bytes(self, length: int) -> int:
        """Size of every fragment of a chunk of `length` bytes: ceil(length / k)."""

    def encode(self, chunk: bytes) -> list[memoryview]:
        """The k + m fragments, data first. They are the caller's and do not refer to `chunk`."""

    def decode(self, fragments: Mapping[int, bytes | memoryview], length: int) -> bytes | memoryview:
        """The chunk of `length` bytes, from any k fragments by index. Corrupt when they do not fit together."""

    def rebuild(self, fragments: Mapping[int, bytes | memoryview], index: int) -> memoryview:
        """Fragment `index`, or a range of it, from the whole, or the same range, of any k others. Corrupt."""
