"""The suspects' desks: bounded, told by many, taken once."""

from dataclasses import replace
from pathlib import Path

from app.adapters.chunks.hosts import Hosts
from app.adapters.chunks.peer import Identity
from app.adapters.suspects import FileSuspects, RemoteSuspects
from app.core.cluster_limits import SUSPECTS_MAX
from app.core.layout.blob_ids import fragment_id
from app.core.layout.placement import Node
from app.core.layout.profiles import replication
from app.runtime.offload import Offload
from tests.host_room import KEY, hosting, now_ms
from tests.placed_room import placed_name, placement_of


def blob(number: int) -> bytes:
    return placed_name(9, number).blob_id


def test_what_processes_report_the_keeper_takes_once_oldest_first(tmp_path: Path) -> None:
    one, other, keeper = (FileSuspects(tmp_path / "suspects") for _ in range(3))
    one.report([blob(1), blob(2)], "missing")
    other.report([fragment_id(blob(1), 3), blob(3)], "corrupt")
    assert keeper.take(2) == [blob(1), blob(2)]
    one.report([blob(4)], "missing")
    assert keeper.take(10) == [blob(3), blob(4)]
    assert keeper.take(10) == []


def test_the_file_is_bounded_and_the_newest_are_kept(tmp_path: Path) -> None:
    desk = FileSuspects(tmp_path / "suspects")
    batch = [blob(number) for number in range(1000)]
    for _ in range(3 * SUSPECTS_MAX // 1000):
        desk.report(batch, "missing")
    desk.report([blob(5000)], "missing")
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= (SUSPECTS_MAX + 2000) * 16
    assert desk.take(5000)[-1] == blob(5000)


def test_telling_never_raises(tmp_path: Path) -> None:
    FileSuspects(tmp_path / "no" / "such" / "directory").report([blob(1)], "missing")


def test_a_gateway_tells_the_first_home_that_is_up(tmp_path: Path) -> None:
    offload = Offload(1)
    with hosting(tmp_path / "device") as room:
        placement = placement_of(replication(9, "S", 2), 2)
        first, second = placement.homes(blob(1))
        down = "127.0.0.1:1"
        nodes = {f"n{first}": Node(f"n{first}", down, "z", 0), f"n{second}": Node(f"n{second}", room.address, "z", 0)}
        placement = replace(placement, nodes=nodes)
        hosts = Hosts(lambda: placement, Identity(KEY, "gw", now_ms, lambda: 0.0), offload)
        desk = RemoteSuspects(lambda: placement, hosts)
        desk.report([blob(1), fragment_id(blob(1), 1)], "corrupt")
        desk.tell()
        assert room.desk.told == [(blob(1), "corrupt")]
        assert not hosts.up(first)
        assert hosts.up(second)
        hosts.close()
    offload.close()
