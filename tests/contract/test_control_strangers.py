"""Strangers and impostors at a manager's gRPC port: cut off, or told in one line what they must not be."""

import socket
import time

import pytest

from app.adapters.cluster.remote import Door, RemoteCluster
from app.core import cluster_limits
from app.core.cluster.manager_commands import PutManagerAddress
from app.core.errors import Unavailable
from app.core.layout.reports import NodeReport
from tests.control_room import SECRET, Manager


@pytest.fixture
def manager():
    made = Manager()
    yield made
    made.stop()


def test_who_never_proves_itself_is_cut_off(manager):
    host, _, port = manager.address.rpartition(":")
    with socket.create_connection((host, int(port))) as silent, socket.create_connection((host, int(port))) as slow:
        slow.sendall(b"\x16\x03\x01\x02\x00")  # the head of a ClientHello that never comes
        for stranger in (silent, slow):
            stranger.settimeout(2 * cluster_limits.CONTROL_HELLO_SECONDS_MAX)
            assert stranger.recv(1) == b""


def test_no_node_takes_a_managers_name(manager):
    manager.authority.submit(PutManagerAddress("p", "manager-1", manager.address))
    client = RemoteCluster(Door([manager.address], "manager-1", SECRET), time.monotonic)
    with pytest.raises(Unavailable, match="manager-1 is a manager, so this node needs a node_id of its own"):
        client.beat(NodeReport("manager-1", "file", 1))
    client.close()
