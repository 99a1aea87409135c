"""Looking at a server's processes and waiting for what they will do."""

import time
from collections.abc import Callable

from tests.integration.server import Server, parents_of

SECONDS_MAX = 60.0


def eventually(what: Callable[[], bool], seconds: float = SECONDS_MAX) -> bool:
    """Whether it becomes true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.05)
    return what()


def masters(server: Server) -> list[int]:
    """The two gunicorn masters."""
    assert server.process is not None
    return [pid for pid, parent in parents_of(server.pids()).items() if parent == server.process.pid]
