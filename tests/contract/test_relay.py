"""What a node's workers submit by way of its one submitter: outcomes, their own writes read, and who is away."""

import os
import socket
import stat
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.adapters.cluster import relay
from app.adapters.cluster.local import Follower, Writer
from app.core.cluster import CreateAccount, DeleteAccount
from app.core.errors import Unavailable
from tests.contract.test_cluster import TAKEN, account


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    made = Writer(tmp_path, create=True)
    yield made
    made.close()


@pytest.fixture
def bugs() -> list[BaseException]:
    return []


@pytest.fixture
def desk(tmp_path: Path, writer: Writer, bugs: list[BaseException]) -> Iterator[relay.Desk]:
    made = relay.Desk(tmp_path, writer, bugs.append)
    yield made
    made.close()


@pytest.fixture
def worker(tmp_path: Path, writer: Writer) -> relay.Relayed:
    return relay.Relayed(tmp_path, Follower(tmp_path))


def test_a_worker_s_command_takes_effect_and_it_reads_its_own_write(desk, worker, writer):
    assert not worker.submit(CreateAccount("c1", account(1))).error
    assert worker.state() == writer.state()
    assert "account-1" in worker.state().accounts


def test_a_refusal_comes_back_in_the_submitter_s_words(desk, worker):
    worker.submit(CreateAccount("c1", account(1)))
    assert worker.submit(CreateAccount("c2", account(1))) == TAKEN
    assert worker.submit(DeleteAccount("c3", "nobody")).error == "NoSuchEntity"


def test_a_command_sent_twice_takes_effect_once(desk, worker, writer):
    for _ in range(2):
        assert not worker.submit(CreateAccount("c1", account(1))).error
    assert writer.state().version == 1


def test_many_workers_at_once_each_get_their_own_outcome(desk, tmp_path, writer):
    numbers = range(40)  # more than are taken at one time
    outcomes = {}

    def submit(number: int) -> None:
        own = relay.Relayed(tmp_path, Follower(tmp_path))
        outcomes[number] = own.submit(CreateAccount(f"c{number}", account(number)))
        assert f"account-{number}" in own.state().accounts

    threads = [threading.Thread(target=submit, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [outcomes[number].error for number in numbers] == [""] * 40
    assert len(writer.state().accounts) == 40


def test_without_the_submitter_a_worker_goes_on_reading_and_says_why_it_cannot_write(desk, worker, writer):
    worker.submit(CreateAccount("c1", account(1)))
    desk.close()
    with pytest.raises(Unavailable, match="control process"):
        worker.submit(CreateAccount("c2", account(2)))
    assert "account-1" in worker.state().accounts


def test_what_the_submitter_cannot_reach_is_told_to_the_worker(tmp_path, worker, writer, bugs):
    desk = relay.Desk(tmp_path, writer, bugs.append)
    writer.close()
    with pytest.raises(Unavailable, match="closed"):
        worker.submit(CreateAccount("c1", account(1)))
    desk.close()
    assert bugs == []


def test_only_its_own_user_may_open_the_socket_and_a_new_submitter_takes_it_over(desk, tmp_path, worker, writer, bugs):
    assert stat.S_IMODE((tmp_path / relay.SOCKET).stat().st_mode) == 0o600
    desk.close()
    again = relay.Desk(tmp_path, writer, bugs.append)
    assert not worker.submit(CreateAccount("c1", account(1))).error
    again.close()


@pytest.mark.parametrize("frame", [b"", b"\x00\x00", struct.pack(">I", 1 << 30), struct.pack(">I", 5) + b"nojso"])
def test_a_malformed_frame_harms_nobody(desk, tmp_path, worker, frame):
    with socket.socket(socket.AF_UNIX) as line:
        fd = os.open(tmp_path, os.O_RDONLY)
        line.connect(f"/proc/self/fd/{fd}/{relay.SOCKET}")
        os.close(fd)
        line.sendall(frame)
        line.shutdown(socket.SHUT_WR)
        while line.recv(4096):
            pass
    assert not worker.submit(CreateAccount("c1", account(1))).error
