"""Healing as one node runs it: five kinds of turns, each a periodic task of its own, and what heartbeats tell of them.

Knows how the rooms hang together. A turn is bounded in pages and by its rate in bytes a second; it may be killed at any
time and repeated, here and on another node at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice

from app.core import cluster_limits
from app.core.layout.placement import REBALANCE, REPAIR, SCRUB
from app.core.layout.reports import LedgerReport, WorkReport
from app.core.types import BlobId
from app.services.healing.abreast import abreast
from app.services.healing.mending import Mending
from app.services.healing.pace import Pace
from app.services.healing.parts import ClusterParts, DataParts, DeviceErrors, Tally, TimeParts
from app.services.healing.rounds import Rounds
from app.services.healing.scrubbing import Scrubbing, ScrubSettings
from app.services.healing.straying import Straying
from app.services.healing.sweeping import Sweeping


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """Of this file host, where the cluster's own settings (Placement.healing) say nothing: the most bytes a second of
    each kind of work, and the days within which every byte is read."""

    bytes_per_s: int
    scrub_days: int


class Healing:
    """Of one file host's keeper. Both settings are looked at all the time. Turns raise nothing of a store's."""

    def __init__(self, cluster: ClusterParts, data: DataParts, clocks: TimeParts, settings: NodeSettings) -> None:
        self._cluster = cluster
        self._settings = settings
        self._clocks = clocks
        self._errors = DeviceErrors()
        self._repair = Tally()
        self._repair_pace = self._pace(clocks, REPAIR)
        self._rebalance_pace = self._pace(clocks, REBALANCE)
        self._retry_ms = 0
        mending = self._mending = Mending(data, self._repair_pace, self._errors, self._repair)
        self._sweeping = Sweeping(data, mending)
        self._rounds = Rounds(cluster, clocks, self._sweeping)
        self._straying = Straying(cluster, data, clocks, self._rebalance_pace, self._errors)
        self._scrubbing = Scrubbing(cluster, data, clocks, mending, self._scrub_settings)

    def _pace(self, clocks: TimeParts, kind: str) -> Pace:
        def bytes_per_s() -> int:
            return self._cluster.placement().heal_settings(kind).bytes_per_s or self._settings.bytes_per_s

        return Pace(bytes_per_s, clocks.monotonic, clocks.pause)

    def _scrub_settings(self) -> ScrubSettings:
        asked = self._cluster.placement().heal_settings(SCRUB)
        days, bytes_per_s = asked.days or self._settings.scrub_days, asked.bytes_per_s or self._settings.bytes_per_s
        return ScrubSettings(days, bytes_per_s, asked.asked_ms)

    def _is_paused(self, kind: str) -> bool:
        return self._cluster.placement().heal_settings(kind).paused

    def suspects_turn(self) -> int:
        """Look at blobs reported short or damaged, before anything else; how many. For every second or less."""
        if self._is_paused(REPAIR):
            return 0
        blobs = list(dict.fromkeys([*self._cluster.suspects.take(cluster_limits.SUSPECTS_TAKEN_MAX), *self._damaged()]))
        abreast(partial(self._check, blob_id) for blob_id in blobs)
        return len(blobs)

    def _damaged(self) -> list[BlobId]:
        """A few of the blobs known to be damaged, now and then: what makes them whole may be readable again. Each costs
        all of its fragments, and most are read in vain."""
        at_ms = self._clocks.at_ms()
        if at_ms < self._retry_ms:
            return []
        self._retry_ms = at_ms + cluster_limits.HEAL_RETRY_SECONDS * 1000
        return list(islice(self._mending.damaged, cluster_limits.HEAL_AT_ONCE))

    def _check(self, blob_id: BlobId) -> None:
        view = self._cluster.view()
        if not self._sweeping.check(view, blob_id, self._clocks.sources.now_ms()):
            self._rounds.ledger.look_again(view.key_of(blob_id), self._clocks.at_ms())

    def compare_turn(self) -> int:
        """Go on comparing groups; pages. Cheap where nothing changed."""
        return self._turn(None, self._rounds.compare)

    def repair_turn(self) -> int:
        """Go on making groups whole; pages. Tells the managers which are complete under a new epoch."""
        pages = self._turn(REPAIR, self._rounds.make_whole)
        self._rounds.tell_moved()
        return pages

    def stray_turn(self) -> int:
        """Go on sending home what is not at home on this node's devices; pages."""
        return self._turn(REBALANCE, self._straying.step)

    def scrub_turn(self) -> int:
        """Go on reading this node's devices; pages."""
        return self._turn(SCRUB, self._scrubbing.step)

    def _turn(self, kind: str | None, step: Callable[[], bool]) -> int:
        for pages in range(cluster_limits.HEAL_PAGES_MAX):
            if (kind is not None and self._is_paused(kind)) or not step():
                return pages
        return cluster_limits.HEAL_PAGES_MAX

    def ledger(self) -> Mapping[str, LedgerReport]:
        """For the heartbeat: by profile, of the groups this node leads. `verified_ms`: see Scrubbing.verified_ms."""
        view = self._cluster.view()
        self._rounds.lead(view, self._clocks.at_ms())
        return self._rounds.ledger.reports(view, self._mending.damaged, self._scrubbing.verified_ms())

    def work(self) -> tuple[WorkReport, ...]:
        """For the heartbeat. Waiting: blobs that are not full, fragments not at home, fragments to read."""
        strays, scrub = self._straying.tally, self._scrubbing.tally
        return (
            WorkReport(
                "repair", self._repair.done, self._rounds.ledger.short, self._repair_pace.rate, self._repair.errors
            ),
            WorkReport(REBALANCE, strays.done, strays.waiting, self._rebalance_pace.rate, strays.errors),
            WorkReport(SCRUB, scrub.done, self._scrubbing.waiting(), self._scrubbing.pace.rate, scrub.errors),
        )

    def device_errors(self, number: int) -> int:
        """Fragments found damaged or unreadable on a device since its scrub pass began."""
        return self._errors.counts.get(number, 0)

    def is_failing(self, number: int) -> bool:
        """Whether a device is over its budget of errors: to be reported as failing."""
        return self.device_errors(number) > cluster_limits.HEAL_DEVICE_ERRORS_MAX
