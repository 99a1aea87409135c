"""One member's part in the agreement: pysyncobj's tick and election, with the parts replaced that lose data.

Knows the order of one tick and hands each message to the room that answers it. Must not know threads, sockets or files:
one thread calls everything here, which is how the simulator can. What is replaced, and why: docs/design/raft.md.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from app.adapters.cluster.raft import snapshots
from app.adapters.cluster.raft.campaign import Campaign
from app.adapters.cluster.raft.codec import REGULAR, Message
from app.adapters.cluster.raft.contract import Machine, MachineFault, NotLeader, RaftError, Unknown
from app.adapters.cluster.raft.disk import Disk
from app.adapters.cluster.raft.innards import FOLLOWER, LEADER, Innards, configuration, now
from app.adapters.cluster.raft.journal import Journal
from app.adapters.cluster.raft.membership import Membership
from app.adapters.cluster.raft.reads import Reads
from app.adapters.cluster.raft.replication import Replication
from app.adapters.cluster.raft.snapshots import Snapshot
from app.adapters.cluster.raft.transfer import Transfer
from app.adapters.cluster.raft.waiters import Waiter, answer, fail
from app.core import cluster_limits

_APPLIED_PER_TICK = 2_000
_SNAPSHOT_RETRY_S = 10.0


class Network(Protocol):
    """What the agreement needs of a transport: messages may be lost, repeated and reordered, never changed."""

    def send(self, peer: Any, message: Message) -> None: ...

    def congested(self, peer: Any) -> bool:
        """Whether more should not be sent to a peer for now."""

    def know(self, addresses: dict[str, str]) -> None:
        """Whom to stay connected with: id -> address, this node not included."""


class Consensus(Innards):
    """`tick` does everything; `submit` hands it work. `wake` is called where another tick should not wait for time."""

    def __init__(
        self, node_id: str, machine: Machine, stored: tuple[Disk, Journal, Snapshot | None], network: Any, **given: Any
    ) -> None:
        """`given`: election_s, compact_entries, die, wake, log_error."""
        self.disk, journal, snapshot = stored
        self.machine = machine
        self.network: Any = network
        self.die: Callable[[str], NoReturn] = given["die"]
        self.wake: Callable[[], None] = given["wake"]
        self.log_error: Callable[[str], None] = given["log_error"]
        self.applied_hooks: list[Callable[[int], None]] = []
        self.snapshot_index = snapshot.index if snapshot else 0
        self.faults = 0
        self._compact_entries: int = given["compact_entries"]
        self._compact_after = 0.0
        self._queue: deque[tuple[str, Any, Waiter]] = deque()
        self._waiting: dict[int, tuple[int, Waiter]] = {}
        self._promises: list[tuple[Any, Message]] = []
        conf = configuration(given["election_s"])
        conf.onStateChanged = self._role_changed
        self.reads = Reads(self)
        self.campaign = Campaign(self)
        self.replication = Replication(self)
        self.transfer = Transfer(self)
        self.membership = Membership(self, node_id, snapshot)
        super().__init__(node_id, journal, network, conf)
        if snapshot is not None:
            machine.restore(snapshot.state)
            self.applied = self.commit = snapshot.index
        self.membership.refresh()
        self._handlers: dict[str, Callable[[Any, Message], None]] = {
            "pre_vote": self.campaign.asked,
            "pre_vote_granted": self.campaign.granted,
            "request_vote": self.campaign.vote_asked,
            "response_vote": self.campaign.vote_given,
            "append": self.replication.appended,
            "ack": self.replication.acknowledged,
            "snapshot": self.transfer.piece,
            "snapshot_ack": self.transfer.piece_acknowledged,
            "newer_term": self._newer_term,
            "timeout_now": self.campaign.told_to_stand,
        }

    # --- work from outside

    def submit(self, kind: str, payload: Any, waiter: Waiter) -> None:
        """Hand over a "command" (bytes), a "read", a change of "members" or a "transfer". From any thread."""
        self._queue.append((kind, payload, waiter))
        self.wake()

    def waiting(self) -> int:
        """How many wait."""
        return len(self._queue) + len(self._waiting)

    # --- the tick

    def tick(self, wait_s: float) -> None:
        """Do what is due, then wait for messages at most `wait_s`."""
        self.log.sync()
        self.campaign.tick()
        self._onTick(wait_s)
        self.keep_promises()
        self.reads.tick()
        self.membership.tick()

    def keep_promises(self) -> None:
        """Send the answers that say something is durable, after it is: one fsync for all of them."""
        if self._promises:
            self.log.sync()
            promises, self._promises = self._promises, []
            for peer, message in promises:
                self.network.send(peer, message)

    def promise(self, peer: Any, message: Message) -> None:
        """Send this answer at the end of the tick, after the log is durable."""
        self._promises.append((peer, message))

    def received(self, peer: Any, message: Message) -> None:
        """A message, of a kind and with fields that codec.py checked."""
        if peer != self.me:
            self._handlers[message["type"]](peer, message)

    def take_proposals(self) -> None:
        """Add every command that waits to the log, send all in one message, make all durable in one write."""
        before = self.log.last
        for _ in range(len(self._queue)):
            kind, payload, waiter = self._queue.popleft()
            if self.role != LEADER:
                fail(waiter, NotLeader(self.leader_id))
            elif kind == "command":
                self.append(REGULAR + payload, waiter)
            elif kind == "read":
                self.reads.ask(waiter)
            elif kind == "members":
                self.membership.ask(payload, waiter)
            else:
                self.campaign.hand_over(waiter)
        if self.log.last != before:
            self.replicate()
            # The members write theirs while this node writes its own.
            self.log.sync()
            if not self.others:
                self.wake()
        self.reads.tick()

    def append(self, command: bytes, waiter: Waiter) -> int:
        """Add a command to the leader's log; its index. The waiter is told when it is applied."""
        index: int = self.log.last + 1
        self.log.add(command, index, self.term)
        self._waiting[index] = (self.term, waiter)
        return index

    def apply_committed(self) -> None:
        """Apply what is committed, in order, each entry once whatever happens in a callback."""
        if self.commit == self.applied:
            return
        for _ in range(min(self.commit - self.applied, _APPLIED_PER_TICK)):
            command, index, term = self.log.entry(self.applied + 1)
            # Counted before anything can raise: what is applied must never be applied again.
            self.applied = index
            result = self._applied(command)
            waiting_term, waiter = self._waiting.pop(index, (0, None))
            if waiter is None:
                continue
            if waiting_term != term:
                fail(waiter, NotLeader(self.leader_id, "another leader's command took this one's place"))
            elif isinstance(result, RaftError):
                fail(waiter, result)
            else:
                answer(waiter, result)
        if self.applied < self.commit:
            self.wake()
        for hook in list(self.applied_hooks):
            hook(self.applied)

    def _applied(self, command: bytes) -> bytes | RaftError:
        if command[:1] != REGULAR:
            return b""
        try:
            return self.machine.apply(command[1:])
        except Exception as error:  # noqa: BLE001 - the edge of the machine: every node must come to the same end
            self.faults += 1
            self.log_error(f"the machine raised, the command counts as without effect: {error!r}")
            return MachineFault(repr(error))

    # --- snapshots

    def compact(self) -> None:
        """Replace the older part of the log by a snapshot once it is long enough."""
        if self.log.last - max(self.snapshot_index, 1) >= self._compact_entries:
            self.take_snapshot()

    def take_snapshot(self) -> bool:
        """Write a snapshot of what is applied; whether there is one now. The log is shortened after it is durable."""
        if self.applied == self.snapshot_index:
            return True
        if now() < self._compact_after:
            return False
        state = self.machine.snapshot()
        if len(state) > cluster_limits.RAFT_SNAPSHOT_BYTES_MAX:
            self._compact_after = now() + _SNAPSHOT_RETRY_S
            self.log_error(f"the state is {len(state)} bytes, more than a snapshot may be; the log grows on")
            return False
        term = self.log.entry(self.applied)[2]
        snapshot = Snapshot(self.applied, term, self.membership.at(self.applied), state)
        try:
            self.disk.replace(snapshots.NAME, snapshots.packed(snapshot))
        except OSError as error:
            # The log still has everything, so a full disk is no reason to stop.
            self._compact_after = now() + _SNAPSHOT_RETRY_S
            self.log_error(f"the snapshot could not be written, the log grows on: {error}")
            return False
        self.snapshot_index = self.applied
        trailing = min(cluster_limits.RAFT_TRAILING_ENTRIES, self._compact_entries // 2)
        self.log.forget_before(max(self.log.first, self.applied - trailing))
        self.membership.compacted(snapshot)
        return True

    def install(self, snapshot: Snapshot) -> None:
        """Take over a leader's snapshot that is durable here by now."""
        self.snapshot_index = snapshot.index
        self.transfer.reset_log(snapshot)
        self.machine.restore(snapshot.state)
        self.applied = self.commit = snapshot.index
        self.membership.compacted(snapshot)
        self.forget_waiting("a snapshot took this node past it")
        for hook in list(self.applied_hooks):
            hook(self.applied)

    # --- terms and roles

    @property
    def leader_id(self) -> str | None:
        """The leader of this term as far as known."""
        return self.leader.id if self.leader is not None else None

    def replicate(self) -> None:
        """What the library calls to send entries or heartbeats."""
        self.replication.send_all()

    def peer_connected(self, peer: Any) -> None:
        """What was under way to it is lost."""
        self.replication.restarted(peer)

    def became_leader(self) -> None:
        """What the library calls when a majority voted."""
        self.replication.reset()
        self.transfer.reset()
        self.library_lead()
        self.log.sync()
        self.wake()

    def follow(self, peer: Any, term: int) -> None:
        """Accept a leader of this term or a newer one."""
        if term > self.term:
            self.set_term(term, None)
            self.transferring = False
        self.set_role(FOLLOWER)
        self.leader = peer
        self.campaign.heard()

    def step_down(self, term: int) -> None:
        """Take note of a newer term."""
        self.set_term(term, None)
        self.set_role(FOLLOWER)
        self.leader = None

    def _newer_term(self, peer: Any, message: Message) -> None:
        if peer in self.others and message["term"] > self.term:
            self.step_down(message["term"])

    def _role_changed(self, before: int, after: int) -> None:
        if before == LEADER:
            self.forget_waiting("this node stopped leading while it waited")
            self.reads.fail()
            self.membership.stopped_leading()

    def forget_waiting(self, why: str) -> None:
        """Tell all who wait for commands that nothing is known of them."""
        waiting, self._waiting = self._waiting, {}
        for _, waiter in waiting.values():
            fail(waiter, Unknown(why))
