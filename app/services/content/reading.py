"""Reading a version back: which contents, which chunks, which bytes of each; verified, one piece ahead.

Knows how parts, contents and chunks add up to a version. Must not know wires, conditions or SQL. The first piece is in
hand before anything is answered, so a lost chunk is an error and never a torn answer.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import chain, islice
from typing import NamedTuple

import gevent

from app.core import limits
from app.core.errors import Corrupt, Missing, Unavailable
from app.core.sealing.frames import DataKey
from app.core.types import ChunkEntry, ContentPage, Part, Piece, RefId, Version
from app.ports.chunks import ChunkReader, ChunkStore
from app.ports.metadata import MetadataStore
from app.services.call import Sources
from app.services.content.chunks import Chunks
from app.services.content.opening import SEALED_PIECE_BYTES, Opening


class Slice(NamedTuple):
    """Bytes [start, start + length) of one chunk. `opening`: what they become, when they are frames."""

    entry: ChunkEntry
    start: int
    length: int
    opening: Opening | None = None


class Inline(NamedTuple):
    """Bytes the metadata store holds itself. `opening`: as in Slice."""

    data: bytes
    opening: Opening | None = None


Stored = Slice | Inline


class _Whole(NamedTuple):
    """A content: its name, its bytes of plaintext, and the key its frames need."""

    ref_id: RefId
    size: int
    data_key: DataKey | None


class Pieces:
    """The pieces of a span of a version, in order. Iterate once; `close` releases the chunk in hand (also midway).

    A piece is valid until the next is asked for. Raises Missing, Corrupt or Unavailable where a chunk cannot be read.
    `chunks`: how many they lie in, counted as far as was looked ahead (MANIFEST_PAGE_ENTRIES).
    """

    def __init__(self, pieces: Iterator[Piece], ended: Callable[[], object] = bool, chunks: int = 0) -> None:
        self.chunks = chunks
        self._pieces = pieces
        self._ended = ended
        self._first: Piece | None = next(pieces, None)

    def __iter__(self) -> Iterator[Piece]:
        if self._first is not None:
            first, self._first = self._first, None
            yield first
            yield from self._pieces

    def close(self) -> None:
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()
        self._ended()


class Reading:
    """Reads spans of versions. One per worker process.

    A long read opens its chunks one after the other, so the lease on the chunk in hand does not protect the rest when
    the version is replaced meanwhile. `oldest_ms` does: garbage collection keeps every blob released after it. Parts
    and manifests have no grace, so where the first MANIFEST_PAGE_ENTRIES chunks lie is read before the first byte goes
    (0.5 MiB of memory at most); a read of more than those may end early when its version is replaced.
    """

    def __init__(self, store: MetadataStore, chunks: ChunkStore, sources: Sources) -> None:
        self._store = store
        self._chunks = Chunks(store, chunks)
        self._sources = sources
        self._under_way: dict[int, int] = {}  # read -> when it began; insertion order is time order
        self._reads = 0

    def oldest_ms(self) -> int | None:
        """When the oldest read still under way here began; None when there is none."""
        return next(iter(self._under_way.values()), None)

    def _begin(self) -> int:
        self._reads += 1
        self._under_way[self._reads] = self._sources.now_ms()
        return self._reads

    def pieces(self, version: Version, page: ContentPage | None, start: int, length: int, spans: bool = True) -> Pieces:
        """Bytes [start, start + length) of `version`; `page` is page 0 of its content when the caller has it already.

        `spans` False gives bytes only. Missing here means that the version was replaced and released meanwhile: look
        it up again. An encrypted version is read by `sealed_pieces`; asked of here it is a mistake, never ciphertext.
        """
        if version.attributes.encryption is not None:
            raise TypeError("an encrypted version is read with its data key")
        if page is not None and page.inline is not None:
            return Pieces(iter((memoryview(page.inline)[start : start + length],) if length else ()))
        return self._pieces(self._slices(version, page, start, start + length), spans)

    def sealed_pieces(
        self, version: Version, page: ContentPage | None, start: int, length: int, data_key: DataKey
    ) -> Pieces:
        """The same of an encrypted version: plaintext, always as bytes; only the frames touched are read.

        Raises Corrupt, also while iterating, where a frame does not open.
        """
        return self._pieces(self._slices(version, page, start, start + length, data_key), spans=False)

    def _pieces(self, slices: Iterator[Stored], spans: bool) -> Pieces:
        read = self._begin()
        try:
            ahead = list(islice(slices, limits.MANIFEST_PAGE_ENTRIES))
            chunks = sum(type(one) is Slice for one in ahead)
            return Pieces(self._ahead(chain(ahead, slices), spans), lambda: self._under_way.pop(read, None), chunks)
        except BaseException:
            del self._under_way[read]
            raise

    def contents(self, version: Version) -> Iterator[ChunkEntry | bytes]:
        """All that a version is made of, in order: whole chunks, and the bytes of inline parts. Never of an encrypted
        version, whose bytes mean nothing under another reference."""
        if version.attributes.encryption is not None:
            raise TypeError("the contents of an encrypted version cannot be referred to again")
        for each in self._slices(version, None, 0, version.size):
            yield each.data if isinstance(each, Inline) else each.entry

    def _slices(
        self, version: Version, page: ContentPage | None, start: int, end: int, data_key: DataKey | None = None
    ) -> Iterator[Stored]:
        if start >= end:
            return
        if not version.part_count:
            whole = _Whole(version.ref_id, version.size, data_key)
            yield from self._content_slices(whole, page, start, end)
            return
        for part in self._parts(version.ref_id, start, end):
            low, high = max(start, part.start), min(end, part.start + part.size)
            if low < high:
                whole = _Whole(part.ref_id, part.size, data_key)
                yield from self._content_slices(whole, None, low - part.start, high - part.start)

    def _parts(self, upload_id: RefId, start: int, end: int) -> Iterator[Part]:
        part = self._store.part_at(upload_id, start)
        yield part
        while part.start + part.size < end:
            page = self._store.parts_scan(upload_id, part.number, limits.LIST_KEYS_MAX)
            if not page:
                raise Missing("the parts were released meanwhile")
            for part in page:
                if part.start >= end:
                    return
                yield part

    def _content_slices(self, whole: "_Whole", page: ContentPage | None, start: int, end: int) -> Iterator[Stored]:
        opening = None
        if whole.data_key is not None:
            opening = Opening(whole.data_key, whole.ref_id, whole.size, start, end)
            start, end = opening.stored
        page = page or self._store.content_page(whole.ref_id, 0)
        while True:
            if page.inline is not None:
                data = page.inline[start:end]
                if len(data) != end - start:
                    raise Corrupt("an inline content is shorter than it should be")
                yield Inline(data, opening)
                return
            offset = page.start
            for entry in page.chunks:
                low, high = max(start, offset), min(end, offset + entry.length)
                if low < high:
                    yield Slice(entry, low - offset, high - low, opening)
                offset += entry.length
            if offset >= end:
                return
            if not page.more:
                raise Corrupt("a manifest ends before its content does")
            page = self._store.content_page(whole.ref_id, page.page + 1)

    def _ahead(self, slices: Iterator[Stored], spans: bool) -> Iterator[Piece]:
        """Open and verify the next slice while the one before is being sent."""
        upcoming = next(slices, None)
        opening: gevent.Greenlet[..., _Opened] | None = None
        try:
            while upcoming is not None:
                current = upcoming
                if isinstance(current, Inline):
                    yield current.data if current.opening is None else current.opening.open(current.data)
                    upcoming = next(slices, None)
                    continue
                opened = opening.get() if opening is not None else self._open(current, spans)
                opening = None
                with opened.held:
                    upcoming = next(slices, None)
                    if isinstance(upcoming, Slice):
                        opening = gevent.spawn(self._open, upcoming, spans)
                    yield from opened.pieces()
        finally:
            if opening is not None:
                _release(opening)

    def _open(self, wanted: Slice, spans: bool) -> "_Opened":
        try:
            reader = self._chunks.open(wanted.entry)
            with ExitStack() as held:
                held.callback(reader.close)
                opened = _Opened(reader, wanted, held)
                opened.prepare(spans)
                opened.held = held.pop_all()
        except Missing:
            raise Unavailable(f"chunk {wanted.entry.chunk_id.hex()} is not there") from None
        return opened


class _Opened:
    """A chunk's slice, verified as a file span where the store can, else read in bounded pieces; frames opened."""

    __slots__ = ("_first", "_reader", "_step", "_wanted", "held")

    def __init__(self, reader: ChunkReader, wanted: Slice, held: ExitStack) -> None:
        self._reader = reader
        self._wanted = wanted
        self._step = limits.SLICE_BYTES if wanted.opening is None else SEALED_PIECE_BYTES
        self._first: Piece | None = None
        self.held = held

    def prepare(self, spans: bool) -> None:
        wanted = self._wanted
        if spans and wanted.length > limits.BLOCK_BYTES:
            self._first = self._reader.span(wanted.start, wanted.length)
        if self._first is None:
            self._first = self._reader.read(wanted.start, min(wanted.length, self._step))

    def pieces(self) -> Iterable[Piece]:
        opening = self._wanted.opening
        return self._stored() if opening is None else map(opening.open, self._stored())

    def _stored(self) -> Iterator[Piece]:
        if self._first is None:
            return
        first, self._first = self._first, None
        done = first.length if not isinstance(first, bytes | memoryview) else len(first)
        yield first
        length = self._wanted.length
        while done < length:
            size = min(length - done, self._step)
            yield self._reader.read(self._wanted.start + done, size)
            done += size


def _release(opening: "gevent.Greenlet[..., _Opened]") -> None:
    opening.join()
    if opening.successful():
        opening.value.held.close()
