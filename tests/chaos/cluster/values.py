"""Values that say who they are: unique, of any length, and known again from their bytes alone."""

import hashlib
import threading
from dataclasses import dataclass, field

from tests.chaos.cluster.history import TORN

PART_BYTES = 5 * 1024 * 1024


def bytes_of(value: str) -> bytes:
    """The bytes of a value; its name bears their number: CLIENT.COUNT.BYTES."""
    length = int(value.rpartition(".")[2])
    head = value.encode() + b"\n"
    return (head + hashlib.shake_128(head).digest(max(0, length - len(head))))[: max(length, len(head))]


def value_of(body: bytes | memoryview) -> str:
    """The value these are the bytes of; TORN when they are of none."""
    head = bytes(body[:64]).partition(b"\n")[0]
    try:
        value = head.decode("ascii")
        return value if bytes_of(value) == body else TORN
    except ValueError:
        return TORN


def parts_of(value: str) -> list[bytes]:
    """The bytes as a multipart upload sends them."""
    data = bytes_of(value)
    return [data[at : at + PART_BYTES] for at in range(0, len(data), PART_BYTES)]


@dataclass(slots=True)
class Etags:
    """ETag -> value, of every value anybody is about to write; for any thread."""

    _values: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, value: str, *, parts: bool = False) -> str:
        """Learn a value before it is sent; its ETag without quotes."""
        if parts:
            digests = [hashlib.md5(part).digest() for part in parts_of(value)]
            etag = f"{hashlib.md5(b''.join(digests)).hexdigest()}-{len(digests)}"
        else:
            etag = hashlib.md5(bytes_of(value)).hexdigest()
        with self._lock:
            self._values[etag] = value
        return etag

    def value(self, etag: str) -> str:
        """The value of an ETag, TORN for one nobody made."""
        return self._values.get(etag.strip('"'), TORN)
