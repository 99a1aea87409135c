"""Setting the date of single members wrong: each reads a clock of its own, off by as much as it is told.

Knows files of offsets. Must not know members: a clock is found by its session (stepped/sitecustomize.py).
"""

import os
from pathlib import Path

from tests.chaos.cluster.stepped.sitecustomize import cell

_STEPPED = Path(__file__).parent / "stepped"


class Clocks:
    """The clocks of the processes started while `open`. `ahead_ms`: how far one of them ever was ahead."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._cells: dict[int, memoryview] = {}
        self._before: dict[str, str | None] = {}
        self.ahead_ms = 0

    def open(self) -> None:
        """From now on whoever is started reads a clock that can be stepped."""
        self._directory.mkdir(exist_ok=True)
        path = os.pathsep.join(filter(None, (str(_STEPPED), os.environ.get("PYTHONPATH"))))
        for name, value in (("CHAOS_CLOCKS", str(self._directory)), ("PYTHONPATH", path)):
            self._before[name] = os.environ.get(name)
            os.environ[name] = value

    def close(self) -> None:
        """Leave the environment as it was."""
        for name, value in self._before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        self._before.clear()

    def step(self, session: int, seconds: float) -> None:
        """Set a session's clock to be off by so much; 0 sets it right."""
        offset = self._cells.setdefault(session, cell(self._directory / str(session)))
        offset[0] = int(seconds * 1e9)
        self.ahead_ms = max(self.ahead_ms, int(seconds * 1000))

    def mend(self) -> None:
        """Set every clock right."""
        for offset in self._cells.values():
            offset[0] = 0
