"""Real workers of a file host: killed in the middle, one device full, stopped and started again."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from app.adapters.chunks.remote import RemoteDevice
from app.adapters.cluster import snapshot
from app.adapters.cluster.local import STATE_FILE
from app.core.auth import cluster_secret
from app.core.blob_wire import checksum
from app.core.cluster import ClusterState
from app.core.errors import Missing, StoreError
from app.core.layout.placement import IN, OUT, Device, Layout, Placement
from app.core.limits import MIB
from app.runtime.offload import Offload
from roles.data_dir import DataDir
from tests.chunk_room import name_of, payload_of
from tests.integration.blob_host import CLUSTER, BlobHost


@pytest.fixture
def offload() -> Iterator[Offload]:
    offload = Offload(2)
    yield offload
    offload.close()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[BlobHost]:
    host = BlobHost(tmp_path / "data", (tmp_path / "a", tmp_path / "b"))
    yield host.start()
    host.kill()


def device(host: BlobHost, offload: Offload, which: int = 0) -> RemoteDevice:
    return RemoteDevice(host.device_ids[which], host.peer(), offload)


def put(store: RemoteDevice, number: int, length: int) -> int | None:
    """The number once it was acknowledged, None when the host went away first."""
    try:
        store.put(name_of(number), memoryview(payload_of(number, length)))
    except StoreError:
        return None
    return number


def test_what_was_acknowledged_survives_a_kill_in_the_middle_of_many_puts(host: BlobHost, offload: Offload) -> None:
    store = device(host, offload)
    greenlets = [gevent.spawn(put, store, number, MIB) for number in range(1, 41)]
    gevent.wait(greenlets, count=10)
    half = half_a_put(host, 99)
    host.kill()
    gevent.joinall(greenlets, raise_error=True)
    acknowledged = [each.value for each in greenlets if each.value is not None]
    assert len(acknowledged) >= 10
    half.close()
    host.start()
    store = device(host, offload)
    for number in acknowledged:
        assert bytes(store.whole(name_of(number).blob_id)) == payload_of(number, MIB)
        assert store.verify(name_of(number).blob_id) == MIB
    with pytest.raises(Missing):
        store.whole(name_of(99).blob_id)


def half_a_put(host: BlobHost, number: int) -> socket.socket:
    """A connection that has sent half of a fragment and sends no more."""
    name, body = name_of(number), payload_of(number, MIB)
    target = f"/blob/v1/{host.device_ids[0]}/{name.blob_id.hex()}?chunk={name.chunk_id.hex()}&ref={name.ref_id.hex()}"
    key = cluster_secret.derive(host.settings.cluster_secret, cluster_secret.PURPOSE)
    said = checksum(body)
    proof = cluster_secret.signed(key, "n2", time.time_ns() // 1_000_000, ("PUT", target, said))
    head = (
        f"PUT {target} HTTP/1.1\r\nhost: h\r\ncontent-length: {len(body)}\r\nzapfs-protocol: 1\r\n"
        f"zapfs-checksum: {said}\r\nzapfs-proof: {proof}\r\n\r\n"
    )
    client = socket.create_connection(("127.0.0.1", host.port))
    client.sendall(head.encode() + body[: len(body) // 2])
    return client


def test_a_device_that_goes_away_leaves_the_other_serving(host: BlobHost, offload: Offload) -> None:
    gone, well = device(host, offload, 0), device(host, offload, 1)
    assert put(gone, 1, 1000) == 1
    host.roots[0].rename(host.roots[0].with_name("elsewhere"))
    with gevent.Timeout(20):
        number = 2
        while put(gone, number, 1000) is not None:  # each worker looks once a second
            number += 1
            gevent.sleep(0.05)
    assert put(well, 1, 1000) == 1
    assert bytes(well.whole(name_of(1).blob_id)) == payload_of(1, 1000)


@pytest.mark.parametrize("gone", ["out", "removed"])
def test_a_device_that_left_the_cluster_takes_nothing_from_a_gateway_that_has_not_heard(
    host: BlobHost, offload: Offload, gone: str
) -> None:
    left, well = device(host, offload, 0), device(host, offload, 1)
    assert put(left, 1, 1000) == 1
    states = dict(zip(host.device_ids, (OUT, IN), strict=True))
    devices = {number: Device(number, i, "n1", 1 << 40, states[i]) for number, i in enumerate(states, 1)}
    if gone == "removed":
        devices = {number: one for number, one in devices.items() if one.state == IN}
    placement = Placement(devices=devices, current=Layout(1), numbered=2)
    snapshot.store(DataDir(host.data).cluster / STATE_FILE, ClusterState(cluster_id=CLUSTER, placement=placement))
    with gevent.Timeout(20):
        number = 2
        while put(left, number, 1000) is not None:  # each worker reads what the keeper wrote by itself
            number += 1
            gevent.sleep(0.05)
    assert put(well, 1, 1000) == 1
    assert bytes(left.whole(name_of(1).blob_id)) == payload_of(1, 1000)
