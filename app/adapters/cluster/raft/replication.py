"""Entries on their way: what a leader sends, what a follower does with it, and what its answer means.

Knows sequence numbers and terms of messages. Every message a leader sends bears the next number of its peer; the answer
repeats it, so that an old answer is never taken for a new one.
"""

from typing import TYPE_CHECKING, Any

from app.adapters.cluster.raft.codec import Entry, Message
from app.adapters.cluster.raft.innards import LEADER, now
from app.core import cluster_limits

if TYPE_CHECKING:
    from app.adapters.cluster.raft.consensus import Consensus


class Replication:
    """Both ends of "append" and "ack"."""

    def __init__(self, core: "Consensus") -> None:
        self._core = core
        self._sent: dict[Any, int] = {}
        self._answered: dict[Any, int] = {}
        self._rewound: dict[Any, int] = {}

    def reset(self) -> None:
        """A new leader knows nothing yet. Numbers go on: an answer to an older one must stay older."""
        self._rewound.clear()

    def restarted(self, peer: Any) -> None:
        """A connection is new: what was sent on the one before may be lost."""
        core = self._core
        if core.role == LEADER and peer in core.match_index:
            core.next_index[peer] = core.match_index[peer] + 1
            self._rewound[peer] = self.sent(peer) + 1

    def sent(self, peer: Any) -> int:
        """The number of the newest message to a peer."""
        return self._sent.get(peer, 0)

    def answered(self, peer: Any) -> int:
        """The newest number a peer answered in this term."""
        return self._answered.get(peer, 0)

    def number(self, peer: Any) -> int:
        """The next number."""
        self._sent[peer] = self.sent(peer) + 1
        return self._sent[peer]

    # --- the leader

    def send_all(self) -> None:
        """Send every peer what it has not been sent, or a heartbeat."""
        core = self._core
        for peer in (core.others | core.membership.learners) & core.connected:
            if not core.network.congested(peer):
                self.send_to(peer)

    def send_to(self, peer: Any) -> None:
        """One peer."""
        core = self._core
        if core.next_index[peer] <= core.log.first and core.transfer.send(peer):
            return
        self._append(peer)
        while core.log.first < core.next_index[peer] <= core.log.last and not core.network.congested(peer):
            self._append(peer)

    def _append(self, peer: Any) -> None:
        core = self._core
        at = max(core.next_index[peer], core.log.first + 1)
        previous = core.log.entry(at - 1)
        entries = self._batch(at) if core.next_index[peer] > core.log.first else []
        core.next_index[peer] += len(entries)
        core.network.send(
            peer,
            {
                "type": "append",
                "term": core.term,
                "seq": self.number(peer),
                "commit": core.commit,
                "prev_index": previous[1],
                "prev_term": previous[2],
                "entries": entries,
            },
        )

    def _batch(self, index: int) -> list[Entry]:
        log = self._core.log
        entries: list[Entry] = []
        size = 0
        while (entry := log.entry(index)) is not None and (not entries or size < cluster_limits.RAFT_BATCH_BYTES):
            entries.append(entry)
            size += len(entry[0])
            index += 1
        return entries

    def acknowledged(self, peer: Any, message: Message) -> None:
        """A follower's answer. Only one of this very term says anything; none ever takes back what another proved."""
        core = self._core
        if message["term"] > core.term and peer in core.others:
            core.step_down(message["term"])
        if core.role != LEADER or message["term"] != core.term or peer not in core.match_index:
            return
        self.alive(peer, message["seq"])
        match = core.match_index[peer]
        if message["ok"]:
            core.match_index[peer] = max(match, min(message["index"], core.log.last))
            core.next_index[peer] = max(core.next_index[peer], core.match_index[peer] + 1)
            core.transfer.done(peer)
        elif message["seq"] >= self._rewound.get(peer, 0):
            core.next_index[peer] = max(match + 1, min(core.next_index[peer], message["index"]))
            self._rewound[peer] = self.sent(peer) + 1

    def alive(self, peer: Any, seq: int) -> None:
        """A peer answered in this term."""
        core = self._core
        core.answered[peer] = now()
        self._answered[peer] = max(self.answered(peer), seq)

    # --- the follower

    def appended(self, peer: Any, message: Message) -> None:
        """Entries of a leader, or a heartbeat. What is held already stays; only a conflict cuts the log."""
        core = self._core
        if message["term"] < core.term:
            core.network.send(peer, {"type": "newer_term", "term": core.term})
            return
        core.follow(peer, message["term"])
        before, entries = message["prev_index"], message["entries"]
        if any(entry[1] != before + 1 + at or not entry[0] for at, entry in enumerate(entries)):
            core.log_error(f"{peer.id} sent entries that do not follow each other; ignored")
            return
        refused = self._missing(message)
        if refused is not None:
            self._answer(peer, message, False, refused)
            return
        self._take(entries)
        matched = max(before + len(entries), core.log.first)
        core.commit = max(core.commit, min(message["commit"], matched))
        core.leader_commit = message["commit"]
        self._answer(peer, message, True, matched)

    def _missing(self, message: Message) -> int | None:
        """Where the leader should go on instead, when this log does not hold what the entries follow."""
        core = self._core
        if core.membership.blank:
            return 1
        if message["prev_index"] < core.log.first:
            return None  # it is part of the snapshot, and so committed
        previous = core.log.entry(message["prev_index"])
        if previous is None:
            return int(core.log.last) + 1
        return None if previous[2] == message["prev_term"] else int(core.commit) + 1

    def _take(self, entries: list[Entry]) -> None:
        core = self._core
        changed = False
        for command, index, term in entries:
            if index <= core.log.first:
                continue
            held = core.log.entry(index)
            if held is not None and held[2] == term:
                continue
            if held is not None:
                if index <= core.commit:
                    core.die(f"a leader of term {core.term} has another committed entry {index}: refusing to diverge")
                core.log.cut(index)
                changed = True
            core.log.add(command, index, term)
            changed = changed or core.membership.changes(command)
        if changed:
            core.membership.refresh()

    def _answer(self, peer: Any, message: Message, ok: bool, index: int) -> None:
        core = self._core
        core.promise(peer, {"type": "ack", "term": core.term, "seq": message["seq"], "ok": ok, "index": index})
