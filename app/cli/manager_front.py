"""`zapfs manager`: the front door of a manager, its core beside its admin face.

Knows what must be given and true before the two start. Must not know the log, gRPC or administration (roles/manager_*).
The core binds its own addresses: it is no gunicorn master, and nothing of it may be patched.
"""

import os
import socket
import time
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from app.adapters.cluster.sealing import Sealer
from app.cli import door, supervise
from app.cli.command import complain, say
from app.config import Settings
from app.config_values import Bind
from app.core.errors import StoreError
from app.runtime import lineage
from roles import credentials, data_dir, handover, manager_seat, master_keys, seed
from roles.credentials import RootCredentials
from roles.data_dir import DataDir, Refusal
from roles.handover import Handover
from roles.running import SOURCES

CORE: Final = ("-m", "roles.manager_core")


@dataclass(frozen=True, slots=True)
class Boot:
    """What is open and known once nothing speaks against starting. `root`: of a manager that begins a cluster."""

    settings: Settings
    directory: DataDir
    lock: int
    admin: socket.socket
    admin_port: int
    root: RootCredentials | None


def run(settings: Settings) -> int:
    """Serve until told to stop. 0 after a drained stop; 1 with one line when something stands in the way."""
    terminal = lineage.lead_group()
    lineage.adopt_orphans()
    os.umask(0o077)
    try:
        boot = _boot(settings)
    except Refusal as refusal:
        complain(str(refusal))
        return 1
    if boot.root is not None and boot.root.generated_now:  # said first: it is said only once
        door.say_root(boot.root)
    probe = supervise.Probe(door.reached_at(boot.admin), "/ready")
    supervisor = supervise.Supervisor(_children(boot), settings.shutdown_seconds, ready_seconds=float("inf"))
    try:
        return supervisor.run([probe], lambda: _announce(boot))
    finally:
        if terminal is not None:
            lineage.give_terminal(terminal)


def _boot(settings: Settings) -> Boot:
    """The checks in the order an operator would want to hear of them. Raises Refusal."""
    manager_seat.of(settings)
    keys = master_keys.given(settings)
    if not keys:
        raise Refusal("iam_master_key is needed, the same on every manager and gateway: it seals stored secrets")
    if settings.dev and not all(b.loopback for b in (settings.admin_bind, settings.grpc_bind, settings.raft_bind)):
        raise Refusal("development credentials are public, so dev takes loopback addresses only")
    directory = DataDir(settings.data_dir)
    lock = data_dir.claim(directory.root, "", time.time_ns() // 1_000_000, f"manager {settings.node_id}")
    admin = door.listen(settings.admin_bind, settings.backlog, "admin")
    for bind, what in ((settings.grpc_bind, "control"), (settings.raft_bind, "Raft")):
        door.listen(bind, settings.backlog, what).close()  # the core binds it itself; who is in the way is said here
    data_dir.prepare(directory)
    root = None
    if settings.bootstrap:
        try:
            sealer = Sealer(keys[0], os.urandom, keys[1:])
            if not settings.raft_dir.exists():
                seed.check(settings, sealer, SOURCES)
            root = credentials.root_credentials(settings, directory, sealer)
        except StoreError as error:
            raise Refusal(str(error)) from error
    return Boot(settings, directory, lock, admin, admin.getsockname()[1], root)


def _children(boot: Boot) -> list[supervise.Child]:
    def told(role: str, listener: int) -> Handover:
        keys = master_keys.given(boot.settings)
        return Handover(role, boot.settings, keys, listener, os.getpid(), 0, boot.admin_port)

    core = door.child(told(handover.MANAGER_CORE, -1), None, boot.lock, boot.directory.metrics)
    core.arguments = CORE
    admin = door.child(told(handover.MANAGER_ADMIN, boot.admin.fileno()), boot.admin, boot.lock, boot.directory.metrics)
    return [core, admin]


def _announce(boot: Boot) -> None:
    settings = boot.settings
    say(f"ZapFS {version('zapfs')} manager {settings.node_id} is ready")
    say(f"  admin    http://{Bind(settings.admin_bind.host, boot.admin_port)}  (/health /ready /metrics)")
    say(f"  control  {settings.grpc_bind}")
    say(f"  Raft     {settings.raft_bind}, log in {settings.raft_dir}")
