"""Three managers as processes: the leader killed, paused, replaced; proposals and streams go on without a gap."""

import json
import shutil
import threading
import time

import pytest

from app.adapters.cluster.raft.node import EXIT_DISK
from app.core.cluster import CreateAccount
from app.core.errors import Unavailable
from app.core.layout.reports import NodeReport
from tests.contract.test_cluster import account
from tests.control_processes import Manager, Managers, eventually, managers


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    with managers(tmp_path_factory.mktemp("managers"), 3) as made:
        yield made


def test_a_killed_leader_costs_no_proposal_and_no_watcher_sees_what_was_before(three: Managers):
    seen: list[int] = []
    watcher = three.client("watcher", on_state=lambda state: seen.append(state.version))
    proposer = three.client("proposer")
    assert watcher.wait_known(10)
    assert proposer.wait_known(10)
    stop = threading.Event()
    failures: list[str] = []
    made: list[int] = []

    def propose() -> None:
        number = 0
        while not stop.is_set():
            command = CreateAccount(f"kill-{number}", account(1_000 + number))
            outcome = submitted(proposer, command)
            if outcome.error:
                failures.append(outcome.message)
            made.append(number)
            number += 1

    thread = threading.Thread(target=propose)
    thread.start()
    for _ in range(2):
        count = len(made)
        assert eventually(lambda: len(made) > count + 5)  # noqa: B023 -- called before the next turn
        leader = three.leader()
        leader.kill()
        count = len(made)
        assert eventually(lambda: len(made) > count + 5)  # noqa: B023
        leader.start()
    stop.set()
    thread.join(30)
    assert failures == []  # a command applied twice would have found its own account
    version = proposer.state().version
    assert eventually(lambda: watcher.state().version >= version)
    # A manager that is a moment behind makes a watcher ask for the whole state: again, perhaps, or some versions later.
    assert seen == sorted(seen)
    assert {f"account-{1_000 + number}" for number in made} <= set(watcher.state().accounts)


def submitted(client, command):
    """As whoever must know does: again, with the same id, while it is not known."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return client.submit(command)
        except Unavailable:
            assert time.monotonic() < deadline


def test_heartbeats_find_the_leader_wherever_it_is(three: Managers):
    client = three.client("file-1")
    client.beat(NodeReport("file-1", "file", 1))
    assert client.health()["file-1"].up
    leader = three.leader()
    leader.kill()
    assert eventually(lambda: beaten(client))
    assert client.health()["file-1"].up
    leader.start()


def beaten(client) -> bool:
    try:
        client.beat(NodeReport("file-1", "file", 2))
    except Unavailable:
        return False
    return True


@pytest.mark.slow
def test_without_a_quorum_reading_goes_on_and_writing_says_why_not(three: Managers):
    leader = three.leader().start_face(*(one.address for one in three.all.values()))
    assert eventually(lambda: leader.ask("/ready")[0] == 200)
    others = [one for one in three.all.values() if one is not leader]
    for other in others:
        other.kill()
    assert eventually(lambda: leader.ask("/ready")[0] == 503)
    assert "no manager that hears a leader" in leader.ask("/ready")[1]
    assert leader.ask("/health")[0] == 200
    listed = leader.admin("account", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    assert "root" in listed.stdout
    refused = leader.admin("account", "create", "late")
    assert refused.returncode == 3
    assert "no quorum of the managers answers" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    for other in others:
        other.start()
    assert eventually(lambda: leader.ask("/ready")[0] == 200)
    assert leader.admin("account", "create", "later").returncode == 0


def test_a_manager_is_replaced_by_the_command_line_and_again_says_so(three: Managers):
    face = three.all["manager-1"]
    if face.face is None:
        face.start_face(*(one.address for one in three.all.values()))
    assert eventually(lambda: face.ask("/ready")[0] == 200)
    gone = three.all["manager-3"]
    gone.kill()
    refused = face.admin("cluster", "manager", "remove", "manager-2")
    assert (refused.returncode, "manager-3 does not answer" in refused.stderr) == (1, True), refused.stderr
    fresh = three.add("manager-4").start(join=three.all["manager-1"].address)
    assert eventually((three.root / "manager-4/raft.joining").exists)
    fresh.kill()  # in the middle of joining, which its next start goes on with
    fresh.start(join=three.all["manager-1"].address)
    words = ("cluster", "manager", "replace", "manager-3", "manager-4", fresh.address, fresh.raft_address)
    for _ in range(2):  # whoever does not know whether it was done does it again
        assert eventually(lambda: face.admin(*words).returncode == 0)
    listed = json.loads(face.admin("cluster", "manager", "list", "--json").stdout)
    assert [one["node_id"] for one in listed["managers"]] == ["manager-1", "manager-2", "manager-4"]
    client = three.client("after")
    assert eventually(lambda: set(client.state().managers) == {"manager-1", "manager-2", "manager-4"})
    assert not client.submit(CreateAccount("after", account(9_000))).error


def test_a_manager_with_another_secret_is_refused_and_says_so_in_one_line(three: Managers, tmp_path):
    stranger = Manager(tmp_path, "stranger", secret=bytes(32)).start(join=three.all["manager-1"].address)
    assert stranger.process is not None
    assert stranger.process.wait(20) == 1
    told = stranger.log_path.read_text().splitlines()
    assert len(told) == 1
    assert told[0].startswith("zapfs: join: ")
    assert "cluster_secret differs" in told[0]


def test_a_manager_that_lost_its_disk_and_still_bears_bootstrap_begins_no_second_cluster(three: Managers):
    lost = three.all["manager-1"]
    client = three.client("heir")
    lost.kill()
    assert eventually(lambda: three.leader() is not lost)
    shutil.rmtree(three.root / "manager-1" / "raft")
    lost.start(bootstrap="true")
    assert lost.process is not None
    assert lost.process.wait(30) == EXIT_DISK
    assert "join under a NEW node id" in lost.log_path.read_text()
    assert not client.submit(CreateAccount("heir", account(9_001))).error
