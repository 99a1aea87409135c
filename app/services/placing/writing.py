"""Writing a chunk: to all its homes at once, durable at write quorum, the rest in the background.

Knows how a put runs in time; what to try next is tally.py's. Must not know reading.

When `put` returns, `profile.quorum` fragments (copies) lie durable on as many distinct devices. What is still under
way goes on without the caller; what does not end at its home is told to the suspects' desk, so that healing brings it
there. When `put` raises, what was stored is being deleted again; should that fail too, the orphan sweep finds it.
"""

from collections.abc import Callable
from functools import partial

import gevent
from gevent.queue import Queue

from app.core import cluster_limits, limits
from app.core.errors import StoreError
from app.core.layout.blob_ids import fragment_id
from app.core.layout.mapping import handoffs
from app.core.layout.profiles import ZSTD, Profile
from app.ports.chunks import BlobName
from app.services.placing.budget import Budget
from app.services.placing.ground import Ground
from app.services.placing.homes import answering, profile_and_homes
from app.services.placing.lately import Lately
from app.services.placing.stored import fragments_of, memory_of
from app.services.placing.tally import Step, Tally


class Writer:
    """Puts chunks. One per worker process; bounded by `PLACED_BYTES_MAX` of fragments under way."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._budget = Budget(cluster_limits.PLACED_BYTES_MAX, limits.BUFFER_WAIT_SECONDS_MAX)
        self._lately = Lately(ground.now_s)
        self._going_on: set[gevent.Greenlet[..., None]] = set()

    def put(self, name: BlobName, data: memoryview) -> None:
        """See ChunkStore.put and the module docstring. `data` is free on return."""
        if not 0 < len(data) <= limits.CHUNK_BYTES_MAX:
            raise ValueError(f"a blob has 1 to {limits.CHUNK_BYTES_MAX} bytes, not {len(data)}")
        placement = self._ground.placement()
        profile, homes = profile_and_homes(placement, name.blob_id)
        tally = Tally(profile, homes, partial(handoffs, placement, name.blob_id), self._worth_trying)
        memory = memory_of(profile, len(data))
        self._budget.take(memory)
        try:
            fragments = self._fragments(profile, data)
        except BaseException:
            self._budget.give(memory)
            raise
        attempt = _Attempt(self._ground, name, fragments, tally, self._lately)
        attempt.ended = partial(self._budget.give, memory)
        try:
            attempt.drive(lambda: tally.quorum, self._ground.now_s() + cluster_limits.PUT_SECONDS_MAX)
        except BaseException:
            self._go_on(attempt.abandon)
            raise
        if not tally.quorum:
            self._go_on(attempt.abandon).join(cluster_limits.UNDO_SECONDS_MAX)
            raise tally.refusal()
        if tally.pending:
            self._go_on(attempt.finish)
        else:
            attempt.finish()

    def _worth_trying(self, number: int) -> bool:
        ground = self._ground
        return answering(ground.placement(), number) and ground.up(number) and not self._lately.slow(number)

    def close(self, seconds: float = cluster_limits.PUT_SECONDS_MAX) -> None:
        """Wait for what goes on in the background."""
        gevent.joinall(list(self._going_on), timeout=seconds)

    def _fragments(self, profile: Profile, data: memoryview) -> list[memoryview]:
        if not profile.erasure and profile.compression != ZSTD:
            return [memoryview(bytes(data))] * profile.width
        codec = self._ground.codec_of(profile)
        return self._ground.offload.call(fragments_of, profile, codec, self._ground.compressor, data)

    def _go_on(self, function: Callable[[], None]) -> "gevent.Greenlet[..., None]":
        going_on: gevent.Greenlet[..., None] = gevent.spawn(function)
        self._going_on.add(going_on)
        going_on.link(self._going_on.discard)
        return going_on


class _Attempt:
    """One put under way. `ended` is called once, when no device has a fragment of it in hand any more."""

    ended: Callable[[], None]

    def __init__(
        self, ground: Ground, name: BlobName, fragments: list[memoryview], tally: Tally, lately: Lately
    ) -> None:
        self._ground = ground
        self._name = name
        self._fragments = fragments
        self._tally = tally
        self._lately = lately
        self._answers: Queue[gevent.Greenlet[..., StoreError | None]] = Queue()
        self._under_way: dict[gevent.Greenlet[..., StoreError | None], tuple[Step, float]] = {}
        self._late: set[Step] = set()
        for step in tally.begin():
            self._start(step)

    def drive(self, enough: Callable[[], bool], until_s: float) -> None:
        """Take answers and send what they ask for, until `enough`, until nothing is under way, or until that time."""
        while self._under_way and not enough():
            now_s = self._ground.now_s()
            if now_s >= until_s:
                return
            answer = self._next_answer(min(until_s, self._next_late_s()) - now_s)
            if answer is None:
                self._look_for_late(self._ground.now_s())
                continue
            step, _ = self._under_way.pop(answer)
            error = answer.get()
            if error is None:
                self._tally.done(step)
            else:
                self._start(self._tally.failed(step, error))

    def finish(self) -> None:
        """Go on until every fragment has found its place or none is left to find."""
        try:
            self.drive(lambda: False, self._ground.now_s() + cluster_limits.PUT_SECONDS_MAX)
            if not self._tally.complete:
                self._ground.suspects.report([self._name.blob_id], "partial")
        finally:
            self._let_go()

    def abandon(self) -> None:
        """Delete what is stored, may be stored, or still arrives: nothing may refer to it.

        But nothing at all where a device had the id already: then it is an earlier put's, which may be referred to.
        """
        try:
            gevent.joinall([gevent.spawn(self._delete, step) for step in self._tally.begun])
            for answer in list(self._under_way):
                answer.join()
                self._delete(self._under_way.pop(answer)[0])
        finally:
            self._let_go()

    def _let_go(self) -> None:
        """Give the memory back when the last device is done with it."""
        gevent.joinall(list(self._under_way))
        self.ended()

    def _start(self, step: Step | None) -> None:
        if step is None:
            return
        sending: gevent.Greenlet[..., StoreError | None] = gevent.spawn(self._send, step)
        self._under_way[sending] = step, self._ground.now_s()
        sending.link(self._answers.put)

    def _send(self, step: Step) -> StoreError | None:
        """Store one fragment; its failure is an answer like another."""
        name = BlobName(fragment_id(self._name.blob_id, step.fragment), self._name.chunk_id, self._name.ref_id)
        try:
            self._ground.device(step.device).put(name, self._fragments[step.fragment])
        except StoreError as error:
            return error
        return None

    def _delete(self, step: Step) -> None:
        if self._tally.conflicts:
            return
        try:
            self._ground.device(step.device).delete_many([fragment_id(self._name.blob_id, step.fragment)])
        except StoreError:
            return  # the orphan sweep finds what is left

    def _next_answer(self, timeout_s: float) -> "gevent.Greenlet[..., StoreError | None] | None":
        try:
            return self._answers.get(timeout=max(timeout_s, 0.001))
        except gevent.queue.Empty:
            return None

    def _next_late_s(self) -> float:
        waits = [begun_s for step, begun_s in self._under_way.values() if step not in self._late]
        return min(waits, default=float("inf")) + cluster_limits.PUT_SLOW_S

    def _look_for_late(self, now_s: float) -> None:
        for step, begun_s in list(self._under_way.values()):
            if step not in self._late and now_s - begun_s >= cluster_limits.PUT_SLOW_S:
                self._late.add(step)
                self._lately.mark(step.device)
                self._start(self._tally.late(step))
