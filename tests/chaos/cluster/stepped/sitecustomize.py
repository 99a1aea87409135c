"""A wall clock that can be stepped, for every interpreter that finds this directory on its path before it starts.

The product has no clock to set and needs none: this replaces the interpreter's, from outside. How far it is off stands
in a file named by the session of the process, in the directory CHAOS_CLOCKS names: 8 bytes, nanoseconds. What counts
the seconds of a wait (time.monotonic) is left alone, as a step of the date leaves it alone.
"""

import mmap
import os
import time
from pathlib import Path

CELL_BYTES = 8


def cell(path: Path) -> memoryview:
    """The offset in a file, made when missing: a view of one signed number of 8 bytes."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(fd, CELL_BYTES)
        return memoryview(mmap.mmap(fd, CELL_BYTES)).cast("q")
    finally:
        os.close(fd)


def install(offset: memoryview) -> None:
    """Have time.time and time.time_ns tell the stepped time."""
    right_ns = time.time_ns
    time.time_ns = lambda: right_ns() + offset[0]
    time.time = lambda: (right_ns() + offset[0]) / 1e9


if "CHAOS_CLOCKS" in os.environ:
    install(cell(Path(os.environ["CHAOS_CLOCKS"]) / str(os.getsid(0))))
