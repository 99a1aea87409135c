"""Values and a fresh store for the suites that drive a MetadataStore."""

import itertools
import os

from app.core.types import Attributes, Bucket, ChunkEntry, ChunkId, Content, Part, RefId, Upload, Version
from app.ports.metadata import Commit, MetadataStore, PartCommit

BUCKET = b"B" * 16
OWNER = "o" * 64
_ids = itertools.count(1)


def new_id() -> bytes:
    return next(_ids).to_bytes(6, "big") + os.urandom(10)


def bucket(name: str = "bucket", bucket_id: bytes = BUCKET, owner: str = OWNER) -> Bucket:
    return Bucket(bucket_id, name, owner, 1)


def chunk(name: str) -> ChunkId:
    return name.encode().ljust(32, b".")


def entry(name: str, length: int = 100) -> ChunkEntry:
    return ChunkEntry(chunk(name), new_id(), length)


def version(key: bytes, ref_id: RefId, size: int = 0, bucket_id: bytes = BUCKET) -> Version:
    return Version(bucket_id, key, bytes(16), 0, ref_id, size, "e" * 32, 5, OWNER, Attributes())


def marker(key: bytes, bucket_id: bytes = BUCKET) -> Version:
    """What a delete without a version hands in, for the bucket that wants a marker."""
    return Version(bucket_id, key, new_id(), 0, b"", 0, "", 6, OWNER, Attributes(), delete_marker=True)


def inline(key: bytes, data: bytes = b"data", bucket_id: bytes = BUCKET) -> Commit:
    ref_id = new_id()
    return Commit(version(key, ref_id, len(data), bucket_id), Content(ref_id, len(data), data))


def chunked(key: bytes, *entries: ChunkEntry, uploaded: bool = True) -> Commit:
    """An unpinned PUT of these chunks, all written by itself unless told otherwise."""
    ref_id = new_id()
    size = sum(one.length for one in entries)
    mine = frozenset(one.chunk_id for one in entries) if uploaded else frozenset()
    return Commit(version(key, ref_id, size), Content(ref_id, size, None, entries), None, mine)


def upload(key: bytes = b"key", bucket_id: bytes = BUCKET) -> Upload:
    return Upload(new_id(), bucket_id, key, OWNER, 3, Attributes(metadata={"a": "b"}))


def part(upload_id: RefId, number: int, *entries: ChunkEntry, data: bytes = b"part") -> PartCommit:
    ref_id = new_id()
    if not entries:
        content = Content(ref_id, len(data), data)
    else:
        content = Content(ref_id, sum(one.length for one in entries), None, entries)
    value = Part(upload_id, number, ref_id, content.size, f"{number:032x}", 4)
    return PartCommit(value, content, frozenset(one.chunk_id for one in entries))


def drain(store: MetadataStore, now_ms: int = 1_000, grace_ms: int = 10, limit: int = 256) -> int:
    """Run the outbox worker until nothing is left; how many steps that took."""
    steps = 0
    while store.outbox_step(now_ms, grace_ms, limit):
        steps += 1
        assert steps < 10_000
    return steps
