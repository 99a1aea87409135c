"""What a bucket says of its STANDARD writes: the storage class whose profile they are kept under.

Knows the bucket's configuration and the classes of the cluster. Who may ask is the administrative face's to say. It
counts for what is written from then on; what lies already stays as it is.
"""

from collections.abc import Callable
from dataclasses import replace

from app.core.errors import Missing, S3Error
from app.core.layout.placement import Placement
from app.core.types import Bucket
from app.ports.metadata import MetadataStore
from app.services.content.profiles import CONFIGURATION


class BucketProfiles:
    """Errors: S3Error; StoreError from the store passes through."""

    def __init__(self, store: MetadataStore, placement: Callable[[], Placement]) -> None:
        self._store = store
        self._placement = placement

    def get(self, name: str) -> str:
        """The storage class, "" where the bucket says nothing. Raises NoSuchBucket."""
        return self._bucket(name).configs.get(CONFIGURATION, b"").decode("ascii", "replace")

    def put(self, name: str, storage_class: str) -> None:
        """Durable on return. Raises NoSuchBucket, InvalidStorageClass for a class the cluster has no profile for."""
        if storage_class not in self._placement().classes:
            raise S3Error("InvalidStorageClass", fields={"StorageClassRequested": storage_class})
        document = storage_class.encode("ascii")
        self._amend(name, lambda bucket: replace(bucket, configs={**bucket.configs, CONFIGURATION: document}))

    def delete(self, name: str) -> None:
        """STANDARD is itself again; no error when it was. Raises NoSuchBucket."""
        self._amend(name, _without)

    def _bucket(self, name: str) -> Bucket:
        try:
            return self._store.bucket_get(name)
        except Missing:
            raise S3Error("NoSuchBucket", fields={"BucketName": name}) from None

    def _amend(self, name: str, amend: Callable[[Bucket], Bucket]) -> None:
        try:
            self._store.bucket_amend(self._bucket(name).bucket_id, amend)
        except Missing:
            raise S3Error("NoSuchBucket", fields={"BucketName": name}) from None


def _without(bucket: Bucket) -> Bucket:
    return replace(bucket, configs={kind: each for kind, each in bucket.configs.items() if kind != CONFIGURATION})
