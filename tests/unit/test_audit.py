"""The audit log: its lines' form and bound, queues that never wait, a file that is shared and moved away."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.adapters.audit_file import AuditFile
from app.core.audit import AuditEntry, audit_line, dropped_line
from app.core.errors import Unavailable
from app.core.limits import AUDIT_LINE_BYTES_MAX, AUDIT_WAITING_MAX, AUDIT_WRITE_BYTES_MAX
from app.runtime.telemetry.audit import FILE, AuditQueue, lost_line

NOW_MS = 1_700_000_000_123
ENTRY = AuditEntry("admin", NOW_MS, "ID", "admin:X", "arn:aws:zapfs:::x", "arn", "1" * 12, "AK", "127.0.0.1", 200, "")


def queue(deliver):
    return AuditQueue(FILE, deliver, lost_line(lambda: NOW_MS, "n", 1))


class Sink:
    """Takes lines unless it is `away`."""

    def __init__(self):
        self.lines: list[bytes] = []
        self.batches: list[int] = []
        self.away = False

    def __call__(self, lines):
        if self.away:
            raise Unavailable("away")
        self.lines += lines
        self.batches.append(sum(map(len, lines)))


def test_a_line_is_json_with_rfc_3339_time_and_every_field():
    told = json.loads(audit_line(ENTRY))
    assert told["time"] == "2023-11-14T22:13:20.123Z"
    assert told.keys() == {"time", *ENTRY._fields} - {"at_ms"}
    assert audit_line(ENTRY).endswith(b"}\n")


@pytest.mark.parametrize("character", ["x", "\x00", "\U0001f600", "\n", '"'])
def test_a_line_is_bounded_and_one_line_whatever_is_told(character):
    long = character * 10_000
    entry = ENTRY._replace(resource=long, arn=long, reason=long, code=long, action=long, access_key_id=long)
    line = audit_line(entry)
    assert len(line) <= AUDIT_LINE_BYTES_MAX
    assert line.count(b"\n") == 1
    assert json.loads(line)["resource"].startswith(character)


def test_a_full_queue_drops_what_is_new_counts_it_and_says_so_once_there_is_room():
    sink = Sink()
    sink.away = True
    waiting = queue(sink)
    for number in range(AUDIT_WAITING_MAX + 7):
        waiting.put(b"%d\n" % number)
    with pytest.raises(Unavailable):
        waiting.flush()
    sink.away = False
    waiting.flush()
    numbers = [line for line in sink.lines if line.strip().isdigit()]
    assert numbers == [b"%d\n" % number for number in range(AUDIT_WAITING_MAX)]
    [told] = [json.loads(line) for line in sink.lines if b"dropped" in line]
    assert (told["event"], told["sink"], told["count"]) == ("dropped", FILE, 7)
    assert max(sink.batches) <= AUDIT_WRITE_BYTES_MAX + len(dropped_line(NOW_MS, FILE, 7, "n", 1))
    waiting.flush()
    assert len(sink.lines) == AUDIT_WAITING_MAX + 1


def test_what_no_sink_took_at_the_end_is_given_up():
    sink = Sink()
    sink.away = True
    waiting = queue(sink)
    waiting.put(b"x\n")
    with pytest.raises(Unavailable):
        waiting.give_up()


def test_a_file_moved_away_is_begun_anew_and_readable_by_its_owner_only(tmp_path):
    path = tmp_path / "audit.log"
    file = AuditFile(path)
    file.write([b"one\n", b"two\n"])
    path.rename(tmp_path / "audit.log.1")
    file.write([b"three\n"])
    assert ((tmp_path / "audit.log.1").read_bytes(), path.read_bytes()) == (b"one\ntwo\n", b"three\n")
    assert path.stat().st_mode & 0o777 == 0o600
    file.close()
    file.write([b"four\n"])
    assert path.read_bytes() == b"three\nfour\n"
    file.close()


def test_a_file_that_cannot_be_written_is_unavailable_and_a_pipe_without_a_reader_stalls_nobody(tmp_path):
    with pytest.raises(Unavailable):
        AuditFile(tmp_path / "missing" / "audit.log").write([b"x\n"])
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Unavailable):
        AuditFile(tmp_path / "pipe").write([b"x\n"])


WRITER = """
import sys
from pathlib import Path
from app.adapters.audit_file import AuditFile
file = AuditFile(Path(sys.argv[1]))
for turn in range(100):
    file.write([(f"{sys.argv[2]}-{turn}-{number}-" + "x" * 700 + "\\n").encode() for number in range(20)])
"""


def test_lines_of_several_processes_do_not_mix(tmp_path):
    path = tmp_path / "audit.log"
    root = Path(__file__).parents[2]
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name], cwd=root) for name in "abc"]
    assert [writer.wait(30) for writer in writers] == [0, 0, 0]
    lines = path.read_text().splitlines()
    expected = {f"{name}-{turn}-{number}-" + "x" * 700 for name in "abc" for turn in range(100) for number in range(20)}
    assert len(lines) == 6_000
    assert set(lines) == expected
