"""The control plane's use cases at a manager: propose, confirm a read, tell how it stands, change who votes.

Knows the replicated log as a port, and commands as documents. Must not know wires. Every call blocks for as long as a
majority takes, at most CONTROL_TRY_SECONDS_MAX a step, and may come from any thread.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.core.cluster import ClusterState, Command, Outcome
from app.core.cluster.manager_commands import PutManagerAddress, RemoveManagerAddress
from app.core.cluster_limits import CONTROL_COMMAND_BYTES_MAX, CONTROL_COMMAND_ID_CHARS_MAX, CONTROL_TRY_SECONDS_MAX
from app.core.errors import Corrupt, Unavailable
from app.ports.consensus import Book, ReplicatedLog


@dataclass(frozen=True, slots=True)
class Entries:
    """Commands as the log holds them. `decode` raises Corrupt; `result` reads what an entry's application gave."""

    encode: Callable[[Command], bytes]
    decode: Callable[[bytes], Command]
    result: Callable[[bytes], tuple[int, Outcome]]


@dataclass(frozen=True, slots=True)
class Member:
    """A manager: where others reach it, "" when it is not announced, and where managers do, "" when it has no vote."""

    node_id: str
    grpc_address: str
    raft_address: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How this manager stands. `leader`: a node id, "" while none is heard. `behind`: entries not applied here yet."""

    leader: str
    version: int
    term: int
    behind: int
    members: tuple[Member, ...]


class Authority:
    """The use cases of one manager."""

    def __init__(self, log: ReplicatedLog, book: Book, entries: Entries, new_id: Callable[[], bytes]) -> None:
        self._log = log
        self._book = book
        self._entries = entries
        self._new_id = new_id

    def propose(self, document: bytes) -> tuple[int, Outcome]:
        """A version in which the command is, and its outcome. Raises Corrupt (not a command, or too large: nothing
        happened), NotLeader, Undecided."""
        if len(document) > CONTROL_COMMAND_BYTES_MAX:
            raise Corrupt(f"a command of {len(document)} bytes; {CONTROL_COMMAND_BYTES_MAX} are the most")
        if len(self._entries.decode(document).command_id) > CONTROL_COMMAND_ID_CHARS_MAX:
            raise Corrupt(f"a command's id has at most {CONTROL_COMMAND_ID_CHARS_MAX} characters")
        return self._entries.result(self._log.propose(document, CONTROL_TRY_SECONDS_MAX))

    def submit(self, command: Command) -> Outcome:
        """The same for a command of the manager's own."""
        return self.propose(self._entries.encode(command))[1]

    def barrier(self) -> int:
        """A version that has everything acknowledged before the call. Raises Unavailable."""
        self._log.read_barrier(CONTROL_TRY_SECONDS_MAX)
        return self._book.state().version

    def leads(self, node_id: str) -> bool:
        """Whether this manager, of that name, leads as far as it knows."""
        return self._log.status().leader == node_id

    def standing(self) -> Standing:
        """Never blocks."""
        status, state = self._log.status(), self._book.state()
        members = tuple(
            Member(node_id, state.managers.get(node_id, ""), status.members.get(node_id, ""))
            for node_id in sorted(status.members.keys() | state.managers.keys())
        )
        return Standing(status.leader, state.version, status.term, status.behind, members)

    def add(self, member: Member) -> None:
        """Let a manager vote, then tell everybody its address. Raises NotLeader, Undecided, Conflict, Unavailable.

        Each step may be repeated, so a call that was cut short is simply made again."""
        self._log.add_member(member.node_id, member.raft_address, CONTROL_TRY_SECONDS_MAX)
        self._done(PutManagerAddress(self._new_id().hex(), member.node_id, member.grpc_address))

    def remove(self, node_id: str) -> None:
        """Take a manager's vote, then let nobody look for it any more. As `add`; Conflict also when too few of those
        left would answer."""
        self._log.remove_member(node_id, CONTROL_TRY_SECONDS_MAX)
        if node_id in self._book.state().managers:
            self._done(RemoveManagerAddress(self._new_id().hex(), node_id))

    def state(self) -> ClusterState:
        """As of the newest entry applied here."""
        return self._book.state()

    def addresses(self) -> Mapping[str, str]:
        """Where the managers are reached by gRPC, by node id."""
        return self._book.state().managers

    def _done(self, command: Command) -> None:
        outcome = self.submit(command)
        if outcome.error:
            raise Unavailable(f"{outcome.error}: {outcome.message}")
