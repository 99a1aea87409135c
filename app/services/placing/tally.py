"""The books of one put: what was tried where, what is durable, what to try next. Pure: no device is talked to here.

Rules: fragment i goes to its home; where that is down, full or slow, to the next device of the handoffs; no device gets
two fragments of a blob unless fewer devices than fragments exist. The quorum counts distinct devices that hold distinct
fragments.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from app.core.errors import Conflict, Full, StoreError, Unavailable
from app.core.layout.profiles import Profile
from app.services.placing.homes import home_of


class Step(NamedTuple):
    """Fragment (or copy) `fragment` to device number `device`."""

    fragment: int
    device: int


class Tally:
    """`handoffs` is asked once, and only when a home fails. `promising`: False for a device that is likely down or
    slow, tried only when nothing else is left."""

    def __init__(
        self,
        profile: Profile,
        homes: tuple[int, ...],
        handoffs: Callable[[], Sequence[int]],
        promising: Callable[[int], bool] = lambda number: True,
    ) -> None:
        self._profile = profile
        self._homes = homes
        self._handoffs = handoffs
        self._spares: list[int] | None = None
        self._promising = promising
        self._left_out: list[Step] = []
        self.begun: list[Step] = []
        self.pending: set[Step] = set()
        self.stored: list[Step] = []
        self.durable: dict[int, int] = {}
        self.failures: dict[int, StoreError] = {}
        self.conflicts = 0

    def begin(self) -> list[Step]:
        """Every fragment's first step."""
        return [step for step in map(self._first, range(self._profile.width)) if step is not None]

    def done(self, step: Step) -> None:
        """The device holds it, durably."""
        self.pending.discard(step)
        self.stored.append(step)
        if self.durable.get(step.fragment) != self._home(step.fragment):
            self.durable[step.fragment] = step.device

    def failed(self, step: Step, error: StoreError) -> Step | None:
        """The device refused or did not answer: where to try next, None when there is nowhere or no need."""
        self.pending.discard(step)
        if isinstance(error, Conflict):  # an id is never used for other bytes: what is there is the same
            self.conflicts += 1
            self.durable.setdefault(step.fragment, step.device)
            return None
        self.failures[step.device] = error
        under_way = any(other.fragment == step.fragment for other in self.pending)
        return None if under_way or step.fragment in self.durable else self._spare(step.fragment)

    def late(self, step: Step) -> Step | None:
        """The device takes long: where to try meanwhile, None when there is nowhere or no need."""
        return self._spare(step.fragment) if step in self.pending and step.fragment not in self.durable else None

    @property
    def quorum(self) -> bool:
        """Enough is durable to say so. Where all there is was there before, the id was used twice."""
        known = bool(self.conflicts) and not self.stored
        return not known and len(set(self.durable.values())) >= self._profile.quorum

    @property
    def complete(self) -> bool:
        """Every fragment is durable at its home."""
        return all(self.durable.get(index) == self._home(index) for index in range(self._profile.width))

    def refusal(self) -> StoreError:
        """Why there is no quorum, in one line."""
        if self.conflicts and not self.stored:
            return Conflict("a blob id was used twice")
        devices = len(set(self.durable.values()))
        why = "; ".join(f"device {number}: {error}" for number, error in sorted(self.failures.items())[:4])
        what = f"{devices} of {self._profile.quorum} devices needed took a chunk ({why or 'too few devices'})"
        full = bool(self.failures) and all(isinstance(error, Full) for error in self.failures.values())
        return Full(what) if full else Unavailable(what)

    def _home(self, index: int) -> int:
        return home_of(self._homes, index)

    def _first(self, index: int) -> Step | None:
        step = Step(index, self._home(index))
        if self._promising(step.device):
            return self._begun(step)
        self._left_out.append(step)
        return self._spare(index)

    def _spare(self, index: int) -> Step | None:
        if self._spares is None:
            self._spares = sorted(self._handoffs(), key=lambda number: not self._promising(number))
        home = next((step for step in self._left_out if step.fragment == index), None)
        if self._spares and (home is None or self._promising(self._spares[0])):
            return self._begun(Step(index, self._spares.pop(0)))
        if home is None:
            return None
        self._left_out.remove(home)
        return self._begun(home)

    def _begun(self, step: Step) -> Step:
        self.pending.add(step)
        self.begun.append(step)
        return step
