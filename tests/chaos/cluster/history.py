"""What clients did and saw: one record for each operation on one key, with the times between which it took effect.

Knows keys as registers that hold the name of a value, or nothing. Must not know HTTP, processes, or what is allowed
(linear.py).
"""

import json
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from math import inf
from pathlib import Path

ABSENT = ""
"""The state of a key without an object."""

TORN = "torn"
"""What a reader saw whose bytes are of no value ever written."""


class Kind(StrEnum):
    """What was asked of a key. CREATE: write if absent. REPLACE: write if the value is `expected`."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    CREATE = "create"
    REPLACE = "replace"


class Outcome(StrEnum):
    """OK: it took effect. REFUSED: its condition was found false. FAILED: it took no effect and told nothing.
    UNKNOWN: no answer, or one that promises nothing; it may take effect at any time from its call on, or never."""

    OK = "ok"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Operation:
    """`value`: written, or seen by a read. `called`, `returned`: seconds of one clock; `returned` is inf for UNKNOWN.
    `client`, `note`: for people."""

    key: str
    kind: Kind
    value: str
    outcome: Outcome
    called: float
    returned: float
    expected: str = ABSENT
    client: str = ""
    note: str = ""

    def told(self) -> str:
        """One line for people."""
        condition = f" if {self.expected or 'absent'}" if self.kind in (Kind.CREATE, Kind.REPLACE) else ""
        until = "…" if self.returned == inf else f"{self.returned:.3f}"
        what = f"{self.kind} {self.value or 'absent'}{condition}: {self.outcome}"
        return f"{self.called:9.3f}-{until:>9} {self.client:>8} {what} {self.note}".rstrip()


@dataclass(slots=True)
class History:
    """Operations of all clients; any thread may add."""

    operations: list[Operation] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, operation: Operation) -> None:
        """Record one. An unknown outcome has no end."""
        if operation.outcome is Outcome.UNKNOWN:
            operation = replace(operation, returned=inf)
        with self._lock:
            self.operations.append(operation)

    def by_key(self) -> dict[str, list[Operation]]:
        """Each key's operations, by call."""
        found: dict[str, list[Operation]] = {}
        for operation in sorted(self.operations, key=lambda one: one.called):
            found.setdefault(operation.key, []).append(operation)
        return found

    def count(self, *outcomes: Outcome) -> int:
        """How many ended so."""
        return sum(operation.outcome in outcomes for operation in self.operations)

    def save(self, path: Path) -> None:
        """A line of JSON each, for looking at a failed run."""
        with path.open("w") as file:
            file.writelines(json.dumps(asdict(one)) + "\n" for one in self.operations)


def loaded(lines: Iterable[str]) -> History:
    """What `save` wrote."""
    history = History()
    for line in lines:
        fields = json.loads(line)
        history.add(Operation(**fields | {"kind": Kind(fields["kind"]), "outcome": Outcome(fields["outcome"])}))
    return history
