"""The promise of an erasure codec: a chunk to k + m fragments and back from any k of them.

Knows fragments as bytes. Must not know where they lie.

Rules (tests/contract/test_erasure.py): the same chunk gives the same fragments on every machine and in every release;
data fragment i bears, from byte `head_bytes` on, the chunk's bytes [i * payload, (i + 1) * payload) in clear, so that
ranges are read without decoding; `rebuild` gives exactly what `encode` gave.
"""

from collections.abc import Mapping
from typing import Protocol


class ErasureCodec(Protocol):
    """One per (k, m). Calls may take milliseconds: callers offload them."""

    head_bytes: int

    def payload_bytes(self, length: int) -> int:
        """Bytes of the chunk in each data fragment, for a chunk of `length` bytes; the last ones may hold fewer."""

    def fragment_bytes(self, length: int) -> int:
        """Size of every fragment of a chunk of `length` bytes, head included."""

    def encode(self, chunk: memoryview) -> list[bytes]:
        """The k + m fragments, data first."""

    def decode(self, fragments: Mapping[int, bytes | memoryview], length: int) -> bytes:
        """The chunk, from any k fragments by index. Corrupt when they do not fit together."""

    def rebuild(self, fragments: Mapping[int, bytes | memoryview], index: int) -> bytes:
        """Fragment `index`, from any k others. Corrupt."""
