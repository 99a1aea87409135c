"""The listing use cases: pages of a bucket's objects, of their versions and of its uploads, folded by delimiter.

Knows which rows a listing is made of; the fold and the skip-scan are core/s3/listing's. Must not know wires or SQL.
"""

from typing import NamedTuple

from app.core.errors import Missing
from app.core.s3.listing import Page, Query, list_page
from app.core.s3.version_ids import parse_version
from app.core.types import NULL_PLACE, BucketId, RefId, Upload, Version
from app.ports.metadata import MetadataStore
from app.services.call import Call
from app.services.gate.guard import Guard


class VersionPage(NamedTuple):
    """A page of versions; `latest` says of each item whether it is its key's newest."""

    page: Page[Version]
    latest: list[bool]


class Listing:
    """Use cases on many objects at once. Errors: S3Error; StoreError from the store passes through."""

    def __init__(self, store: MetadataStore, guard: Guard) -> None:
        self._store = store
        self._guard = guard

    def objects(self, call: Call, bucket: str, expected_owner: str, query: Query) -> Page[Version]:
        """Current versions by key in binary order; `attributes` of the rows may be empty but for storage_class."""
        bucket_id = self._bucket_id(call, bucket, expected_owner, "s3:ListBucket")

        def scan(start: bytes, inclusive: bool, stop: bytes | None, limit: int) -> list[Version]:
            return self._store.currents_scan(bucket_id, start, inclusive, stop, limit)

        with call.stages.timed("list"):
            return list_page(scan, query)

    def versions(
        self, call: Call, bucket: str, expected_owner: str, query: Query, after_version: str = ""
    ) -> VersionPage:
        """Versions and delete markers by key, the newest of a key first. `after_version` goes on inside the key
        `query.after`, behind that version (its text, be it there or not); without it the page begins after that key."""
        bucket_id = self._bucket_id(call, bucket, expected_owner, "s3:ListBucketVersions")
        scan = _VersionScan(self._store, bucket_id)
        newest_seq = None
        if after_version:
            scan.resume(query.after, self._seq_of(bucket_id, query.after, after_version))
            newest_seq = self._newest_seq(bucket_id, query.after)
        with call.stages.timed("list"):
            page = list_page(scan.rows, query)
        return VersionPage(page, _latest(page.items, query.after if after_version else None, newest_seq))

    def _seq_of(self, bucket_id: BucketId, key: bytes, text: str) -> int:
        """The null version's id does not tell its place: it is looked up, and when it is gone, so is the key's rest."""
        place = parse_version(text)
        if place != NULL_PLACE:
            return place.seq
        try:
            return self._store.version(bucket_id, key, place).seq
        except Missing:
            return 0

    def _newest_seq(self, bucket_id: BucketId, key: bytes) -> int | None:
        try:
            return self._store.newest(bucket_id, key).seq
        except Missing:
            return None

    def _bucket_id(self, call: Call, bucket: str, expected_owner: str, action: str) -> BucketId:
        return self._guard.admit(call, bucket, action, expected_owner=expected_owner).bucket.bucket_id

    def uploads(
        self, call: Call, bucket: str, expected_owner: str, query: Query, after_upload: RefId | None = None
    ) -> Page[Upload]:
        """Uploads in progress by (key, upload id). `after_upload` goes on inside the key `query.after`; without it the
        page begins after that key."""
        scan = _UploadScan(self._store, self._bucket_id(call, bucket, expected_owner, "s3:ListBucketMultipartUploads"))
        if after_upload is not None:
            scan.resume(query.after, after_upload)
        return list_page(scan.rows, query)


def _latest(items: list[Version], resumed: bytes | None, newest_seq: int | None) -> list[bool]:
    """Which of a page's versions are their key's newest: the first of each key, but for the key the page resumed in."""
    latest, previous = [], None
    for version in items:
        if version.key == resumed:
            latest.append(version.seq == newest_seq)
        else:
            latest.append(version.key != previous)
        previous = version.key
    return latest


class _VersionScan:
    """A key has many versions: the scan goes on by (key, seq), which the fold knows nothing of."""

    def __init__(self, store: MetadataStore, bucket_id: BucketId) -> None:
        self._store = store
        self._bucket_id = bucket_id
        self._position: tuple[bytes, int] = (b"", 0)

    def resume(self, key: bytes, seq: int) -> None:
        self._position = (key, seq)

    def rows(self, start: bytes, inclusive: bool, stop: bytes | None, limit: int) -> list[Version]:
        key, seq = self._position
        # An inclusive start is one the fold sought: it may be the very key the last batch happened to end in.
        after_seq = None if inclusive else seq if start == key else 0
        found = self._store.versions_scan(self._bucket_id, start, after_seq, stop, limit)
        if found:
            self._position = (found[-1].key, found[-1].seq)
        return found


class _UploadScan:
    """Several uploads may share a key: the scan goes on by (key, upload id), which the fold knows nothing of."""

    def __init__(self, store: MetadataStore, bucket_id: BucketId) -> None:
        self._store = store
        self._bucket_id = bucket_id
        self._position: tuple[bytes, RefId] = (b"", b"")

    def resume(self, key: bytes, upload_id: RefId) -> None:
        self._position = (key, upload_id)

    def rows(self, start: bytes, inclusive: bool, stop: bytes | None, limit: int) -> list[Upload]:
        key, upload_id = self._position
        if inclusive or start != key:
            upload_id = b"" if inclusive else b"\xff" * 17
        found = self._store.uploads_scan(self._bucket_id, start, upload_id, stop, limit)
        if found:
            self._position = (found[-1].key, found[-1].upload_id)
        return found
