"""A profile: how chunks of a storage class are kept. Knows redundancy, compression and the counts that follow.

A profile never changes: redefining a storage class makes a new profile under the next number, and chunks written under
an older one stay as they are until they are rewritten. Every blob id bears its profile's number (blob_ids.py).
Source of the quorums: CONTROL_AND_METADATA.md, section 5.
"""

from dataclasses import dataclass

NO_COMPRESSION = "none"
ZSTD = "zstd"


@dataclass(frozen=True, slots=True)
class Profile:
    """`number` 1..255 (0 is no profile: the one device of a single machine). `storage_class`: as clients name it.

    `data`, `parity`: fragments of erasure coding, `data` 1 and `parity` n - 1 with `erasure` False for n copies.
    `compression`: none or zstd, by chunk and only where it saves: what is stored is shorter than the chunk then.
    `inline_bytes`: contents up to it live with their row.
    """

    number: int
    storage_class: str
    data: int
    parity: int
    erasure: bool
    compression: str = NO_COMPRESSION
    inline_bytes: int = 16_384

    @property
    def width(self) -> int:
        """Fragments (or copies) of a chunk, each on its own device while enough devices exist."""
        return self.data + self.parity

    @property
    def needed(self) -> int:
        """Fragments (or copies) that suffice to read a chunk."""
        return self.data if self.erasure else 1

    @property
    def quorum(self) -> int:
        """Fragments (or copies) on distinct devices that must be durable before a write is acknowledged."""
        if not self.erasure:
            return self.width // 2 + 1
        return self.data + max(1, -(-self.parity // 2)) if self.parity else self.data


def replication(number: int, storage_class: str, copies: int, compression: str = NO_COMPRESSION) -> Profile:
    """As many whole copies."""
    return Profile(number, storage_class, 1, copies - 1, erasure=False, compression=compression)


def erasure(number: int, storage_class: str, data: int, parity: int, compression: str = NO_COMPRESSION) -> Profile:
    """Reed-Solomon, systematic."""
    return Profile(number, storage_class, data, parity, erasure=True, compression=compression)
