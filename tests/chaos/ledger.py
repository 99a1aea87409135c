"""What a writer did and what the store therefore may hold: the allowed states of every key.

A writer notes its intention before it sends, and the outcome when the answer is there, in a file that is written
through to the kernel, so that it outlives the writer. Knows no network.
"""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ABSENT = ""
"""The state of a key without an object; any other state is the hex MD5 of the object's bytes."""

ONCE = "shared/"
"""Keys below it are raced for by all writers, and only the first may win."""

STACKS = "stacks/"
"""Names below it are those of single versions, `<key>#<MD5>`: each is there, or gone."""


class Ledger:
    """One writer's log, one JSON line each. A line is in the kernel when the method returns."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def intend(self, key: str, state: str) -> None:
        """About to ask that `key` become `state`."""
        self._write({"key": key, "intend": state})

    def settle(self, key: str, *, happened: bool) -> None:
        """The answer came: it happened, or it was refused and did not."""
        self._write({"key": key, "happened": happened})

    def close(self) -> None:
        """No more lines."""
        os.close(self._fd)

    def _write(self, line: dict[str, Any]) -> None:
        os.write(self._fd, json.dumps(line).encode() + b"\n")


@dataclass(slots=True)
class Allowed:
    """The states one key may be in: the last settled one, or any intention not settled since."""

    settled: str = ABSENT
    open: list[str] = field(default_factory=list)

    def states(self) -> set[str]:
        """Every state a reader may find."""
        return {self.settled, *self.open}


@dataclass(slots=True)
class Model:
    """Allowed states of all keys, replayed from ledgers. Each key has one writer, which has one request in flight."""

    keys: dict[str, Allowed] = field(default_factory=dict)
    acknowledged: int = 0

    def replay(self, lines: Iterable[str]) -> None:
        """Take one writer's lines in order."""
        pending: dict[str, str] = {}
        for line in lines:
            entry = json.loads(line)
            allowed = self.keys.setdefault(entry["key"], Allowed())
            if "intend" in entry:
                pending[entry["key"]] = entry["intend"]
                allowed.open.append(entry["intend"])
                continue
            state = pending.pop(entry["key"])
            if entry["happened"]:
                if entry["key"].startswith(ONCE) and allowed.settled != ABSENT:
                    raise AssertionError(f"{entry['key']} was written twice, by writers who asked that it be absent")
                allowed.settled, allowed.open = state, []
                self.acknowledged += 1
            else:
                allowed.open.remove(state)

    def found(self, key: str, state: str) -> None:
        """A reader saw `state` after everything was quiet: from now on it is the only one."""
        self.keys[key] = Allowed(settled=state)


def lines_of(path: Path) -> Iterator[str]:
    """Whole lines of a ledger; the torn last line of a killed writer was never acted upon."""
    with path.open() as file:
        for line in file:
            if line.endswith("\n"):
                yield line
