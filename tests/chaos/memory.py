"""How much a worker grows while big bodies pass: `python -m tests.chaos.memory [--gib 5] [--multipart]`.

Streams one object without holding it, reads it back, and watches the workers' resident size. The documented bound is
the buffer budget of a worker beside what it needs idle.
"""

import argparse
import hashlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench.machine import ResidentWatch, resident_bytes
from tests.integration.server import Server, temporary_directory
from tests.wire.connection import RawClient
from tests.wire.signer import EMPTY_SHA256

MIB = 1024 * 1024
PIECE = MIB
PART_BYTES = 64 * MIB


@dataclass(frozen=True, slots=True)
class Growth:
    """Resident bytes of the largest worker: idle, and at most while the bodies passed."""

    idle_bytes: int
    peak_bytes: int


def pieces(total: int, start: int = 0) -> Iterator[bytes]:
    """`total` bytes that never repeat, in pieces of 1 MiB."""
    base = hashlib.shake_128(b"memory").digest(PIECE)
    for at in range(start, start + total, PIECE):
        yield (at.to_bytes(16, "big") + base[16:])[: min(PIECE, start + total - at)]


def upload(raw: RawClient, target: str, total: int, start: int = 0) -> str:
    """PUT a streamed body; the ETag."""
    with raw.connect(120) as connection:
        connection.send_head("PUT", target, raw.head("PUT", target, {"content-length": str(total)}))
        for piece in pieces(total, start):
            connection.send(piece)
        answer = connection.answer("PUT")
    assert answer.status == 200, answer.body
    return answer.headers["etag"]


def upload_in_parts(raw: RawClient, target: str, total: int) -> None:
    """The same bytes as a multipart upload."""
    found = re.search(rb"<UploadId>([^<]+)<", raw.call("POST", f"{target}?uploads").body)
    assert found is not None
    upload_id, entries = found[1].decode(), ""
    for number, start in enumerate(range(0, total, PART_BYTES), 1):
        part = f"{target}?partNumber={number}&uploadId={upload_id}"
        etag = upload(raw, part, min(PART_BYTES, total - start), start)
        entries += f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
    document = f"<CompleteMultipartUpload>{entries}</CompleteMultipartUpload>".encode()
    answer = raw.call("POST", f"{target}?uploadId={upload_id}", document)
    assert answer.status == 200, answer.body
    assert not answer.code, answer.body


def download(raw: RawClient, target: str, total: int) -> None:
    """GET and compare every byte."""
    with raw.connect(120) as connection:
        connection.send_head("GET", target, raw.head("GET", target, {}, EMPTY_SHA256))
        head = connection._until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        for piece in pieces(total):
            assert connection._exactly(len(piece)) == piece


def grow(server: Server, total: int, *, multipart: bool = False) -> Growth:
    """Send and fetch `total` bytes, several times over at once would not tell more than the bound."""
    raw = server.raw()
    raw.call("PUT", "/memory")
    pids = server.worker_pids()
    idle = max(map(resident_bytes, pids))
    with ResidentWatch(pids) as watch:
        if multipart:
            upload_in_parts(raw, "/memory/big", total)
        else:
            upload(raw, "/memory/big", total)
        download(raw, "/memory/big", total)
    return Growth(idle, watch.peak_bytes)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gib", type=float, default=5.0)
    parser.add_argument("--multipart", action="store_true")
    options = parser.parse_args()
    with temporary_directory() as root, Server(root / "data", workers=1, dev=True) as server:
        growth = grow(server, int(options.gib * 1024) * MIB, multipart=options.multipart)
        server.stop()
    print(f"idle {growth.idle_bytes / MIB:.0f} MiB, peak {growth.peak_bytes / MIB:.0f} MiB for {options.gib} GiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
