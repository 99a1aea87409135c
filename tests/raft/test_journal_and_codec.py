"""The log's files and the messages' form: what a crash leaves is understood, and anything else is refused."""

import json
import os
import pickle  # noqa: TID251 -- to make what must never be opened
from hashlib import sha256

import pytest

from app.adapters.cluster.raft import codec, pinned, snapshots
from app.adapters.cluster.raft.contract import Corrupt, NotBootstrapped, Start, WrongLibrary
from app.adapters.cluster.raft.disk import Directory
from app.adapters.cluster.raft.journal import NAME, VOTE, Journal
from app.adapters.cluster.raft.snapshots import Snapshot
from app.adapters.cluster.raft.storage import opened

MEMBERS = {"a": "127.0.0.1:1"}


class Died(Exception):
    """What a node does instead of ending the test's process."""


def die(reason):
    raise Died(reason)


def log_of(directory):
    return opened(Directory(directory), die, Start.BOOTSTRAP, MEMBERS)[0]


@pytest.fixture
def written(tmp_path):
    """A directory whose journal has three batches: entry 1; 2 and 3; 4."""
    log = log_of(tmp_path)
    log.setCurrentTerm(1, "a")
    log.add(b"\x00two", 2, 1)
    log.add(b"\x00three", 3, 1)
    log.sync()
    log.add(b"\x00four" * 200, 4, 1)
    log.sync()
    return tmp_path


def test_what_was_synced_is_there_after_a_restart_with_term_and_vote(written):
    log = log_of(written)
    assert [entry[1:] for entry in log[:]] == [(1, 0), (2, 1), (3, 1), (4, 1)]
    assert (log.getCurrentTerm(), log.getVotedForNodeId()) == (1, "a")


def test_what_was_cut_stays_cut_after_a_restart(written):
    log = log_of(written)
    log.cut(3)
    log.add(b"\x00other", 3, 2)
    log.sync()
    assert log_of(written)[:][1:] == [(b"\x00two", 2, 1), (b"\x00other", 3, 2)]


def test_a_batch_cut_short_anywhere_is_forgotten_and_the_ones_before_it_stay(written):
    whole = (written / NAME).read_bytes()
    log = log_of(written)
    log.add(b"\x00five", 5, 1)
    log.sync()
    longer = (written / NAME).read_bytes()
    for size in range(len(whole), len(longer)):
        (written / NAME).write_bytes(longer[:size])
        assert log_of(written).last == 4
        assert (written / NAME).read_bytes() == whole


def test_a_changed_bit_anywhere_in_the_journal_is_refused(written):
    whole = (written / NAME).read_bytes()
    for at in range(len(whole)):
        (written / NAME).write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        with pytest.raises(Corrupt, match="NEW node id"):
            log_of(written)


def test_a_missing_or_changed_vote_is_refused(written):
    vote = (written / VOTE).read_bytes()
    (written / VOTE).write_bytes(vote.replace(b"1", b"2", 1))
    with pytest.raises(Corrupt):
        log_of(written)
    (written / VOTE).unlink()
    with pytest.raises(Corrupt):
        log_of(written)


def test_a_journal_that_is_missing_beside_a_vote_is_refused(written):
    (written / NAME).unlink()
    with pytest.raises(Corrupt):
        log_of(written)


def test_a_changed_snapshot_is_refused_and_never_taken_for_none(written):
    data = snapshots.packed(Snapshot(3, 1, MEMBERS, b"state"))
    for at in range(len(data)):
        (written / snapshots.NAME).write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(Corrupt):
            log_of(written)


def test_a_log_older_than_a_leaders_snapshot_begins_anew_after_it(written):
    (written / snapshots.NAME).write_bytes(snapshots.packed(Snapshot(9, 2, MEMBERS, b"state")))
    assert [entry[1:] for entry in log_of(written)[:]] == [(9, 2)]


def test_an_empty_directory_needs_to_be_told_how_to_begin(tmp_path):
    with pytest.raises(NotBootstrapped, match="--join"):
        opened(Directory(tmp_path), die, Start.RESUME, MEMBERS)


def test_an_error_of_the_disk_ends_the_node_and_is_not_tried_again(written, monkeypatch):
    log = log_of(written)
    log.add(b"\x00five", 5, 1)

    def broken(_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", broken)
    with pytest.raises(Died, match="could not be written"):
        log.sync()


def test_everything_is_on_the_disk_before_a_call_returns(tmp_path, monkeypatch):
    calls = []
    for name in ("write", "fsync", "fdatasync"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, name=name, real=real: calls.append(name) or real(*a))
    disk = Directory(tmp_path)
    disk.replace("file", b"one")
    assert calls == ["write", "fsync", "fsync"], "the file, then its directory"
    calls.clear()
    disk.append("file", b"two")
    assert calls == ["write", "fdatasync"]


def test_entries_in_memory_are_one_write_however_many_they_are(written, monkeypatch):
    log = log_of(written)
    calls = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: calls.append(fd) or real(fd))
    for index in range(5, 105):
        log.add(b"\x00more", index, 1)
    log.sync()
    log.sync()
    assert len(calls) == 1


