"""Buckets as operators and accounts see them: whose they are, what they hold and what they may.

Knows the counts and the limits. Must not know wires.
"""

from typing import NamedTuple

from app.core.cluster import Limits
from app.core.cluster.limits import BUCKET, Scope
from app.core.errors import Missing, S3Error
from app.core.types import Bucket, Usage
from app.ports.cluster import Cluster
from app.ports.metadata import MetadataStore


class BucketSeen(NamedTuple):
    """`owner`: the account's name, or its canonical id when it is gone."""

    bucket: Bucket
    owner: str
    usage: Usage
    limits: Limits


class Overview:
    """StoreError from the store passes through."""

    def __init__(self, store: MetadataStore, cluster: Cluster) -> None:
        self._store = store
        self._cluster = cluster

    def page(self, account: str, prefix: str, after: str, limit: int) -> list[BucketSeen]:
        """Buckets by name, names > `after`, of an account by its name; "" is everybody."""
        owner = self._cluster.state().accounts[account].canonical_id if account else ""
        return [self._seen(bucket) for bucket in self._store.buckets_scan(owner, prefix, after, limit)]

    def bucket(self, account: str, name: str) -> BucketSeen:
        """One of an account's, or with "" of anybody's. Raises NoSuchBucket, also for another account's."""
        try:
            bucket = self._store.bucket_get(name)
        except Missing:
            raise S3Error("NoSuchBucket", fields={"BucketName": name}) from None
        if account and bucket.owner != self._cluster.state().accounts[account].canonical_id:
            raise S3Error("NoSuchBucket", fields={"BucketName": name})
        return self._seen(bucket)

    def _seen(self, bucket: Bucket) -> BucketSeen:
        state = self._cluster.state()
        owner = state.by_canonical_id.get(bucket.owner, bucket.owner)
        limits = state.limits_of(Scope(BUCKET, bucket.name))
        return BucketSeen(bucket, owner, self._store.bucket_usage(bucket.bucket_id), limits)
