"""One walk over a placement group: every blob is found, judged, and where that is wanted made whole.

Knows the order of a walk and when a group is complete: every fragment that exists or can be made is on its home of the
current epoch, and those on homes the epoch changed were read there since. Must not know which group comes next
(rounds.py). A walk is a generator: each step is one page, and it can be dropped after any.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from app.core import cluster_limits
from app.core.layout.blob_ids import fragment_id, group_range, profile_of
from app.core.layout.profiles import Profile
from app.core.types import BlobId
from app.services.healing.abreast import abreast
from app.services.healing.judging import FULL, LOST, homes_of, is_debris, is_settling, level
from app.services.healing.ledger import Counts, GroupState, signature
from app.services.healing.mending import Mending, Place
from app.services.healing.parts import DataParts
from app.services.healing.view import GroupKey, View
from app.services.healing.whereabouts import Batch, Sighting, every_fragment, find, look_on, walk

Judged = tuple[Profile, Sighting]


@dataclass(slots=True)
class Found:
    """What a walk found so far. `work`: something is left that a later walk may mend. `whole`: nothing met so far keeps
    the group from being complete."""

    counts: Counts = field(default_factory=Counts)
    work: bool = False
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Walk:
    """One walk's circumstances. `began`: its date, and TimeParts.at_ms. `mending`: blobs are made whole, not only
    counted. `hurry`: without waiting for what other nodes are about to push home."""

    view: View
    key: GroupKey
    began: tuple[int, int]
    state: GroupState
    mending: bool
    hurry: bool = False

    @property
    def date_ms(self) -> int:
        return self.began[0]

    @property
    def at_ms(self) -> int:
        return self.began[1]

    @property
    def homes(self) -> tuple[int, ...]:
        return self.view.homes(self.key)

    def asked(self) -> list[int]:
        """Devices whose lists are compared: homes, and former homes while the group has not left them. Before a group
        is called complete under a new epoch everybody is asked: what was handed off may be all that is left of a blob.

        Homes come last: what is pushed home meanwhile is seen where it was, or else where it is by then.
        """
        near = [n for n in dict.fromkeys((*self.homes, *self.view.former_homes(self.key))) if n in self.view.up]
        far = sorted(self.view.up.difference(near)) if self.mending and self.is_moving() else []
        return far + near[::-1]

    def is_moving(self) -> bool:
        """Whether the group leaves former homes."""
        return bool(self.view.former_homes(self.key))

    def unasked(self) -> bool:
        """Whether a device that is part of the cluster is down: what it holds is not known, and a blob of which
        nothing is elsewhere would be overlooked."""
        return not self.view.serving <= self.view.up

    def is_patient(self) -> bool:
        """Whether what former homes and handoffs hold is left to their own nodes to push home, for now."""
        patience_ms = cluster_limits.HEAL_PATIENCE_SECONDS * 1000
        return not self.hurry and self.view.is_pending(self.key) and self.at_ms < self.state.since_ms + patience_ms


class Sweeping:
    """Walks over groups, and looks at single blobs."""

    def __init__(self, data: DataParts, mending: Mending) -> None:
        self._data = data
        self._mending = mending
        self._verified: OrderedDict[tuple[int, BlobId, Place], None] = OrderedDict()

    def walk(self, each: Walk) -> Iterator[None]:
        """A step a page. At the end the group's state tells what was found; until then only counts move, as blobs are
        mended."""
        found = Found(whole=not each.unasked())
        first, end = group_range(each.key[1], each.view.placement.groups)
        for batch in walk(self._data.device, each.asked(), (first, end)):
            found.whole = found.whole and not batch.silent
            found.work = found.work or bool(batch.silent)
            self._judge_batch(each, batch, found)
            yield
        if not each.mending and each.is_moving():
            found.whole, found.work = False, True  # what the epoch moved is still to be read on its new homes
        state = each.state
        state.counts, state.work, state.whole = found.counts, found.work, found.whole
        state.signature = signature(each.view, each.key)
        again_s = (
            cluster_limits.HEAL_RETRY_SECONDS if each.mending and found.work else cluster_limits.HEAL_SWEEP_SECONDS
        )
        state.due_ms = each.at_ms + (0 if found.work and not each.mending else again_s * 1000)

    def check(self, view: View, blob_id: BlobId, now_ms: int) -> bool:
        """Look at one blob at once, whoever leads it: what is missing is made again, and every fragment is read, but
        those of a blob just written that is short: then that is what was reported. False when it is worth another look.
        """
        key = view.key_of(blob_id)
        if key is None:
            return True
        each = Walk(view, key, (now_ms, 0), GroupState(0, 0), mending=True, hurry=True)
        batch = find(self._data.device, each.asked(), blob_id)
        if not batch.sightings:  # nothing at home: it may be gone, or all of it lie elsewhere
            batch = find(self._data.device, view.elsewhere(blob_id, each.asked()), blob_id)
        for sighting in batch.sightings:
            profile = view.placement.profiles[profile_of(blob_id)]
            answered = self._look_around(each, batch, [sighting])
            held = _held(profile, each.homes, sighting)
            read = len(held) == profile.width or not is_settling(blob_id, now_ms)
            if read and self._mending.verify(view, profile, sighting, held):
                self._mending.forget_damage(sighting.blob_id)
            found = Found()
            self._settle(each, batch, (profile, sighting), answered, found)
            return not found.work
        if not batch.silent:
            self._mending.forget_damage(fragment_id(blob_id, 0))
        return not batch.silent

    def _judge_batch(self, each: Walk, batch: Batch, found: Found) -> None:
        """Count the blobs of a page; where mending, make whole those that are short, a few at once."""
        full, short = list[Judged](), list[Judged]()
        for sighting in batch.sightings:
            profile = each.view.placement.profiles.get(profile_of(sighting.blob_id))
            if profile is None or profile.width != each.key[0]:
                continue
            if level(profile, each.homes, sighting, everybody_answered=False) == FULL:
                full.append((profile, sighting))
                found.counts.add(profile.number, FULL)
            elif not self._is_left_alone(each, sighting, found):
                short.append((profile, sighting))
        jobs: list[Callable[[], object]] = []
        if short:
            answered = self._look_around(each, batch, [sighting for _, sighting in short])
            jobs += [partial(self._settle, each, batch, pair, answered, found) for pair in short]
        if each.mending and each.is_moving():
            jobs += [partial(self._read_moved, each, pair, found) for pair in full]
        abreast(jobs)

    def _is_left_alone(self, each: Walk, sighting: Sighting, found: Found) -> bool:
        """A blob that may still be being written is not judged. It keeps its group from being complete for as long as
        its writer may not have known of the epoch: later ones go to homes of this one."""
        if not is_settling(sighting.blob_id, each.date_ms):
            return False
        found.work = True
        unaware_s = cluster_limits.HEAL_EPOCH_SETTLE_SECONDS + cluster_limits.HEAL_SETTLE_SECONDS
        if each.at_ms < each.state.since_ms + unaware_s * 1000:
            found.whole = False
        return True

    def _look_around(self, each: Walk, batch: Batch, sightings: Sequence[Sighting]) -> bool:
        """Ask other devices for the fragments of blobs short at home; whether every device of the cluster answered.

        Mending asks as many as hold a write's handoffs, to move rather than to make again. All are asked of blobs that
        would be unreadable, or nearly, without what they may have."""
        others = each.view.elsewhere(sightings[0].blob_id, each.asked())
        answered = not batch.silent and each.view.serving <= each.view.up
        width, likely = each.key[0], others[: each.key[0]] if each.mending else []
        for number in likely:
            answered = look_on(self._data.device, number, every_fragment(sightings, width)) and answered
        scarce = [s for s in sightings if s.distinct <= self._needed(each, s)]
        for number in others[len(likely) :] if scarce else []:
            answered = look_on(self._data.device, number, every_fragment(scarce, width)) and answered
        # What others held when homes were listed may have been pushed home before others were asked.
        lost = [s for s in sightings if s.distinct < self._needed(each, s)]
        for number in each.asked() if lost else []:
            answered = look_on(self._data.device, number, every_fragment(lost, width)) and answered
        return answered

    def _needed(self, each: Walk, sighting: Sighting) -> int:
        return each.view.placement.profiles[profile_of(sighting.blob_id)].needed

    def _settle(self, each: Walk, batch: Batch, pair: Judged, answered: bool, found: Found) -> None:
        """Mend a short blob as far as it can be, and count it as it is then."""
        profile, sighting = pair
        before = level(profile, each.homes, sighting, everybody_answered=answered)
        places = _fillable(each, batch, profile, sighting) if each.mending else []
        if places:
            done = self._mending.fill(each.view, profile, sighting, places)
            self._remember(each, sighting, done)
        after = level(profile, each.homes, sighting, everybody_answered=answered and not sighting.moved)
        if after != before:
            each.state.counts.add(profile.number, before, -1)
            each.state.counts.add(profile.number, after)
        if after != LOST or not is_debris(sighting.blob_id, each.date_ms):
            found.counts.add(profile.number, after)
        self._note_left(each, pair, after, found)
        if each.mending and each.is_moving():
            self._read_moved(each, pair, found)

    def _note_left(self, each: Walk, pair: Judged, after: str, found: Found) -> None:
        """Whether this blob keeps its group from being complete, and is worth another try.

        Not those of its fragments whose home is lost: the next epoch, which waits for this one to end, gives them
        another. Nor what is nowhere and cannot be made: waiting brings nothing back."""
        profile, sighting = pair
        left = [
            (index, number)
            for index, number in homes_of(profile, each.homes)
            if not sighting.holds(index, number) and not each.view.is_out(number)
        ]
        if after == LOST:
            left = [place for place in left if sighting.where.get(place[0])]
        if left:
            found.whole = False
            found.work = found.work or any(number in each.view.up for _, number in left)

    def _read_moved(self, each: Walk, pair: Judged, found: Found) -> None:
        """Read the blob's fragments on homes the epoch changed, once: complete is said of nothing less."""
        profile, sighting = pair
        former = dict(homes_of(profile, each.view.former_homes(each.key)))
        places = [
            place
            for place in _held(profile, each.homes, sighting)
            if former[place[0]] != place[1] and self._memory(each, sighting, place) not in self._verified
        ]
        if not places:
            return
        if self._mending.verify(each.view, profile, sighting, places):
            self._remember(each, sighting, places)
        else:
            found.whole, found.work = False, True

    def _remember(self, each: Walk, sighting: Sighting, places: Iterable[Place]) -> None:
        for place in places:
            self._verified[self._memory(each, sighting, place)] = None
        while len(self._verified) > cluster_limits.HEAL_VERIFIED_KEPT_MAX:
            self._verified.popitem(last=False)

    def _memory(self, each: Walk, sighting: Sighting, place: Place) -> tuple[int, BlobId, Place]:
        return each.view.placement.current.epoch, sighting.blob_id, place


def _held(profile: Profile, homes: Sequence[int], sighting: Sighting) -> list[Place]:
    return [place for place in homes_of(profile, homes) if sighting.holds(*place)]


def _fillable(each: Walk, batch: Batch, profile: Profile, sighting: Sighting) -> list[Place]:
    """Fragments missing on homes that answer and that can be had: somebody has them, or enough others to make them.

    What a former home or a handoff holds its own node pushes home; during a transition it is given time to."""
    can_make = sighting.distinct >= profile.needed
    places = []
    for index, number in homes_of(profile, each.homes):
        if sighting.holds(index, number) or number not in each.view.up or number in batch.silent:
            continue
        holders = sighting.where.get(index, set()) & each.view.up
        if (holders and not each.is_patient()) or (not holders and can_make):
            places.append((index, number))
    return places
