"""The lifecycle sweep: every bucket with rules, version by version, upload by upload, one bounded step after another.

Knows the order of a pass and what it remembers of itself between steps (a note per bucket: cursor, counts by rule, when
it begins again). One sweeper at a time, by a lease; cut off anywhere it goes on from its cursor, and a version judged
twice is done once. Must not know what an action does (services/background/expiring) or what rules say
(core/s3/lifecycle).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

from app.core import limits
from app.core.errors import Corrupt, Missing, StoreError
from app.core.s3 import lifecycle
from app.core.s3.lifecycle import DAY_MS, Action, Clock, Facts, Judge
from app.core.s3.stacks import Found, Place, judged
from app.core.types import Bucket, Upload, Versioning
from app.ports.metadata import MetadataStore
from app.services.background.expiring import Expiring
from app.services.background.lifecycle_notes import NOTES, VERSIONS, Pass, note_name
from app.services.call import Sources

LEASE: Final = "lifecycle"
LEASE_MS: Final = 60_000
KIND: Final = "lifecycle"
MINIMUM_KIND: Final = "lifecycle-minimum"
VARIES: Final = b"varies_by_storage_class"
"""TransitionDefaultMinimumObjectSize, kept beside the rules when it is not the default."""
_FAILED: Final = "failed"


class Planned(NamedTuple):
    """One thing a dry run would do."""

    action: Action
    key: bytes
    seq: int
    size: int


@dataclass(frozen=True, slots=True)
class LifecycleSettings:
    """`holder` names this process in the lease. `pause(rows)` is called after each step, to bound the sweep's rate and
    to let others work. `move_bytes_min`: see core/s3/lifecycle.Judge."""

    holder: str
    clock: Clock
    move_bytes_min: int
    pause: Callable[[int], object]


class Lifecycle:
    """The sweeper of one process. Errors of single versions are counted and met again at the next pass.

    `outcomes`: how many actions were done (acted, kept, failed) since the process began."""

    def __init__(self, store: MetadataStore, sources: Sources, expiring: Expiring, settings: LifecycleSettings) -> None:
        self._store = store
        self._sources = sources
        self._expiring = expiring
        self._settings = settings
        self._after = ""
        self._held_until_ms = 0
        self.outcomes: dict[str, int] = {}

    def run(self, steps_max: int = limits.SWEEP_STEPS_MAX) -> int:
        """One turn of at most `steps_max` steps; returns how many were taken. It begins with the bucket at which the
        turn before ended. 0 also when another process sweeps."""
        steps, seen, started_at = 0, set[str](), self._after
        for ruled in self._ruled(self._after):
            seen.add(note_name(ruled))
            bucket: Bucket | None = ruled
            more: bool | None = True
            while more and bucket is not None:
                if steps >= steps_max or not self._holds():
                    return steps
                more = self._step(bucket)
                steps += more is not None
                bucket = self._again(ruled)
            self._after = ruled.name
        self._after = ""
        if not started_at and self._holds():
            self._forget_others(seen)
        return steps

    def dry_run(self, bucket: Bucket, limit: int) -> Iterator[Planned]:
        """What a pass would do now, at most `limit` things of it; nothing is changed. Raises Corrupt."""
        judge, now_ms = self._judge(bucket), self._sources.now_ms()
        place, ended = Place(), False
        while not ended:
            found, ended = self._page(bucket, place)
            for each in found:
                for action in judge.due(each.facts, now_ms):
                    if limit <= 0:
                        return
                    limit -= 1
                    yield Planned(action, each.version.key, each.version.seq, each.version.size)
            place = found[-1].place if found else place

    def status(self, bucket: Bucket) -> Mapping[str, Any]:
        """The bucket's pass as JSON values: the one under way, the last whole one, and when the next is due."""
        return Pass.read(self._store, bucket).shown()

    def _ruled(self, after: str) -> Iterator[Bucket]:
        """Buckets with rules by name, from the first behind `after`."""
        while True:
            page = self._store.buckets_scan("", "", after, limits.BUCKETS_PAGE)
            yield from (bucket for bucket in page if KIND in bucket.configs)
            if len(page) < limits.BUCKETS_PAGE:
                return
            after = page[-1].name

    def _again(self, ruled: Bucket) -> Bucket | None:
        """The bucket as it is by now: rules taken away end a pass at its next step. None when it has none any more."""
        try:
            bucket = self._store.bucket_get(ruled.name)
        except Missing:
            return None
        return bucket if bucket.bucket_id == ruled.bucket_id and KIND in bucket.configs else None

    def _holds(self) -> bool:
        """Whether this process sweeps; the lease is renewed when half of it is over, as a renewal is a commit."""
        now_ms = self._sources.now_ms()
        if now_ms + LEASE_MS // 2 < self._held_until_ms:
            return True
        held = self._store.lease_take(LEASE, self._settings.holder, now_ms, LEASE_MS)
        self._held_until_ms = now_ms + LEASE_MS if held else 0
        return held

    def _judge(self, bucket: Bucket) -> Judge:
        rules = lifecycle.rules(bucket.configs[KIND])
        varies = bucket.configs.get(MINIMUM_KIND) == VARIES
        return Judge(rules, self._settings.clock, self._settings.move_bytes_min, varies)

    def _step(self, bucket: Bucket) -> bool | None:
        """One bounded step; False when the bucket's pass is over by it, None when there was none to take yet."""
        begun_ms = self._sources.now_ms()
        state = Pass.read(self._store, bucket)
        try:
            judge = self._judge(bucket)
        except Corrupt:
            return None  # rules that cannot be read expire nothing
        if not state.under_way and not state.begin(bucket.configs[KIND], begun_ms):
            return None
        rows, ended = (self._versions if state.phase == VERSIONS else self._uploads)(bucket, judge, state)
        if ended:
            state.next_phase(begun_ms, self._next_ms(begun_ms))
        state.write(self._store, bucket)
        self._settings.pause(rows)
        return state.under_way

    def _next_ms(self, now_ms: int) -> int:
        """With a real day nothing becomes due before the next midnight."""
        return 0 if self._settings.clock.day_ms else (now_ms // DAY_MS + 1) * DAY_MS

    def _page(self, bucket: Bucket, place: Place) -> tuple[list[Found], bool]:
        rows = self._store.versions_scan(bucket.bucket_id, place.key, place.seq, None, limits.SWEEP_STEP_ROWS)
        ended = len(rows) < limits.SWEEP_STEP_ROWS
        return judged(rows, place, ended, bucket.versioning is not Versioning.OFF), ended

    def _versions(self, bucket: Bucket, judge: Judge, state: Pass) -> tuple[int, bool]:
        found, ended = self._page(bucket, state.place)
        now_ms = self._sources.now_ms()
        for each in found:
            for action in judge.due(each.facts, now_ms):
                state.count(action.rule_id, "matched")
                state.count(action.rule_id, self._tried(partial(self._expiring.act, bucket, each.version, action)))
            state.note_due(self._due_next(judge, each.facts, now_ms))
            state.place = each.place
        return len(found), ended

    def _due_next(self, judge: Judge, facts: Facts, now_ms: int) -> int | None:
        """When something of this version will be due that is not yet; None: never."""
        return min((due_ms for due_ms in judge.dues(facts) if due_ms > now_ms), default=None)

    def _uploads(self, bucket: Bucket, judge: Judge, state: Pass) -> tuple[int, bool]:
        key, after = state.upload_place
        page = self._store.uploads_scan(bucket.bucket_id, key, after, None, limits.SWEEP_STEP_ROWS)
        now_ms = self._sources.now_ms()
        for upload in page:
            self._judge_upload(judge, state, upload, now_ms)
            state.upload_place = upload.key, upload.upload_id
        return len(page), len(page) < limits.SWEEP_STEP_ROWS

    def _judge_upload(self, judge: Judge, state: Pass, upload: Upload, now_ms: int) -> None:
        action = judge.aborts(upload.key, upload.initiated_ms)
        if action is None:
            return
        if action.due_ms > now_ms:
            state.note_due(action.due_ms)
            return
        state.count(action.rule_id, "matched")
        state.count(action.rule_id, self._tried(partial(self._expiring.abort, upload)))

    def _tried(self, act: Callable[[], str]) -> str:
        outcome = self._outcome(act)
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        return outcome

    def _outcome(self, act: Callable[[], str]) -> str:
        try:
            return act()
        except StoreError:
            return _FAILED  # busy, or a sick disk: the pass goes on, and the next begins at once

    def _forget_others(self, seen: set[str]) -> None:
        """Notes of buckets that are gone, or have no rules any more."""
        after = ""
        while page := self._store.notes_scan(NOTES, after, limits.BUCKETS_PAGE):
            for name, _ in page:
                if name not in seen:
                    self._store.note_put(name, None)
            after = page[-1][0]
