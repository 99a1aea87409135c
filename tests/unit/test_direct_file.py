"""Writing past the page cache and beside it gives the same file."""

import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.adapters.chunks.direct import DirectFile
from app.core.limits import DIRECT_BYTES_MIN, RECORD_ALIGN_BYTES

PAGE = RECORD_ALIGN_BYTES


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    opened = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield opened
    os.close(opened)


def aligned(size: int) -> memoryview:
    view = memoryview(mmap.mmap(-1, -(-size // PAGE) * PAGE or PAGE))[:size]
    view[:] = os.urandom(size)
    return view


SIZES = [0, 1, PAGE, DIRECT_BYTES_MIN - 1, DIRECT_BYTES_MIN, DIRECT_BYTES_MIN + 1, 2 * DIRECT_BYTES_MIN + PAGE + 7]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("offset", [0, 3 * PAGE])
def test_what_was_written_is_read_back_whatever_its_size(fd: int, size: int, offset: int) -> None:
    head, data, end = b"h" * PAGE, aligned(size), b"z" * (-size % PAGE)
    file = DirectFile(fd)
    file.write_all([head, data, end, head, data], offset)
    file.close()
    os.fsync(fd)
    whole = head + bytes(data) + end + head + bytes(data)
    assert os.pread(fd, len(whole) + 1, offset) == whole


def test_memory_that_is_not_aligned_takes_the_way_through_the_cache(fd: int) -> None:
    data = aligned(2 * DIRECT_BYTES_MIN)[1:]
    file = DirectFile(fd)
    file.write_all([b"h" * PAGE, data], 0)
    file.close()
    assert os.pread(fd, PAGE + len(data), 0)[PAGE:] == bytes(data)


def test_a_failed_write_is_told(fd: int) -> None:
    reading = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY)
    file = DirectFile(reading)
    with pytest.raises(OSError, match="Bad file descriptor"):
        file.write_all([b"x" * PAGE], 0)
    file.close()
    os.close(reading)
