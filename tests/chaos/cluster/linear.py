"""Is there an order of a key's operations that explains every answer? Wing and Gong's search with Lowe's memory.

Knows one register: a value, or nothing. Values are unique, so what a read saw names the write it saw. Must not know
what a key or a value is.

An operation takes effect at one instant between its call and its return; one of unknown outcome at any instant from its
call on, or never. The search keeps (which operations are placed, the register's value), tries next any operation called
before the first return among those not yet placed, and never visits a configuration twice. Two shortcuts lose nothing:
what never changes anything and fits now is placed at once (moving it forward changes no other answer), and of unknown
operations that do the same only the one called first is tried.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from tests.chaos.cluster.history import ABSENT, TORN, History, Kind, Operation, Outcome

CONFIGURATIONS_MAX = 400_000
"""Of one key; more than that is reported as undecided, never as right."""

WORTH_TELLING = 40
"""Operations shown around the one no order explains."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A key whose history has no explanation. `last`: the operation that no order found a place for."""

    key: str
    why: str
    last: Operation | None
    operations: tuple[Operation, ...]

    def told(self) -> str:
        """Lines for people."""
        around = self.operations
        if self.last is not None:
            end = self.last.returned
            around = tuple(one for one in around if one.called <= end)[-WORTH_TELLING:]
        lines = [f"{'=> ' if one is self.last else '   '}{one.told()}" for one in around]
        return "\n".join([f"{self.key}: {self.why}", *lines])


def check(history: History) -> list[Broken]:
    """Every key without an explanation."""
    found = (check_key(key, operations) for key, operations in history.by_key().items())
    return [broken for broken in found if broken is not None]


def check_key(key: str, operations: Sequence[Operation]) -> Broken | None:
    """None when some order explains everything, from a register that is empty at first."""
    for operation in operations:
        if operation.kind is Kind.READ and operation.outcome is Outcome.OK and operation.value == TORN:
            return Broken(key, "a read saw bytes nobody wrote", operation, tuple(operations))
    search = _Search(_that_tell(operations))
    why = search.run()
    if not why:
        return None
    return Broken(key, why, search.furthest(), tuple(operations))


def _that_tell(operations: Sequence[Operation]) -> list[Operation]:
    """Those that had or may have had an effect, or saw something; unknown writes when they can explain anything."""
    telling = [one for one in operations if _tells(one)]
    seen = _seen(telling)
    doubting = any(one.outcome is Outcome.REFUSED for one in telling)
    return [one for one in telling if one.outcome is not Outcome.UNKNOWN or doubting or one.value in seen]


def _seen(operations: Sequence[Operation]) -> set[str]:
    """Values that some answer speaks of, and absence."""
    return {one.value for one in operations if one.kind is Kind.READ} | {one.expected for one in operations} | {ABSENT}


def _tells(operation: Operation) -> bool:
    if operation.outcome is Outcome.FAILED:
        return False
    return operation.outcome is not Outcome.UNKNOWN or operation.kind is not Kind.READ


def _step(operation: Operation, value: str) -> str | None:
    """The register after the operation, None when it cannot have happened on this value."""
    match operation.kind, operation.outcome:
        case Kind.READ, _:
            return value if value == operation.value else None
        case Kind.CREATE, Outcome.REFUSED:
            return value if value != ABSENT else None
        case Kind.REPLACE, Outcome.REFUSED:
            return value if value != operation.expected else None
        case Kind.CREATE, _:
            return operation.value if value == ABSENT else None
        case Kind.REPLACE, _:
            return operation.value if value == operation.expected else None
        case Kind.DELETE, _:
            return ABSENT
        case _:
            return operation.value


class _Search:
    """One key's search. Configurations are (bits of the placed operations, value)."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._operations = sorted(operations, key=lambda one: one.called)
        self._all = (1 << len(self._operations)) - 1
        self._optional = sum(1 << at for at, one in enumerate(self._operations) if one.returned == inf)
        self._seen = _seen(operations)
        self._best = 0

    def run(self) -> str:
        """Why there is no explanation; "" when there is one."""
        stack = [(0, ABSENT)]
        visited = set(stack)
        while stack:
            placed, value = stack.pop()
            if (placed & ~self._optional).bit_count() > (self._best & ~self._optional).bit_count():
                self._best = placed
            if placed | self._optional == self._all:
                return ""
            for following in self._next(placed, value):
                if following not in visited:
                    visited.add(following)
                    stack.append(following)
            if len(visited) > CONFIGURATIONS_MAX:
                return f"undecided after {CONFIGURATIONS_MAX} configurations"
        return "no order of these operations explains every answer"

    def furthest(self) -> Operation | None:
        """Of the best attempt, the operation that had to come next and could not."""
        left = [one for at, one in enumerate(self._operations) if not self._best >> at & 1 and one.returned != inf]
        return min(left, key=lambda one: one.returned, default=None)

    def _next(self, placed: int, value: str) -> list[tuple[int, str]]:
        """Configurations one step on; the most promising last, as the stack takes it first."""
        found: list[tuple[float, int, str]] = []
        tried: set[tuple[Kind, str, str]] = set()
        for at in self._open(placed):
            one = self._operations[at]
            after = _step(one, value)
            if after is None:
                continue
            if one.kind is Kind.READ or one.outcome is Outcome.REFUSED:
                return [(placed | 1 << at, value)]
            if one.returned == inf:
                alike = (one.kind, one.value if one.value in self._seen else "", one.expected)
                if after == value or alike in tried:
                    continue
                tried.add(alike)
            found.append((one.returned, placed | 1 << at, after))
        return [(after_placed, after) for _, after_placed, after in sorted(found, reverse=True)]

    def _open(self, placed: int) -> list[int]:
        """Operations that may be next: called before every return that is still to come."""
        # Those called first come first, so the scan ends at the first call behind the earliest return seen so far.
        first = (~placed & (placed + 1)).bit_length() - 1
        earliest, found = inf, []
        for at in range(first, len(self._operations)):
            one = self._operations[at]
            if one.called > earliest:
                break
            if not placed >> at & 1:
                found.append(at)
                earliest = min(earliest, one.returned)
        return [at for at in found if self._operations[at].called <= earliest]
