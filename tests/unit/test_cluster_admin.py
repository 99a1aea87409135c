"""Administering a cluster's devices, profiles and healing: `zapfs admin cluster …` against the face, over HTTP."""

import itertools
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping

import pytest
from werkzeug.serving import make_server

from app.adapters.cluster.local import Writer
from app.cli import main
from app.cli.sizes import amount
from app.core.cluster import AccessKey, Account, Outcome, PutRoot
from app.core.cluster.layout_commands import FoundCluster, GroupsMoved, RegisterNode
from app.core.layout.placement import DRAINING
from app.core.layout.reports import DeviceReport, LedgerReport, NodeHealth, NodeReport, WorkReport
from app.faces.http.admin import Face, Gate, Probed, admin_application, cluster
from app.services.call import Sources
from app.services.control.cluster_changes import ClusterChanges
from app.services.control.cluster_status import ClusterStatus
from app.services.gate.callers import Callers
from roles import control_plane

ACCESS, SECRET = "AKROOTROOTROOTROOT", "a-secret-of-the-operator"
TIB = 1 << 40


class Heard:
    """Heartbeats, as a test has them come."""

    def __init__(self) -> None:
        self.nodes: dict[str, NodeHealth] = {}

    def beat(self, report: NodeReport) -> None:
        self.nodes[report.node_id] = NodeHealth(report.node_id, up=True, seen_ms=1_000, report=report)

    def health(self) -> Mapping[str, NodeHealth]:
        return self.nodes

    def silence(self, node_id: str) -> None:
        self.nodes[node_id] = NodeHealth(node_id, up=False, seen_ms=1_000, report=self.nodes[node_id].report)


