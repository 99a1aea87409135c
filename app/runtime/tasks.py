"""Work that repeats in the background of a process, each in a greenlet of its own.

Knows intervals and how a failure is reported; must not know what the work is. Here, and at the faces' edge, stands the
only catch-all of the product: a step that fails is reported and tried again at its next turn.
"""

from collections.abc import Callable
from contextlib import suppress
from random import SystemRandom

import gevent
from gevent.event import Event

JITTER = 0.1
"""Share of the interval by which a turn comes early or late, so that processes started together drift apart."""

_uniform = SystemRandom().random


class Periodic:
    """Calls `function` every `interval_s` seconds, give or take JITTER, counted from the end of the last call.

    `on_error(name, error)` gets what `function` raised, and must not raise itself. `uniform` gives numbers in [0, 1).
    """

    def __init__(
        self,
        name: str,
        interval_s: float,
        function: Callable[[], object],
        on_error: Callable[[str, Exception], object],
        *,
        uniform: Callable[[], float] = _uniform,
    ) -> None:
        if interval_s <= 0:
            raise ValueError(f"the interval of {name} must be positive, not {interval_s}")
        self.name = name
        self._interval_s = interval_s
        self._function = function
        self._on_error = on_error
        self._uniform = uniform
        self._wake = Event()
        self._stopping = False
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin; the first call comes after one interval. A task that runs already goes on."""
        if self._greenlet is None:
            self._stopping = False
            self._wake.clear()
            self._greenlet = gevent.spawn(self._run)

    def poke(self) -> None:
        """Let the next call come now instead of at its time. During a call: right after it."""
        self._wake.set()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End after the call in progress; one that lasts longer than `timeout_s` is killed. Idempotent."""
        greenlet, self._greenlet = self._greenlet, None
        if greenlet is None:
            return
        self._stopping = True
        self._wake.set()
        greenlet.join(timeout_s)
        greenlet.kill()

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(self._interval_s * (1 + JITTER * (2 * self._uniform() - 1)))
            self._wake.clear()
            if self._stopping:
                return
            try:
                self._function()
            except Exception as error:  # noqa: BLE001 - the one catch-all of background work
                with suppress(Exception):  # a full or vanished disk may fail the telling too; the work goes on
                    self._on_error(self.name, error)
