"""Bodies stream: a worker's memory does not follow the size of what passes through it."""

from pathlib import Path

import pytest

from tests.chaos.memory import MIB, grow
from tests.integration.server import Server

IDLE_BYTES_MAX = 80 * MIB
ONE_UPLOAD_BYTES_MAX = 96 * MIB  # two chunk buffers of 8 MiB, what sockets and threads hold, and the allocator's slack


@pytest.mark.slow
def test_half_a_gibibyte_passes_without_growing_the_worker(tmp_path: Path) -> None:
    with Server(tmp_path / "data", workers=1, dev=True) as server:
        growth = grow(server, 512 * MIB)
        assert growth.idle_bytes <= IDLE_BYTES_MAX, growth
        assert growth.peak_bytes - growth.idle_bytes <= ONE_UPLOAD_BYTES_MAX, growth
        server.stop()
