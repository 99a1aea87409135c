"""The gRPC control plane from both ends: followers miss nothing; whoever must not speak hears one clear line why."""

import itertools
import threading

import grpc
import pytest

from app.adapters.cluster import command_codec, tls
from app.adapters.cluster.calls import Managers, Whoami
from app.adapters.cluster.channels import Channels
from app.adapters.cluster.following import Following
from app.adapters.cluster.local import Follower
from app.adapters.cluster.mirror import Mirror
from app.core import cluster_limits
from app.core.cluster import CreateAccount, DeleteAccount
from app.core.cluster.layout_commands import FoundCluster
from app.core.errors import Conflict, Unavailable
from app.core.layout.reports import DeviceReport, NodeReport
from app.ports.cluster import ManagerSeat
from app.proto import control_pb2 as pb
from app.proto import service
from app.services.control.authority import Member
from tests.contract.test_cluster import account
from tests.control_processes import eventually
from tests.control_room import SECRET, Manager, follower

CLUSTER = "ab" * 16
numbers = itertools.count(1)


@pytest.fixture
def manager():
    made = Manager()
    yield made
    made.stop()


@pytest.fixture
def client(manager):
    made = follower(manager)
    made.start()
    assert made.wait_known(10)
    yield made
    made.close()


def create(number: int) -> CreateAccount:
    return CreateAccount(f"c{next(numbers)}", account(number))


# --- following


def test_a_follower_gets_every_version_in_order_also_across_a_lost_manager(manager, client):
    seen: list[int] = []
    watcher = follower(manager)
    watcher.start(lambda state: seen.append(state.version))
    assert watcher.wait_known(10)
    for number in range(5):
        client.submit(create(number))
    assert eventually(lambda: watcher.state().version == 5)
    manager.stop()
    for number in range(5, 10):
        manager.authority.submit(create(number))
    manager.start()
    assert eventually(lambda: watcher.state().version == 10)
    assert seen[-10:] == list(range(1, 11))
    watcher.close()


def test_a_follower_too_far_behind_gets_the_whole_state(manager, client):
    for number in range(cluster_limits.CONTROL_DELTAS_KEPT + 5):
        manager.authority.submit(
            create(number) if number % 2 == 0 else DeleteAccount(f"d{number}", f"account-{number - 1}")
        )
    kept = client.state()
    late = follower(manager)
    late.start()
    assert eventually(lambda: late.state() == manager.book.state())
    assert eventually(lambda: client.state() == manager.book.state())
    assert kept.version < late.state().version
    late.close()


