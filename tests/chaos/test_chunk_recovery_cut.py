"""A recovery that is itself killed, before each change it makes on disk: the next one finds all that was durable."""

import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from app.adapters.chunks import record
from app.adapters.chunks.disk import UNBORN, UNFINISHED, Device
from app.adapters.chunks.recovery import recover
from app.adapters.chunks.segment import OpenSegment
from tests.chunk_room import device_at, name_of, opened, payload_of, recovered_blobs

CHANGES = ("fsync", "fdatasync", "unlink", "rename", "replace", "mkdir", "rmdir", "ftruncate", "pwritev", "write")
CUT, WHOLE, BROKEN = 11, 12, 13


def left_behind(root: Path) -> tuple[Device, dict[bytes, bytes]]:
    """A device with a sealed segment, one whose writer died with a torn record, an unborn one, a merge begun."""
    device = device_at(root)
    data = {}
    for numbers in (range(3), range(3, 6)):
        with opened(device) as store:
            for number in numbers:
                payload = payload_of(number, 5_000)
                store.put(name_of(number), memoryview(payload))
                data[name_of(number).blob_id] = payload
    with opened(device) as store:
        assert store.delete(name_of(1).blob_id)
    del data[name_of(1).blob_id]
    last = max(Path(device.segments).iterdir(), key=lambda path: path.stat().st_mtime_ns)
    with last.open("r+b") as file:
        file.seek(record.END_OFFSET)
        file.write(bytes(64))
        file.seek(0, os.SEEK_END)
        file.write(b"half a record".ljust(2 * record.PAGE, b"!"))
    Path(device.path(77, UNBORN)).touch()
    OpenSegment(device, (5, 6), UNFINISHED).close()
    return device, data


def killed_before(change: int, root: Path) -> bool:
    """Recover in a process that dies before its change number `change`; False when it never made that many."""
    child = os.fork()
    if not child:
        try:
            left = itertools.count(change, -1)

            def counted(call: Callable[..., object]) -> Callable[..., object]:
                def counting(*args: object, **named: object) -> object:
                    if not next(left):
                        os._exit(CUT)
                    return call(*args, **named)

                return counting

            for name in CHANGES:
                setattr(os, name, counted(getattr(os, name)))
            recover(device_at(root, sync=os.fdatasync))
            os._exit(WHOLE)
        finally:
            os._exit(BROKEN)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (CUT, WHOLE)
    return code == CUT


@pytest.mark.parametrize("state", ["clean", "an earlier boot", ""])
def test_a_recovery_killed_before_any_of_its_changes_is_done_again_whole(tmp_path: Path, state: str) -> None:
    _, data = left_behind(tmp_path / "left")
    (tmp_path / "left" / "state").write_text(state)
    for change in itertools.count():
        root = tmp_path / str(change)
        shutil.copytree(tmp_path / "left", root)
        cut = killed_before(change, root)
        report, blobs = recovered_blobs(device_at(root))
        assert blobs == data, change
        assert not report.damage
        assert not [path for path in (root / "segments").iterdir() if path.suffix != ".seg"]
        shutil.rmtree(root)
        if not cut:
            break
    assert change > 5
