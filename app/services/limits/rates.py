"""Whether a request may be answered now: rates of accounts, buckets and everybody together.

Knows levels that drain with time. Must not know wires, nor how workers tell each other what they count (ports/tallies).
Each worker keeps the levels for itself, of what all workers of its node counted; what a scope may take is divided by
the gateways that are up. A request is refused before its body is read; what it will move is counted when it is let in,
and put right at its end, so that a large one is paid for by those that come after it (docs/design/limits.md).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Final, NamedTuple

from app.core.cluster import ClusterState, Limits
from app.core.cluster.limits import ACCOUNT, ALL, BUCKET, Scope
from app.core.errors import S3Error
from app.core.limits import RATE_BURST_SECONDS, RATE_LEVELS_MAX, RATE_RETRY_SECONDS_MAX
from app.ports.tallies import Tally

Refused = Callable[[str, str], object]
"""(account, bucket or all; requests, bytes or objects): told of each refusal."""
_ALL: Final = Scope(ALL).key


@dataclass(slots=True)
class _Level:
    """What a scope has taken and time has not drained yet. `seen_*`: how much of the tally is in it."""

    cell: int
    at_s: float
    seen_requests: int
    seen_bytes: int
    requests: float = 0.0
    bytes: float = 0.0


class Charge:
    """One admitted request, counted in every scope that has rates. `moved` is how many bytes of it are counted."""

    __slots__ = ("_cells", "_moved", "_tally")

    def __init__(self, tally: Tally, cells: list[int], size: int) -> None:
        self._tally = tally
        self._cells = cells
        self._moved = size
        for cell in cells:
            tally.add(cell, 1, size)

    def moves(self, size: int) -> None:
        """It moves so many bytes, both directions together, whatever was thought before."""
        if size != self._moved:
            for cell in self._cells:
                self._tally.add(cell, 0, size - self._moved)
            self._moved = size


class _Named(NamedTuple):
    key: str
    limits: Limits


class Rates:
    """One per worker. `now_s`: a clock that only goes forward."""

    def __init__(
        self, state: Callable[[], ClusterState], tally: Tally, now_s: Callable[[], float], refused: Refused
    ) -> None:
        self._state = state
        self._tally = tally
        self._now_s = now_s
        self._refused = refused
        self._levels: dict[str, _Level] = {}

    def admit(self, account_id: str, bucket: str, size: int) -> Charge | None:
        """Count a request of `size` bytes to come in, by an account ("" is nobody) on a bucket ("" is none).

        None where nothing is limited. Raises SlowDown with Retry-After, and counts nothing then.
        """
        state = self._state()
        if not state.limits:
            return None
        found = _rated(state, account_id, bucket)
        if not found:
            return None
        now_s, share = self._now_s(), self._tally.gateways()
        cells = []
        for key, limits in found:
            level = self._level(key, limits, now_s, share)
            self._require(key, limits, level, share)
            cells.append(level.cell)
        return Charge(self._tally, cells, size)

    def _level(self, key: str, limits: Limits, now_s: float, share: int) -> _Level:
        """The level as it is now."""
        level = self._levels.get(key)
        if level is None:
            if len(self._levels) >= RATE_LEVELS_MAX:
                self._levels.clear()  # begun anew, they allow a burst each
            cell = self._tally.cell(key)
            level = self._levels[key] = _Level(cell, now_s, *self._tally.total(cell))
            return level
        requests, size = self._tally.total(level.cell)
        passed_s = now_s - level.at_s
        drained = max(0.0, level.requests - passed_s * limits.requests_per_s / share)
        level.requests = max(0.0, drained + requests - level.seen_requests)
        drained = max(0.0, level.bytes - passed_s * limits.bytes_per_s / share)
        level.bytes = max(0.0, drained + size - level.seen_bytes)
        level.at_s, level.seen_requests, level.seen_bytes = now_s, requests, size
        return level

    def _require(self, key: str, limits: Limits, level: _Level, share: int) -> None:
        kind, _, name = key.partition("/")
        if limits.requests_per_s:
            rate = limits.requests_per_s / share
            over = level.requests + 1 - max(1.0, rate * RATE_BURST_SECONDS)
            if over > 0:
                raise self._refusal(kind, name, "requests", over / rate)
        if limits.bytes_per_s:
            rate = limits.bytes_per_s / share
            over = level.bytes - rate * RATE_BURST_SECONDS
            if over > 0:
                raise self._refusal(kind, name, "bytes", over / rate)

    def _refusal(self, kind: str, name: str, what: str, wait_s: float) -> S3Error:
        self._refused(kind, what)
        whose = f"{kind} {name}".strip() if kind != ALL else "the whole system"
        retry = str(max(1, min(RATE_RETRY_SECONDS_MAX, ceil(wait_s))))
        reason = f"the rate of {what} of {whose} is reached"
        return S3Error("SlowDown", headers={"Retry-After": retry}, reason=reason)


def _rated(state: ClusterState, account_id: str, bucket: str) -> list[_Named]:
    account = state.by_account_id.get(account_id, "")
    keys = (_ALL, Scope(ACCOUNT, account).key if account else "", Scope(BUCKET, bucket).key if bucket else "")
    found = [_Named(key, state.limits[key]) for key in keys if key in state.limits]
    return [one for one in found if one.limits.requests_per_s or one.limits.bytes_per_s]
