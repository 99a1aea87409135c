"""The MetadataStore on an SQL database: which operation is a change and which a read.

Must not know statements (the modules beside it), nor how a database runs them (sqlite_database, mysql).
"""

import os
from collections.abc import Callable, Sequence

from app.adapters.sql import (
    appends,
    buckets,
    commits,
    configs,
    moves,
    queues,
    references,
    sweeps,
    uploads,
    usage,
    versions,
)
from app.adapters.sql.namespace import NamespaceCache
from app.adapters.sql.session import Database, Namespace
from app.adapters.sql.sqlite_database import SqliteDatabase
from app.core.errors import Conflict
from app.core.limits import COMMIT_PARTS_INLINE_MAX
from app.core.types import (
    BlobClaim,
    BlobId,
    Bucket,
    BucketId,
    ChunkId,
    ContentPage,
    GcCounts,
    Part,
    ReferencedBlob,
    RefId,
    Task,
    Upload,
    Usage,
    Version,
    VersionPlace,
)
from app.ports.metadata import Amend, Announce, Appending, Check, ChunkMove, Commit, Completion, Deletion, PartCommit


class SqlStore:
    """See app/ports/metadata.py for every promise. Used by greenlets of the thread that built it (a process without
    greenlets is one greenlet)."""

    def __init__(self, database: Database, namespace: Namespace) -> None:
        self._database = database
        self._namespace = namespace

    # --- buckets
    def bucket_create(self, bucket: Bucket) -> None:
        try:
            self._database.change(buckets.create, bucket)
        finally:
            self._namespace.changed()

    def bucket_get(self, name: str) -> Bucket:
        return self._namespace.get(name, self._look_up)

    def bucket_lately(self, name: str) -> Bucket:
        return self._namespace.lately(name, self._look_up)

    def _look_up(self, name: str) -> Bucket:
        return self._database.read(buckets.get, name)

    def bucket_amend(self, bucket_id: BucketId, amend: Callable[[Bucket], Bucket]) -> Bucket:
        try:
            return self._database.change(buckets.amend, bucket_id, amend)
        finally:
            self._namespace.changed()

    def configs_scan(self, bucket_id: BucketId, kind: str, after: str, limit: int) -> list[tuple[str, bytes]]:
        return self._database.read(configs.scan, bucket_id, kind, after, limit)

    def config_get(self, bucket_id: BucketId, kind: str, name: str) -> bytes:
        return self._database.read(configs.get, bucket_id, kind, name)

    def config_put(self, bucket_id: BucketId, kind: str, name: str, document: bytes, limit: int) -> None:
        self._database.change(configs.put, bucket_id, kind, name, document, limit)

    def config_delete(self, bucket_id: BucketId, kind: str, name: str) -> None:
        self._database.change(configs.delete, bucket_id, kind, name)

    def bucket_delete(self, bucket_id: BucketId) -> None:
        try:
            self._database.change(buckets.delete, bucket_id)
        finally:
            self._namespace.changed()

    def buckets_scan(self, owner: str, prefix: str, after: str, limit: int) -> list[Bucket]:
        return self._database.read(buckets.scan, owner, prefix, after, limit)

    def bucket_usage(self, bucket_id: BucketId) -> Usage:
        return self._database.read(usage.of_bucket, bucket_id)

    def owner_usage(self, owner: str) -> Usage:
        return self._database.read(usage.of_owner, owner)

    def bucket_recount(self, bucket_id: BucketId) -> Usage:
        return self._database.read(usage.recounted, bucket_id)

    # --- versions
    def current(self, bucket_id: BucketId, key: bytes) -> Version:
        return self._database.read(versions.current, bucket_id, key)

    def current_with_content(self, bucket_id: BucketId, key: bytes) -> tuple[Version, ContentPage | None]:
        return self._database.read(versions.current_with_content, bucket_id, key)

    def currents_scan(
        self, bucket_id: BucketId, start: bytes, inclusive: bool, stop: bytes | None, limit: int
    ) -> list[Version]:
        return self._database.read(versions.scan, bucket_id, start, inclusive, stop, limit)

    def version(self, bucket_id: BucketId, key: bytes, place: VersionPlace) -> Version:
        return self._database.read(versions.at, bucket_id, key, place)

    def version_with_content(
        self, bucket_id: BucketId, key: bytes, place: VersionPlace
    ) -> tuple[Version, ContentPage | None]:
        return self._database.read(versions.at_with_content, bucket_id, key, place)

    def newest(self, bucket_id: BucketId, key: bytes) -> Version:
        return self._database.read(versions.newest, bucket_id, key)

    def versions_scan(
        self, bucket_id: BucketId, start: bytes, after_seq: int | None, stop: bytes | None, limit: int
    ) -> list[Version]:
        return self._database.read(versions.scan_all, bucket_id, start, after_seq, stop, limit)

    def content_page(self, ref_id: RefId, page: int) -> ContentPage:
        return self._database.read(versions.content_page, ref_id, page)

    def commit(self, commit: Commit) -> Version:
        return self._database.change(commits.commit, commit)

    def append(self, appending: Appending) -> Version:
        return self._database.change(appends.append, appending)

    def version_amend(
        self,
        bucket_id: BucketId,
        key: bytes,
        place: VersionPlace | None,
        amend: Amend,
        announce: Announce | None = None,
    ) -> Version:
        return self._database.change(commits.version_amend, bucket_id, key, place, amend, announce)

    def delete_current(
        self,
        bucket_id: BucketId,
        key: bytes,
        marker: Version,
        check: Check | None = None,
        replaced_check: Check | None = None,
        announce: Announce | None = None,
    ) -> Deletion:
        return self._database.change(
            commits.delete_current, marker._replace(bucket_id=bucket_id, key=key), check, replaced_check, announce
        )

    def delete_version(
        self,
        bucket_id: BucketId,
        key: bytes,
        place: VersionPlace,
        check: Check | None = None,
        announce: Announce | None = None,
        noncurrent: bool = False,
    ) -> Version | None:
        delete = commits.delete_noncurrent if noncurrent else commits.delete_version
        return self._database.change(delete, bucket_id, key, place, check, announce)

    # --- multipart uploads
    def upload_create(self, upload: Upload) -> None:
        self._database.change(uploads.create, upload)

    def upload_get(self, upload_id: RefId) -> Upload:
        return self._database.read(uploads.get, upload_id)

    def uploads_scan(
        self, bucket_id: BucketId, start: bytes, after_upload: RefId, stop: bytes | None, limit: int
    ) -> list[Upload]:
        return self._database.read(uploads.scan, bucket_id, start, after_upload, stop, limit)

    def part_commit(self, commit: PartCommit) -> None:
        self._database.change(uploads.part_commit, commit)

    def parts_scan(self, upload_id: RefId, after_number: int, limit: int) -> list[Part]:
        return self._database.read(uploads.parts_scan, upload_id, after_number, limit)

    def part_at(self, upload_id: RefId, offset: int) -> Part:
        return self._database.read(uploads.part_at, upload_id, offset)

    def complete_upload(self, completion: Completion) -> Version:
        aside = len(completion.parts) > COMMIT_PARTS_INLINE_MAX
        return (self._database.change_aside if aside else self._database.change)(uploads.complete, completion)

    def upload_abort(self, upload_id: RefId) -> None:
        self._database.change(uploads.abort, upload_id)

    # --- attempts and chunk references
    def chunks_live(self, chunk_ids: Sequence[ChunkId]) -> dict[ChunkId, BlobId]:
        return self._database.read(references.live_blobs, chunk_ids)

    def intent_open(self, ref_id: RefId, expires_ms: int) -> None:
        self._database.change(references.intent_open, ref_id, expires_ms)

    def intent_abort(self, ref_id: RefId) -> None:
        self._database.change(references.intent_abort, ref_id)

    def pin(self, ref_id: RefId, chunk_ids: Sequence[ChunkId]) -> dict[ChunkId, BlobId]:
        return self._database.change(references.pin, ref_id, chunk_ids)

    def publish(self, ref_id: RefId, blobs: Sequence[tuple[ChunkId, BlobId, int]]) -> dict[ChunkId, BlobId]:
        winners, whole = self._database.change(references.publish, ref_id, blobs)
        if not whole:  # raised only now, since queueing the lost blobs had to be committed
            raise Conflict("the attempt's reference is gone")
        return winners

    def chunk_replace(self, chunk_id: ChunkId, old: BlobId, new: BlobId) -> BlobId | None:
        return self._database.change(references.replace_blob, chunk_id, old, new)

    def chunk_move(self, move: ChunkMove) -> None:
        self._database.change(moves.chunk_move, move)

    # --- sweeps
    def outbox_step(self, now_ms: int, grace_ms: int, limit: int) -> int:
        return self._database.change(sweeps.outbox_step, now_ms, grace_ms, limit)

    def intents_expire_step(self, now_ms: int, limit: int) -> int:
        return self._database.change(sweeps.intents_expire_step, now_ms, limit)

    def blobs_due(self, now_ms: int, limit: int) -> list[BlobId]:
        return self._database.read(sweeps.blobs_due, now_ms, limit)

    def blobs_removed(self, blob_ids: Sequence[BlobId]) -> None:
        self._database.change(sweeps.blobs_removed, blob_ids)

    def blobs_queue_orphans(self, claims: Sequence[BlobClaim], not_before_ms: int) -> int:
        return self._database.change(sweeps.blobs_queue_orphans, claims, not_before_ms)

    def references_scrub_step(
        self, after: tuple[ChunkId, RefId] | None, limit: int
    ) -> tuple[int, tuple[ChunkId, RefId] | None]:
        return self._database.change(sweeps.references_scrub_step, after, limit)

    def gc_counts(self) -> GcCounts:
        return self._database.read(sweeps.gc_counts)

    # --- consistency check
    def versions_walk(self, after: tuple[BucketId, bytes, int] | None, limit: int) -> list[Version]:
        return self._database.read(versions.walk, after, limit)

    def chunks_walk(self, after: ChunkId, limit: int) -> list[ReferencedBlob]:
        return self._database.read(sweeps.chunks_walk, after, limit)

    # --- durable queues, notes and leases of the background work
    def tasks_put(self, queue: str, tasks: Sequence[Task]) -> None:
        self._database.change(queues.put, queue, tasks)

    def tasks_due(self, queue: str, now_ms: int, limit: int) -> list[Task]:
        return self._database.read(queues.due, queue, now_ms, limit)

    def tasks_done(self, queue: str, task_ids: Sequence[bytes]) -> None:
        self._database.change(queues.done, queue, task_ids)

    def tasks_count(self, queue: str) -> int:
        return self._database.read(queues.count, queue)

    def note_get(self, name: str) -> bytes:
        return self._database.read(queues.note_get, name)

    def note_put(self, name: str, document: bytes | None) -> None:
        self._database.change(queues.note_put, name, document)

    def notes_scan(self, prefix: str, after: str, limit: int) -> list[tuple[str, bytes]]:
        return self._database.read(queues.notes_scan, prefix, after, limit)

    def lease_take(self, name: str, holder: str, now_ms: int, ttl_ms: int) -> bool:
        return self._database.change(queues.lease_take, name, holder, now_ms, ttl_ms)

    def close(self) -> None:
        self._database.close()


class SqliteStore(SqlStore):
    """On a migrated SQLite database, for as many processes of one machine as like. Built after the fork."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        path = os.fspath(path)
        super().__init__(SqliteDatabase(path), NamespaceCache(f"{path}.namespace"))
