"""Real processes, sockets, TLS and fsync: kills keep what was acknowledged, and members change while it goes on."""

import json
import shutil
import time

import pytest

from app.adapters.cluster.raft.node import EXIT_DISK
from tests.raft.process import Member, addresses, leader_of


@pytest.fixture
def members(tmp_path):
    peers = addresses(3)
    started = [Member(name, tmp_path / name, peers).start() for name in peers]
    yield started
    for member in started:
        if member.process.poll() is None:
            member.kill()


def proposed(leader, texts):
    """What the leader acknowledged: text -> position."""
    answers = {text: leader.ask("propose", text) for text in texts}
    return {text: answer[1] for text, answer in answers.items() if answer[0] == "ok"}


def wait_until_met(leader, *others):
    """Until the leader knows the others' directories; it counts nobody before that."""
    seen = leader.directory / "incarnations"
    end = time.monotonic() + 10
    while not seen.exists() or not {one.name for one in others} <= json.loads(seen.read_text()).keys():
        assert time.monotonic() < end, "the leader never met them"
        time.sleep(0.02)


def test_all_are_killed_at_once_and_every_acknowledged_command_is_there(members):
    acknowledged = {}
    for cycle in range(2):
        leader = leader_of(members)
        acknowledged |= proposed(leader, [f"{cycle}-{at}" for at in range(300)])
        for member in members:
            member.kill()
        for member in members:
            member.start()
    leader = leader_of(members)
    assert leader.ask("read")[0] == "ok"
    operations = leader.ask("operations")[1]
    assert len(acknowledged) == 600
    assert {text: at for at, text in enumerate(operations) if text in acknowledged} == acknowledged


def test_the_leader_is_killed_and_another_goes_on(members):
    first = leader_of(members)
    acknowledged = proposed(first, ["a", "b", "c"])
    first.kill()
    second = leader_of([member for member in members if member is not first])
    acknowledged |= proposed(second, ["d"])
    first.start()
    assert second.ask("read")[0] == "ok"
    assert second.ask("operations")[1] == sorted(acknowledged) == ["a", "b", "c", "d"]


def test_without_a_majority_proposals_fail_at_once_with_a_reason_and_the_state_stays_readable(members):
    leader = leader_of(members)
    proposed(leader, ["kept"])
    for member in members:
        if member is not leader:
            member.kill()
    assert leader.ask("read")[0] in ("Unavailable", "NotLeader")
    assert leader.ask("propose", "lost")[0] in ("NotLeader", "Unknown")
    assert leader.ask("propose", "lost")[0] == "NotLeader"
    status = leader.ask("status")[1]
    assert not status["has_quorum"]
    assert "not connected" in status["why_not"]
    assert leader.ask("operations")[1] == ["kept"]


def test_a_member_is_replaced_by_one_with_an_empty_directory(members, tmp_path):
    leader = leader_of(members)
    # More than a snapshot's worth: the new one gets a snapshot, and then the rest.
    assert leader.ask("bench", 1200, 16)[0] == "ok"
    lost = next(member for member in members if member is not leader)
    lost.kill()
    peers = {**leader.peers, "m9": addresses(1)["m0"]}
    fresh = Member("m9", tmp_path / "m9", peers, "join").start()
    members.append(fresh)
    assert leader.ask("members", peers) == ["ok", None]
    del peers[lost.name]
    assert leader.ask("members", peers) == ["ok", None]
    assert leader.ask("transfer")[0] == "ok"
    leader = leader_of([member for member in members if member is not lost])
    assert proposed(leader, ["after"]) == {"after": 1200}
    wait_until_met(leader, *(member for member in members if member not in (leader, lost)))
    assert sorted(leader.ask("status")[1]["members"]) == sorted(peers)
    assert leader.ask("members", {name: at for name, at in peers.items() if name != leader.name})[0] == "MembersRefused"


def test_a_member_whose_directory_was_lost_ends_instead_of_voting_again_under_its_name(members):
    leader = leader_of(members)
    acknowledged = proposed(leader, ["a", "b"])
    lost, other = [member for member in members if member is not leader]
    wait_until_met(leader, lost, other)
    lost.kill()
    acknowledged |= proposed(leader, ["c"])
    shutil.rmtree(lost.directory)
    lost.start()
    assert lost.process.wait(20) == EXIT_DISK
    acknowledged |= proposed(leader, ["d"])
    assert other.ask("status")[1]["role"] == "follower"
    assert leader.ask("operations")[1] == sorted(acknowledged) == ["a", "b", "c", "d"]


def test_a_leader_does_not_count_a_member_whose_directory_was_lost(members):
    leader = leader_of(members)
    lost, other = [member for member in members if member is not leader]
    wait_until_met(leader, lost, other)
    other.kill()
    lost.kill()
    shutil.rmtree(lost.directory)
    shutil.rmtree(other.directory)
    lost.start()
    other.start()
    assert leader.ask("propose", "b")[0] in ("NotLeader", "Unknown")
    assert {lost.process.wait(20), other.process.wait(20)} == {EXIT_DISK}
