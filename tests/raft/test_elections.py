"""Elections: votes count once, absence disturbs nobody, a node that holds nothing decides nothing."""

from concurrent.futures import Future

from app.adapters.cluster.raft import innards
from app.adapters.cluster.raft.innards import CANDIDATE, LEADER
from tests.raft.world import World


def settled(nodes):
    """A world at peace, and its leader."""
    world = World(0, nodes=nodes)
    world.time.run_until(world.time.now + 3)
    return world, next(node for node in world.nodes.values() if node.core.role == LEADER)


def test_a_repeated_vote_is_one_vote():
    core = World(0, nodes=5).nodes["n0"].core
    core.set_term(7, "n0")
    core.set_role(CANDIDATE)
    core._SyncObj__votesCount = 1
    for _ in range(5):
        core.received(innards.Peer("n1"), {"type": "response_vote", "term": 7})
    assert core.role == CANDIDATE
    core.received(innards.Peer("n2"), {"type": "response_vote", "term": 7})
    assert core.role == LEADER


def test_the_vote_of_a_node_that_is_no_member_does_not_count():
    core = World(0, nodes=3).nodes["n0"].core
    core.set_term(7, "n0")
    core.set_role(CANDIDATE)
    core._SyncObj__votesCount = 1
    core.received(innards.Peer("stranger"), {"type": "response_vote", "term": 7})
    assert core.role == CANDIDATE


def test_a_node_that_was_cut_off_comes_back_without_an_election():
    world, leader = settled(3)
    away = next(node for node in world.nodes.values() if node is not leader)
    for other in world.nodes:
        if other != away.name:
            world.links.block(away.name, other, world.time.now + 10)
            world.links.block(other, away.name, world.time.now + 10)
    term = leader.core.term
    world.time.run_until(world.time.now + 13)
    assert leader.core.role == LEADER
    assert leader.core.term == away.core.term == term


def test_a_leader_that_is_cut_off_steps_down_within_two_elections():
    world, leader = settled(3)
    for other in world.nodes:
        if other != leader.name:
            world.links.block(leader.name, other, world.time.now + 10)
            world.links.block(other, leader.name, world.time.now + 10)
    world.time.run_until(world.time.now + 0.6)
    assert leader.core.role != LEADER
    world.time.run_until(world.time.now + 2)
    assert sum(node.core.role == LEADER for node in world.nodes.values()) == 1


def test_a_removed_member_does_not_disturb_those_that_stay():
    world, leader = settled(5)
    gone = next(node for node in world.nodes.values() if node is not leader)
    members = {name: at for name, at in leader.core.membership.current.items() if name != gone.name}
    waiter = Future()
    leader.inside(lambda: leader.core.submit("members", members, waiter))
    world.time.run_until(world.time.now + 1)
    assert waiter.result(0) == b""
    term = leader.core.term
    world.time.run_until(world.time.now + 20)
    assert (leader.core.role, leader.core.term) == (LEADER, term)
    assert not gone.core.membership.eligible
