"""The read board of one machine: a file a process in a directory wiped at every start of the server.

Knows files and process ids. Nothing here is durable or needs to be: a process that died reads nothing.
"""

import os
from pathlib import Path
from typing import Final

NEVER_MS: Final = 2**62


class FileReadBoard:
    """See app/ports/reads.py. `directory` exists and belongs to the server."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._own = directory / str(os.getpid())
        self._published: int | None = None

    def publish(self, oldest_ms: int | None) -> None:
        """Replaces this process' entry atomically; writes only when it changed."""
        if oldest_ms == self._published:
            return
        if oldest_ms is None:
            self._own.unlink(missing_ok=True)
        else:
            fresh = self._own.with_suffix(".new")
            fresh.write_text(str(oldest_ms))
            fresh.replace(self._own)
        self._published = oldest_ms

    def oldest_ms(self) -> int:
        """Entries of dead processes are removed on the way."""
        oldest = NEVER_MS
        for entry in self._directory.iterdir():
            if not entry.name.isdigit():
                continue
            if not Path("/proc", entry.name).exists():
                entry.unlink(missing_ok=True)
                continue
            try:
                oldest = min(oldest, int(entry.read_text()))
            except FileNotFoundError:
                continue  # withdrawn between listing and reading
        return oldest
