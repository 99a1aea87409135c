"""The counts of the groups a node leads: how many blobs of each profile are how redundant.

Knows numbers. They are those of the last comparison of each group, kept true while its blobs are mended; a group whose
homes, or who of them is up, changed since counts as unswept. Nothing here outlives the process or a change of leaders:
the next leader compares anew, and says so until it has.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from app.core import cluster_limits
from app.core.layout.blob_ids import profile_of
from app.core.layout.reports import LedgerReport
from app.core.types import BlobId
from app.services.healing.judging import CRITICAL, FULL, LOST, REDUCED
from app.services.healing.view import GroupKey, View

Signature = tuple[object, ...]
"""Everything a group's counts depend on besides its blobs."""


def signature(view: View, key: GroupKey) -> Signature:
    """Changes when the group must be compared again."""
    homes, former = view.homes(key), view.former_homes(key)
    asked = frozenset((*homes, *former))
    if former:  # a group is complete under a new epoch only when everybody was asked
        asked = view.serving
    return view.placement.current.epoch, homes, former, asked & view.up, asked & view.serving


@dataclass(slots=True)
class Counts:
    """Blobs of a group by (profile's number, level)."""

    blobs: dict[tuple[int, str], int] = field(default_factory=dict)

    def add(self, profile: int, level: str, count: int = 1) -> None:
        self.blobs[profile, level] = self.blobs.get((profile, level), 0) + count

    @property
    def short(self) -> int:
        """Blobs that are not full."""
        return sum(count for (_, level), count in self.blobs.items() if level != FULL)


@dataclass(slots=True)
class GroupState:
    """What a leader remembers of a group. `signature`: as of the last comparison, None before there was one.

    `since_ms`: when this process began to lead the group under the current epoch. `due_ms`: when to look again. Both
    by TimeParts.at_ms.
    `work`: something can be mended or must be looked at again; `whole`: complete under the epoch of the signature."""

    since_ms: int
    epoch: int
    signature: Signature | None = None
    counts: Counts = field(default_factory=Counts)
    due_ms: int = 0
    work: bool = False
    whole: bool = False


class Ledger:
    """The groups led by this node."""

    def __init__(self) -> None:
        self.groups: dict[GroupKey, GroupState] = {}

    def lead(self, view: View, keys: Collection[GroupKey], at_ms: int) -> None:
        """Forget groups another node leads by now, begin those newly led, and note an epoch that is new."""
        epoch = view.placement.current.epoch
        led = set(keys)
        for key in [key for key in self.groups if key not in led]:
            del self.groups[key]
        for key in keys:
            state = self.groups.get(key)
            if state is None or state.epoch != epoch:
                counts = Counts() if state is None else state.counts
                self.groups[key] = GroupState(at_ms, epoch, counts=counts)

    def look_again(self, key: GroupKey | None, at_ms: int) -> None:
        """A blob of the group could not be made whole just now: if this node leads it, soon once more."""
        state = self.groups.get(key) if key is not None else None
        if state is not None:
            state.work, state.due_ms = True, at_ms + cluster_limits.HEAL_RETRY_SECONDS * 1000

    @property
    def short(self) -> int:
        """Blobs that were not full when their group was looked at last."""
        return sum(state.counts.short for state in self.groups.values())

    def reports(self, view: View, damaged: Mapping[BlobId, str], verified_ms: int) -> dict[str, LedgerReport]:
        """By the profile's number, as text: the form of heartbeats. `damaged`: blobs that lists show full, and what
        they are; every node that met one counts it."""
        unswept: dict[int, int] = {}
        for key, state in self.groups.items():
            if state.signature != signature(view, key):
                unswept[key[0]] = unswept.get(key[0], 0) + 1
        known = Counter((profile_of(blob_id), level) for blob_id, level in damaged.items())
        return {
            str(number): self._report(number, known, unswept.get(profile.width, 0), verified_ms)
            for number, profile in view.placement.profiles.items()
        }

    def _report(
        self, profile: int, known: Mapping[tuple[int, str], int], unswept: int, verified_ms: int
    ) -> LedgerReport:
        full, reduced, critical, lost = (
            _total(self.groups.values(), profile, level) + known.get((profile, level), 0)
            for level in (FULL, REDUCED, CRITICAL, LOST)
        )
        return LedgerReport(full, reduced, critical, lost, unswept, verified_ms)


def _total(states: Iterable[GroupState], profile: int, level: str) -> int:
    # A blob mended before it was ever counted may leave one too few, until its group's walk ends.
    return max(0, sum(state.counts.blobs.get((profile, level), 0) for state in states))
