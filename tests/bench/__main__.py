"""`make bench`: a server, its references and the page in docs/bench. `--quick` for a look in under a minute."""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from app.cli import cluster_database
from tests.bench import cluster
from tests.bench.client import MIB
from tests.bench.crew import Score, Shot, measure, names_of
from tests.bench.gates import passages
from tests.bench.machine import file_system, load_average, processor, resident_bytes
from tests.bench.million import BUCKET as MILLION
from tests.bench.million import name_of
from tests.bench.references import (
    Nginx,
    disk_bytes_per_second,
    fdatasync_milliseconds,
    md5_bytes_per_second,
    nginx,
)
from tests.bench.report import Cell, Results, page, passages_table
from tests.integration.server import ROOT, Server, temporary_directory
from tests.wire.signer import Credentials, Signer

KEYS = Credentials("AKIABENCHBENCHBENCH0", "bench-secret-bench-secret-bench-secret-0")
SET_OBJECTS = {4096: 256, 65_536: 128, MIB: 32, 64 * MIB: 4}
LOAD_SECONDS_MAX = 900


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure and for how long each."""

    sizes: tuple[int, ...] = (4096, 65_536, MIB, 64 * MIB)
    concurrencies: tuple[int, ...] = (1, 8, 32)
    seconds: float = 4.0
    workers: int = 4
    keys: int = 1_000_000


QUICK = Plan(sizes=(4096, MIB), concurrencies=(1, 32), seconds=1.0, keys=20_000)


class Bench:
    """One run against one server and one nginx."""

    def __init__(self, plan: Plan, server: Server, reference: Nginx | None) -> None:
        self.plan, self.server, self.reference = plan, server, reference
        self.signer = Signer(KEYS)
        self.results = Results()

    def run(self) -> Results:
        """Every cell, ours and nginx's in turn, so that the machine's other load strikes both."""
        pids = self.server.pids()
        time.sleep(2)
        self.results.idle_bytes = sorted(map(resident_bytes, pids), reverse=True)
        assert self.server.raw().call("PUT", "/bench").status == 200
        for size in self.plan.sizes:
            targets, digests = self._store_set(size)
            for concurrency in self.plan.concurrencies:
                self._writes(size, concurrency)
                self._reads(size, concurrency, targets, digests)
        return self.results

    def lists(self) -> None:
        """Pages of 1,000 keys of the large bucket: flat, with a delimiter, and below a prefix with a delimiter."""
        middle = name_of(self.plan.keys // 4 * 2)
        for name, query in (
            ("LIST flat", f"list-type=2&max-keys=1000&start-after={middle}"),
            ("LIST delimiter", "delimiter=%2F&list-type=2&max-keys=1000"),
            ("LIST prefix+delimiter", "delimiter=%2F&list-type=2&max-keys=1000&prefix=dir3%2F"),
        ):
            target = f"/{MILLION}?{query}"
            answer = self.server.raw().call("GET", target)
            assert b"<KeyCount>1000</KeyCount>" in answer.body, answer.body[:500]
            shown = len(answer.body)
            for concurrency in self.plan.concurrencies:
                shot = replace(self._shot("GET", concurrency), targets=[target], answer_bytes=shown)
                self._keep(name, 0, concurrency, self._measure(shot), None)

    def _writes(self, size: int, concurrency: int) -> None:
        prefix = f"/bench/put/{size}/{concurrency}"
        shot = replace(self._shot("PUT", concurrency), prefix=prefix, body_bytes=size)
        ours, reference = self._measure(shot), None
        if self.reference:
            plain = replace(shot, port=self.reference.port, signer=None, statuses=(201, 204))
            reference = self._measure_reference(plain)
        self._keep("PUT", size, concurrency, ours, reference)
        names = tuple(min(done, names_of(size)) for done in ours.done_each)
        gone = replace(self._shot("DELETE", concurrency), prefix=prefix, statuses=(204,), names_each=names)
        self._keep("DELETE", size, concurrency, self._measure(gone), None)

    def _reads(self, size: int, concurrency: int, targets: list[str], digests: list[str]) -> None:
        shot = replace(self._shot("GET", concurrency), targets=targets, digests=digests, answer_bytes=size)
        reference = None
        if self.reference:
            reference = self._measure_reference(replace(shot, port=self.reference.port, signer=None))
        self._keep("GET", size, concurrency, self._measure(shot), reference)
        head = replace(shot, method="HEAD", digests=())
        self._keep("HEAD", size, concurrency, self._measure(head), None)

    def _keep(self, operation: str, size: int, concurrency: int, ours: Score, reference: Score | None) -> None:
        self.results.cells.append(Cell(operation, size, concurrency, ours, reference))
        _tell(self.results.cells[-1])

    def _shot(self, method: str, concurrency: int) -> Shot:
        return Shot(self.server.s3_port, method, concurrency, self.plan.seconds, signer=self.signer)

    def _measure(self, shot: Shot) -> Score:
        return measure(shot, self.server.pids())

    def _measure_reference(self, shot: Shot) -> Score:
        assert self.reference is not None
        score = measure(shot, self.reference.pids)
        if shot.body_bytes:
            subprocess.run(["rm", "-rf", str(self.reference.files / "bench/put")], check=True)
        return score

    def _store_set(self, size: int) -> tuple[list[str], list[str]]:
        targets, digests, raw = [], [], self.server.raw()
        for number in range(SET_OBJECTS[size]):
            data, target = os.urandom(size), f"/bench/get/{size}/{number}"
            answer = raw.call("PUT", target, data)
            assert answer.status == 200, answer.body
            assert raw.call("GET", target).body == data  # and in the page cache now, as nginx's files are
            if self.reference:
                path = self.reference.files / target[1:]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            targets.append(target)
            digests.append(hashlib.md5(data, usedforsecurity=False).hexdigest())
        return targets, digests


def _tell(cell: Cell) -> None:
    ratio = f", {cell.ratio:.2f} of nginx" if cell.ratio else ""
    print(
        f"{cell.operation:22} {cell.size:>9} x{cell.concurrency:<3} {cell.ours.rate:>9,.0f}/s "
        f"p99 {cell.ours.p99_s * 1e3:8.2f} ms  {cell.ours.cpu_us:8,.0f} us{ratio}  (client "
        f"{cell.ours.client_cpu_s:.1f} s CPU, {cell.ours.sampled} bodies checked)",
        flush=True,
    )


def facts(plan: Plan, root: Path) -> dict[str, str]:
    """Where, when and what, for the head of the page."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "commit": commit.stdout.strip() or "unknown",
        "machine": processor(),
        "load average before": load_average(),
        "file system": file_system(root),
        "workers": str(plan.workers),
        "reads": "every object was read back once before; nginx's files were just written",
        "durability": "every change in an fdatasync'ed file before its answer; nginx syncs nothing",
        "client": "up to 4 processes, same machine; SigV4 in every request, signed before the clock; UNSIGNED-PAYLOAD",
        "seconds each": str(plan.seconds),
    }


