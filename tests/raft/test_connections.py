"""Who gets in: only a node with the cluster's secret, under its own name, with frames of a bounded length."""

import contextlib
import os
import socket
import ssl
import threading
import time

import pytest

from app.adapters.cluster.raft import codec
from app.adapters.cluster.raft.contract import RaftConfig, RaftError, Role, Start, StartRefused
from app.adapters.cluster.raft.node import RaftNode
from app.adapters.cluster.tls import identity, socket_context
from app.core import cluster_limits
from tests.raft.process import addresses

SECRET = b"s" * 32


class Machine:
    def apply(self, command):
        return command

    def snapshot(self):
        return b""

    def restore(self, state):
        pass


class Failing(Machine):
    def apply(self, command):
        raise ValueError("a bug")


def started(directory, machine=None, secret=SECRET):
    address = addresses(1)["m0"]
    node = RaftNode(
        RaftConfig("m0", address, directory, secret, start=Start.BOOTSTRAP), machine or Machine(), os.urandom
    )
    led = threading.Event()
    end = time.monotonic() + 10
    while node.status().role is not Role.LEADER and time.monotonic() < end:
        led.wait(0.01)
    return node, address


@pytest.fixture
def node(tmp_path):
    node, address = started(tmp_path / "m0")
    yield address
    assert node.propose(b"still here", 5) == b"still here"
    node.close()


def dialed(address, secret=None, name="m1"):
    host, _, port = address.rpartition(":")
    plain = socket.create_connection((host, int(port)), timeout=5)
    if secret is None:
        return plain
    return socket_context(identity(secret, name), server=False).wrap_socket(plain)


def is_cut(connection):
    """Whether the other end closes it, rather than waiting for more."""
    try:
        return connection.recv(1) == b""
    except (ConnectionResetError, ssl.SSLError):
        return True


def hello(name, address="127.0.0.1:1", incarnation="one", yours=""):
    fields = {"id": name, "address": address, "incarnation": incarnation, "yours": yours}
    return codec.encode({"type": "hello", **fields})


def frame(data):
    return len(data).to_bytes(4, "little") + data


def test_a_connection_without_tls_is_cut(node):
    connection = dialed(node)
    connection.sendall(frame(hello("m1")))
    assert is_cut(connection) or is_cut(connection)


def test_a_node_of_another_cluster_is_cut(node):
    with pytest.raises(ssl.SSLError):
        dialed(node, secret=b"t" * 32)


def test_a_hello_under_another_name_than_the_certificates_is_cut(node):
    connection = dialed(node, SECRET, "m1")
    connection.sendall(frame(hello("m2")))
    assert is_cut(connection)


def test_a_long_frame_before_the_hello_is_cut_before_it_is_read(node):
    connection = dialed(node, SECRET)
    connection.sendall((cluster_limits.RAFT_HELLO_BYTES_MAX + 1).to_bytes(4, "little"))
    assert is_cut(connection)


def test_a_pickle_after_the_hello_is_cut_and_not_opened(node):
    connection = dialed(node, SECRET, "m1")
    connection.sendall(frame(hello("m1")))
    connection.sendall(frame(b"cos\nsystem\n(S'false'\ntR."))
    assert is_cut(connection)


def test_without_a_secret_a_node_listens_on_loopback_only(tmp_path):
    with pytest.raises(StartRefused, match="loopback"):
        RaftNode(RaftConfig("m0", "0.0.0.0:0", tmp_path, None, start=Start.BOOTSTRAP), Machine(), os.urandom)


def test_two_processes_never_share_a_directory(tmp_path):
    node, _ = started(tmp_path, secret=None)
    with pytest.raises(StartRefused, match="another process"):
        started(tmp_path, secret=None)
    node.close()


def test_a_machine_that_raises_does_not_wedge_the_log(tmp_path):
    node, _ = started(tmp_path, Failing(), secret=None)
    for _ in range(3):
        with pytest.raises(Exception, match="a bug"):
            node.propose(b"x", 5)
    assert node.status().applied == node.status().commit
    node.close()


def test_callers_that_give_up_do_not_end_the_node(tmp_path):
    node, _ = started(tmp_path, secret=None)
    for _ in range(50):
        for ask in (lambda: node.propose(b"x", 0), lambda: node.read_barrier(0), lambda: node.transfer_leadership(0)):
            with contextlib.suppress(RaftError):
                ask()
    assert node.propose(b"x", 5) == b"x"
    node.close()


def test_a_name_server_that_is_slow_or_knows_nothing_costs_one_thread_and_one_line(node, monkeypatch, caplog):
    asked, answer = threading.Semaphore(0), threading.Event()

    def slow(*_, **__):
        asked.release()
        answer.wait(10)
        raise socket.gaierror(-2, "Name or service not known")

    with dialed(node, SECRET, "m1") as connection:
        monkeypatch.setattr(socket, "getaddrinfo", slow)
        connection.sendall(frame(hello("m1", "nowhere.invalid:1")))
        assert asked.acquire(timeout=5)
        assert not asked.acquire(timeout=0.5)  # it is not asked again before it answered
        answer.set()
        assert all(asked.acquire(timeout=5) for _ in range(5))
    assert [record.getMessage() for record in caplog.records if "nowhere" in record.getMessage()] == [
        "the member's address 'nowhere.invalid:1' does not resolve: [Errno -2] Name or service not known"
    ]
