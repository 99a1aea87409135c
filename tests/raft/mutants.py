"""Ways to be wrong that the simulator must notice: each takes back one thing that docs/design/raft.md hardens."""

from contextlib import contextmanager
from unittest.mock import patch

from app.adapters.cluster.raft import consensus, journal, reads, replication


def _sync_nothing(self):
    """S1: what was promised is not on the disk."""
    if len(self._pending) > 40:
        _sync(self)


_sync = journal.Journal.sync


def _cut_always(self, entries):
    """S4: the rest of the log goes with every message, conflict or not."""
    core = self._core
    for command, index, term in entries:
        if index <= core.log.first:
            continue
        if core.log.entry(index) is not None:
            core.log.cut(index)
        core.log.add(command, index, term)
    core.membership.refresh()


def _commit_unverified(self, peer, message):
    """S5: the leader's commit index is believed for entries nobody compared."""
    _appended(self, peer, message)
    core = self._core
    if message["term"] == core.term:
        core.commit = max(core.commit, min(message["commit"], core.log.last))


_appended = replication.Replication.appended


def _read_at_once(self, one):
    """S7: a leader believes that it still leads."""
    for waiter in one.waiters:
        if not waiter.done():
            waiter.set_result(self._core.applied)
    return True


def _apply_twice(self):
    """S9: what was applied is counted after the callbacks, and one of them fails."""
    _apply(self)
    if self.applied % 50 == 49:
        self.applied -= 1


_apply = consensus.Consensus.apply_committed


def _believe_rot(data, at):
    """S8: what does not verify is taken for a torn tail."""
    return True


MUTANTS = {
    "sync_nothing": (journal.Journal, "sync", _sync_nothing),
    "cut_always": (replication.Replication, "_take", _cut_always),
    "commit_unverified": (replication.Replication, "appended", _commit_unverified),
    "read_at_once": (reads.Reads, "_answered", _read_at_once),
    "apply_twice": (consensus.Consensus, "apply_committed", _apply_twice),
    "believe_rot": (journal, "_never_written", _believe_rot),
}


@contextmanager
def mutated(name):
    """The product with one thing wrong."""
    owner, attribute, wrong = MUTANTS[name]
    with patch.object(owner, attribute, wrong):
        yield
