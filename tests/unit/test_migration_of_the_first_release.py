"""A database the first release wrote, with data in it, under the schema of today."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from app.adapters.sql.rows import SEQ_MAX, VALUE_COLUMNS
from app.adapters.sql.store import SqliteStore
from app.core.types import NULL_PLACE, Attributes, Checksum, Version, Versioning
from migrations.run import DIRECTORY, migrate
from tests.contract.metadata import BUCKET, OWNER, bucket, chunk, inline, marker, new_id

REF, LATER, UPLOAD = b"r" * 16, b"l" * 16, b"u" * 16
ATTRIBUTES = '[{"content-type":"text/plain"},{"who":"me"},{"t":"1"}]'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Rows as the first release wrote them: an object, a deleted one's last trace, an upload and a lease."""
    history = tmp_path / "history"
    history.mkdir()
    (history / "0001_initial.sql").write_bytes((DIRECTORY / "0001_initial.sql").read_bytes())
    path = tmp_path / "zapfs.db"
    migrate(path, history)
    row = (bytes(16), REF, 4, "e" * 32, 5, OWNER, "COLD", "CRC32 FULL_OBJECT AAAA==", 0, ATTRIBUTES)
    marks = ", ".join("?" * (len(row) + 3))
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO bucket VALUES (?, 'bucket', ?, 1, 'eu', 'Off')", (BUCKET, OWNER))
        db.execute(
            f"INSERT INTO obj_head (bucket_id, key, seq, {VALUE_COLUMNS}) VALUES ({marks})", (BUCKET, b"k", 3, *row)
        )
        db.execute(
            f"INSERT INTO obj_version (bucket_id, key, seq_down, {VALUE_COLUMNS}, delete_marker) VALUES ({marks}, 0)",
            (BUCKET, b"k", SEQ_MAX - 3, *row),
        )
        db.execute("INSERT INTO content VALUES (?, 0, 0, 0, 0, x'64617461', NULL)", (REF,))
        db.execute(
            "INSERT INTO upload VALUES (?, ?, ?, ?, 3, 'STANDARD', NULL, '', '')", (BUCKET, b"key", UPLOAD, OWNER)
        )
        db.execute("INSERT INTO chunk VALUES (?, 'L', ?, 7)", (chunk("old"), LATER))
        db.execute("INSERT INTO lease VALUES ('sweep', 'a', 100)")
    return path


def test_what_the_first_release_wrote_is_read_as_it_was(path: Path) -> None:
    migrate(path)
    store = SqliteStore(path)
    attributes = Attributes({"content-type": "text/plain"}, {"who": "me"}, "COLD", {"t": "1"})
    made = Version(BUCKET, b"k", bytes(16), 3, REF, 4, "e" * 32, 5, OWNER, attributes, Checksum("CRC32", "AAAA=="))
    assert store.bucket_get("bucket") == replace(bucket(), region="eu")
    found, page = store.current_with_content(BUCKET, b"k")
    assert found == made == store.version(BUCKET, b"k", NULL_PLACE) == store.newest(BUCKET, b"k")
    assert page is not None
    assert page.inline == b"data"
    assert (store.upload_get(UPLOAD).key, store.upload_get(UPLOAD).initiator) == (b"key", "")
    assert store.chunks_live([chunk("old")]) == {chunk("old"): LATER}
    assert not store.lease_take("sweep", "b", 99, 10)
    store.close()


def test_its_objects_become_null_versions_when_versioning_comes(path: Path) -> None:
    migrate(path)
    store = SqliteStore(path)
    old = store.current(BUCKET, b"k")
    store.bucket_amend(BUCKET, lambda one: replace(one, versioning=Versioning.ENABLED))
    ask = inline(b"k")
    new = store.commit(ask._replace(version=ask.version._replace(version_id=new_id())))
    on_top = store.delete_current(BUCKET, b"k", marker(b"k")).marker
    assert store.versions_scan(BUCKET, b"", None, None, 10) == [on_top, new, old]
    assert store.delete_version(BUCKET, b"k", NULL_PLACE) == old
    store.close()
