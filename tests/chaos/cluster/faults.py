"""What goes wrong: one seeded choice after another, each undone after a while.

Knows how each fault is made and undone. What may break at once is bounded only where data would rightly be lost: bytes
are flipped on one device of a run. Killing loses nothing that was acknowledged, so anything may be killed at any time.
"""

import os
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from app.cli.admin import Refused
from app.cli.cluster_plan import FILE_HOST, GATEWAY, MANAGER
from tests.chaos.cluster.links import BREAK, DELAY, HOLD
from tests.chaos.cluster.under_test import DATABASE, ClusterUnderTest

FAULT_SECONDS = (0.5, 4.0)
PAUSE_SECONDS = (0.0, 1.0)
AT_ONCE_MAX = 2
SEGMENT_HEAD_BYTES = 4096
NO_ROOM = "1TiB"
STEPS_SECONDS = (-7200.0, -600.0, -3.0, 3.0, 600.0, 7200.0)
"""Of a clock: little enough to be believed, more than any grace, more than signatures and orphans live."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`members`: whose state it changes; no other fault touches them meanwhile."""

    told: str
    members: frozenset[str]
    do: Callable[[], None]
    undo: Callable[[], None]


@dataclass(slots=True)
class Faults:
    """The faults of one run."""

    cluster: ClusterUnderTest
    seed: int
    only: Sequence[str] = ()
    flipped: Path | None = None
    told: list[str] = field(default_factory=list)
    dice: random.Random = field(init=False)
    begun: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.dice = random.Random(f"faults/{self.seed}")

    def run(self, seconds: float) -> None:
        """Do and undo faults for so long; the last ones may be left for `ClusterUnderTest.recover` to mend."""
        end = time.monotonic() + seconds
        going: list[tuple[float, Fault]] = []
        while (now := time.monotonic()) < end:
            for due, fault in list(going):
                if due <= now:
                    going.remove((due, fault))
                    self._say(f"end of {fault.told}")
                    fault.undo()
            taken = frozenset[str]().union(*(fault.members for _, fault in going))
            if len(going) < AT_ONCE_MAX and (chosen := self._choose(taken)) is not None:
                going.append((now + self.dice.uniform(*FAULT_SECONDS), chosen))
                self._say(chosen.told)
                chosen.do()
            time.sleep(self.dice.uniform(*PAUSE_SECONDS))

    def _say(self, line: str) -> None:
        self.told.append(f"{time.monotonic() - self.begun:7.2f} {line}")

    # --- choices

    def _choose(self, taken: frozenset[str]) -> Fault | None:
        kinds = {
            "kill": (self.kill, 6),
            "kill one process": (self.kill_one_process, 4),
            "hold": (self.hold, 3),
            "part managers": (self.part_managers, 3),
            "part gateway": (self.part_gateway, 4),
            "part host": (self.part_host, 2),
            "slow": (self.slow, 2),
            "full": (self.full, 2),
            "flip": (self.flip, 2),
            "clock": (self.clock, 3),
            "database": (self.database, 1),
            "drain": (self.drain, 2),
            "blackout": (self.blackout, 1),
        }
        chosen = {name: kind for name, kind in kinds.items() if not self.only or name in self.only}
        (make,) = self.dice.choices([make for make, _ in chosen.values()], [weight for _, weight in chosen.values()])
        fault = make()
        return None if fault is None or fault.members & taken else fault

    def _any(self, *kinds: str) -> str:
        return self.dice.choice([name for kind in kinds for name in self.cluster.names(kind)])

    def kill(self) -> Fault:
        """kill -9 of a whole member."""
        name = self._any(MANAGER, FILE_HOST, FILE_HOST, GATEWAY)
        return self._on(f"kill {name}", name, lambda: self.cluster.kill(name), lambda: self.cluster.restart(name))

    def kill_one_process(self) -> Fault:
        """kill -9 of one process of a member."""
        name, which = self._any(MANAGER, FILE_HOST, GATEWAY), self.dice.random()

        def do() -> None:
            pids = self.cluster.pids(name)
            if pids:
                self.cluster.kill_process(pids[int(which * len(pids))])

        def undo() -> None:
            if not self.cluster.processes[name].alive():
                self.cluster.restart(name)

        return self._on(f"kill a process of {name}", name, do, undo)

    def hold(self) -> Fault:
        """SIGSTOP, then SIGCONT, of a member."""
        name = self._any(MANAGER, FILE_HOST, GATEWAY)
        return self._on(f"hold {name}", name, lambda: self.cluster.hold(name), lambda: self.cluster.go_on(name))

    def part_managers(self) -> Fault | None:
        """A manager (perhaps the leader) and the others do not hear each other, or one way only."""
        managers = self.cluster.names(MANAGER)
        if len(managers) < 3:
            return None
        one = self.dice.choice([self.cluster.leader() or managers[0], *managers])
        return self._part(one, [name for name in managers if name != one])

    def part_gateway(self) -> Fault:
        """A gateway does not reach some file hosts, or does not hear them."""
        hosts = self.cluster.names(FILE_HOST)
        return self._part(self._any(GATEWAY), self.dice.sample(hosts, self.dice.randint(1, len(hosts))))

    def part_host(self) -> Fault:
        """A file host does not reach the managers, or the other file hosts."""
        one = self._any(FILE_HOST)
        others = self.cluster.names(self.dice.choice((MANAGER, FILE_HOST)))
        return self._part(one, [name for name in others if name != one])

    def _part(self, one: str, others: list[str]) -> Fault:
        action, way = self.dice.choice((HOLD, HOLD, BREAK)), self.dice.choice(("both ways", "out", "in"))
        links = self.cluster.links

        def do() -> None:
            if way != "in":
                links.set([one], others, action)
            if way != "out":
                links.set(others, [one], action)

        told = f"{action} what passes between {one} and {', '.join(others)}, {way}"
        return Fault(told, frozenset((one,)), do, lambda: links.clear([one], others))

    def slow(self) -> Fault:
        """A file host answers late."""
        name, seconds = self._any(FILE_HOST), self.dice.uniform(0.05, 0.6)
        others = [other for other in self.cluster.cluster.members if other != name]
        links = self.cluster.links
        return self._on(
            f"slow {name} by {seconds:.2f} s",
            name,
            lambda: links.set([name], others, DELAY, seconds),
            lambda: links.clear([name], others),
        )

    def full(self) -> Fault:
        """A file host whose devices have no room: restarted with a reserve no disk has."""
        name = self._any(FILE_HOST)
        return self._on(
            f"no room on {name}",
            name,
            lambda: self.cluster.restart(name, "--disk-reserve-bytes", NO_ROOM),
            lambda: self.cluster.restart(name),
        )

    def clock(self) -> Fault:
        """The date of a member is wrong, and later set right."""
        name, seconds = self._any(MANAGER, FILE_HOST, GATEWAY, GATEWAY), self.dice.choice(STEPS_SECONDS)
        cluster = self.cluster
        return self._on(
            f"step the clock of {name} by {seconds:+.0f} s",
            name,
            lambda: cluster.step_clock(name, seconds),
            lambda: cluster.step_clock(name, 0),
        )

    def flip(self) -> Fault | None:
        """Bytes of a segment change on the disk, always of the same device."""
        if self.flipped is None:
            name = self._any(FILE_HOST)
            self.flipped = self.dice.choice(self.cluster.devices(name))
        segments = sorted(self.flipped.rglob("*.seg"))
        segments = [path for path in segments if path.stat().st_size > 2 * SEGMENT_HEAD_BYTES]
        if not segments:
            return None
        path, share, device = self.dice.choice(segments), self.dice.random(), self.flipped
        return Fault(f"flip bytes on {device.name}", frozenset(), lambda: flip(path, share), lambda: None)

    def database(self) -> Fault | None:
        """The database server is killed, and started again."""
        if DATABASE not in self.cluster.processes:
            return None
        cluster = self.cluster
        return self._on(f"kill {DATABASE}", DATABASE, lambda: cluster.kill(DATABASE), lambda: cluster.restart(DATABASE))

    def drain(self) -> Fault:
        """A file host is to be emptied, and soon after is not: layouts change under load."""
        name, cluster = self._any(FILE_HOST), self.cluster

        def ask(change: str) -> None:
            with suppress(Refused):  # without a majority of managers nothing changes
                cluster.ask("POST", f"/v1/cluster/{change}", {"nodes": [name]})

        return Fault(f"drain {name}", frozenset(), lambda: ask("drain"), lambda: ask("add"))

    def blackout(self) -> Fault:
        """kill -9 of everything at once, the database too."""
        cluster, names = self.cluster, list(self.cluster.processes)

        def do() -> None:
            for name in names:
                cluster.kill(name)

        def undo() -> None:
            for name in names:
                cluster.restart(name)

        return Fault("kill everything", frozenset(names), do, undo)

    @staticmethod
    def _on(told: str, name: str, do: Callable[[], None], undo: Callable[[], None]) -> Fault:
        return Fault(told, frozenset((name,)), do, undo)


def flip(path: Path, share: float) -> None:
    """Change a few bytes at `share` of a file's length, behind its head."""
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return  # merged away meanwhile
    try:
        size = os.fstat(fd).st_size
        at = SEGMENT_HEAD_BYTES + int(share * (size - SEGMENT_HEAD_BYTES - 16))
        data = os.pread(fd, 16, at)
        os.pwrite(fd, bytes(byte ^ 0x5A for byte in data), at)
    finally:
        os.close(fd)
