"""What the machine and its processes say of themselves: CPU seconds, resident bytes, processor, file system.

Knows /proc. Must not know what is measured.
"""

import contextlib
import os
import platform
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
SAMPLE_SECONDS = 0.1


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of the processes until now."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
    return total / TICKS


def resident_bytes(pid: int) -> int:
    """VmRSS of a process; 0 when it is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


@dataclass(slots=True)
class ResidentWatch:
    """Samples the largest resident size of any of the processes while it is open."""

    pids: Sequence[int]
    peak_bytes: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> "ResidentWatch":
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5)

    def _watch(self) -> None:
        while True:
            self.peak_bytes = max([self.peak_bytes, *map(resident_bytes, self.pids)])
            if self._stop.wait(SAMPLE_SECONDS):
                return


def processor() -> str:
    """Model and number of cores."""
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return f"{model}, {os.cpu_count()} cores"


def file_system(path: Path) -> str:
    """Type of the file system that holds `path`."""
    best, kind = "", "?"
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, found, *_ = line.split()
        if str(path.resolve()).startswith(mount) and len(mount) >= len(best):
            best, kind = mount, found
    return kind


def load_average() -> str:
    """The three load averages, which say how quiet the machine was."""
    return " ".join(Path("/proc/loadavg").read_text().split()[:3])
