"""A file host whose answers are nonsense: Unavailable, never a bug of the node that asked."""

import time
from collections.abc import Iterator

import pytest
from gevent.server import StreamServer

from app.adapters.chunks.peer import Identity, Peer
from app.adapters.chunks.remote import RemoteDevice
from app.core.blob_wire import checksum
from app.core.errors import Unavailable
from app.runtime.offload import Offload


@pytest.fixture
def offload() -> Iterator[Offload]:
    offload = Offload(1)
    yield offload
    offload.close()


def answered(body: bytes, *headers: str, length: str = "") -> bytes:
    lines = ["HTTP/1.1 200 OK", f"content-length: {length or len(body)}", f"zapfs-checksum: {checksum(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def said(device: RemoteDevice, what: str) -> object:
    if what == "stats":
        return device.stats()
    return device.page(b"", None, b"", 10) if what == "names" else device.verify(b"f" * 16)


@pytest.mark.parametrize(
    ("what", "answer"),
    [
        ("stats", answered(b"", length="9" * 5_000)),
        ("stats", answered(b"", length="9" * 19)),
        ("stats", answered(b"[" * 100_000)),
        ("stats", answered(b'{"blobs": 1, "nothing": 2}')),
        ("stats", answered(b"9" * 5_000)),
        ("stats", answered(b"[]")),
        ("names", answered(b"n" * 65)),
        ("verify", answered(b"", "zapfs-size: " + "9" * 5_000)),
        ("verify", answered(b"", "zapfs-size: -1")),
    ],
)
def test_an_absurd_answer_is_an_unavailable_host(offload: Offload, what: str, answer: bytes) -> None:
    server = StreamServer(("127.0.0.1", 0), lambda sock, _: (sock.recv(65_536), sock.sendall(answer), sock.close()))
    server.start()
    peer = Peer(f"127.0.0.1:{server.server_port}", Identity(b"k" * 32, "n", lambda: 1, time.monotonic))
    with pytest.raises(Unavailable):
        said(RemoteDevice("d" * 32, peer, offload), what)
    server.stop()
