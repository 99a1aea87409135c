"""A manager's seat among the managers: where it is reached, how it begins or joins, and what it owes a new cluster.

Knows the settings that say so, and a marker file that outlives a crash on the way in. Must not know gRPC's server.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import Final

from app.adapters.cluster import tls
from app.adapters.cluster.calls import Managers, Whoami
from app.adapters.cluster.channels import Channels
from app.adapters.cluster.raft import RaftConfig, Start
from app.adapters.cluster.sealing import Sealer
from app.config import Settings
from app.core.cluster import ClusterState, Command, Outcome
from app.core.cluster.layout_commands import FoundCluster
from app.core.errors import Unavailable
from app.core.layout.placement import GROUPS
from app.proto import control_pb2 as pb
from app.proto import service
from app.services.control.authority import Authority, Member
from roles import control_plane, credentials, seed
from roles.data_dir import DataDir, Refusal, write_durably
from roles.handover import Handover
from roles.running import SOURCES, new_id

_JOINING: Final = "joining"
"""Marker beside the log: this manager has asked for its seat and does not know yet whether it has it."""


def of(settings: Settings) -> Member:
    """Where this manager is reached: at its binds, or at the host of `advertise` with the binds' ports. Raises
    Refusal."""
    if not settings.node_id:
        raise Refusal("node_id is needed: this manager's name in the cluster, for good")
    if not settings.cluster_secret:
        raise Refusal("cluster_secret is needed: 32 bytes in base64, the same on every node of the cluster")
    if settings.bootstrap and settings.join:
        raise Refusal("bootstrap and join: a manager begins a cluster or joins one")
    if not settings.advertise:
        return Member(settings.node_id, str(settings.grpc_bind), str(settings.raft_bind))
    host = settings.advertise.rpartition(":")[0]
    return Member(settings.node_id, settings.advertise, f"{host}:{settings.raft_bind.port}")


def raft_config(settings: Settings, seat: Member) -> RaftConfig:
    """How the log is to be opened. Asks a running manager when this one is to join. Raises Refusal."""
    settings.raft_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    start = Start.RESUME
    peers: Mapping[str, str] = {}
    if settings.bootstrap:
        start, peers = Start.BOOTSTRAP, {seat.node_id: seat.raft_address}
    elif settings.join and (_marker(settings).exists() or not any(settings.raft_dir.iterdir())):
        start, peers = Start.JOIN, _members(settings)
        write_durably(_marker(settings), b"")
    return RaftConfig(
        node_id=seat.node_id,
        bind=str(settings.raft_bind),
        directory=settings.raft_dir,
        secret=settings.cluster_secret,
        peers=peers,
        advertise=seat.raft_address,
        start=start,
        election_ms=settings.raft_election_ms,
    )


def _members(settings: Settings) -> Mapping[str, str]:
    """Raft addresses of the managers there are, by node id."""
    managers = _managers(settings, [settings.join])
    try:
        reply = managers.call(service.STATUS, pb.StatusRequest())
    except Unavailable as error:
        raise Refusal(f"join: {error}") from error
    finally:
        managers.close()
    return {
        one.node_id: one.raft_address for one in reply.members if one.raft_address and one.node_id != settings.node_id
    }


def _managers(settings: Settings, addresses: list[str]) -> Managers:
    channels = Channels(tls.identity(settings.cluster_secret, settings.node_id))
    return Managers(addresses, Whoami(settings.node_id), channels, monotonic)


def _marker(settings: Settings) -> Path:
    return settings.raft_dir.with_name(settings.raft_dir.name + "." + _JOINING)


class Taking:
    """What a manager does until it sits where it should; every step may be repeated after a crash."""

    def __init__(self, told: Handover, seat: Member, authority: Authority, say: Callable[[str], object]) -> None:
        """`say` is told what a seed made."""
        self._told = told
        self._say = say
        self._seat = seat
        self._authority = authority
        self._done = False

    def step(self) -> None:
        """To be called about every second. Raises StoreError while it has to wait."""
        if self._done:
            return
        settings = self._told.settings
        if _marker(settings).exists():
            self._join()
            _marker(settings).unlink()
        elif settings.bootstrap and self._authority.leads(self._seat.node_id):
            self._found()
        elif settings.bootstrap and not self._authority.addresses():
            raise Unavailable("the cluster is not founded yet")
        self._done = True

    def _join(self) -> None:
        """Ask the leader for the seat, wherever it is by now."""
        member = pb.Member(
            node_id=self._seat.node_id,
            grpc_address=self._seat.grpc_address,
            raft_address=self._seat.raft_address,
        )
        managers = _managers(self._told.settings, [self._told.settings.join, *self._authority.addresses().values()])
        try:
            managers.call(service.CHANGE_MEMBERS, pb.ChangeRequest(add=member))
        finally:
            managers.close()

    def _found(self) -> None:
        """A cluster needs an id, a manager that is found, a root account and a keyring: what is missing is proposed."""
        self._authority.barrier()
        cluster = _Own(self._authority)
        if not cluster.state().cluster_id:
            cluster.submit(FoundCluster(new_id().hex(), os.urandom(16).hex(), GROUPS))
        self._authority.add(self._seat)
        settings, keys = self._told.settings, self._told.master_keys
        sealer = Sealer(keys[0], os.urandom, keys[1:])
        root = credentials.root_credentials(settings, DataDir(settings.data_dir), sealer)
        control_plane.ensure(cluster, sealer, root, SOURCES, settings.region)
        seed.seed(cluster, sealer, SOURCES, settings, self._say)


class _Own:
    """ports.cluster.Cluster of the manager that leads."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    def state(self) -> ClusterState:
        return self._authority.state()

    def submit(self, command: Command) -> Outcome:
        return self._authority.submit(command)

    def close(self) -> None:
        """Nothing is held."""
