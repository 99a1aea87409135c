"""Backups on schedule: when one is due, and which of the older ones stay.

Knows names and times. Must not know where backups lie (ports/backup_target) or what is in them. What is there by a name
of this room's form is this room's to remove, and nothing else is. Of several managers the leader makes them.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from app.core.errors import Corrupt, StoreError
from app.ports.backup_target import BackupTarget

_NAME: Final = re.compile(r"zapfs-control-(\d{8}T\d{6}Z)-v(\d{1,20})\.backup")
_TIME: Final = "%Y%m%dT%H%M%SZ"
_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Plan:
    """One each `interval_s`; the newest `keep` stay, and of each of the last `keep_days` days (UTC) the newest."""

    interval_s: int
    keep: int
    keep_days: int


class KeptBackup(NamedTuple):
    """`made_ms`: as its name says, to the second."""

    name: str
    bytes: int
    made_ms: int


class TargetStatus(NamedTuple):
    """`last_ms`: when one was kept last, 0 never. `failures`: since this process began. `reason`: of the newest try,
    "" when it succeeded. `kept`: newest first."""

    target: str
    last_ms: int
    failures: int
    reason: str
    kept: tuple[KeptBackup, ...]


class Snapshots:
    """The backups at one target. `leads`: whether this process is the one to make them. A target that fails is tried
    again at the next step; nobody waits for it."""

    def __init__(
        self,
        target: BackupTarget,
        make: Callable[[], tuple[int, bytes]],
        plan: Plan,
        now_ms: Callable[[], int],
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        """`make` gives a version and its backup."""
        self._target = target
        self._make = make
        self._plan = plan
        self._now_ms = now_ms
        self._leads = leads
        self._known: tuple[KeptBackup, ...] = ()
        self._failures = 0
        self._reason = ""
        self._looked = False

    def step(self) -> None:
        """Keep one if it is due, then let go of those that are too many. Raises Unavailable, Full."""
        if not self._leads():
            return
        try:
            self._known = self._there()
            self._looked = True
            if self._now_ms() - self._last_ms() >= self._plan.interval_s * 1000:
                version, document = self._make()
                self._target.put(name_of(version, self._now_ms()), document)
                self._known = self._there()
            for one in gone(self._known, self._plan, self._now_ms()):
                self._target.remove(one.name)
            self._known = self._there()
            self._reason = ""
        except (StoreError, Corrupt) as error:
            self._failures += 1
            self._reason = str(error)
            raise

    def status(self) -> TargetStatus:
        """As of the last step; where this process does not make them, as the target says now."""
        if not self._looked:
            try:
                self._known = self._there()
            except StoreError as error:
                self._reason = str(error)
        return TargetStatus(self._target.name, self._last_ms(), self._failures, self._reason, self._known)

    def gauges(self) -> tuple[float, float]:
        """Milliseconds since the epoch of the newest one, 0 for none; and failures."""
        return float(self._last_ms()), float(self._failures)

    def _last_ms(self) -> int:
        return self._known[0].made_ms if self._known else 0

    def _there(self) -> tuple[KeptBackup, ...]:
        found = []
        for one in self._target.listed():
            match = _NAME.fullmatch(one.name)
            if match is not None:
                at = datetime.strptime(match[1], _TIME).replace(tzinfo=UTC)
                found.append(KeptBackup(one.name, one.bytes, int(at.timestamp()) * 1000))
        return tuple(sorted(found, key=lambda one: (one.made_ms, one.name), reverse=True))


def name_of(version: int, now_ms: int) -> str:
    """zapfs-control-20261123T041500Z-v17.backup: sorted by name they are sorted by time."""
    at = datetime.fromtimestamp(now_ms // 1000, UTC).strftime(_TIME)
    return f"zapfs-control-{at}-v{version}.backup"


def gone(kept: Sequence[KeptBackup], plan: Plan, now_ms: int) -> list[KeptBackup]:
    """Those of `kept`, newest first, that the plan lets go of. The newest always stays."""
    staying = set(kept[: max(1, plan.keep)])
    today = now_ms // _DAY_MS
    newest_of_day: dict[int, KeptBackup] = {}
    for one in kept:
        newest_of_day.setdefault(one.made_ms // _DAY_MS, one)
    staying |= {one for day, one in newest_of_day.items() if today - day < plan.keep_days}
    return [one for one in kept if one not in staying]