def load_million(server: Server, count: int) -> None:
    """Fill the stopped server's metadata store."""
    assert server.process is None
    server.start()
    server.raw().call("PUT", "/owner-probe")
    listing = server.raw().call("GET", "/").body
    owner = re.search(rb"<ID>(\w{64})</ID>", listing)
    assert owner is not None, listing
    server.stop()
    (database,) = (server.data_dir / "metadata").glob("*.db")
    command = [sys.executable, "-m", "tests.bench.million", str(database), owner[1].decode(), str(count)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=LOAD_SECONDS_MAX)


def everything(plan: Plan, root: Path) -> Results:
    """Measure all there is."""
    found = facts(plan, root)
    server = Server(root / "data", workers=plan.workers, credentials=KEYS, environment={"ZAPFS_LOG_LEVEL": "warning"})
    with nginx(root / "nginx", plan.workers) as reference, server:
        bench = Bench(plan, server, reference)
        bench.results.disk_bytes_s = disk_bytes_per_second(root, plan.seconds)
        bench.results.fdatasync_ms = fdatasync_milliseconds(root)
        bench.results.md5_bytes_s = md5_bytes_per_second(min(2.0, plan.seconds))
        bench.results.facts = found
        bench.run()
        bench.results.passages = passages(server, plan.seconds, root)
        server.stop()
        load_million(server, plan.keys)
        server.start()
        bench.lists()
        server.stop()
    return bench.results


def gates(plan: Plan, root: Path) -> str:
    """The table of the gate alone."""
    quiet = {"ZAPFS_LOG_LEVEL": "warning"}
    with Server(root / "data", workers=plan.workers, credentials=KEYS, environment=quiet) as server:
        return passages_table(passages(server, plan.seconds, root))


def clusters(plan: Plan, root: Path) -> str:
    """The section on redundancy and a shared database."""
    head = "\n".join(f"- {name}: {value}" for name, value in facts(plan, root).items() if name != "workers")
    table = cluster.table(cluster.rows(root, plan.seconds, KEYS, cluster_database.present()))
    return f"# A cluster of six file hosts\n\n{cluster.SAID}\n\n{head}\n\n{table}\n"


def main() -> int:
    """Run, print and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--gates", action="store_true", help="only what the gate and versions cost")
    parser.add_argument("--cluster", action="store_true", help="only what redundancy and a shared database cost")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    plan = replace(QUICK if options.quick else Plan(), workers=options.workers)
    plan = replace(plan, seconds=options.seconds or plan.seconds)
    with temporary_directory() as root:
        if options.gates:
            print(gates(plan, root))
            return 0
        parts = [] if options.cluster else [page(everything(plan, root))]
        if options.cluster or not options.quick:
            parts.append(clusters(plan, root))
    text = "\n".join(parts)
    print(text)
    name = time.strftime("%Y-%m-%d", time.gmtime()) + ("-cluster" if options.cluster else "")
    default = None if options.quick else ROOT / f"docs/bench/{name}.md"
    if (output := options.output or default) is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text)
        print(json.dumps({"written": str(output)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
