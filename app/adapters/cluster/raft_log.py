"""The Raft node behind the port of the replicated log. Knows both vocabularies; must not know what entries mean."""

from app.adapters.cluster.raft import MembersRefused, NotLeader, RaftError, RaftNode, Unknown
from app.core.errors import Conflict, StoreError, Unavailable
from app.ports import consensus
from app.ports.consensus import LogStatus


class RaftLog:
    """See ports.consensus.ReplicatedLog."""

    def __init__(self, node: RaftNode) -> None:
        """Closes the node at its own end."""
        self._node = node

    def propose(self, entry: bytes, timeout_s: float) -> bytes:
        """See the port."""
        try:
            return self._node.propose(entry, timeout_s)
        except RaftError as error:
            raise _translated(error) from error

    def read_barrier(self, timeout_s: float) -> None:
        """See the port."""
        try:
            self._node.read_barrier(timeout_s)
        except RaftError as error:
            raise _translated(error) from error

    def status(self) -> LogStatus:
        """See the port. A leader no majority answers counts as none: what it would say may be old."""
        status = self._node.status()
        leader = status.leader_id if status.has_quorum and status.leader_id else ""
        return LogStatus(leader, status.term, status.commit - status.applied, dict(status.members))

    def add_member(self, node_id: str, address: str, timeout_s: float) -> None:
        """See the port."""
        members = self._node.status().members
        if members.get(node_id) != address:
            self._change({**members, node_id: address}, timeout_s)

    def remove_member(self, node_id: str, timeout_s: float) -> None:
        """See the port. A leader that is to go hands its lead on first, and this call with it (NotLeader)."""
        status = self._node.status()
        if node_id not in status.members:
            return
        left = {name: at for name, at in status.members.items() if name != node_id}
        answering = {status.node_id, *(peer.node_id for peer in status.peers if peer.connected)} & left.keys()
        if status.leader_id == status.node_id and 2 * len(answering) <= len(left):
            silent = ", ".join(sorted(left.keys() - answering))
            raise Conflict(f"without {node_id} there would be no majority: {silent} does not answer")
        if node_id == status.node_id and status.leader_id == node_id:
            self._hand_on(timeout_s)
        self._change(left, timeout_s)

    def close(self) -> None:
        """See the port."""
        self._node.close()

    def _hand_on(self, timeout_s: float) -> None:
        try:
            self._node.transfer_leadership(timeout_s)
        except RaftError as error:
            raise _translated(error) from error
        raise consensus.NotLeader(self._node.status().leader_id or "")

    def _change(self, members: dict[str, str], timeout_s: float) -> None:
        try:
            self._node.change_members(members, timeout_s)
        except RaftError as error:
            raise _translated(error) from error


def _translated(error: RaftError) -> StoreError:
    if isinstance(error, NotLeader):
        return consensus.NotLeader(error.leader_id or "")
    if isinstance(error, Unknown):
        return consensus.Undecided(str(error))
    return Conflict(str(error)) if isinstance(error, MembersRefused) else Unavailable(str(error))
