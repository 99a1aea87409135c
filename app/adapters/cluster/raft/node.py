"""One member of the replicated log, for callers of any thread.

Knows the tick thread, how callers wait for it, and what to say about it. Must not know how entries are agreed on
(consensus.py). An error of the disk ends the process: nobody may go on from what may not be on it.
"""

import fcntl
import logging
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from typing import Any, NoReturn

from app.adapters.cluster.raft.consensus import Consensus
from app.adapters.cluster.raft.contract import (
    Machine,
    RaftConfig,
    RaftStatus,
    Start,
    StartRefused,
    Unavailable,
    Unknown,
)
from app.adapters.cluster.raft.disk import Directory
from app.adapters.cluster.raft.incarnations import Incarnations
from app.adapters.cluster.raft.status import Picture
from app.adapters.cluster.raft.storage import opened
from app.adapters.cluster.raft.transport import Door, Transport
from app.adapters.cluster.tls import identity, socket_context
from app.core import cluster_limits

EXIT_DISK = 70
"""The process's exit code after an error of the disk or of the agreement itself (EX_SOFTWARE)."""
_TICKS_PER_ELECTION = 15
_LOG = logging.getLogger("zapfs.raft")


class RaftNode:
    """Starts with its constructor (StartRefused when it must not), serves until `close`. Never fork after that.

    `entropy`: as many random bytes as it is asked for; an empty directory is given a number of its own.
    """

    def __init__(self, config: RaftConfig, machine: Machine, entropy: Callable[[int], bytes]) -> None:
        election_s = config.election_ms / 1000
        self._lock_fd = _locked(config)
        disk = Directory(config.directory)
        members = dict(config.peers) | {config.node_id: config.address}
        incarnations = Incarnations(disk, entropy)
        stored = opened(disk, _die, config.start, members)
        self._transport = Transport(_door(config, incarnations), election_s / 3, _LOG.error, _die)
        self._notifier: Any = None
        self._woken = False
        self._core = Consensus(
            config.node_id,
            machine,
            (disk, *stored),
            self._transport,
            election_s=election_s,
            compact_entries=config.compact_entries,
            die=_die,
            wake=self._wake,
            log_error=_LOG.error,
        )
        if config.start is Start.JOIN and self._core.membership.blank:
            self._transport.know({name: at for name, at in config.peers.items() if name != config.node_id})
        self._notifier = self._core.notifier()
        self._transport.attach(self._core._poller)
        self._picture = Picture(self._core, config.node_id)
        self._tick_s = election_s / _TICKS_PER_ELECTION
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="raft", daemon=True)
        self._thread.start()

    # --- callers

    def propose(self, command: bytes, timeout_s: float) -> bytes:
        """What the machine answered, once a majority holds the command durably and it was applied here.

        Raises NotLeader, Unavailable (both: it did not happen), Unknown (it may have) and MachineFault."""
        if len(command) > cluster_limits.RAFT_COMMAND_BYTES_MAX:
            raise Unavailable(f"a command is at most {cluster_limits.RAFT_COMMAND_BYTES_MAX} bytes")
        answer: bytes = self._ask("command", command, timeout_s)
        return answer

    def read_barrier(self, timeout_s: float) -> int:
        """Return once this node's machine holds every command acknowledged anywhere before the call: a leader's, proved
        by a majority (ReadIndex). The applied index. Raises NotLeader, Unavailable."""
        try:
            index: int = self._ask("read", None, timeout_s)
        except Unknown as error:
            raise Unavailable(self.status().why_not or "no majority confirmed this leader in time") from error
        return index

    def change_members(self, members: Mapping[str, str], timeout_s: float) -> None:
        """Make `members` (id -> address) the members: one added, one removed or one moved to another address at a time.

        One that is added catches up first. To replace one: add, then remove. The leader cannot remove itself: call
        `transfer_leadership` first. Raises MembersRefused, NotLeader, Unavailable, Unknown."""
        self._ask("members", dict(members), timeout_s)

    def transfer_leadership(self, timeout_s: float) -> None:
        """Make another member lead: the one that holds the most. Raises NotLeader, Unavailable (none took it)."""
        stopped = threading.Event()
        unsubscribe = self._picture.when_leader_changes(stopped.set)
        try:
            if self._ask("transfer", None, timeout_s) is None:
                raise Unavailable("no other member holds everything that is committed")
            if not stopped.wait(timeout_s):
                raise Unavailable("the other member did not take leadership in time")
        finally:
            unsubscribe()

    def status(self) -> RaftStatus:
        """What this node knows; never blocks."""
        return self._picture.status

    def subscribe(self, callback: Callable[[int], None]) -> Callable[[], None]:
        """Have `callback(applied index)` called by the tick thread after every batch of applied commands; it must be
        short and must not raise. Returns what ends it."""
        self._core.applied_hooks.append(callback)
        return lambda: self._core.applied_hooks.remove(callback)

    def close(self) -> None:
        """Stop; what was acknowledged is durable. Safe to call twice."""
        if self._closing:
            return
        self._closing = True
        self._wake()
        self._thread.join()
        os.close(self._lock_fd)

    def _ask(self, kind: str, payload: Any, timeout_s: float) -> Any:
        if self._closing:
            raise Unavailable("this node is closed")
        if self._core.waiting() >= cluster_limits.RAFT_WAITING_MAX:
            raise Unavailable("too many commands wait already")
        waiter: Future[Any] = Future()
        self._core.submit(kind, payload, waiter)
        try:
            return waiter.result(timeout_s)
        except Late as error:
            waiter.cancel()
            raise Unknown(self.status().why_not or "not confirmed in time") from error

    # --- the tick thread

    def _wake(self) -> None:
        if self._notifier is None or self._woken:
            return
        self._woken = True
        try:
            self._notifier.notify()
        except BlockingIOError:
            return  # the pipe is full, so the thread will wake anyway

    def _run(self) -> None:
        try:
            while not self._closing:
                self._woken = False
                self._transport.tick()
                self._core.tick(self._tick_s)
                self._picture.take()
        except Exception:  # noqa: BLE001 - the edge of the thread: nobody above it could decide anything
            # What this thread believes may be wrong now; the log on disk is not, and a new process starts from it.
            _LOG.exception("the Raft thread failed")
            _die("the Raft thread failed")
        self._core.forget_waiting("this node was closed")
        self._core.reads.fail()
        self._core.destroy()


def _die(reason: str) -> NoReturn:
    """End the process at once, without any handler that might promise something."""
    os.write(2, f"zapfs raft: {reason}; the process ends\n".encode())
    os._exit(EXIT_DISK)


def _locked(config: RaftConfig) -> int:
    config.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(config.directory / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise StartRefused(f"another process uses {config.directory}") from error
    return fd


def _door(config: RaftConfig, incarnations: Incarnations) -> Door:
    if config.secret is None:
        if config.bind.rpartition(":")[0] not in ("127.0.0.1", "[::1]", "localhost"):
            raise StartRefused("without a cluster secret Raft listens on loopback only")
        return Door(config.node_id, config.address, config.bind, None, None, incarnations)
    own = identity(config.secret, config.node_id)
    listening, dialing = socket_context(own, server=True), socket_context(own, server=False)
    return Door(config.node_id, config.address, config.bind, listening, dialing, incarnations)
