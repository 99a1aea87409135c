"""What a node finds in its directory when it starts, put together: vote, journal, snapshot.

Knows every state a crash can leave them in, and which states no crash leaves. Must not know the network.
"""

from collections.abc import Callable, Mapping
from typing import NoReturn

from app.adapters.cluster.raft import snapshots
from app.adapters.cluster.raft.codec import NO_OP, members_command
from app.adapters.cluster.raft.contract import Corrupt, NotBootstrapped, Start
from app.adapters.cluster.raft.disk import Disk
from app.adapters.cluster.raft.journal import VOTE, Journal
from app.adapters.cluster.raft.snapshots import REMEDY, Snapshot


def opened(
    disk: Disk, die: Callable[[str], NoReturn], start: Start, members: Mapping[str, str]
) -> tuple[Journal, Snapshot | None]:
    """The log and the newest snapshot, consistent with each other. Raises Corrupt, NotBootstrapped."""
    journal = Journal(disk, die)
    data = disk.read(snapshots.NAME)
    snapshot = None if data is None else snapshots.unpacked(data)
    if not journal.exists():
        if snapshot is not None or journal.getCurrentTerm() > 0:
            raise Corrupt(f"the Raft journal is missing beside a vote or a snapshot; {REMEDY}")
        _begin(journal, start, members)
    elif disk.read(VOTE) is None:
        raise Corrupt(f"the Raft vote file is missing; {REMEDY}")
    if snapshot is not None:
        _reconcile(journal, snapshot)
    elif journal.first != 1:
        raise Corrupt(f"the Raft snapshot is missing, and the journal begins after it; {REMEDY}")
    return journal, snapshot


def _begin(journal: Journal, start: Start, members: Mapping[str, str]) -> None:
    if start is Start.RESUME:
        raise NotBootstrapped(
            "this manager's directory is empty: begin a cluster with --bootstrap, or join one with --join. A manager "
            "whose disk was lost joins under a NEW node id: the old one may have voted"
        )
    journal.setCurrentTerm(0, None)
    journal.create([(members_command(members) if start is Start.BOOTSTRAP else NO_OP, 1, 0)])


def _reconcile(journal: Journal, snapshot: Snapshot) -> None:
    """Finish what a crash between the snapshot's rename and the journal's left undone.

    A log that ends before the snapshot, or holds another entry where it ends, is older than what a leader sent.
    """
    if journal.first > snapshot.index:
        raise Corrupt(f"the Raft journal begins at {journal.first}, after the snapshot at {snapshot.index}; {REMEDY}")
    found = journal.entry(snapshot.index)
    if found is None or found[2] != snapshot.term:
        journal.reset(snapshot.index, snapshot.term, members_command(snapshot.members))
