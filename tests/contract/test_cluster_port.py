"""What the port of the control plane promises, whoever keeps it: the file of one machine, or managers over gRPC."""

import threading

import pytest

from app.adapters.cluster.local import Writer
from app.core.cluster import CreateAccount, DeleteAccount, Outcome
from app.core.errors import Unavailable
from app.ports.cluster import Cluster
from tests.contract.test_cluster import TAKEN, account
from tests.control_room import Manager, follower


@pytest.fixture(params=["file", "managers"])
def cluster(request, tmp_path):
    if request.param == "file":
        made: Cluster = Writer(tmp_path, create=True)
        yield made
        made.close()
        return
    manager = Manager()
    made = follower(manager)
    made.start()
    assert made.wait_known(10)
    yield made
    made.close()
    manager.stop()


def test_what_was_accepted_is_in_the_state_when_submit_returns(cluster: Cluster):
    for number in range(20):
        assert cluster.submit(CreateAccount(f"c{number}", account(number))) == Outcome()
        assert f"account-{number}" in cluster.state().accounts
        assert cluster.state().version == number + 1


def test_a_refused_command_says_why_and_leaves_what_was_there(cluster: Cluster):
    cluster.submit(CreateAccount("c1", account(1)))
    assert cluster.submit(CreateAccount("c2", account(1))) == TAKEN
    assert cluster.submit(DeleteAccount("c3", "nobody")).error == "NoSuchEntity"
    assert set(cluster.state().accounts) == {"account-1"}


def test_a_command_id_seen_before_gives_its_outcome_and_nothing_else(cluster: Cluster):
    assert cluster.submit(CreateAccount("c1", account(1))) == Outcome()
    version = cluster.state().version
    assert cluster.submit(CreateAccount("c1", account(2))) == Outcome()
    assert (cluster.state().version, set(cluster.state().accounts)) == (version, {"account-1"})


def test_commands_of_many_threads_are_all_there_once(cluster: Cluster):
    def submit(first: int) -> None:
        for number in range(first, first + 5):
            assert not cluster.submit(CreateAccount(f"t{number}", account(number))).error

    threads = [threading.Thread(target=submit, args=(100 * one,)) for one in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cluster.state().version == len(cluster.state().accounts) == 40


def test_a_state_handed_out_stays_as_it_is(cluster: Cluster):
    cluster.submit(CreateAccount("c1", account(1)))
    before = cluster.state()
    cluster.submit(DeleteAccount("c2", "account-1"))
    assert set(before.accounts) == {"account-1"}
    assert cluster.state().accounts == {}


def test_nothing_is_taken_after_the_end(cluster: Cluster):
    cluster.close()
    with pytest.raises(Unavailable):
        cluster.submit(CreateAccount("c1", account(1)))
