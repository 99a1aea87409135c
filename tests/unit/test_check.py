"""The consistency check on stacks, markers, encrypted contents and objects that grew."""

import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.adapters.chunks.memory import MemoryReader, MemoryStore
from app.adapters.sql.store import SqliteStore
from app.core.errors import Unavailable
from app.core.sealing.frames import stored_size
from app.core.types import Attributes, Content, Encryption, Part, Version, Versioning
from app.ports.metadata import Appending
from app.services.background.check import Check, CheckReport
from app.services.call import Sources
from migrations.run import migrate
from tests.contract.metadata import BUCKET, bucket, chunked, entry, inline, marker, new_id, version

SEALED = Attributes(encryption=Encryption("AES256", b"wrapped"))


class Checked:
    """A store to fill, to damage and to check."""

    def __init__(self, path: Path) -> None:
        migrate(path)
        self.path = path
        self.store = SqliteStore(path)
        self.store.bucket_create(replace(bucket(), versioning=Versioning.ENABLED))

    def put(self, key: bytes, size: int, stored: int, attributes: Attributes = Attributes()) -> Version:  # noqa: B008
        data = bytes(stored)
        ref_id = new_id()
        etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
        one = version(key, ref_id, size)._replace(version_id=new_id(), etag=etag, attributes=attributes)
        ask = inline(key)
        return self.store.commit(ask._replace(version=one, content=Content(ref_id, stored, data)))

    def damage(self, statement: str, *values: object) -> None:
        with sqlite3.connect(self.path) as db:
            db.execute(statement, values)

    def report(self, chunks: MemoryStore | None = None) -> CheckReport:
        return Check(self.store, chunks or MemoryStore(), Sources(lambda: 10, new_id), lambda line: None).run()


class Away(MemoryStore):
    """Devices that do not answer."""

    def open(self, blob_id: bytes, length: int = 0) -> MemoryReader:
        raise Unavailable("too little answers")


@pytest.fixture
def checked(tmp_path: Path) -> Iterator[Checked]:
    made = Checked(tmp_path / "zapfs.db")
    yield made
    made.store.close()


def test_every_version_of_a_stack_counts_and_markers_do_not(checked: Checked) -> None:
    for size in (1, 2, 3):
        checked.put(b"k", size, size)
    checked.store.delete_current(BUCKET, b"k", marker(b"k"))
    report = checked.report()
    assert (report.objects, report.object_bytes, report.findings) == (3, 6, [])


def test_a_version_below_the_top_that_lost_its_content_is_named(checked: Checked) -> None:
    lost = checked.put(b"k", 1, 1)
    checked.put(b"k", 2, 2)
    checked.damage("DELETE FROM content WHERE ref_id = ?", lost.ref_id)
    report = checked.report()
    assert (report.unreadable, report.findings[0].kind) == (1, "missing")


@pytest.mark.parametrize("size", [0, 1, 5_000])
def test_an_encrypted_content_is_as_long_as_its_frames_and_has_no_md5_to_hold_it_to(
    checked: Checked, size: int
) -> None:
    made = checked.put(b"k", size, stored_size(size), replace(SEALED))
    assert checked.report().findings == []
    checked.damage("UPDATE content SET inline = zeroblob(?) WHERE ref_id = ?", stored_size(size) + 1, made.ref_id)
    assert [found.kind for found in checked.report().findings] == ["corrupt"]


def test_an_object_that_grew_is_whole_and_a_part_that_is_short_is_named(checked: Checked) -> None:
    plain = b"P" * 16
    checked.store.bucket_create(bucket("plain", plain))
    ask = inline(b"k", b"one", plain)
    etag = hashlib.md5(b"one", usedforsecurity=False).hexdigest()
    checked.store.commit(ask._replace(version=ask.version._replace(etag=etag)))
    ref_id = new_id()
    two = Part(b"", 0, ref_id, 3, hashlib.md5(b"two", usedforsecurity=False).hexdigest(), 9)

    def grow(old: Version | None) -> Version:
        assert old is not None
        return old._replace(size=6, etag="e" * 32)

    checked.store.append(Appending(plain, b"k", two, Content(ref_id, 3, b"two"), grow))
    assert checked.report().findings == []
    checked.damage("UPDATE content SET inline = x'00' WHERE ref_id = ?", ref_id)
    assert [found.kind for found in checked.report().findings] == ["corrupt"]


def test_a_chunk_nobody_can_be_asked_for_is_unreachable_and_not_corrupt(checked: Checked) -> None:
    ask = chunked(b"k", entry("a"))
    checked.store.commit(ask._replace(version=ask.version._replace(version_id=new_id())))
    report = checked.report(Away())
    assert {finding.kind for finding in report.findings} == {"unreachable"}
    assert report.unreadable == 1
