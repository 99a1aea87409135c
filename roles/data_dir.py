"""The data directory: what lies where in it, whose it is, and that one server holds it at a time.

Knows names, the marker file and the lock. Must not know what the rooms keep in their directories.
"""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.adapters.cluster.snapshot import sync_directory

MARKER = "zapfs.json"
LOCK = "lock"
FORMAT_VERSION = 2  # 1: the first release; it reads neither this one's control state nor its metadata
_LEFTOVER_SECONDS = 5.0  # a killed server's last process may still be finishing a write to the disk
_LEFTOVER_TRIES = 100
_TOLERATED = frozenset({LOCK, MARKER + ".tmp", "lost+found"})  # in a directory that has no marker yet


class Refusal(Exception):
    """The server must not start here; the text is the one line an operator reads."""


class InUse(Refusal):
    """Another process holds the lock."""


@dataclass(frozen=True, slots=True)
class DataDir:
    """Paths below the data directory."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "metadata" / "zapfs.db"

    @property
    def device(self) -> Path:
        """The one device of this release; its name leaves room for more."""
        return self.root / "chunks" / "device-0"

    @property
    def cluster(self) -> Path:
        return self.root / "cluster"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def run(self) -> Path:
        """Of this run of the server only; wiped when it starts."""
        return self.root / "run"

    @property
    def metrics(self) -> Path:
        return self.run / "metrics"

    @property
    def rates(self) -> Path:
        """What workers count for rates: memory they share."""
        return self.run / "rates"

    @property
    def traces(self) -> Path:
        """What workers know of recent requests."""
        return self.root / "traces"

    @property
    def reads(self) -> Path:
        """Where workers say how old their oldest read is."""
        return self.run / "reads"


def claim(root: Path, cluster_id: str, now_ms: int, owner: str = "") -> int:
    """Make `root` ours: create it or check its marker, and take its lock.

    `owner`: the member of a cluster whose it is for good, "" of a server of one machine. Returns the descriptor that
    holds the lock for as long as any process has it open. The marker is durable when this returns. Raises Refusal:
    unwritable, foreign, newer, in use.
    """
    _check_writable(root)
    fresh = _check_ours(root)
    if not fresh:
        _check_owner(root, owner)
    lock = _take_lock(root)
    if fresh:
        _write_marker(root, {"format": "zapfs", "cluster_id": cluster_id, "created_ms": now_ms, "owner": owner})
    else:
        _mark_as_ours(root)
    return lock


@contextmanager
def checking(root: Path) -> Iterator[bool]:
    """Read a data directory from outside a server: True when no server runs on it, and then none can start meanwhile.

    Raises Refusal unless `root` is a data directory of this or an older format.
    """
    if not (root / MARKER).exists():
        raise Refusal(f"{root} is not a ZapFS data directory: it has no {MARKER}")
    _check_ours(root)
    try:
        lock = _take_lock(root)
    except InUse:
        yield False
        return
    try:
        yield True
    finally:
        os.close(lock)


def prepare(directory: DataDir) -> None:
    """Create the rooms' directories and empty what belongs to one run only. Raises Refusal."""
    try:
        shutil.rmtree(directory.run, ignore_errors=True)
        for path in (
            directory.database.parent,
            directory.device.parent,
            directory.cluster,
            directory.metrics,
            directory.reads,
        ):
            path.mkdir(parents=True, exist_ok=True)
        directory.secrets.mkdir(mode=0o700, exist_ok=True)
        directory.secrets.chmod(0o700)
        sync_directory(directory.root)  # a file made durable in a room is lost with the room's own name
    except OSError as error:
        raise Refusal(f"data directory {directory.root} is not writable: {error.strerror}") from error


def write_durably(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Create or replace a small file; all or nothing, durable when this returns. Raises OSError."""
    fresh = path.with_name(path.name + ".tmp")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_directory(path.parent)


def _check_writable(root: Path) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refusal(f"data directory {root} cannot be created: {error.strerror}") from error
    if not os.access(root, os.W_OK | os.X_OK):
        raise Refusal(f"data directory {root} is not writable")


def _check_ours(root: Path) -> bool:
    """True when the directory is empty and waits for its marker."""
    marker = root / MARKER
    try:
        content = json.loads(marker.read_bytes())
    except FileNotFoundError:
        strangers = sorted(path.name for path in root.iterdir() if path.name not in _TOLERATED)
        if strangers:
            raise Refusal(
                f"data directory {root} is not empty and not ours: it holds {strangers[0]} and no {MARKER}"
            ) from None
        return True
    except (OSError, ValueError) as error:
        raise Refusal(f"{marker} cannot be read: {error}") from error
    if not isinstance(content, dict) or content.get("format") != "zapfs":
        raise Refusal(f"data directory {root} is not ours: {marker} is of another program")
    version = content.get("version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise Refusal(f"data directory {root} has format {version}; this release knows up to {FORMAT_VERSION}")
    return False


def _check_owner(root: Path, owner: str) -> None:
    """What one member keeps must not be taken for another's: votes, known devices, reads under way."""
    content = json.loads((root / MARKER).read_bytes())
    found = str(content.get("owner", ""))
    if found != owner and (found or content.get("cluster_id")):
        whose = found or "a server of one machine"
        raise Refusal(f"data directory {root} belongs to {whose}, not to {owner or 'one'}")


def _take_lock(root: Path) -> int:
    try:
        fd = os.open(root / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Refusal(f"data directory {root} is not writable: {error.strerror}") from error
    for _ in range(_LEFTOVER_TRIES):
        if _locked(fd):
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
            return fd
        holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
        if Path("/proc", holder or "?").exists():
            break
        # Its front door is dead: the kernel is just taking the rest of its processes away.
        time.sleep(_LEFTOVER_SECONDS / _LEFTOVER_TRIES)
    os.close(fd)
    raise InUse(f"data directory {root} is in use by another server (process {holder or 'unknown'})")


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _mark_as_ours(root: Path) -> None:
    """Name this release's format before anything is written in it, so that an older release says why it refuses."""
    content = json.loads((root / MARKER).read_bytes())
    if content["version"] < FORMAT_VERSION:
        _write_marker(root, content)


def _write_marker(root: Path, content: Mapping[str, object]) -> None:
    marked = {**content, "version": FORMAT_VERSION}
    try:
        write_durably(root / MARKER, json.dumps(marked, indent=1).encode() + b"\n", 0o644)
    except OSError as error:
        raise Refusal(f"data directory {root} is not writable: {error.strerror}") from error
