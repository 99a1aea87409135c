"""What every use case is told about its request: who calls, under which id, and where its time goes.

Knows no wire and no store. Time and randomness come in through `Sources`, made by the builders in roles/.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Sources:
    """Where ids and the time come from: `now_ms()` since the epoch, `new_id()` 16 time-ordered unique bytes."""

    now_ms: Callable[[], int]
    new_id: Callable[[], bytes]


class Caller(NamedTuple):
    """An authenticated principal. `root` may act on every bucket."""

    account_id: str
    canonical_id: str
    display_name: str
    access_key_id: str
    root: bool = False


class Stages:
    """Seconds spent by named stage of one request, for the log line and the metrics."""

    __slots__ = ("seconds",)

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def add(self, name: str, seconds: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        begun = perf_counter()
        try:
            yield
        finally:
            self.add(name, perf_counter() - begun)


class Call(NamedTuple):
    """One request as the services see it. `now_ms` is its time: everything it writes is dated so."""

    caller: Caller
    request_id: str
    now_ms: int
    stages: Stages
