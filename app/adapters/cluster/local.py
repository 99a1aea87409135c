"""The control plane of one machine: one writer process, any number of followers, one file between them.

Knows who may write and how followers learn of a change. Must not know HTTP, accounts' rules (core.cluster) or seals.
A change is durable, and visible to every follower's next `refresh`, before `submit` returns.
"""

import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.adapters.cluster import snapshot
from app.core.cluster import ClusterState, Command, Outcome, apply
from app.core.errors import Missing, Unavailable

STATE_FILE = "state"
Run = Callable[..., Any]
"""Calls a function with its arguments where blocking harms nobody: `Offload.call` in a worker, `run_here` elsewhere."""


def run_here(function: Callable[..., Any], *args: Any) -> Any:
    """Run: in the calling thread."""
    return function(*args)


class Follower:
    """Reads what the writer acknowledged. `refresh` is to be called every CLUSTER_POLL_SECONDS; it costs one stat."""

    def __init__(self, directory: Path, run: Run = run_here) -> None:
        """Raises Missing when there is no state yet, Corrupt with a way to recover, Unavailable."""
        self._path = directory / STATE_FILE
        self._run = run
        self._codec = snapshot.Codec()
        self._turn = threading.Lock()  # in a patched process this is a greenlet's lock: it never blocks the hub
        self._seen = snapshot.signature(self._path)
        if self._seen is None:
            raise Missing(f"{self._path}: no control state here")
        self._state = snapshot.load(self._path, self._codec)

    def state(self) -> ClusterState:
        """The state as of the last refresh."""
        return self._state

    def submit(self, command: Command) -> Outcome:
        """Always Unavailable: a follower does not write."""
        raise Unavailable(f"this process only follows; {type(command).__name__} belongs to the manager")

    def refresh(self) -> bool:
        """Take over a changed state; True when there was one. Raises Corrupt or Unavailable and keeps the old one."""
        with self._turn:
            found = snapshot.signature(self._path)
            if found is None or found == self._seen:
                return False
            state: ClusterState = self._run(snapshot.load, self._path, self._codec)
            # The signature was taken before the read: a change in between is seen again at the next refresh.
            self._state, self._seen = state, found
            return True

    def close(self) -> None:
        """Nothing is held."""


class Writer:
    """The one process that applies commands. Calls of `submit` follow one another; each costs two fsyncs."""

    def __init__(self, directory: Path, run: Run = run_here, *, create: bool = False) -> None:
        """`create` allows an empty state where there is none; without it that is Missing, because accounts that were
        there and are gone are a loss and no fresh start. Unavailable when another process writes here."""
        self._path = directory / STATE_FILE
        self._run = run
        self._codec = snapshot.Codec()
        self._turn = threading.Lock()  # in a patched process this is a greenlet's lock: it never blocks the hub
        if create:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = _writer_lock(directory)
        try:
            self._state = self._opened(create)
        except BaseException:
            self.close()
            raise

    def _opened(self, create: bool) -> ClusterState:
        if snapshot.signature(self._path) is not None:
            return snapshot.load(self._path)
        if not create:
            raise Missing(f"{self._path} is gone; it held the accounts. Restore it, or its .previous, from a backup")
        state = ClusterState()
        snapshot.store(self._path, state)
        return state

    def state(self) -> ClusterState:
        """The newest state."""
        return self._state

    def submit(self, command: Command) -> Outcome:
        """See ports.cluster. Full when the disk is; the old state stays in force then."""
        with self._turn:
            if self._lock < 0:
                raise Unavailable("the control state is closed")
            state, outcome = apply(self._state, command)
            if state is not self._state:
                self._run(snapshot.store, self._path, state, self._codec)
                self._state = state
            return outcome

    def close(self) -> None:
        """Let another process write."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _writer_lock(directory: Path) -> int:
    try:
        fd = os.open(directory / "writer.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise Unavailable(f"{directory}: {error.strerror}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise Unavailable(f"{directory}: another process writes the control state") from None
    return fd
