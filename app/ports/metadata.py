"""The promise of a metadata store: namespace, versions, contents, uploads, chunk references, queues, leases.

Knows which steps are one transaction and what is durable when. Must not know SQL, processes or files.

Rules for every implementation (tests/contract/test_metadata.py holds them to it):
- A method returns only after its change is durable (fsync); all changes of one method are one transaction.
- Reads see every change acknowledged before they began, by any process (strong read-after-write).
- A call blocks only its own greenlet. Methods raise StoreError subclasses only (and what `Commit.check` raises).
- Times are handed in; nothing here reads a clock.
- Every page is bounded by the `limit` handed in.
Protocol of references and GC: docs/design/write-order.md.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from app.core.types import (
    Attributes,
    BlobClaim,
    BlobId,
    Bucket,
    BucketId,
    ChunkEntry,
    ChunkId,
    Content,
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

Check = Callable[[Version | None], None]
"""Decides, inside the transaction, on a version (None = there is none). Pure; raises to refuse."""
Announce = Callable[[Version], Sequence[Task]]
"""Tasks to queue in the same transaction, of the version it made or removed. Pure."""
Amend = Callable[[Version], Attributes]
"""The attributes a stored version has from now on: tags, ACL or lock changed. Pure; raises to refuse."""
EVENTS = "events"  # the queue `Announce` fills


class Commit(NamedTuple):
    """Make `version` the key's current version.

    `version.version_id` is a fresh id. The bucket's versioning, as the transaction sees it, decides: Enabled keeps the
    id and stacks the version on the others; Off and Suspended make it the null version, which replaces (and releases)
    an earlier null version wherever that lies in the stack. `check` sees the key's current version (None also when that
    is a delete marker). `replaced_check` sees the null version about to be replaced, if any: object lock.
    `announce`: see Announce. `moved_from`: (key, check) of an object of the same bucket whose current version is
    deleted in the same transaction, as `delete_current` would, a marker with `version`'s id and time included.

    `content`: what the attempt wrote; None when the version is made of an upload's parts (`complete_upload`).
    `uploaded`: chunk ids of `content` whose blob this attempt wrote itself and has not published yet, durable already.
    `pinned`: the attempt opened an intent and pinned its chunks; committing closes the intent, and fails with Conflict
    if the janitor aborted it. An unpinned attempt commits its chunks here: those in `uploaded` are published, the
    others must still be live or Conflict is raised and nothing changes. So it is for a blob that the orphan sweep took.
    When somebody else's blob of the same chunk won, the stored content names the winner's blob.
    """

    version: Version
    content: Content
    check: Check | None = None
    uploaded: frozenset[ChunkId] = frozenset()
    pinned: bool = False
    replaced_check: Check | None = None
    announce: Announce | None = None
    moved_from: tuple[bytes, Check | None] | None = None


class PartCommit(NamedTuple):
    """Store a part, replacing (and releasing) the part of the same number. Other fields as in Commit."""

    part: Part
    content: Content
    uploaded: frozenset[ChunkId] = frozenset()
    pinned: bool = False


class ChunkMove(NamedTuple):
    """A content refers to the same bytes as another chunk: `old`, an entry of page `page` of `ref_id`, becomes `new`.

    `uploaded`: the blob of `new` was written for this move, durable already; else its chunk must still be live. The old
    chunk, where that was its last reference, leaves its blob to be removed at `not_before_ms`.
    """

    ref_id: RefId
    page: int
    old: ChunkEntry
    new: ChunkEntry
    uploaded: bool
    not_before_ms: int


class Completion(NamedTuple):
    """Turn an upload into `version` (its ref_id is the upload's id, its seq is set by the store).

    `parts`: the chosen parts in order, each with the `ref_id` and `etag` the caller saw and its final `start`. Parts of
    the upload that were not chosen are released in the same transaction, which also removes the upload row.
    """

    version: Version
    parts: Sequence[Part]
    check: Check | None = None
    replaced_check: Check | None = None
    announce: Announce | None = None


class Appending(NamedTuple):
    """Grow the key's current version in place (bucket without versioning) by one content.

    `part`: the new bytes (etag, size, checksum); number, upload id and start are set by the store. A version that is
    one content becomes one of parts, its content being the first. `grow` gives the version as it is from now on (size,
    etag, checksum, modified_ms; the store sets ref_id and part_count) from the one there is; it raises to refuse (wrong
    offset, lock). Readers of the version as it was go on undisturbed: bytes are only added. Other fields as in Commit.
    """

    bucket_id: BucketId
    key: bytes
    part: Part
    content: Content
    grow: Callable[[Version | None], Version]
    uploaded: frozenset[ChunkId] = frozenset()
    pinned: bool = False
    announce: Announce | None = None


class Deletion(NamedTuple):
    """What a delete without a version did: `removed` is gone for good, `marker` was put on top."""

    removed: Version | None = None
    marker: Version | None = None


class MetadataStore(Protocol):
    """See the module docstring for the rules every method obeys."""

    # --- buckets
    def bucket_create(self, bucket: Bucket) -> None:
        """Conflict when the name is taken (by anyone)."""

    def bucket_get(self, name: str) -> Bucket:
        """Missing when there is none."""

    def bucket_lately(self, name: str) -> Bucket:
        """The same, or as this process saw it within BUCKETS_REMEMBERED_SECONDS: for what decides nothing."""

    def bucket_amend(self, bucket_id: BucketId, amend: Callable[[Bucket], Bucket]) -> Bucket:
        """Read, change and write a bucket in one transaction: its versioning, object lock (never off again) and
        configs; the rest stays. Missing when the bucket is gone; whatever `amend` (pure) raises."""

    def configs_scan(self, bucket_id: BucketId, kind: str, after: str, limit: int) -> list[tuple[str, bytes]]:
        """Named configurations of one kind (analytics, metrics, inventory, intelligent-tiering) by name > `after`."""

    def config_get(self, bucket_id: BucketId, kind: str, name: str) -> bytes:
        """One named configuration. Missing when there is none."""

    def config_put(self, bucket_id: BucketId, kind: str, name: str, document: bytes, limit: int) -> None:
        """Conflict when the bucket has `limit` others of the kind already; Missing when the bucket is gone."""

    def config_delete(self, bucket_id: BucketId, kind: str, name: str) -> None:
        """Missing when there is none."""

    def bucket_delete(self, bucket_id: BucketId) -> None:
        """Conflict when any version or upload is left; Missing when there is no such bucket."""

    def buckets_scan(self, owner: str, prefix: str, after: str, limit: int) -> list[Bucket]:
        """Buckets of `owner` (canonical id; "" = everybody's) by name, names > `after`, starting with `prefix`."""

    def bucket_usage(self, bucket_id: BucketId) -> Usage:
        """What a bucket holds, exactly; nothing when there is no such bucket."""
        ...

    def owner_usage(self, owner: str) -> Usage:
        """What all buckets of an account (canonical id) hold together."""
        ...

    def bucket_recount(self, bucket_id: BucketId) -> Usage:
        """The same as `bucket_usage` by looking at every version, for checks: it takes as long as there are many."""
        ...

    # --- versions
    def current(self, bucket_id: BucketId, key: bytes) -> Version:
        """The key's current version. Missing when there is none."""

    def current_with_content(self, bucket_id: BucketId, key: bytes) -> tuple[Version, ContentPage | None]:
        """One read: the current version and page 0 of its content (None when it is made of parts)."""

    def currents_scan(
        self, bucket_id: BucketId, start: bytes, inclusive: bool, stop: bytes | None, limit: int
    ) -> list[Version]:
        """Current versions by key in binary order: key >= (or >) `start`, key < `stop` (None = to the end).
        `attributes` of the rows may be left empty but for storage_class."""

    def version(self, bucket_id: BucketId, key: bytes, place: VersionPlace) -> Version:
        """One version or delete marker; NULL_PLACE finds the null version. Missing when there is none."""

    def version_with_content(
        self, bucket_id: BucketId, key: bytes, place: VersionPlace
    ) -> tuple[Version, ContentPage | None]:
        """As `version`, with page 0 of its content (None: made of parts, or a delete marker)."""

    def newest(self, bucket_id: BucketId, key: bytes) -> Version:
        """The top of the key's stack, a delete marker included. Missing when the key has no version at all."""

    def versions_scan(
        self, bucket_id: BucketId, start: bytes, after_seq: int | None, stop: bytes | None, limit: int
    ) -> list[Version]:
        """Versions and delete markers by (key, newest first), attributes included: those of key `start` with
        seq < `after_seq` (None = all of it; 0 = none of it), then those of keys > `start`; keys < `stop`."""

    def version_amend(
        self,
        bucket_id: BucketId,
        key: bytes,
        place: VersionPlace | None,
        amend: Amend,
        announce: Announce | None = None,
    ) -> Version:
        """Change a version's tags, ACL, lock or storage class in one transaction (`place` None = the current one);
        returns it as it is now. Missing when there is none (`amend` is not asked); whatever `amend` raises. A delete
        marker is Missing."""

    def append(self, appending: Appending) -> Version:
        """See Appending. Conflict in a bucket with versioning, or when fenced; Missing when the bucket is gone."""

    def content_page(self, ref_id: RefId, page: int) -> ContentPage:
        """Missing when the content or page is not there (an overwrite released it: read the version again)."""

    def commit(self, commit: Commit) -> Version:
        """Publish a version; returns it with its `seq`. In a bucket without versioning it replaces the null version
        and the replaced content is released (queued) in the same transaction. Missing when the bucket is gone;
        Conflict when fenced (see Commit); whatever `check` raises."""

    def delete_current(
        self,
        bucket_id: BucketId,
        key: bytes,
        marker: Version,
        check: Check | None = None,
        replaced_check: Check | None = None,
        announce: Announce | None = None,
    ) -> Deletion:
        """Delete without naming a version, by the bucket's versioning as the transaction sees it. Off: the current
        version is removed and its content released. Enabled: `marker` (fresh version_id, delete_marker) goes on top,
        also where the key has no version. Suspended: the null version is removed, and `marker` goes on top as the null
        one. `check` sees the current version, `replaced_check` what is about to be removed for good. Missing when the
        bucket is gone."""

    def delete_version(
        self,
        bucket_id: BucketId,
        key: bytes,
        place: VersionPlace,
        check: Check | None = None,
        announce: Announce | None = None,
        noncurrent: bool = False,
    ) -> Version | None:
        """Remove one version or marker for good and release its content; the next newest, unless it is a marker,
        becomes current. None when there is none. `check` sees the version (or None). `noncurrent`: Conflict when it is
        the top of its stack. Missing when the bucket is gone. Bounded work however deep the stack is."""

    # --- multipart uploads
    def upload_create(self, upload: Upload) -> None:
        """Missing when the bucket is gone."""

    def upload_get(self, upload_id: RefId) -> Upload:
        """Missing when there is none (aborted, completed or never was)."""

    def uploads_scan(
        self, bucket_id: BucketId, start: bytes, after_upload: RefId, stop: bytes | None, limit: int
    ) -> list[Upload]:
        """Uploads by (key, upload id): those with key > `start`, or key == `start` and upload id > `after_upload`;
        key < `stop`. `after_upload` of b"" includes every upload of `start` itself."""

    def part_commit(self, commit: PartCommit) -> None:
        """Missing when the upload is gone; Conflict when fenced."""

    def parts_scan(self, upload_id: RefId, after_number: int, limit: int) -> list[Part]:
        """Parts by number, number > `after_number`; of an upload in progress or of a completed version (its ref_id)."""

    def part_at(self, upload_id: RefId, offset: int) -> Part:
        """The part of a completed version that holds byte `offset`. Missing when none does."""

    def complete_upload(self, completion: Completion) -> Version:
        """Conflict when a chosen part changed or is gone; Missing when the upload is gone; whatever `check` raises."""

    def upload_abort(self, upload_id: RefId) -> None:
        """Remove an upload in progress with all its parts, released. Missing when it is gone or was completed."""

    # --- attempts and chunk references (P0..P3 of the protocol)
    def chunks_live(self, chunk_ids: Sequence[ChunkId]) -> dict[ChunkId, BlobId]:
        """A hint without a lock: which of these are live now, and in which blob."""

    def intent_open(self, ref_id: RefId, expires_ms: int) -> None:
        """P0."""

    def intent_abort(self, ref_id: RefId) -> None:
        """Give a pinned attempt up: its references are released. Does nothing when it is no longer open."""

    def pin(self, ref_id: RefId, chunk_ids: Sequence[ChunkId]) -> dict[ChunkId, BlobId]:
        """P1: reference each chunk; returns the live ones (hits, no upload needed)."""

    def publish(self, ref_id: RefId, blobs: Sequence[tuple[ChunkId, BlobId, int]]) -> dict[ChunkId, BlobId]:
        """P3, blobs (with plaintext length) durable already: returns the blob that holds each chunk from now on. Own
        blobs that lost are queued for removal. Conflict when the attempt's reference is gone (blob queued too)."""

    def chunk_replace(self, chunk_id: ChunkId, old: BlobId, new: BlobId) -> BlobId | None:
        """A live chunk lies in `new`, durable already, instead of `old`, which is queued; manifests go on naming `old`.
        Returns the blob that holds the chunk: another when it was replaced before (`new` is queued), None when it is
        not live any more. Conflict when `new` was taken for an orphan."""

    def chunk_move(self, move: ChunkMove) -> None:
        """References, entries and release in one transaction. Missing when the content is gone; Conflict when it no
        longer names `old`, or as from an unpinned commit; then nothing changed."""

    # --- sweeps: each call is one bounded step; running one twice, or two at once, is harmless
    def outbox_step(self, now_ms: int, grace_ms: int, limit: int) -> int:
        """Release up to `limit` chunk references of released contents; a chunk that lost its last one loses its row
        and its blob is queued until now + grace, in the same transaction. Returns references and contents handled;
        0 = nothing left."""

    def intents_expire_step(self, now_ms: int, limit: int) -> int:
        """Abort open intents past their time. Returns how many."""

    def blobs_due(self, now_ms: int, limit: int) -> list[BlobId]:
        """Queued blobs whose grace is over."""

    def blobs_removed(self, blob_ids: Sequence[BlobId]) -> None:
        """Forget queued blobs after they are gone from the device."""

    def blobs_queue_orphans(self, claims: Sequence[BlobClaim], not_before_ms: int) -> int:
        """Of these blobs, queue those in no chunk row, not queued yet and whose writer holds no reference to the chunk;
        decided under the chunk row's lock. The caller offers only blobs older than ORPHAN_SECONDS_MIN."""

    def references_scrub_step(
        self, after: tuple[ChunkId, RefId] | None, limit: int
    ) -> tuple[int, tuple[ChunkId, RefId] | None]:
        """Drop chunk references whose attempt is dead (no open intent, no content, no outbox row). Returns how many
        were dropped and where to go on (None = the end)."""

    def gc_counts(self) -> GcCounts: ...

    # --- consistency check: walks, bounded pages
    def versions_walk(self, after: tuple[BucketId, bytes, int] | None, limit: int) -> list[Version]:
        """Every version of every bucket by (bucket id, key, newest first); `after` is (bucket id, key, seq)."""

    def chunks_walk(self, after: ChunkId, limit: int) -> list[ReferencedBlob]:
        """Every live chunk row by chunk id, ids > `after`."""

    # --- durable queues and notes of the background work
    def tasks_put(self, queue: str, tasks: Sequence[Task]) -> None:
        """Queue; a task of an id that waits already replaces it (so: retry later)."""

    def tasks_due(self, queue: str, now_ms: int, limit: int) -> list[Task]:
        """Longest waiting first; they stay queued until `tasks_done`."""

    def tasks_done(self, queue: str, task_ids: Sequence[bytes]) -> None: ...

    def tasks_count(self, queue: str) -> int: ...

    def note_get(self, name: str) -> bytes:
        """What a sweep remembers of itself between runs (cursor, status). Missing."""

    def note_put(self, name: str, document: bytes | None) -> None:
        """None forgets it."""

    def notes_scan(self, prefix: str, after: str, limit: int) -> list[tuple[str, bytes]]:
        """By name, names > `after` that start with `prefix`."""

    # --- leases: one sweeper at a time
    def lease_take(self, name: str, holder: str, now_ms: int, ttl_ms: int) -> bool:
        """True when `holder` has the lease `name` until now + ttl (renewal included)."""

    def close(self) -> None:
        """Finish queued work, release everything. Later calls raise Unavailable."""