def test_a_state_larger_than_a_message_comes_in_pieces(manager, client):
    text = "x" * 60_000
    for number in range(2 * cluster_limits.CONTROL_PIECE_BYTES // len(text)):
        manager.authority.submit(CreateAccount(f"big{number}", account(number, display_name=text)))
    late = follower(manager)
    late.start()
    assert eventually(lambda: late.state() == manager.book.state())
    late.close()


def test_a_follower_begins_with_what_it_kept_and_asks_only_for_the_rest(manager, client, tmp_path):
    mirror = Mirror(tmp_path)
    assert mirror.kept() is None
    mirror.start(lambda error: None)
    for number in range(3):
        client.submit(create(number))
    mirror.take(client.state())
    mirror.close()
    assert Follower(tmp_path).state() == client.state()
    kept = Mirror(tmp_path).kept()
    client.submit(create(3))
    seen: list[int] = []
    again = follower(manager)
    again.start(lambda state: seen.append(state.version), kept=kept)
    assert again.state().version == 3
    assert eventually(lambda: again.state().version == 4)
    assert seen == [4]
    again.close()


def test_a_follower_ahead_of_restored_managers_does_not_mix_its_history_with_theirs(manager):
    lost = Manager("manager-1")
    for number in range(3):
        lost.authority.submit(create(number))
    kept = lost.book.state()
    lost.stop()
    manager.authority.submit(create(11))
    client, lines = follower(manager), list[str]()
    client.start(on_trouble=lines.append, kept=kept)
    assert eventually(lambda: bool(lines))  # it looks for another manager, one that is not behind
    assert client.state() == kept
    assert not client.current()
    for number in range(12, 16):
        manager.authority.submit(create(number))
    assert eventually(lambda: client.state() == manager.book.state())
    assert eventually(client.current)
    client.close()


def test_what_is_wrong_with_a_manager_is_said_once_until_one_was_followed_again(manager):
    client, lines = follower(manager, "127.0.0.1:1", "127.0.0.1:2"), list[str]()
    manager.stop()
    client.start(on_trouble=lines.append)
    assert eventually(lambda: len(lines) == 3)
    assert not client.wait_known(4 * cluster_limits.CONTROL_RETRY_SECONDS_MAX)  # several more rounds of the three
    assert len(lines) == 3
    manager.start()
    assert eventually(client.current)
    manager.stop()
    assert eventually(lambda: len(lines) >= 4)
    client.close()
    manager.start()


def test_a_follower_that_stood_still_is_not_confirmed_until_it_hears_again(manager):
    channels = Channels(tls.identity(SECRET, "n"))
    managers = Managers([manager.address], Whoami("n", ""), channels, lambda: 0.0)
    now_s = [0.0]
    following = Following(managers, channels, lambda: now_s[0])
    following._heard(pb.WatchEvent(pulse=pb.Pulse(version=0, led=True)))
    assert following.current
    now_s[0] += cluster_limits.HEARTBEAT_SECONDS_MAX + 1
    assert not following.current
    following._heard(pb.WatchEvent(pulse=pb.Pulse(version=0, led=True)))
    assert following.current
    managers.close()


def test_a_manager_that_hears_no_leader_is_left_for_one_that_does(manager):
    cut_off = Manager("manager-2")
    cut_off.log.leader = ""
    both = follower(cut_off, manager)
    both.start()
    manager.authority.submit(create(1))
    assert eventually(lambda: both.current() and both.state().version == 1)
    both.close()
    cut_off.stop()


def test_fifty_followers_all_have_the_newest_within_a_second(manager, client):
    followers = [follower(manager, node_id=f"n{number}") for number in range(50)]
    for one in followers:
        one.start()
    assert all(one.wait_known(20) for one in followers)
    for number in range(20):
        client.submit(create(number))
    assert eventually(lambda: all(one.state().version == 20 for one in followers), 2.0)
    for one in followers:
        one.close()


# --- proposing


def test_a_proposal_whose_answer_was_lost_is_repeated_and_takes_effect_once(manager, client):
    manager.log.lost = 2
    assert not client.submit(create(1)).error
    assert manager.book.state().version == 1


def test_a_proposal_goes_to_the_leader_that_the_others_name(manager):
    second = Manager("manager-2", book=manager.book)
    second.log.leader = "manager-1"
    manager.authority.add(_member(manager))
    client = follower(second)  # it knows nobody but the one that does not lead
    client.start()
    assert not client.submit(create(1)).error
    client.beat(NodeReport("node-1", "file", 1, devices=(DeviceReport(1, "up", 2, 1, 0),)))
    assert client.health()["node-1"].report.devices[0].bytes_total == 2
    client.close()
    second.stop()


def test_a_barrier_brings_what_was_acknowledged_before_it(manager, client):
    manager.authority.submit(create(1))
    client.barrier()
    assert client.state().version == 1


def test_managers_come_and_go_by_steps_that_may_be_repeated(manager, client):
    seat = ManagerSeat("manager-2", "127.0.0.1:7", "127.0.0.1:8")
    client.add_manager(ManagerSeat("manager-1", manager.address, "127.0.0.1:1"))
    for _ in range(2):
        assert seat in client.add_manager(seat).seats
    for _ in range(2):
        assert [one.node_id for one in client.remove_manager("manager-2").seats] == ["manager-1"]
    assert set(manager.book.state().managers) == {"manager-1"}


# --- refusals


def refused(client) -> str:
    with pytest.raises(Unavailable) as caught:
        client.managers()
    client.close()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_wrong_secret_is_refused_with_one_line(manager):
    assert "cluster_secret differs" in refused(follower(manager, secret=bytes(32)))


def test_a_node_of_another_cluster_is_refused_and_takes_nothing(manager):
    manager.authority.submit(FoundCluster("f", CLUSTER, 16))
    stranger = follower(manager, cluster_id="cd" * 16)
    lines: list[str] = []
    stranger.start(on_trouble=lines.append)
    assert eventually(lambda: bool(lines))
    assert stranger.state().version == 0
    assert f"belongs to cluster {'cd' * 16}, manager-1 to {CLUSTER}" in refused(stranger)


def test_another_protocol_is_refused_with_one_line(manager):
    channels = Channels(tls.identity(SECRET, "old"))
    request = pb.StatusRequest(header=pb.Header(protocol=99, node_id="old"))
    with pytest.raises(grpc.RpcError) as caught:
        channels.call(manager.address, service.STATUS, request, 5)
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert caught.value.details() == "old speaks control protocol 99, manager-1 speaks 1: bring both to one release"
    channels.close()


def test_a_manager_of_another_protocol_or_cluster_is_not_believed():
    managers = Managers((), _whoami(CLUSTER), Channels(tls.identity(SECRET, "n")), lambda: 0.0)
    with pytest.raises(Unavailable, match="control protocol 2"):
        managers.accept(pb.Header(protocol=2, cluster_id=CLUSTER, node_id="m"))
    with pytest.raises(Unavailable, match="manages cluster"):
        managers.accept(pb.Header(protocol=1, cluster_id="cd" * 16, node_id="m"))
    managers.accept(pb.Header(protocol=1, cluster_id=CLUSTER, node_id="m"))
    managers.close()


def test_an_oversized_command_is_refused_at_both_ends(manager, client):
    large = CreateAccount("large", account(1, display_name="x" * cluster_limits.CONTROL_COMMAND_BYTES_MAX))
    with pytest.raises(Unavailable, match="are the most"):
        client.submit(large)
    channels = Channels(tls.identity(SECRET, "n"))
    for size, code in (
        (cluster_limits.CONTROL_COMMAND_BYTES_MAX + 1, "INVALID_ARGUMENT"),
        (2**23, "RESOURCE_EXHAUSTED"),
    ):
        request = pb.ProposeRequest(header=pb.Header(protocol=1), command=bytes(size))
        with pytest.raises(grpc.RpcError) as caught:
            channels.call(manager.address, service.PROPOSE, request, 5)
        assert caught.value.code().name == code
    channels.close()
    assert manager.book.state().version == 0


def test_a_node_cannot_speak_for_another(manager, client):
    with pytest.raises(Unavailable, match="node-1 reports for file-9"):
        client.beat(NodeReport("file-9", "file", 1))
    assert client.health() == {}


def test_what_fails_in_taking_a_state_does_not_end_the_following(manager, client):
    taken: list[int] = []

    def take(state) -> None:
        taken.append(state.version)
        if len(taken) == 1:
            raise KeyError("a bug")

    clumsy = follower(manager)
    clumsy.start(take)
    client.submit(create(1))
    client.submit(create(2))
    assert eventually(lambda: bool(taken) and taken[-1] == 2)
    clumsy.close()


def test_what_is_no_command_reaches_no_log(manager):
    channels = Channels(tls.identity(SECRET, "n"))
    with pytest.raises(grpc.RpcError) as caught:
        channels.call(
            manager.address, service.PROPOSE, pb.ProposeRequest(header=pb.Header(protocol=1), command=b"?"), 5
        )
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    channels.close()


def test_a_state_of_another_cluster_does_not_replace_the_kept_one(tmp_path, manager, client):
    client.submit(FoundCluster("f", CLUSTER, 16))
    mirror = Mirror(tmp_path)
    mirror.take(client.state())
    other = Manager("manager-9")
    other.authority.submit(FoundCluster("f", "cd" * 16, 16))
    with pytest.raises(Conflict, match="is of cluster"):
        mirror.take(other.book.state())
    other.stop()


def test_no_more_calls_wait_than_a_manager_has_threads_for(manager):
    held = threading.Event()
    manager.log.propose = lambda entry, timeout_s: held.wait(10) and b'[1,"",""]'
    channels = Channels(tls.identity(SECRET, "n"))
    codes: list[str] = []

    def propose(number: int) -> None:
        command = service_command(number)
        try:
            channels.call(manager.address, service.PROPOSE, command, 10)
        except grpc.RpcError as error:
            codes.append(error.code().name)
            held.set()

    threads = [threading.Thread(target=propose, args=(n,)) for n in range(cluster_limits.CONTROL_WAITING_MAX + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == ["UNAVAILABLE"]
    channels.close()


def service_command(number: int) -> pb.ProposeRequest:
    return pb.ProposeRequest(header=pb.Header(protocol=1), command=command_codec.encode(create(number)))


def _member(manager: Manager):
    return Member(manager.desk.node_id, manager.address, "127.0.0.1:1")


def _whoami(cluster_id: str):
    return Whoami("n", cluster_id)


def test_a_follower_that_cannot_read_a_delta_asks_for_everything(manager, client):
    """As one of an earlier release does, when a new kind of command was used."""
    manager.authority.submit(create(1))
    assert eventually(lambda: client.state().version == 1)
    since = manager.book.since
    manager.book.since = lambda version: [(2, b'{"form":9}')] if version == 1 else since(version)
    manager.authority.submit(create(2))
    assert eventually(lambda: client.state() == manager.book.state())


def test_a_command_whose_id_would_fill_the_state_reaches_no_log(manager, client):
    with pytest.raises(Unavailable, match="a command's id has at most 64 characters"):
        client.submit(FoundCluster("f" * 100_000, CLUSTER, 16))
    assert manager.book.state().version == 0
