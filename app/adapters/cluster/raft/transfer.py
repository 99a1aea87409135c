"""A snapshot on its way to a member whose log ends before the leader's begins: pieces, one at a time.

Knows both ends. A piece says nothing about commits; only the whole, verified and durable, is answered with an "ack".
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.adapters.cluster.raft import snapshots
from app.adapters.cluster.raft.codec import Message, members_command
from app.adapters.cluster.raft.contract import Corrupt
from app.adapters.cluster.raft.innards import LEADER, now
from app.adapters.cluster.raft.snapshots import Snapshot
from app.core import cluster_limits, limits

if TYPE_CHECKING:
    from app.adapters.cluster.raft.consensus import Consensus

_HEAD_BYTES_MAX = 64 * limits.KIB  # what a snapshot has beside the state


@dataclass(slots=True)
class _Outgoing:
    index: int
    data: bytes
    offset: int
    seq: int
    sent_at: float


class Transfer:
    """At most one snapshot to each peer, and one from a leader."""

    def __init__(self, core: "Consensus") -> None:
        self._core = core
        self._outgoing: dict[Any, _Outgoing] = {}
        self._incoming_index = 0
        self._incoming = bytearray()

    def reset(self) -> None:
        """A new leader begins anew."""
        self._outgoing.clear()

    def done(self, peer: Any) -> None:
        """Let go of what a peer needs no more."""
        if peer in self._outgoing and self._core.next_index[peer] > self._core.log.first:
            del self._outgoing[peer]

    # --- the leader

    def send(self, peer: Any) -> bool:
        """Send the piece that is due; False when one is under way, and a heartbeat should be sent instead."""
        core = self._core
        known = self._outgoing.get(peer)
        if known is None or known.index < core.log.first:
            known = self._begin(peer)
        elif now() < known.sent_at + 4 * core.settings.appendEntriesPeriod:
            return False
        if known is None:
            return False
        self._send_piece(peer, known)
        return True

    def _begin(self, peer: Any) -> _Outgoing | None:
        core = self._core
        if core.snapshot_index < core.log.first and not core.take_snapshot():
            return None
        data = core.disk.read(snapshots.NAME)
        if data is None:
            return None
        found = self._outgoing[peer] = _Outgoing(core.snapshot_index, data, 0, 0, 0.0)
        return found

    def _send_piece(self, peer: Any, out: _Outgoing) -> None:
        core = self._core
        out.seq, out.sent_at = core.replication.number(peer), now()
        piece = out.data[out.offset : out.offset + cluster_limits.RAFT_SNAPSHOT_PIECE_BYTES]
        core.network.send(
            peer,
            {
                "type": "snapshot",
                "term": core.term,
                "seq": out.seq,
                "index": out.index,
                "offset": out.offset,
                "total": len(out.data),
                "data": piece,
            },
        )

    def piece_acknowledged(self, peer: Any, message: Message) -> None:
        """The follower says where to go on."""
        core = self._core
        if core.role != LEADER or message["term"] != core.term or peer not in core.match_index:
            return
        core.replication.alive(peer, message["seq"])
        out = self._outgoing.get(peer)
        if out is None or message["seq"] != out.seq or message["index"] != out.index:
            return
        out.offset = min(message["offset"], len(out.data))
        if out.offset < len(out.data):
            self._send_piece(peer, out)

    # --- the follower

    def piece(self, peer: Any, message: Message) -> None:
        """Collect a piece; install the whole."""
        core = self._core
        if message["term"] < core.term:
            core.network.send(peer, {"type": "newer_term", "term": core.term})
            return
        core.follow(peer, message["term"])
        index = message["index"]
        if index <= core.commit and not core.membership.blank:
            self._installed(peer, message)
            return
        if message["total"] > cluster_limits.RAFT_SNAPSHOT_BYTES_MAX + _HEAD_BYTES_MAX:
            core.log_error(f"{peer.id} sends a snapshot of {message['total']} bytes; ignored")
            return
        if message["offset"] == 0 or index != self._incoming_index:
            self._incoming_index, self._incoming = index, bytearray()
        if message["offset"] == len(self._incoming):
            self._incoming += message["data"]
        if len(self._incoming) >= message["total"] and self._install(index):
            self._installed(peer, message)
            return
        answer = {"term": core.term, "seq": message["seq"], "index": index, "offset": len(self._incoming)}
        core.promise(peer, {"type": "snapshot_ack", **answer})

    def _install(self, index: int) -> bool:
        core = self._core
        data, self._incoming = bytes(self._incoming), bytearray()
        try:
            snapshot = snapshots.unpacked(data)
            if snapshot.index != index:
                raise Corrupt("the snapshot is of another index than its pieces said")
            core.disk.replace(snapshots.NAME, data)
        except (Corrupt, OSError) as error:
            core.log_error(f"a leader's snapshot was not taken: {error}")
            return False
        core.install(snapshot)
        return True

    def _installed(self, peer: Any, message: Message) -> None:
        core = self._core
        answer = {"term": core.term, "seq": message["seq"], "ok": True, "index": message["index"]}
        core.promise(peer, {"type": "ack", **answer})

    def reset_log(self, snapshot: Snapshot) -> None:
        """Let the log begin where a durable snapshot ends."""
        self._core.log.reset(snapshot.index, snapshot.term, members_command(snapshot.members))
