"""The listing use cases: pages of a bucket's objects and of its uploads, folded by delimiter.

Knows which rows a listing is made of; the fold and the skip-scan are core/s3/listing's. Must not know wires or SQL.
"""

from app.core.s3.listing import Page, Query, list_page
from app.core.types import BucketId, RefId, Upload, Version
from app.ports.metadata import MetadataStore
from app.services.buckets import Buckets
from app.services.call import Call


class Listing:
    """Use cases on many objects at once. Errors: S3Error; StoreError from the store passes through."""

    def __init__(self, store: MetadataStore, buckets: Buckets) -> None:
        self._store = store
        self._buckets = buckets

    def objects(self, call: Call, bucket: str, expected_owner: str, query: Query) -> Page[Version]:
        """Current versions by key in binary order; `attributes` of the rows may be empty but for storage_class."""
        bucket_id = self._buckets.find(call, bucket, expected_owner).bucket_id

        def scan(start: bytes, inclusive: bool, stop: bytes | None, limit: int) -> list[Version]:
            return self._store.currents_scan(bucket_id, start, inclusive, stop, limit)

        with call.stages.timed("list"):
            return list_page(scan, query)

    def uploads(
        self, call: Call, bucket: str, expected_owner: str, query: Query, after_upload: RefId | None = None
    ) -> Page[Upload]:
        """Uploads in progress by (key, upload id). `after_upload` goes on inside the key `query.after`; without it the
        page begins after that key."""
        scan = _UploadScan(self._store, self._buckets.find(call, bucket, expected_owner).bucket_id)
        if after_upload is not None:
            scan.resume(query.after, after_upload)
        return list_page(scan.rows, query)


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
        if start != key:
            upload_id = b"" if inclusive else b"\xff" * 17
        found = self._store.uploads_scan(self._bucket_id, start, upload_id, stop, limit)
        if found:
            self._position = (found[-1].key, found[-1].upload_id)
        return found
