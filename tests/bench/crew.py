"""One measurement: several client processes that begin together, and what the server's processes spent meanwhile.

Knows how requests of a measurement are named and signed. Must not know how results are shown.
"""

import contextlib
import multiprocessing
import os
import statistics
import threading
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier

from tests.bench.client import MIB, Load, Run, Tally
from tests.bench.machine import ResidentWatch, cpu_seconds
from tests.wire.signer import UNSIGNED, Signer

READY_SECONDS_MAX = 60.0
DONE_SECONDS_MAX = 60.0
HEADS_MAX = 12_000  # names of one process before they are used again
HEADS_BYTES_MAX = 4_000 * MIB  # bodies below those names


@dataclass(frozen=True, slots=True)
class Shot:
    """A measurement to make: `method` on `targets` (shared by all processes) or, when there are none, on names below
    `prefix` of each process's own. `signer` None sends plain HTTP. The rest as in `Load`."""

    port: int
    method: str
    connections: int
    seconds: float
    prefix: str = ""
    targets: Sequence[str] = ()
    digests: Sequence[str] = ()
    signer: Signer | None = None
    statuses: tuple[int, ...] = (200,)
    body_bytes: int = 0
    answer_bytes: int = -1
    names_each: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """What a shot gave. Times in seconds; `cpu_s` of the server's processes; `done_each` answers by process."""

    operations: int
    seconds: float
    p50_s: float
    p99_s: float
    cpu_s: float
    client_cpu_s: float
    resident_peak_bytes: int
    sampled: int
    done_each: tuple[int, ...]

    @property
    def rate(self) -> float:
        """Operations a second."""
        return self.operations / self.seconds if self.seconds else 0.0

    @property
    def cpu_us(self) -> float:
        """Microseconds of server CPU an operation."""
        return self.cpu_s / self.operations * 1e6 if self.operations else 0.0

    def mib_s(self, size: int) -> float:
        """MiB a second when each operation carries `size` bytes."""
        return self.rate * size / MIB


def measure(shot: Shot, server_pids: Sequence[int]) -> Score:
    """Make a shot with as many processes as serve its connections. Raises RuntimeError when any answer was wrong."""
    context = multiprocessing.get_context("fork")
    count = processes_for(shot.connections)
    barrier = context.Barrier(count + 1)
    pipes = [context.Pipe(duplex=False) for _ in range(count)]
    crew = [
        context.Process(target=_member, args=(shot, who, count, barrier, sender))
        for who, (_, sender) in enumerate(pipes)
    ]
    for member in crew:
        member.start()
    try:
        with contextlib.suppress(threading.BrokenBarrierError):  # the member that broke it says why
            barrier.wait(READY_SECONDS_MAX)
        with ResidentWatch(server_pids) as watch:
            before = cpu_seconds(server_pids)
            outcomes = [_outcome(receiver, shot.seconds + DONE_SECONDS_MAX) for receiver, _ in pipes]
            spent = cpu_seconds(server_pids) - before
    finally:
        for member in crew:
            member.kill()
            member.join()
    failures = [outcome for outcome in outcomes if isinstance(outcome, str)]
    if failures:
        raise RuntimeError("\n".join(failures))
    done = [outcome for outcome in outcomes if not isinstance(outcome, str)]
    return _score([tally for tally, _ in done], spent, sum(cpu for _, cpu in done), watch.peak_bytes)


def _outcome(receiver: Connection, within_s: float) -> tuple[Tally, float] | str:
    """What a member found, and its CPU seconds; or what went wrong."""
    if not receiver.poll(within_s):
        return "a client process did not finish"
    found: tuple[Tally, float] | str = receiver.recv()
    return found


def processes_for(connections: int) -> int:
    """Client processes for so many connections: enough not to be the bottleneck, few enough for a shared machine."""
    return 1 if connections < 4 else 2 if connections < 16 else 4


def names_of(body_bytes: int) -> int:
    """How many names one process writes bodies of a size to before it uses them again."""
    return max(64, min(HEADS_MAX, HEADS_BYTES_MAX // max(1, body_bytes)))


def heads_of(shot: Shot, who: int) -> list[bytes]:
    """The signed request heads of one process."""
    if shot.targets:
        return [_head(shot, target) for target in shot.targets]
    names = shot.names_each[who] if shot.names_each else names_of(shot.body_bytes)
    return [_head(shot, f"{shot.prefix}/{who}/{number:06}") for number in range(names)]


def _head(shot: Shot, target: str) -> bytes:
    host = {"host": f"127.0.0.1:{shot.port}"}
    headers = shot.signer.sign(shot.method, target, host, UNSIGNED) if shot.signer else host
    if shot.body_bytes:
        headers = {**headers, "content-length": str(shot.body_bytes)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{shot.method} {target} HTTP/1.1\r\n{lines}\r\n".encode()


def _member(shot: Shot, who: int, count: int, barrier: Barrier, results: Connection) -> None:
    try:
        share = shot.connections // count
        load = Load(
            host="127.0.0.1",
            port=shot.port,
            heads=heads_of(shot, who),
            connections=share,
            seconds=shot.seconds,
            statuses=shot.statuses,
            body_bytes=shot.body_bytes,
            answer_bytes=shot.answer_bytes,
            digests=shot.digests,
            once=bool(shot.names_each),
            seed=hash((shot.prefix, who)),
            etag_is_md5=shot.signer is not None and shot.body_bytes > 0,
        )
        run = Run(load)
        barrier.wait(READY_SECONDS_MAX)
        before = cpu_seconds([os.getpid()])
        tally = run.go()
        spent = cpu_seconds([os.getpid()]) - before
        results.send((tally, spent))
    except Exception:  # noqa: BLE001 -- the edge of this process: the parent raises it
        barrier.abort()
        results.send(traceback.format_exc())


def _score(tallies: Sequence[Tally], cpu_s: float, client_cpu_s: float, resident_peak_bytes: int) -> Score:
    latencies = sorted(value for tally in tallies for value in tally.latencies)
    seconds = max(tally.ended_s for tally in tallies) - min(tally.begun_s for tally in tallies)
    return Score(
        operations=len(latencies),
        seconds=seconds,
        p50_s=statistics.median(latencies) if latencies else 0.0,
        p99_s=latencies[int(len(latencies) * 0.99)] if latencies else 0.0,
        cpu_s=cpu_s,
        client_cpu_s=client_cpu_s,
        resident_peak_bytes=resident_peak_bytes,
        sampled=sum(tally.sampled for tally in tallies),
        done_each=tuple(len(tally.latencies) for tally in tallies),
    )
