"""SQL of what changes versions: commits, deletes, amendments. Statements only: each runs inside one transaction.

Checks are asked before the first write, so that a refusal leaves the batch it rides in alone.
"""

from app.adapters.sql import queues, references, stacks, versions
from app.adapters.sql.session import Session
from app.core.errors import Conflict, Missing
from app.core.types import Attributes, BucketId, Version, VersionPlace
from app.ports.metadata import EVENTS, Amend, Announce, Check, Commit, Deletion


def commit(db: Session, commit: Commit) -> Version:
    """Settle the references, write the content, make the version current, release what it replaced."""
    version = commit.version
    db.hold(version.bucket_id, version.key, *(() if commit.moved_from is None else commit.moved_from[:1]))
    stack = stacks.look(db, version.bucket_id, version.key)
    if commit.check is not None:
        commit.check(stack.head)
    placing = stacks.placing_of(db, stack, version, commit.replaced_check)
    leaving = None if commit.moved_from is None else _leaving_of_moved(db, commit)
    content = references.settle(db, commit.content, commit.uploaded, commit.pinned)
    references.content_insert(db, content)
    stacks.place(db, placing)
    if leaving is not None:
        stacks.leave(db, leaving)
    if commit.announce is not None:
        announce_to(db, commit.announce, placing.version)
    return placing.version


def delete_current(
    db: Session,
    marker: Version,
    check: Check | None,
    replaced_check: Check | None,
    announce: Announce | None,
) -> Deletion:
    """Of `marker`'s key, by the bucket's versioning: remove the current version, or put `marker` on top. The marker is
    announced, else what was removed."""
    db.hold(marker.bucket_id, marker.key)
    stack = stacks.look(db, marker.bucket_id, marker.key)
    if check is not None:
        check(stack.head)
    deletion = stacks.leave(db, stacks.leaving_of(db, stack, marker, replaced_check))
    announce_to(db, announce, deletion.marker or deletion.removed)
    return deletion


def delete_version(
    db: Session,
    bucket_id: BucketId,
    key: bytes,
    place: VersionPlace,
    check: Check | None,
    announce: Announce | None,
) -> Version | None:
    """Remove one version or marker for good."""
    db.hold(bucket_id, key)
    stack = stacks.look(db, bucket_id, key)
    gone = versions.at_or_none(db, bucket_id, key, place)
    if check is not None:
        check(gone)
    if gone is not None:
        stacks.take_out(db, stack, gone)
        announce_to(db, announce, gone)
    return gone


def delete_noncurrent(
    db: Session,
    bucket_id: BucketId,
    key: bytes,
    place: VersionPlace,
    check: Check | None,
    announce: Announce | None,
) -> Version | None:
    """The same of a version or marker that something lies upon. Conflict when it is the top of its stack."""
    db.hold(bucket_id, key)
    newest = versions.newest_or_none(db, bucket_id, key)
    if newest is not None and newest.version_id == place.version_id:
        raise Conflict("the version is the current one")
    return delete_version(db, bucket_id, key, place, check, announce)


def version_amend(
    db: Session,
    bucket_id: BucketId,
    key: bytes,
    place: VersionPlace | None,
    amend: Amend,
    announce: Announce | None = None,
) -> Version:
    """Change a version's attributes where it lies. Missing when it is not there or a delete marker."""
    db.hold(bucket_id, key)
    version = versions.current(db, bucket_id, key) if place is None else versions.at(db, bucket_id, key, place)
    if version.delete_marker:
        raise Missing("a delete marker has no attributes")
    amended = version._replace(attributes=amend(version))
    stacks.rewrite(db, amended)
    announce_to(db, announce, amended)
    return amended


def announce_to(db: Session, announce: Announce | None, version: Version | None) -> None:
    """Queue what there is to tell of the version, in the transaction that made or removed it."""
    if announce is not None and version is not None:
        queues.put(db, EVENTS, announce(version))


def _leaving_of_moved(db: Session, commit: Commit) -> stacks.Leaving:
    """What becomes of the key the object moves away from; a lock keeps what would go for good there as well."""
    assert commit.moved_from is not None
    version, (key, check) = commit.version, commit.moved_from
    if key == version.key:
        raise Conflict("an object cannot move to where it is")
    stack = stacks.look(db, version.bucket_id, key)
    if check is not None:
        check(stack.head)
    marker = version._replace(key=key, etag="", attributes=Attributes(), checksum=None)
    return stacks.leaving_of(db, stack, marker, commit.replaced_check)
