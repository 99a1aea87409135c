"""Results as a page: tables with ratios, and how far each target was met.

Knows the numbers it is given and the targets of the data path's design page. Must not measure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.bench.client import MIB
from tests.bench.crew import Score
from tests.bench.gates import Passage

SIZE_NAMES = {4096: "4 KiB", 65_536: "64 KiB", MIB: "1 MiB", 64 * MIB: "64 MiB"}


@dataclass(frozen=True, slots=True)
class Cell:
    """One measured combination, with the same one against nginx where that means something."""

    operation: str
    size: int
    concurrency: int
    ours: Score
    nginx: Score | None = None

    @property
    def ratio(self) -> float | None:
        """Our rate over nginx's."""
        return self.ours.rate / self.nginx.rate if self.nginx and self.nginx.rate else None


@dataclass(slots=True)
class Results:
    """Everything a run of the benchmark found."""

    facts: dict[str, str] = field(default_factory=dict)
    disk_bytes_s: float = 0.0
    fdatasync_ms: float = 0.0
    md5_bytes_s: float = 0.0
    idle_bytes: Sequence[int] = ()
    cells: list[Cell] = field(default_factory=list)
    passages: list[Passage] = field(default_factory=list)

    def cell(self, operation: str, size: int, concurrency: int) -> Cell | None:
        """The cell of a combination, if it was measured."""
        wanted = (operation, size, concurrency)
        return next((c for c in self.cells if (c.operation, c.size, c.concurrency) == wanted), None)


def page(results: Results) -> str:
    """The whole page in Markdown."""
    parts = [
        "# Benchmark",
        _facts(results),
        "## Against the targets",
        _targets(results),
        "## What the gate and versions cost: 4 KiB, 32 connections",
        passages_table(results.passages),
        "## Everything",
        _cells(results),
    ]
    return "\n\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _facts(results: Results) -> str:
    idle = ", ".join(f"{size / MIB:.0f}" for size in results.idle_bytes)
    facts = results.facts | {
        "sequential write + fdatasync every 64 MiB": f"{results.disk_bytes_s / MIB:.0f} MiB/s",
        "append 4 KiB + fdatasync, median": f"{results.fdatasync_ms:.2f} ms",
        "MD5, one core": f"{results.md5_bytes_s / MIB:.0f} MiB/s",
        "resident memory idle, by process": f"{idle} MiB",
    }
    return _table(["what", "value"], [[name, value] for name, value in facts.items()])


def passages_table(passages: Sequence[Passage]) -> str:
    """Ways through the gate, each against the first."""
    head = ["caller and bucket", "PUT/s", "CPU µs", "CPU of plain", "GET/s", "CPU µs", "CPU of plain"]
    rows = []
    for one in passages:
        row = [one.name]
        for score, plain in ((one.put, passages[0].put), (one.get, passages[0].get)):
            row += [f"{score.rate:,.0f}", f"{score.cpu_us:,.0f}", f"{score.cpu_us / plain.cpu_us:.2f}"]
        rows.append(row)
    return _table(head, rows)


def _cells(results: Results) -> str:
    head = ["operation", "size", "conc.", "ops/s", "MiB/s", "p50 ms", "p99 ms", "CPU µs/op", "peak RSS MiB"]
    head += ["nginx ops/s", "nginx CPU µs/op", "of nginx"]
    rows = []
    for cell in results.cells:
        ours, ratio = cell.ours, cell.ratio
        carried = f"{ours.mib_s(cell.size):.0f}" if cell.operation in ("PUT", "GET") else ""
        row = [cell.operation, SIZE_NAMES.get(cell.size, ""), str(cell.concurrency), f"{ours.rate:,.0f}", carried]
        row += [f"{ours.p50_s * 1e3:.2f}", f"{ours.p99_s * 1e3:.2f}", f"{ours.cpu_us:,.0f}"]
        row += [f"{ours.resident_peak_bytes / MIB:.0f}"]
        if cell.nginx is not None and ratio is not None:
            row += [f"{cell.nginx.rate:,.0f}", f"{cell.nginx.cpu_us:,.0f}", f"{ratio:.2f}"]
        else:
            row += ["", "", ""]
        rows.append(row)
    return _table(head, rows)


def _targets(results: Results) -> str:
    rows = []
    for name, aim, unit, at_most, found in _findings(results):
        met = found <= aim if at_most else found >= aim
        bound = "<=" if at_most else ">="
        rows.append([name, f"{bound} {aim:,g}{unit}", f"{found:,.3g}{unit}", "met" if met else "**missed**"])
    return _table(["target", "aim", "found", ""], rows)


def _findings(results: Results) -> list[tuple[str, float, str, bool, float]]:
    """Name, aim, unit, whether the aim is an upper bound, and what was found, of every target that was measured."""
    found: list[tuple[str, float, str, bool, float]] = []
    if get := results.cell("GET", 4096, 32):
        found.append(("GET 4 KiB, concurrency 32", 10_000, "/s", False, get.ours.rate))
        found.append(("GET 4 KiB, server CPU", 150, " µs", True, get.ours.cpu_us))
        if get.ratio is not None:
            found.append(("GET 4 KiB, concurrency 32, of nginx", 0.4, "", False, get.ratio))
    if put := results.cell("PUT", 4096, 32):
        found.append(("PUT 4 KiB, concurrency 32", 5_000, "/s", False, put.ours.rate))
        found.append(("PUT 4 KiB, server CPU", 300, " µs", True, put.ours.cpu_us))
    for concurrency in (1, 8, 32):
        big = results.cell("GET", 64 * MIB, concurrency)
        if big and big.ratio is not None:
            found.append((f"GET 64 MiB, concurrency {concurrency}, of nginx", 0.7, "", False, big.ratio))
    if (stream := results.cell("PUT", 64 * MIB, 1)) and results.md5_bytes_s:
        ratio = stream.ours.rate * 64 * MIB / results.md5_bytes_s
        found.append(("PUT 64 MiB, one stream, of one core's MD5", 0.7, "", False, ratio))
    for cell in results.cells:
        if cell.operation.startswith("LIST") and cell.concurrency == 1:
            found.append((f"{cell.operation}, 1,000 keys of a million", 15, " ms CPU", True, cell.ours.cpu_us / 1000))
    if results.idle_bytes:
        found.append(("resident memory of the largest idle process", 60, " MiB", True, max(results.idle_bytes) / MIB))
    return found
