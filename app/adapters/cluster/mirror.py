"""The followed control state on a node's own disk: for its workers, and for its next start without a manager.

Knows the file form (snapshot.py) and how often it may be written. Must not know where states come from. One process of
a node writes the file; `local.Follower` reads it.
"""

import threading
from collections.abc import Callable
from pathlib import Path

from app.adapters.cluster import snapshot
from app.adapters.cluster.local import STATE_FILE, Run, run_here
from app.core.cluster import ClusterState
from app.core.cluster.restore_transitions import occupied
from app.core.cluster_limits import CONTROL_RETRY_SECONDS_MAX, MIRROR_SECONDS_MIN
from app.core.errors import Conflict, Corrupt, StoreError


class Mirror:
    """`take` every state; the newest is on disk soon after, at most one write each MIRROR_SECONDS_MIN."""

    def __init__(self, directory: Path, run: Run = run_here) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = directory / STATE_FILE
        self._run = run
        self._codec = snapshot.Codec()
        self._newest: ClusterState | None = None
        self._written: ClusterState | None = None
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def kept(self) -> ClusterState | None:
        """What an earlier run left, to follow on from; None when there is nothing readable: the managers have it all.

        Raises Unavailable when the disk does not answer."""
        if snapshot.signature(self._path) is None:
            return None
        try:
            self._newest = self._written = snapshot.load(self._path)
        except Corrupt:
            return None
        return self._written

    def start(self, on_error: Callable[[StoreError], object]) -> None:
        """Begin to write. What `on_error` is told of is tried again."""
        self._thread = threading.Thread(target=self._serve, args=(on_error,), name="mirror", daemon=True)
        self._thread.start()

    def take(self, state: ClusterState) -> None:
        """Returns at once. Raises Conflict for the state of another cluster than the one kept here, unless that is
        empty and became the other by a restore."""
        kept = self._newest.cluster_id if self._newest is not None else ""
        became = state.restored and self._newest is not None and not occupied(self._newest)
        if kept and state.cluster_id != kept and not became:
            raise Conflict(f"{self._path} is of cluster {kept}; the managers are of {state.cluster_id or 'none'}")
        self._newest = state
        self._wake.set()

    def close(self) -> None:
        """Write what is not written yet, if the disk takes it, and end."""
        self._ending.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _serve(self, on_error: Callable[[StoreError], object]) -> None:
        last = False
        while not last:
            self._wake.wait()
            self._wake.clear()
            last = self._ending.is_set()
            pause = MIRROR_SECONDS_MIN
            try:
                self._write()
            except StoreError as error:
                on_error(error)
                self._wake.set()
                pause = CONTROL_RETRY_SECONDS_MAX
            self._ending.wait(pause)

    def _write(self) -> None:
        newest = self._newest
        if newest is not None and newest is not self._written:
            self._run(snapshot.store, self._path, newest, self._codec)
            self._written = newest
