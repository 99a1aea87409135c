"""The blob routes against strangers, damage and lies, on raw sockets: one clear line, nothing stored, no bug."""

import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
from gevent import socket as green
from gevent.server import StreamServer

from app.adapters.chunks.peer import Identity, Peer
from app.adapters.chunks.remote import RemoteDevice
from app.core.auth import cluster_secret
from app.core.blob_wire import ROOT, checksum
from app.core.cluster_limits import FRAGMENT_BYTES_MAX, INTERNAL_SKEW_MS
from app.core.errors import Corrupt, Full, Unavailable
from app.core.limits import MIB
from app.runtime.offload import Offload
from tests.chunk_room import flip, name_of, payload_of
from tests.host_room import KEY, HostRoom, guarded_at, hosting, now_ms
from tests.integration import smuggling_corpus as corpus

NAME = name_of(1)
BODY = payload_of(1, 5000)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[HostRoom]:
    with hosting(tmp_path / "device") as room:
        yield room
        assert room.bugs == []


def device_id(room: HostRoom) -> str:
    return next(iter(room.devices))


def put_target(room: HostRoom) -> str:
    return f"{ROOT}/{device_id(room)}/{NAME.blob_id.hex()}?chunk={NAME.chunk_id.hex()}&ref={NAME.ref_id.hex()}"


def request(target: str, body: bytes = b"", method: str = "PUT", key: bytes = KEY, **changed: str) -> bytes:
    """A signed request; `changed` replaces headers (underscores for dashes) behind the signature's back, "" omits."""
    said = checksum(body) if body else ""
    time_ms = now_ms() + int(changed.pop("clock_off_ms", "0"))
    headers = {
        "host": "h",
        "content-length": str(len(body)),
        "zapfs-protocol": "1",
        "zapfs-checksum": said,
        "zapfs-proof": cluster_secret.signed(key, "n1", time_ms, (method, target, said)),
    } | {name.replace("_", "-"): value for name, value in changed.items()}
    lines = [f"{method} {target} HTTP/1.1"] + [f"{name}: {value}" for name, value in headers.items() if value]
    return "\r\n".join([*lines, "", ""]).encode() + body


def heard(room: HostRoom, data: bytes, *, finish: bool = False) -> bytes:
    """Everything the host says to these bytes until it ends the connection or falls silent."""
    with green.create_connection(("127.0.0.1", room.port), timeout=2) as client:
        client.sendall(data)
        if finish:
            client.shutdown(socket.SHUT_WR)
        said = b""
        with gevent.Timeout(1.5, False):
            while fresh := client.recv(65536):
                said += fresh
                if not finish and b"\r\n\r\n" in said and b"onnection: close" not in said:
                    break
    return said


def stored(room: HostRoom) -> bool:
    return bool(room.devices[device_id(room)].held([NAME.blob_id])[0])


OF_THE_ECHO = {"a broken answer", "more than promised"}
"""Of the corpus: what an application does wrong that is not served here; two honest requests otherwise."""