def test_a_compacted_journal_is_replaced_as_a_whole(written):
    log = log_of(written)
    before = os.stat(written / NAME).st_ino
    log.forget_before(3)
    assert os.stat(written / NAME).st_ino != before
    (written / snapshots.NAME).write_bytes(snapshots.packed(Snapshot(3, 1, MEMBERS, b"")))
    assert [entry[1] for entry in log_of(written)[:]] == [3, 4]
    assert isinstance(log, Journal)


MESSAGES = (
    {"type": "hello", "id": "a", "address": "h:1", "incarnation": "i", "yours": ""},
    {"type": "append", "term": 1, "seq": 2, "commit": 3, "prev_index": 4, "prev_term": 1, "entries": []},
    {
        "type": "append",
        "term": 1,
        "seq": 2,
        "commit": 3,
        "prev_index": 4,
        "prev_term": 1,
        "entries": [(b"\x00one", 5, 1), (b"\x02{}", 6, 1)],
    },
    {"type": "snapshot", "term": 1, "seq": 2, "index": 3, "offset": 0, "total": 9, "data": b"\xff\x00" * 4},
    {"type": "ack", "term": 1, "seq": 2, "ok": False, "index": 3},
)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message["type"])
def test_a_message_survives_the_wire(message):
    assert codec.decode(codec.encode(message)) == message


def framed(head, tail=b""):
    text = json.dumps(head).encode()
    return len(text).to_bytes(4, "little") + text + tail


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xff\xff\xff",
        b"\x80\x04\x95" + b"x" * 20,
        framed([]),
        framed({"type": "no such"}),
        framed({"type": ["append"]}),
        framed({"type": "ack", "term": 1, "seq": 2, "ok": 1, "index": 3}),
        framed({"type": "ack", "term": -1, "seq": 2, "ok": True, "index": 3}),
        framed({"type": "ack", "term": 1.5, "seq": 2, "ok": True, "index": 3}),
        framed({"type": "ack", "term": 1, "seq": 2, "ok": True}),
        framed({"type": "ack", "term": 1, "seq": 2, "ok": True, "index": 3}, b"more"),
        framed({"type": "newer_term", "term": True}),
        framed({**MESSAGES[1], "entries": [[5, 1, 1]]}, b"four"),
        framed({**MESSAGES[1], "entries": [[0, 1, 1]]}),
        framed({**MESSAGES[1], "entries": [[-1, 1, 1]]}),
        framed({**MESSAGES[3], "data": 7}, b"12345678"),
        (200_000).to_bytes(4, "little") + b"[" * 200_000,
    ],
)
def test_what_is_no_message_is_refused(data):
    with pytest.raises(codec.BadMessage):
        codec.decode(data)


def test_another_source_of_the_library_is_refused_and_says_what_to_do(tmp_path):
    with pytest.raises(WrongLibrary, match="pip install"):
        pinned.verify(tmp_path, pinned.VERSION)
    with pytest.raises(WrongLibrary, match=r"0\.3\.18 is installed"):
        pinned.verify(tmp_path, "0.3.18")


def test_the_library_cannot_reach_pickle():
    import pysyncobj.pickle

    import app.adapters.cluster.raft.innards  # noqa: F401

    with pytest.raises(WrongLibrary, match="pickle"):
        pysyncobj.pickle.loads(b"\x80\x04N.")


class Bomb:
    """What opens its pickle makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("name", [NAME, VOTE, snapshots.NAME, "snapshot that verifies", "entry"])
def test_a_pickle_in_the_files_is_never_opened(written, tmp_path_factory, name):
    opened_it = tmp_path_factory.mktemp("bomb") / "opened"
    bomb = pickle.dumps(Bomb(opened_it))
    if name == "entry":
        log = log_of(written)
        log.add(b"\x00" + bomb, 5, 1)
        log.sync()
        assert log_of(written).entry(5)[0] == b"\x00" + bomb
    else:
        verifying = b"ZAPFRS01" + sha256(len(bomb).to_bytes(4, "little") + bomb).digest()
        whole = verifying + len(bomb).to_bytes(4, "little") + bomb if name.startswith("snapshot that") else bomb
        (written / name.split()[0]).write_bytes(whole)
        with pytest.raises(Corrupt):
            log_of(written)
    assert not opened_it.exists()
    pickle.loads(bomb).close()
    assert opened_it.exists(), "the bomb is none"
