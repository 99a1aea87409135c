"""`zapfs server`: everything that must be true before the first process starts, then the processes.

Knows the order of the checks and what is said to the operator. Must not know how children are watched (supervise.py).
"""

import os
import socket
import sqlite3
import time
from dataclasses import dataclass, field
from importlib.metadata import version

from app.adapters.chunks.recovery import recover
from app.adapters.cluster.sealing import Sealer
from app.cli import door, supervise
from app.cli.command import complain, say
from app.config import DEV_SECRET_KEY, Settings
from app.config_values import Bind
from app.core.errors import StoreError
from app.core.ids import make_id
from app.runtime import lineage
from app.services.call import Sources
from migrations.run import MigrationError
from roles import control_plane, credentials, data_dir, handover, master_keys, seed, stores
from roles.credentials import RootCredentials
from roles.data_dir import DataDir, Refusal
from roles.handover import Handover


@dataclass(frozen=True, slots=True)
class Boot:
    """What is open and known once nothing speaks against starting."""

    settings: Settings
    directory: DataDir
    lock: int
    s3: socket.socket
    admin: socket.socket
    ports: tuple[int, int]
    master_keys: tuple[bytes, ...] = field(repr=False)
    root: RootCredentials


def run(settings: Settings) -> int:
    """Serve until told to stop. 0 after a drained stop; 1 with one line when something stands in the way."""
    terminal = lineage.lead_group()
    lineage.adopt_orphans()
    os.umask(0o077)  # what is stored is the clients', not every local user's
    try:
        boot = _boot(settings)
    except Refusal as refusal:
        complain(str(refusal))
        return 1
    if boot.root.generated_now:  # said before anything else can go wrong: it is said only once
        door.say_root(boot.root)
    probes = [supervise.Probe(door.reached_at(boot.admin), "/ready"), supervise.Probe(door.reached_at(boot.s3))]
    try:
        return supervise.Supervisor(_children(boot), settings.shutdown_seconds).run(probes, lambda: _announce(boot))
    finally:
        if terminal is not None:
            lineage.give_terminal(terminal)


def _boot(settings: Settings) -> Boot:
    """The checks in the order an operator would want to hear of them. Raises Refusal."""
    directory = DataDir(settings.data_dir)
    lock = data_dir.claim(directory.root, os.urandom(16).hex(), _now_ms())
    s3 = door.listen(settings.s3_bind, settings.backlog, "S3")
    admin = door.listen(settings.admin_bind, settings.backlog, "admin")
    data_dir.prepare(directory)
    try:
        keys = master_keys.of(settings, directory, create=not (directory.secrets / credentials.ROOT_FILE).exists())
        sealer = Sealer(keys[0], os.urandom, keys[1:])
        sources = Sources(_now_ms, lambda: make_id(_now_ms(), os.urandom(10)))
        if not directory.database.exists():
            seed.check(settings, sealer, sources)
        root = credentials.root_credentials(settings, directory, sealer)
        root = control_plane.install(directory, sealer, root, sources, settings, say)
        stores.migrate_metadata(settings)
        recover(stores.device(settings))
    except (StoreError, MigrationError) as error:
        raise Refusal(str(error)) from error
    except (OSError, sqlite3.Error) as error:
        raise Refusal(f"data directory {directory.root}: {error}") from error
    ports = (s3.getsockname()[1], admin.getsockname()[1])
    return Boot(settings, directory, lock, s3, admin, ports, keys, root)


def _children(boot: Boot) -> list[supervise.Child]:
    """The two gunicorn masters, to be started in this order."""
    return [
        door.child(
            Handover(role, boot.settings, boot.master_keys, listener.fileno(), os.getpid(), *boot.ports),
            listener,
            boot.lock,
            boot.directory.metrics,
        )
        for role, listener in ((handover.DATA, boot.s3), (handover.MANAGER, boot.admin))
    ]


def _announce(boot: Boot) -> None:
    settings, root = boot.settings, boot.root
    s3 = f"http://{Bind(settings.s3_bind.host, boot.ports[0])}"
    admin = f"http://{Bind(settings.admin_bind.host, boot.ports[1])}"
    say(f"ZapFS {version('zapfs')} is ready")
    say(f"  S3     {s3}  ({settings.workers} workers, region {settings.region})")
    say(f"  admin  {admin}  (/health /ready /metrics)")
    say(f"  data   {boot.directory.root}")
    shown = settings.dev and root.secret_key == DEV_SECRET_KEY
    say("Try:")
    say(f"  export AWS_ACCESS_KEY_ID={root.access_key} AWS_DEFAULT_REGION={settings.region}")
    say(f"  export AWS_SECRET_ACCESS_KEY={root.secret_key if shown else '...'}")
    say(f"  aws --endpoint-url={s3} s3 mb s3://first")
    say(f"  aws --endpoint-url={s3} s3 cp README.md s3://first/")
    say(f"  aws --endpoint-url={s3} s3 ls s3://first")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