REFUSED = {
    "without a proof": ({"zapfs_proof": ""}, b" 401 ", b"no proof of membership"),
    "with another secret": ({"key": b"x" * 32}, b" 401 ", b"another cluster secret"),
    "with a garbled proof": ({"zapfs_proof": "n1 1 zz"}, b" 401 ", b"no proof of membership"),
    "from a clock far off": ({"clock_off_ms": str(-INTERNAL_SKEW_MS - 60_000)}, b" 401 ", b"differ by 360 s"),
    "of another protocol": ({"zapfs_protocol": "2"}, b" 400 ", b"internal protocol 2, this node speaks 1"),
    "of no protocol": ({"zapfs_protocol": ""}, b" 400 ", b"internal protocol none"),
    "whose checksum was exchanged": ({"zapfs_checksum": "0" * 32}, b" 401 ", b"changed on its way"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_request_that_proves_nothing_is_refused_in_one_line_and_stores_nothing(room: HostRoom, case: str) -> None:
    changed, status, line = REFUSED[case]
    said = heard(room, request(put_target(room), BODY, **changed))  # type: ignore[arg-type]
    assert status in said.split(b"\r\n")[0]
    head, _, text = said.partition(b"\r\n\r\n")
    assert line in text
    assert text.count(b"\n") == 1
    assert b"Connection: close" in head
    assert not stored(room)


def test_the_body_of_a_stranger_is_not_read(room: HostRoom) -> None:
    head = request(put_target(room), BODY, key=b"x" * 32)[: -len(BODY)]
    assert b" 401 " in heard(room, head)  # the answer comes although no byte of the body was sent
    assert room.told[-1].bytes_in == 0


def test_a_target_signed_for_another_fragment_is_refused(room: HostRoom) -> None:
    other = put_target(room).replace(NAME.blob_id.hex(), name_of(2).blob_id.hex())
    said = heard(room, request(other, BODY).replace(other.encode(), put_target(room).encode(), 1))
    assert b" 401 " in said
    assert not stored(room)


def test_a_body_damaged_on_its_way_is_refused(room: HostRoom) -> None:
    whole = request(put_target(room), BODY)
    said = heard(room, whole[:-1] + bytes([whole[-1] ^ 1]))
    assert b" 400 " in said
    assert b"damaged on its way" in said
    assert not stored(room)


def test_a_body_that_ends_early_is_refused(room: HostRoom) -> None:
    said = heard(room, request(put_target(room), BODY)[:-1], finish=True)
    assert b" 400 " in said
    assert not stored(room)
    assert room.buffers.lent_bytes == 0


@pytest.mark.parametrize(("length", "status"), [(FRAGMENT_BYTES_MAX + 1, b" 413 "), (0, b" 400 ")])
def test_a_body_of_a_length_no_fragment_has_is_refused_unread(room: HostRoom, length: int, status: bytes) -> None:
    said = heard(room, request(put_target(room), b"", content_length=str(length)))
    assert status in said
    assert not stored(room)


def test_a_body_of_untold_length_is_refused(room: HostRoom) -> None:
    chunked = request(put_target(room), content_length="", transfer_encoding="chunked") + b"1\r\nx\r\n0\r\n\r\n"
    assert b" 411 " in heard(room, chunked)


def test_an_unknown_device_is_unavailable_and_not_missing(room: HostRoom) -> None:
    target = f"{ROOT}/{'e' * 32}/{NAME.blob_id.hex()}"
    said = heard(room, request(target, method="GET"))
    assert b" 503 " in said
    assert b"zapfs-error: Unavailable" in said
    with pytest.raises(Unavailable, match="has no device"):
        room.peer().call("GET", target)


@pytest.mark.parametrize(
    ("method", "rest", "status"),
    [
        ("GET", "/", b" 404 "),
        ("GET", f"{ROOT}/../../etc/passwd", b" 404 "),
        ("GET", f"{ROOT}/DEV/%2e%2e", b" 404 "),
        ("GET", f"{ROOT}/DEV/{'0' * 31}", b" 404 "),
        ("GET", f"{ROOT}/DEV/names?first=zz", b" 400 "),
        ("GET", f"{ROOT}/DEV/names?limit=99999999999999999999", b" 400 "),
        ("PUT", f"{ROOT}/DEV/{'0' * 32}?chunk=00&ref=00", b" 400 "),
        ("POST", f"{ROOT}/DEV/stats", b" 405 "),
        ("BREW", f"{ROOT}/DEV/stats", b" 405 "),
        ("POST", f"{ROOT}/suspects?why=mood", b" 400 "),
    ],
)
def test_members_too_hear_one_line_for_nonsense(room: HostRoom, method: str, rest: str, status: bytes) -> None:
    said = heard(room, request(rest.replace("DEV", device_id(room)), method=method))
    assert status in said.split(b"\r\n")[0]


def test_a_range_outside_the_fragment_is_refused(room: HostRoom) -> None:
    room.devices[device_id(room)].put(NAME, memoryview(BODY))
    target = f"{ROOT}/{device_id(room)}/{NAME.blob_id.hex()}?offset=4000&length=2000&size=5000"
    assert b" 400 " in heard(room, request(target, method="GET"))


def test_torn_lists_are_refused(room: HostRoom) -> None:
    assert b"torn" in heard(room, request(f"{ROOT}/{device_id(room)}/held", b"x" * 17, method="POST"))


def test_of_the_smuggling_corpus_nothing_is_ever_carried_out(room: HostRoom) -> None:
    """One by one: no request of it is answered as if a member had asked, and what is refused ends the connection."""
    for name, _, data in corpus.REFUSED:
        if name in OF_THE_ECHO:
            continue
        said = heard(room, data, finish=True)
        assert len(re.findall(rb"HTTP/1\.1 \d{3} ", said)) <= 1, name
    for name, statuses, data in corpus.SAFE:
        if name in OF_THE_ECHO:
            continue
        said = heard(room, data, finish=True)
        assert len(re.findall(rb"HTTP/1\.1 \d{3} ", said)) <= len(statuses) + 1, name
    assert [told for told in room.told if told.status < 400] == []
    assert [told for told in room.told if "smuggled" in told.target] == []


def test_damage_on_the_device_is_told_as_such(tmp_path: Path) -> None:
    offload = Offload(2)
    with hosting(tmp_path / "device") as room:
        device = RemoteDevice(device_id(room), room.peer(), offload)
        device.put(NAME, memoryview(payload_of(1, MIB)))
        segment = next((tmp_path / "device" / "segments").iterdir())
        flip(segment, 4096 * 2 + 300_000)
        with pytest.raises(Corrupt):
            device.verify(NAME.blob_id)
        with pytest.raises(Corrupt):
            device.whole(NAME.blob_id)
        assert room.bugs == []
    offload.close()


def test_a_device_whose_directory_goes_away_is_down_and_the_other_serves(tmp_path: Path) -> None:
    with hosting(tmp_path / "a", tmp_path / "b") as room:
        gone, well = room.devices.values()
        (tmp_path / "a").rename(tmp_path / "elsewhere")
        gone.look()
        assert gone.health().status == "down"
        with pytest.raises(Unavailable):
            gone.put(NAME, memoryview(BODY))
        well.put(NAME, memoryview(BODY))
        assert bytes(well.whole(NAME.blob_id)) == BODY


def test_a_full_device_says_so_and_the_other_takes_more(tmp_path: Path) -> None:
    offload = Offload(2)
    full = guarded_at(tmp_path / "full", reserve_bytes=1 << 60)
    well = guarded_at(tmp_path / "well")
    room = HostRoom({full.device_id: full, well.device_id: well}, offload)
    with pytest.raises(Full):
        RemoteDevice(full.device_id, room.peer(), offload).put(NAME, memoryview(BODY))
    RemoteDevice(well.device_id, room.peer(), offload).put(NAME, memoryview(BODY))
    assert full.health().status == "up"
    room.close()
    full.close()
    well.close()
    offload.close()


def test_a_host_that_is_gone_is_told_at_once_after_the_first_call(room: HostRoom) -> None:
    room.close()
    peer = room.peer()
    with pytest.raises(Unavailable, match="no connection"):
        peer.call("GET", "/x")
    assert peer.down
    with pytest.raises(Unavailable, match="is down"):
        peer.call("GET", "/x")


def test_a_request_that_a_kept_connection_died_under_is_sent_again(room: HostRoom) -> None:
    offload = Offload(1)
    device = RemoteDevice(device_id(room), room.peer(), offload)
    device.put(NAME, memoryview(BODY))
    room.listener.cut()  # every connection, as a host that is restarted does
    assert bytes(device.whole(NAME.blob_id)) == BODY
    offload.close()


class Damaging:
    """A way to the host on which the last byte of every answer that is long enough changes."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._server = StreamServer(("127.0.0.1", 0), self._serve)
        self._server.start()
        self.address = f"127.0.0.1:{self._server.server_port}"

    def _serve(self, client: green.socket, _: object) -> None:
        with green.create_connection(("127.0.0.1", self._port)) as host:
            back = gevent.spawn(self._back, host, client)
            while data := client.recv(1 << 20):
                host.sendall(data)
            back.kill()

    def _back(self, host: green.socket, client: green.socket) -> None:
        while data := host.recv(1 << 20):
            client.sendall(data[:-1] + bytes([data[-1] ^ 1]) if len(data) > 3000 else data)

    def close(self) -> None:
        self._server.stop()


def test_bytes_damaged_between_host_and_reader_are_never_handed_out(room: HostRoom) -> None:
    offload = Offload(1)
    way = Damaging(room.port)
    device = RemoteDevice(device_id(room), Peer(way.address, Identity(KEY, "n1", now_ms, time.monotonic)), offload)
    device.put(NAME, memoryview(BODY))
    with pytest.raises(Corrupt, match="between its device and here"):
        device.whole(NAME.blob_id)
    with pytest.raises(Corrupt), device.open(NAME.blob_id, len(BODY)) as reader:
        reader.read(10, 20)
    way.close()
    offload.close()
