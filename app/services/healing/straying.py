"""Fragments that lie on this node's devices and are not at home there: pushed home, read there, then deleted here.

Knows why deleting is safe, which is the one thing healing deletes besides what is damaged. The fragment was read in
full at its home just before. And the home is beyond doubt: managers confirmed lately that this node's epoch is the
newest, which it has been for longer than such a confirmation is worth elsewhere, so that no other node can take this
device for the home at the same time and delete its own as we delete ours.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from app.core import cluster_limits
from app.core.errors import Conflict, Corrupt, Missing, StoreError
from app.core.layout.blob_ids import group_range
from app.ports.chunks import BlobName
from app.services.healing.abreast import abreast
from app.services.healing.pace import Pace
from app.services.healing.parts import ClusterParts, DataParts, DeviceErrors, Tally, TimeParts
from app.services.healing.view import View


@dataclass(slots=True)
class _Epoch:
    """The newest epoch known here, and since when."""

    number: int
    since_ms: int


class Straying:
    """The walks of one node over its own devices: at once when the epoch or who is up changes, else now and then."""

    def __init__(
        self, cluster: ClusterParts, data: DataParts, clocks: TimeParts, pace: Pace, errors: DeviceErrors
    ) -> None:
        self._cluster = cluster
        self._data = data
        self._clocks = clocks
        self._pace = pace
        self._errors = errors
        self._epoch: _Epoch | None = None
        self._up: frozenset[int] = frozenset()
        self._steps: Iterator[None] | None = None
        self._due_ms = 0
        self._everywhere_ms = 0
        self._left = 0
        self.tally = Tally()

    def step(self) -> bool:
        """One page of the walk, or the beginning of the next when it is due; False when there is nothing to do."""
        view, at_ms = self._cluster.view(), self._clocks.at_ms()
        self._note_changes(view, at_ms)
        if self._steps is None:
            if at_ms < self._due_ms:
                return False
            self._steps = self._begin_walk(at_ms)
        if next(self._steps, _END) is _END:
            self._end_walk(at_ms)
        return True

    def _note_changes(self, view: View, at_ms: int) -> None:
        epoch = view.placement.current.epoch
        if self._epoch is None or self._epoch.number != epoch:
            # A walk under way chose its groups by the epoch before.
            self._epoch, self._steps = _Epoch(epoch, at_ms), None
            self._everywhere_ms = self._due_ms = at_ms
        elif view.up - self._up:
            self._due_ms = at_ms
        self._up = view.up

    def _begin_walk(self, at_ms: int) -> Iterator[None]:
        everywhere = at_ms >= self._everywhere_ms
        if everywhere:
            self._everywhere_ms = at_ms + cluster_limits.HEAL_EVERYWHERE_SECONDS * 1000
        self._due_ms = at_ms + cluster_limits.HEAL_SWEEP_SECONDS * 1000
        self._left = 0
        return self._walk(everywhere=everywhere)

    def _end_walk(self, at_ms: int) -> None:
        self._steps = None
        self.tally.waiting = self._left
        if self._left:  # homes that are down or full, or an epoch that is too young
            self._due_ms = min(self._due_ms, at_ms + cluster_limits.HEAL_RETRY_SECONDS * 1000)
            self._everywhere_ms = at_ms

    def _walk(self, *, everywhere: bool) -> Iterator[None]:
        """A step a page. Where a device is at home for every width nothing strays, but what an epoch before left there
        or a writer that had not heard of this one: those groups are looked through now and then."""
        view = self._cluster.view()
        for number in sorted(view.tended):
            for group in range(view.placement.groups):
                maps = view.placement.current.maps.values()
                if not everywhere and all(number in groups[group] for groups in maps):
                    continue
                yield from self._walk_group(number, group)

    def _walk_group(self, number: int, group: int) -> Iterator[None]:
        after = b""
        while True:
            view = self._cluster.view()
            first, end = group_range(group, view.placement.groups)
            try:
                page = self._data.device(number).page(first, end, after, cluster_limits.HEAL_PAGE_NAMES)
            except StoreError as error:
                self._errors.note(number, error)
                return
            self._send_home(view, number, page)
            if page:
                yield
            if len(page) < cluster_limits.HEAL_PAGE_NAMES:
                return
            after = page[-1].blob_id

    def _send_home(self, view: View, number: int, page: list[BlobName]) -> None:
        """Push what of a page is not at home on the device, a few at once."""
        strays: dict[int, list[BlobName]] = {}
        for name in page:
            home = view.home(name.blob_id)
            if home is not None and home != number:
                strays.setdefault(home, []).append(name)
        jobs = []
        for home, names in strays.items():
            if home not in view.up:
                self._left += len(names)
                continue
            try:
                held = self._data.device(home).held([name.blob_id for name in names])
            except StoreError as error:
                self._failed(home, error, len(names))
                continue
            for name, is_held in zip(names, held, strict=True):
                jobs.append(partial(self._push, view, name, (number, home), is_held))
        abreast(jobs)

    def _push(self, view: View, name: BlobName, way: tuple[int, int], held: bool) -> None:
        """One fragment from a device here to its home; deleted here once it was read there, if that is beyond doubt."""
        number, home = way
        sure = self._is_sure(view)
        try:
            here, there = self._data.device(number), self._data.device(home)
            if not held:
                data = here.whole(name.blob_id)
                self._pace.spend(len(data))
                with suppress(Conflict):  # somebody was faster; it is read below all the same
                    there.put(name, data)
            if not sure:
                self._left += 1
                return
            self._pace.spend(there.verify(name.blob_id))
            now = self._cluster.view()
            if self._is_sure(now) and now.home(name.blob_id) == home and here.delete_many([name.blob_id])[0]:
                self.tally.done += 1
            else:
                self._left += 1
        except Corrupt:
            self._restore(name, way)
        except Missing:
            self._left += 1  # deleted meanwhile, or not what it was where it was put: the next walk tells
        except StoreError as error:
            self._failed(home, error, 1)

    def _restore(self, name: BlobName, way: tuple[int, int]) -> None:
        """The copy at home, or the one here, is damaged. If it is the one at home it is replaced by that here; if not,
        the group's leader makes the fragment anew. Either way the next walk reads it again before this one goes."""
        number, home = way
        try:
            here, there = self._data.device(number), self._data.device(home)
            data = here.whole(name.blob_id)
            if all(there.delete_many([name.blob_id])):
                there.put(name, data)
        except StoreError as error:
            self._failed(number, error, 1)
        else:
            self._left += 1

    def _is_sure(self, view: View) -> bool:
        """Whether no other node can believe in another home than this one does; see the module docstring."""
        epoch = self._epoch
        settled_ms = cluster_limits.HEAL_EPOCH_SETTLE_SECONDS * 1000
        return (
            epoch is not None
            and epoch.number == view.placement.current.epoch
            and self._clocks.at_ms() - epoch.since_ms >= settled_ms
            and self._cluster.confirmed()
        )

    def _failed(self, number: int, error: StoreError, left: int) -> None:
        self._errors.note(number, error)
        self.tally.errors += 1
        self._left += left


_END = object()