class Rig:
    """A control state in a file, heartbeats, the face on a port, and the command."""

    def __init__(
        self, writer: Writer, endpoint: str, heard: Heard, capsys: pytest.CaptureFixture[str], clock: list[int]
    ) -> None:
        self.clock = clock
        self.writer = writer
        self.heard = heard
        self._endpoint = endpoint
        self._capsys = capsys

    def __call__(self, *words: str) -> str:
        code = main(["admin", "cluster", *words, "--endpoint", self._endpoint])
        told = self._capsys.readouterr()
        assert code == 0, told.err
        return told.out

    def refused(self, *words: str) -> str:
        assert main(["admin", "cluster", *words, "--endpoint", self._endpoint]) in (1, 2)
        return self._capsys.readouterr().err

    def json(self, *words: str) -> dict[str, object]:
        found: dict[str, object] = json.loads(self(*words, "--json"))
        return found

    def beat(
        self, node: int, ledger: LedgerReport | None = None, work: tuple[WorkReport, ...] = (), strays: int = 0
    ) -> None:
        placement = self.writer.state().placement
        devices = tuple(
            DeviceReport(device.number, "up", TIB, TIB // 4, strays if device.state == DRAINING else 1_000)
            for device in placement.devices.values()
            if device.node_id == f"file-{node}"
        )
        told = {str(number): ledger or LedgerReport(full=10) for number in placement.profiles}
        epoch = placement.current.epoch
        self.heard.beat(NodeReport(f"file-{node}", "file", 1_000, epoch, "", devices, told, work))

    def register(self, *nodes: int) -> None:
        for node in nodes:
            devices = {f"{node * 10 + one:032x}": TIB for one in range(2)}
            command = RegisterNode(f"r{node}", f"file-{node}", f"10.0.0.{node}:8081", f"rack-{node % 2}", devices, 1)
            assert self.writer.submit(command) == Outcome()
            self.beat(node)

    def settle(self) -> None:
        """Report every group moved, and let every node tell of the epoch that is current then."""
        while (placement := self.writer.state().placement).pending:
            width, groups = next(iter(placement.pending.items()))
            moved = GroupsMoved(os.urandom(8).hex(), placement.current.epoch, width, tuple(groups))
            assert self.writer.submit(moved) == Outcome()
        for node_id, health in list(self.heard.nodes.items()):
            if health.up:
                self.beat(int(node_id.removeprefix("file-")))


@pytest.fixture
def rig(tmp_path, monkeypatch, capsys) -> Iterator[Rig]:
    writer, heard, numbers = Writer(tmp_path, create=True), Heard(), itertools.count()
    root = Account("000000000001", "a" * 64, "root", "", 1, (AccessKey(ACCESS, b"sealed"),), root=True)
    for command in (PutRoot("root", root), FoundCluster("found", "c" * 32, 64)):
        assert writer.submit(command) == Outcome()
    clock = [4_000]
    sources = Sources(lambda: clock[0], lambda: next(numbers).to_bytes(16, "big"))
    gate = Gate(
        writer, Callers(writer, lambda key, sealed: SECRET), Sources(lambda: int(time.time() * 1000), sources.new_id)
    )
    status = ClusterStatus(writer, heard, sources.now_ms)
    changes = ClusterChanges(control_plane.desk(writer, sources), heard)
    bugs: list[BaseException] = []
    face = Face(Probed(str, lambda: (b"", "text/plain")), cluster.endpoints(status, changes))
    flask = admin_application(gate, face, bugs.append)
    server = make_server("127.0.0.1", 0, flask)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    for name, value in (("ACCESS_KEY", ACCESS), ("SECRET_KEY", SECRET)):
        monkeypatch.setenv(f"ZAPFS_ROOT_{name}", value)
    try:
        yield Rig(writer, f"http://127.0.0.1:{server.port}", heard, capsys, clock)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        writer.close()
    assert not bugs


def test_waiting_devices_are_added_and_the_cluster_is_healed_when_every_node_says_so(rig):
    rig.register(1, 2, 3)
    assert rig.json("status")["not_healed_because"] == ["no device is in yet"]
    assert rig("add", "--waiting") == "added: 1, 2, 3, 4, 5, 6\n"
    assert "node file-1 has not told of epoch 1 yet" in rig("status")
    rig.settle()
    told = rig.json("status")
    assert (told["healed"], told["epoch"], told["transition"]) == (True, 1, None)
    assert told["nodes"] == {"file-1": "up", "file-2": "up", "file-3": "up"}
    assert told["devices"]["filled_percent"] == 75
    (profile,) = told["profiles"]
    assert (profile["redundancy"], profile["full"], profile["in_force"]) == ("3 copies", 30, True)
    shown = rig("status")
    assert "healed      yes" in shown
    assert "6 in; 75 % of 6.0 TiB filled" in shown


def test_nothing_short_unswept_moving_or_down_is_called_healed(rig):
    rig.register(1, 2, 3)
    rig("add", "--waiting")
    rig.settle()
    for level in ("reduced", "critical", "lost", "unswept"):
        rig.beat(2, LedgerReport(full=5, **{level: 3}))
        what = "groups" if level == "unswept" else "blobs"
        assert rig.json("status")["not_healed_because"] == [f"profile 1: 3 {what} {level}"]
    rig.settle()
    assert rig.json("status")["healed"]
    rig.heard.silence("file-3")
    assert rig.json("status")["not_healed_because"] == ["node file-3 is down"]
    # What a node that is down led is told of by others by now.
    assert rig.json("status")["profiles"][0]["full"] == 20
    rig.settle()
    rig("drain", "1")
    assert "a transition is in flight" in rig.json("status")["not_healed_because"]


def test_a_node_a_new_leader_has_not_heard_of_is_unknown_and_not_called_down(rig):
    rig.register(1, 2)
    rig("add", "--waiting")
    rig.settle()
    rig.heard.nodes.clear()
    rig.beat(1)
    told = rig.json("status")
    assert told["nodes"] == {"file-1": "up", "file-2": "unknown"}
    assert told["not_healed_because"] == ["node file-2 is unknown"]
    assert "1 up, 0 down, 1 unknown: file-2" in rig("status")
    assert {one["node_id"]: one["status"] for one in rig.json("devices")["devices"]}["file-2"] == "unknown"
    rig.heard.silence("file-1")
    assert rig.json("status")["nodes"] == {"file-1": "down", "file-2": "unknown"}
    assert [one["up"] for one in rig.json("nodes")["nodes"]] == [False, None]


def test_a_node_is_drained_and_then_removed_with_its_devices(rig):
    rig.register(1, 2, 3, 4)
    rig("add", "file-1", "file-2", "file-3", "7", "8")
    rig.settle()
    assert "device 7 is in: drain it first, or say lost" in rig.refused("remove", "file-4")
    assert rig("drain", "file-4") == "draining: 7, 8\n"
    assert "epoch 1 to 2" in rig("status")
    assert "device 7 is draining: it is being drained" in rig.refused("remove", "file-4")
    rig.settle()
    rig.beat(4, strays=3)
    assert "device 7 still holds 3 fragments: wait until they went home, or say lost" in rig.refused("remove", "file-4")
    rig.beat(4)
    assert rig("remove", "file-4") == "removed: 7, 8\n"
    assert [one["node_id"] for one in rig.json("devices")["devices"]] == [f"file-{n}" for n in (1, 1, 2, 2, 3, 3)]


def test_a_lost_node_s_devices_go_out_at_once_and_are_forgotten_when_the_transition_has_ended(rig):
    rig.register(1, 2, 3, 4)
    rig("add", "--waiting")
    rig.settle()
    rig.heard.silence("file-2")
    told = rig("remove", "file-2")
    assert told.startswith("out: 3, 4\n")
    assert "when the transition has ended" in told
    assert {one["number"]: one["state"] for one in rig.json("devices")["devices"]}[3] == "out"
    rig.settle()
    assert rig("remove", "3", "4") == "removed: 3, 4\n"
    assert rig("remove", "5", "--lost").startswith("out: 5\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add"], "name devices by number, or nodes"),
        (["add", "--waiting", "node=7"], "There is no device or node 7."),
        (["add", "99"], "NoSuchEntity: There is no device or node 99."),
        (["drain", "file-9"], "There is no device or node file-9."),
        (["drain", "1"], "device 1 is waiting: it cannot be draining"),
        (["profile", "STANDARD", "1+1"], "erasure coding takes 2 or more data fragments"),
        (["profile", "STANDARD", "three"], "what was given cannot be used"),
        (["profile", "STANDARD", "3", "--compression", "gzip"], "compression is none or zstd"),
        (["scrub", "--pause", "--go-on"], "exclude each other"),
        (["scrub", "--days", "9" * 300], "a pass 3650 days"),
        (["repair", "--rate", "fast"], "must be a whole number, of bytes also as 64KiB"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(rig, words, said):
    rig.register(1)
    told = rig.refused(*words)
    assert said in told
    assert told.count("\n") == 1


def test_a_storage_class_is_defined_and_shown(rig):
    rig.register(1, 2, 3)
    rig("add", "--waiting")
    assert rig("profile", "STANDARD", "4+2", "--compression", "zstd", "--inline", "4KiB") == ("cluster profile: done\n")
    rig("profile", "REDUCED_REDUNDANCY", "2")
    rows = rig.json("profiles")["profiles"]
    assert [(one["redundancy"], one["in_force"], one["inline_bytes"]) for one in rows] == [
        ("3 copies", False, 16_384),
        ("4+2", True, 4_096),
        ("2 copies", True, 16_384),
    ]
    assert rig("profiles").splitlines()[2].split()[:5] == ["2", "STANDARD", "yes", "no", "4+2"]


def test_healing_is_slowed_paused_and_asked_for_and_what_is_not_said_stays(rig):
    assert rig("repair", "--rate", "32MiB") == "repair: goes on, 32.0 MiB/s on each host\n"
    assert rig("repair", "--pause") == "repair: paused, 32.0 MiB/s on each host\n"
    assert rig("repair", "--go-on", "--rate", "0") == "repair: goes on, as each host's settings say\n"
    rig("scrub", "--days", "7", "--now")
    settings = rig.writer.state().placement.heal_settings("scrub")
    assert (settings.days, settings.asked_ms) == (7, 4_000)


def test_work_under_way_tells_its_rate_and_when_it_will_be_done(rig):
    rig.register(1, 2)
    rig.beat(1, work=(WorkReport("repair", 5, 40, 1 << 30),))
    rig.beat(2, work=(WorkReport("repair", 7, 0, 1 << 30, 1), WorkReport("scrub", 1, 1)))
    repair, rebalance, scrub = rig.json("status")["work"]
    assert (repair["done"], repair["waiting"], repair["bytes_per_s"], repair["errors"]) == (12, 40, 2 << 30, 1)
    assert repair["eta_s"] == 40 * (4 * TIB * 3 // 4 // 4_000) // (2 << 30)
    assert (rebalance["eta_s"], scrub["eta_s"]) == (0, None)
    assert "2.0 GiB/s" in rig("status")


def test_a_transition_tells_when_it_will_be_over_at_the_pace_it_has(rig):
    rig.register(1, 2, 3, 4)
    rig("add", "file-1", "file-2", "file-3")
    rig("add", "file-4")
    pending = sorted(rig.writer.state().placement.pending[3])
    assert rig.json("status")["transition"]["eta_s"] is None
    assert "ETA ?" in rig("status")
    quarter = len(pending) // 4
    assert rig.writer.submit(GroupsMoved("quarter", 2, 3, tuple(pending[:quarter]))) == Outcome()
    rig.clock[0] += 60_000
    told = rig.json("status")["transition"]
    assert (told["from_epoch"], told["to_epoch"], told["groups_pending"]) == (1, 2, len(pending) - quarter)
    assert told["eta_s"] == (len(pending) - quarter) * 60 // quarter


def test_the_maps_are_told_in_full_and_only_root_is_answered(rig, monkeypatch):
    rig.register(1, 2, 3)
    rig("add", "--waiting")
    maps = rig.json("layout")["maps"]
    assert maps == {"3": [list(homes) for homes in rig.writer.state().placement.current.maps[3]]}
    assert rig("layout").splitlines()[3].split() == ["3", "0", ",".join(map(str, maps["3"][0])), "yes"]
    nodes = rig("nodes").splitlines()
    assert nodes[1].split() == ["file-1", "file", "yes", "3", "10.0.0.1:8081", "rack-1", "0", "1,2"]
    monkeypatch.setenv("ZAPFS_ROOT_SECRET_KEY", "another-secret-of-nobody")
    assert "SignatureDoesNotMatch" in rig.refused("layout")


def test_amounts_are_written_for_people():
    assert [amount(one) for one in (None, 5, 2_048, 3 << 40)] == ["-", "5 B", "2.0 KiB", "3.0 TiB"]
