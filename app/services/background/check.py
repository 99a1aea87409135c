"""Reading everything and saying what is wrong: missing, corrupt, orphaned. Changes nothing.

Knows how to tell that an object is whole, every version of it: each chunk is readable and its bytes have the name it
bears; inline bytes have the size, and for a single PUT the MD5, of their version. Of encrypted contents it sees frames:
their length is known without the key, what they say is not. Delete markers hold nothing.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from app.core import limits
from app.core.checksums import hasher
from app.core.errors import Corrupt, Missing, Unavailable
from app.core.ids import id_time_ms
from app.core.layout.blob_ids import chunk_id_for, profile_of
from app.core.s3.version_ids import place_of
from app.core.sealing.frames import stored_size
from app.core.types import BlobId, BucketId, ChunkId, ContentPage, ReferencedBlob, RefId, Version
from app.ports.chunks import ChunkStore
from app.ports.metadata import MetadataStore
from app.services.call import Sources

_USAGE_LOOKS = 3  # at a bucket that is written to meanwhile


@dataclass(frozen=True, slots=True)
class Finding:
    """`kind`: missing, corrupt, orphaned or inconsistent. `what`: the object, chunk or blob. `why`: in words."""

    kind: str
    what: str
    why: str


@dataclass(slots=True)
class CheckReport:
    """`unreadable` counts objects that cannot be read back whole; orphans cost space and harm nothing."""

    objects: int = 0
    object_bytes: int = 0
    chunks: int = 0
    chunk_bytes: int = 0
    unreadable: int = 0
    orphaned: int = 0
    findings: list[Finding] = field(default_factory=list)
    findings_dropped: int = 0


def stored_bytes(size: int, sealed: bool) -> int:
    """What a content of `size` bytes of plaintext takes: encrypted, it is frames (core/sealing/frames)."""
    return stored_size(size) if sealed else size


class Check:
    """One walk over everything. `progress` is told a line now and then."""

    def __init__(
        self, store: MetadataStore, chunks: ChunkStore, sources: Sources, progress: Callable[[str], None]
    ) -> None:
        self._store = store
        self._chunks = chunks
        self._sources = sources
        self._progress = progress
        self._report = CheckReport()
        self._bad: dict[ChunkId, str] = {}
        self._blobs: set[BlobId] = set()

    def run(self) -> CheckReport:
        """Verify every live chunk once, then every version against them, then look for orphans."""
        after: ChunkId = b""
        while page := self._store.chunks_walk(after, limits.SWEEP_ROWS):
            for row in page:
                self._check_chunk(row)
            after = page[-1].chunk_id
        self._progress(f"{self._report.chunks} chunks read")
        self._check_versions()
        self._progress(f"{self._report.objects} objects checked")
        self._check_usage()
        self._find_orphans()
        return self._report

    def _found(self, kind: str, what: str, why: str) -> None:
        if len(self._report.findings) < limits.FINDINGS_MAX:
            self._report.findings.append(Finding(kind, what, why))
        else:
            self._report.findings_dropped += 1

    def _check_chunk(self, row: ReferencedBlob) -> None:
        self._report.chunks += 1
        self._report.chunk_bytes += row.length
        self._blobs.add(row.blob_id)
        try:
            problem = self._read_chunk(row)
        except Missing:
            problem = "missing"
        except Corrupt as error:
            problem = f"corrupt: {error}"
        except Unavailable as error:
            problem = f"unreachable: {error}"
        if problem:
            self._bad[row.chunk_id] = problem
            kind, _, why = problem.partition(": ")
            self._found(kind, f"chunk {row.chunk_id.hex()} (blob {row.blob_id.hex()})", why or "the blob is not there")

    def _read_chunk(self, row: ReferencedBlob) -> str:
        naming = hasher("BLAKE3")
        with self._chunks.open(row.blob_id, row.length) as reader:
            if reader.length != row.length:
                return f"corrupt: {reader.length} bytes instead of {row.length}"
            for start in range(0, row.length, limits.SLICE_BYTES):
                naming.update(reader.read(start, min(limits.SLICE_BYTES, row.length - start)))
        digest = naming.digest()
        named = row.chunk_id in (digest, chunk_id_for(profile_of(row.blob_id), digest))
        return "" if named else "corrupt: the bytes have another name"

    def _check_versions(self) -> None:
        after: tuple[bytes, bytes, int] | None = None
        while page := self._store.versions_walk(after, limits.SWEEP_ROWS):
            for version in page:
                self._check_version(version)
            last = page[-1]
            after = (last.bucket_id, last.key, last.seq)

    def _check_usage(self) -> None:
        """What buckets are said to hold is what they hold. On a live server a change may come between two looks."""
        after = ""
        while page := self._store.buckets_scan("", "", after, limits.SWEEP_ROWS):
            for bucket in page:
                looks = range(_USAGE_LOOKS)
                if not any(self._usage_fits(bucket.bucket_id) for _ in looks):
                    self._found("inconsistent", f"bucket {bucket.name}", "its usage is not the sum of its versions")
            after = page[-1].name

    def _usage_fits(self, bucket_id: BucketId) -> bool:
        return self._store.bucket_usage(bucket_id) == self._store.bucket_recount(bucket_id)

    def _check_version(self, version: Version) -> None:
        if version.delete_marker:
            return
        self._report.objects += 1
        self._report.object_bytes += version.size
        try:
            problem = self._version_problem(version)
        except Missing as error:
            problem = f"missing: its content is not there ({error})"
        if problem and not self._is_gone(version):
            self._report.unreadable += 1
            kind, _, why = problem.partition(": ")
            self._found(kind, f"object {version.key!r} in bucket {version.bucket_id.hex()}", why)

    def _is_gone(self, version: Version) -> bool:
        """On a live server a version may have been replaced, removed or appended to since its row was read."""
        try:
            now = self._store.version(version.bucket_id, version.key, place_of(version))
        except Missing:
            return True
        return (now.ref_id, now.size) != (version.ref_id, version.size)

    def _version_problem(self, version: Version) -> str:
        sealed = version.attributes.encryption is not None
        if version.part_count:
            size, problem = self._parts_problem(version, sealed)
            expected = version.size
        else:
            size, problem = self._content_problem(version.ref_id, "" if sealed else version.etag)
            expected = stored_bytes(version.size, sealed)
        return problem or ("" if size == expected else f"corrupt: its content has {size} bytes instead of {expected}")

    def _parts_problem(self, version: Version, sealed: bool) -> tuple[int, str]:
        """Bytes the version's parts make up. Parts beyond its count were appended since its row was read."""
        size = count = number = 0
        while page := self._store.parts_scan(version.ref_id, number, limits.LIST_KEYS_MAX):
            for part in page[: version.part_count - count]:
                stored, problem = self._content_problem(part.ref_id, "" if sealed else part.etag)
                if problem or stored != stored_bytes(part.size, sealed) or part.start != size:
                    return size, problem or f"corrupt: part {part.number} does not fit"
                size += part.size
            count += len(page)
            number = page[-1].number
        return size, ""

    def _content_problem(self, ref_id: RefId, etag: str) -> tuple[int, str]:
        """Bytes the content takes as it is stored, and what is wrong. `etag` "": nothing is known of an MD5."""
        size = index = 0
        while True:
            page: ContentPage = self._store.content_page(ref_id, index)
            if page.inline is not None:
                known = etag and "-" not in etag
                same = not known or hashlib.md5(page.inline, usedforsecurity=False).hexdigest() == etag
                return len(page.inline), "" if same else "corrupt: the inline bytes do not have their ETag"
            for entry in page.chunks:
                size += entry.length
                if entry.chunk_id in self._bad:
                    return size, f"{self._bad[entry.chunk_id].partition(': ')[0]}: chunk {entry.chunk_id.hex()}"
                if entry.blob_id not in self._blobs and not self._is_live(entry.chunk_id):
                    return size, f"missing: no live row for chunk {entry.chunk_id.hex()}"
            if not page.more:
                return size, ""
            index += 1

    def _is_live(self, chunk_id: ChunkId) -> bool:
        """A manifest may name a blob that was replaced: the chunk's row names the one that was read."""
        return chunk_id in self._store.chunks_live([chunk_id])

    def _arrived(self, chunk_id: ChunkId, blob_id: BlobId) -> bool:
        """The chunk may have come after the walk over chunks passed its name."""
        return self._store.chunks_live([chunk_id]).get(chunk_id) == blob_id

    def _find_orphans(self) -> None:
        newest_ms = self._sources.now_ms() - limits.ORPHAN_SECONDS_MIN * 1000
        for name in self._chunks.names():
            if name.blob_id in self._blobs or id_time_ms(name.ref_id) > newest_ms:
                continue
            if not self._arrived(name.chunk_id, name.blob_id):
                self._report.orphaned += 1
                self._found("orphaned", f"blob {name.blob_id.hex()}", "no chunk refers to it; garbage collection will")
