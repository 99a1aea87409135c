"""SQL of growing an object in place. Statements only: it runs inside one transaction.

What an append changes is the row of the version and one new row of `part`; nothing a reader of the version as it was
could still ask for goes away. The first append makes parts of a version that was one content: that content becomes part
1 under its own ref id, with its pages and references untouched, and the version is from then on released as parts are.
"""

import hashlib

from app.adapters.sql import references, stacks
from app.adapters.sql.commits import announce_to
from app.adapters.sql.rows import PART_COLUMNS, checksum_text
from app.adapters.sql.session import Session
from app.core.errors import Conflict
from app.core.types import Content, Part, RefId, Version, Versioning
from app.ports.metadata import Appending


def append(db: Session, appending: Appending) -> Version:
    """Missing when the bucket is gone; Conflict where it has versioning; whatever `grow` raises."""
    db.hold(appending.bucket_id, appending.key)
    stack = stacks.look(db, appending.bucket_id, appending.key)
    if stack.versioning != Versioning.OFF.value:
        raise Conflict("objects of a bucket with versioning do not grow")
    grown = appending.grow(stack.head)._replace(bucket_id=appending.bucket_id, key=appending.key)
    content = references.settle(db, appending.content, appending.uploaded, appending.pinned)
    references.content_insert(db, content)
    if stack.head is None:
        first = grown._replace(ref_id=content.ref_id, part_count=0)
        made = stacks.place(db, stacks.placing_of(db, stack, first, None))
    else:
        made = _grow(db, stack.head, grown, appending.part, content)
    announce_to(db, appending.announce, made)
    return made


def _grow(db: Session, old: Version, grown: Version, part: Part, content: Content) -> Version:
    """The version in its place, one part longer."""
    upload_id, number = (old.ref_id, _last_number(db, old.ref_id)) if old.part_count else _into_parts(db, old)
    _part_insert(db, upload_id, number + 1, content.ref_id, part, old.size)
    made = grown._replace(
        version_id=old.version_id, seq=old.seq, ref_id=upload_id, part_count=max(old.part_count, 1) + 1
    )
    stacks.rewrite(db, made, made.size - old.size)
    return made


def _into_parts(db: Session, old: Version) -> tuple[RefId, int]:
    """Make part 1 of a version that is one content; the id of its parts and that number."""
    upload_id = _parts_id(old.ref_id)
    first = Part(upload_id, 1, old.ref_id, old.size, old.etag, old.modified_ms, old.checksum)
    _part_insert(db, upload_id, 1, old.ref_id, first, 0)
    return upload_id, 1


def _parts_id(ref_id: RefId) -> RefId:
    """An id for the parts of what was one content: never that of a content, and of its time. Made of the content's, for
    a transaction has no randomness of its own."""
    return ref_id[:6] + hashlib.blake2b(ref_id, digest_size=10, person=b"append").digest()


def _last_number(db: Session, upload_id: RefId) -> int:
    ((number,),) = db.execute("SELECT max(number) FROM part WHERE upload_id = ?", (upload_id,)).fetchall()
    return int(number)


def _part_insert(db: Session, upload_id: RefId, number: int, ref_id: RefId, part: Part, start: int) -> None:
    db.execute(
        f"INSERT INTO part (upload_id, shard, {PART_COLUMNS}) VALUES (?, 0, ?, ?, ?, ?, ?, ?, ?)",
        (upload_id, number, ref_id, part.size, part.etag, part.modified_ms, checksum_text(part.checksum), start),
    )
