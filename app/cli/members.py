"""`zapfs metadata` and `zapfs file`: the front doors of a cluster's gateways and file hosts.

Knows what must be given and true before a member's two masters start: workers, which serve, and a keeper, which speaks
to the managers and works in the background. Must not know how they do it (roles/).
"""

import ipaddress
import os
import socket
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

from app.adapters.cluster.local import STATE_FILE, Follower
from app.cli import door, supervise
from app.cli.command import complain, say
from app.config import Settings
from app.config_values import Bind
from app.core.errors import Missing, StoreError
from app.runtime import lineage
from migrations.run import MigrationError
from roles import data_dir, devices, handover, master_keys, stores
from roles.data_dir import DataDir, Refusal
from roles.handover import Handover


@dataclass(frozen=True, slots=True)
class Member:
    """A kind of member: its name, what its workers are called and listen on, its roles, and what is made ready first.

    `answers`: a path the workers answer 200, "" = any answer to /. `prepare` raises Refusal, StoreError, MigrationError
    or OSError.
    """

    kind: str
    serves: str
    bind: Callable[[Settings], Bind]
    workers: str
    keeper: str
    answers: str
    prepare: Callable[[Settings], None]


def _prepare_gateway(settings: Settings) -> None:
    if not master_keys.given(settings):
        raise Refusal("iam_master_key is needed, the managers' own: without it no signature can be checked")
    stores.migrate_metadata(settings)


def _prepare_host(settings: Settings) -> None:
    if not settings.device:
        raise Refusal("device is needed: the directories of this host's devices")
    if not settings.advertise and ipaddress.ip_address(settings.blob_bind.host).is_unspecified:
        raise Refusal("advertise is needed: others must be told where blob_bind is reached")
    for line in devices.prepare_devices(settings, _cluster_id(settings)).down:
        complain(f"starting without a device: {line}")


def _cluster_id(settings: Settings) -> str:
    """Of the cluster this node belonged to when it last ran, "" when it never did."""
    try:
        return Follower(DataDir(settings.data_dir).cluster).state().cluster_id
    except Missing:
        return ""


GATEWAY = Member("gateway", "S3", lambda s: s.s3_bind, handover.GATEWAY, handover.GATEWAY_KEEPER, "", _prepare_gateway)
HOST = Member(
    "file host", "blobs", lambda s: s.blob_bind, handover.HOST, handover.HOST_KEEPER, "/health", _prepare_host
)


@dataclass(frozen=True, slots=True)
class Boot:
    """What is open and known once nothing speaks against starting. `ports`: of the workers and of the keeper."""

    settings: Settings
    directory: DataDir
    lock: int
    listeners: tuple[socket.socket, socket.socket]
    ports: tuple[int, int]


def run(settings: Settings, member: Member) -> int:
    """Serve until told to stop. 0 after a drained stop; 1 with one line when something stands in the way."""
    terminal = lineage.lead_group()
    lineage.adopt_orphans()
    os.umask(0o077)  # what is stored is the clients', not every local user's
    try:
        boot = _boot(settings, member)
    except Refusal as refusal:
        complain(str(refusal))
        return 1
    workers, keeper = boot.listeners
    probes = [
        supervise.Probe(door.reached_at(keeper), "/ready"),
        supervise.Probe(door.reached_at(workers), member.answers),
    ]
    supervisor = supervise.Supervisor(_children(boot, member), settings.shutdown_seconds, ready_seconds=float("inf"))
    try:
        return supervisor.run(probes, lambda: _announce(boot, member))
    finally:
        if terminal is not None:
            lineage.give_terminal(terminal)


def check_terms(settings: Settings, *binds: Bind) -> None:
    """What every member of a cluster must be given. Raises Refusal."""
    if not settings.node_id:
        raise Refusal("node_id is needed: this node's name in the cluster, for good")
    if not settings.cluster_secret:
        raise Refusal("cluster_secret is needed: 32 bytes in base64, the same on every node of the cluster")
    if not settings.managers:
        raise Refusal("managers is needed: HOST:PORT of the managers' control plane")
    if settings.dev and not all(bind.loopback for bind in binds):
        raise Refusal("development credentials are public, so dev takes loopback addresses only")


def _boot(settings: Settings, member: Member) -> Boot:
    """The checks in the order an operator would want to hear of them. Raises Refusal."""
    bind = member.bind(settings)
    check_terms(settings, bind, settings.ops_bind)
    directory = DataDir(settings.data_dir)
    lock = data_dir.claim(directory.root, "", time.time_ns() // 1_000_000, f"{member.kind} {settings.node_id}")
    listeners = (
        door.listen(bind, settings.backlog, member.serves),
        door.listen(settings.ops_bind, settings.backlog, "operations"),
    )
    data_dir.prepare(directory)
    try:
        member.prepare(settings)
    except (StoreError, MigrationError) as error:
        raise Refusal(str(error)) from error
    except (OSError, sqlite3.Error) as error:
        raise Refusal(f"{member.kind} {settings.node_id}: {error}") from error
    workers, keeper = (listener.getsockname()[1] for listener in listeners)
    return Boot(settings, directory, lock, listeners, (workers, keeper))


def _children(boot: Boot, member: Member) -> list[supervise.Child]:
    """The keeper first: the workers need the state it follows, unless an earlier start left one."""
    keys = master_keys.given(boot.settings)
    keeper, workers = (
        door.child(
            Handover(role, boot.settings, keys, listener.fileno(), os.getpid(), *boot.ports),
            listener,
            boot.lock,
            boot.directory.metrics,
        )
        for role, listener in ((member.keeper, boot.listeners[1]), (member.workers, boot.listeners[0]))
    )
    workers.needs = boot.directory.cluster / STATE_FILE
    return [keeper, workers]


def _announce(boot: Boot, member: Member) -> None:
    settings = boot.settings
    workers, keeper = boot.ports
    say(f"ZapFS {version('zapfs')} {member.kind} {settings.node_id} is ready")
    say(f"  {member.serves:<11} http://{Bind(member.bind(settings).host, workers)}  ({settings.workers} workers)")
    say(f"  {'operations':<11} http://{Bind(settings.ops_bind.host, keeper)}  (/health /ready /metrics)")
