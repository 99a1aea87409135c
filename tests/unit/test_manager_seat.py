"""Where a manager sits: what it must be told, and where others reach it."""

import base64

import pytest

from app.config import resolve
from app.services.control.authority import Member
from roles import manager_seat
from roles.data_dir import Refusal

SECRET = {"ZAPFS_CLUSTER_SECRET": base64.b64encode(bytes(32)).decode()}


@pytest.mark.parametrize(
    ("flags", "environ", "reason"),
    [
        ({}, SECRET, "node_id is needed"),
        ({"node_id": "m1"}, {}, "cluster_secret is needed"),
        ({"node_id": "m1", "bootstrap": "true", "join": "h:1"}, SECRET, "begins a cluster or joins one"),
    ],
)
def test_a_manager_that_was_told_too_little_or_too_much_does_not_start(flags, environ, reason):
    with pytest.raises(Refusal, match=reason):
        manager_seat.of(resolve(flags, environ))


def test_a_manager_is_reached_at_its_binds_or_at_the_host_it_advertises():
    flags = {"node_id": "m1", "grpc_bind": "127.0.0.1:7050", "raft_bind": "127.0.0.1:7051"}
    assert manager_seat.of(resolve(flags, SECRET)) == Member("m1", "127.0.0.1:7050", "127.0.0.1:7051")
    flags["advertise"] = "m1.example:9050"
    assert manager_seat.of(resolve(flags, SECRET)) == Member("m1", "m1.example:9050", "m1.example:7051")


def test_a_manager_with_a_log_goes_on_with_it_whatever_it_is_told_to_join(tmp_path):
    directory = tmp_path / "raft"
    directory.mkdir()
    (directory / "journal").write_bytes(b"")
    settings = resolve({"node_id": "m2", "join": "127.0.0.1:1", "raft_dir": str(directory)}, SECRET)
    config = manager_seat.raft_config(settings, manager_seat.of(settings))
    assert (config.start, dict(config.peers)) == (manager_seat.Start.RESUME, {})
