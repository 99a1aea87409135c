"""Accepting connections, and sharing them with the sibling workers that wait on the same socket.

Knows the listening socket and how many connections this worker holds; must not know what a connection is for. All
workers are woken for every connection. One that holds many hesitates, so that one that holds few is faster; without
that, whoever is awake takes all, and a core stands idle beside a queue.
"""

import socket
from collections.abc import Callable
from typing import Any, Final, Protocol

import gevent
from gevent.pool import Pool

from app.runtime.http1.connection import READ

CONNECTIONS_PER_STEP: Final = 4
"""Connections more than a sibling that make this worker one step slower than it."""
STEP_SECONDS: Final = 0.001  # the resolution of the loop's timers
STEPS_MAX: Final = 4
ACCEPTED_PER_STEP: Final = 2
"""Connections accepted at once for each step hesitated: what the siblings left lying would otherwise wait again."""
BACKOFF_SECONDS: Final = 0.5


class Log(Protocol):
    """gunicorn's logger, as far as it is used."""

    def warning(self, message: str, *args: object) -> None: ...


class Listener:
    """Accepts on `raw` (listening, non-blocking) and runs `serve(connected socket, address)` in a greenlet each.

    At most `seats` at once; with all taken nothing is accepted. `siblings`: other workers accept on the same socket.
    """

    def __init__(
        self,
        raw: socket.socket,
        serve: Callable[[socket.socket, object], None],
        log: Log,
        *,
        seats: int,
        siblings: bool,
    ) -> None:
        self._raw = raw
        self._serve = serve
        self._log = log
        self._siblings = siblings
        self._pool = Pool(seats)
        self._greenlet: Any = gevent.spawn(self._run)

    @property
    def busy(self) -> bool:
        """Connections are still being served."""
        return len(self._pool) > 0

    def close(self) -> None:
        """Accept no more. What this process does not accept is left to its siblings."""
        self._greenlet.kill()
        self._raw.close()

    def cut(self) -> None:
        """End every connection that is still served."""
        self._pool.kill(timeout=1)

    def _run(self) -> None:
        hub = gevent.get_hub()
        watcher = hub.loop.io(self._raw.fileno(), READ)
        try:
            while True:
                self._pool.wait_available()
                hub.wait(watcher)
                steps = min(len(self._pool) // CONNECTIONS_PER_STEP, STEPS_MAX) if self._siblings else 0
                if steps:
                    gevent.sleep(steps * STEP_SECONDS)
                self._accept(1 + steps * ACCEPTED_PER_STEP)
        finally:
            watcher.stop()
            watcher.close()

    def _accept(self, count: int) -> None:
        for _ in range(count):
            if self._pool.full():
                return
            try:
                client, address = self._raw.accept()
            except BlockingIOError:
                return  # A sibling was faster.
            except ConnectionError:
                continue  # The client gave up while it waited.
            except OSError as error:
                self._log.warning("cannot accept connections for now: %s", error)
                gevent.sleep(BACKOFF_SECONDS)
                return
            self._pool.spawn(self._serve, client, address)
