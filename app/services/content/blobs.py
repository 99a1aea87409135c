"""Taking a body in: cut into chunks, named, deduplicated, durable; ready to be committed in one transaction.

Knows the reference protocol's order (docs/design/write-order.md): chunks are durable before anything refers to them.
Must not know objects, keys or wires.

Two ways, by size. A body of one chunk stays *unpinned*: its blob is durable before the commit, which publishes chunk,
reference and version in one transaction; if the commit never comes, the blob is removed here, or found by the orphan
scrub after a crash. A body of several chunks is *pinned*: an intent protects every chunk from the first one on.

Memory: at most two chunk buffers (2 x CHUNK_BYTES_MAX) a body, from the process-wide budget; small bodies take none.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import TypeVar

import gevent

from app.core import limits
from app.core.body import Body
from app.core.checksums import hasher
from app.core.errors import Conflict, Full, Missing, S3Error, StoreError
from app.core.ids import id_time_ms
from app.core.layout.blob_ids import blob_id_for, chunk_id_for
from app.core.sealing.frames import DataKey
from app.core.types import BlobId, ChunkEntry, ChunkId, Content, RefId
from app.ports.chunks import BlobName, ChunkStore
from app.ports.metadata import MetadataStore
from app.runtime.buffers import BufferPool
from app.runtime.offload import Offload
from app.services.call import Call, Sources
from app.services.content.chunks import Chunks
from app.services.content.digesting import CHUNK_NAME, Digesting
from app.services.content.profiles import HERE, Keeping
from app.services.content.receiving import Receiver, receiver_of

T = TypeVar("T")
Publish = Callable[[Content, frozenset[ChunkId], bool], T]
"""Commits a content: (content, chunk ids uploaded and not yet published, pinned) -> result."""


class Intake:
    """One body, taken in whole. `digests` by algorithm; commit it or leave the context and it is given up.

    `size`: bytes of the body, which is what a version or part says of itself; `stored_size` is the content's.
    `profile`: the one its chunks are kept under.
    """

    def __init__(self, blobs: "Blobs", call: Call, ref_id: RefId, size: int, profile: int) -> None:
        self.ref_id = ref_id
        self.size = size
        self.stored_size = size
        self._profile = profile
        self.digests: dict[str, bytes] = {}
        self._blobs = blobs
        self._call = call
        self._begun = monotonic()
        self._inline: bytes | None = None
        self._entries: list[ChunkEntry] = []
        self._uploaded: dict[ChunkId, BlobId] = {}
        self._pinned = False
        self._adopted = False
        self._view: memoryview | None = None  # the only chunk's bytes, kept while the commit may still want them

    def commit(self, publish: Publish[T]) -> T:
        """Run `publish` with what was taken in; afterwards the content belongs to the store.

        An unpinned content whose deduplicated chunk lost its last reference meanwhile is uploaded and tried once more.
        Raises SlowDown when the attempt grew too old to be safe or lost its references to the janitor; an adopted
        content raises Conflict then, for the caller to look its source up again.
        """
        if not self._pinned and self._age_s() > limits.ATTEMPT_SECONDS_MAX:
            raise S3Error("SlowDown", reason="the attempt is older than an unpinned one may be")
        begun = monotonic()
        try:
            try:
                result = self._publish(publish)
            except Conflict:
                if self._pinned or self._view is None or self._uploaded:
                    raise
                self._upload_after_all(self._view)
                result = self._publish(publish)
        except Conflict as conflict:
            if self._adopted:
                raise
            raise S3Error("SlowDown", reason=f"the attempt was fenced off: {conflict}") from None
        self._pinned = False
        self._call.stages.add("commit", monotonic() - begun)
        return result

    def _age_s(self) -> float:
        """By whichever clock saw more time go: one may jump, and the other stands still while a machine is suspended
        and the sweeps of other gateways go on."""
        by_date_ms = self._blobs.sources.now_ms() - id_time_ms(self.ref_id)
        return max(monotonic() - self._begun, by_date_ms / 1000)

    def _publish(self, publish: Publish[T]) -> T:
        """Run `publish` once. The blobs stay this attempt's, to be taken back, only if the store said no to them.

        After any other failure (the request was killed, the log's fsync failed) the commit may yet turn out to have
        happened, and then they are the object's, and those of every object that shares their chunks since.
        """
        uploaded, self._uploaded = self._uploaded, {}
        try:
            return publish(self._content(), frozenset(uploaded), self._pinned)
        except (S3Error, Conflict, Missing, Full):
            self._uploaded = uploaded
            raise

    def _content(self) -> Content:
        return Content(self.ref_id, self.stored_size, self._inline, tuple(self._entries))

    def adopt(self, contents: Sequence[ChunkEntry | bytes]) -> None:
        """Make the content of what the store holds already. Raises Conflict when a chunk is no longer live."""
        self._adopted = True
        entries = [each for each in contents if isinstance(each, ChunkEntry)]
        if len(contents) == 1 and not entries:
            self._inline = b"".join(each for each in contents if isinstance(each, bytes))
        elif not contents:
            self._inline = b""
        elif len(entries) == len(contents) <= limits.SWEEP_ROWS:
            self._entries = entries
        else:
            self._adopt_pinned(contents, entries)

    def _adopt_pinned(self, contents: Sequence[ChunkEntry | bytes], entries: Sequence[ChunkEntry]) -> None:
        store = self._blobs.store
        store.intent_open(self.ref_id, self._call.now_ms + limits.INTENT_SECONDS * 1000)
        self._pinned = True
        for start in range(0, len(entries), limits.SWEEP_ROWS):
            names = [entry.chunk_id for entry in entries[start : start + limits.SWEEP_ROWS]]
            if len(store.pin(self.ref_id, names)) != len(set(names)):
                raise Conflict("a chunk of the source is no longer live")
        for each in contents:
            if isinstance(each, ChunkEntry):
                self._entries.append(each)
            elif each:
                naming = hasher(CHUNK_NAME)
                naming.update(each)
                name = chunk_id_for(self._profile, naming.digest())
                self._entries.append(self._store_pinned(name, memoryview(each)))

    def take_inline(self, body: Body, digesting: Digesting, receiver: Receiver) -> None:
        self._inline = receiver.inline(body, digesting)

    def take_one_chunk(self, body: Body, digesting: Digesting, receiver: Receiver, view: memoryview) -> None:
        """`view`: the chunk's place."""
        receiver.receive(body, digesting, view, self._call)
        self._view = view
        chunk_id = chunk_id_for(self._profile, digesting.chunk_id())
        blob_id = self._held(chunk_id, view, self._blobs.store.chunks_live([chunk_id]).get(chunk_id))
        if blob_id is None:
            blob_id = self._put(chunk_id, view)
            self._uploaded[chunk_id] = blob_id
        self._entries.append(ChunkEntry(chunk_id, blob_id, len(view)))

    def take_chunks(self, body: Body, digesting: Digesting, receiver: Receiver, chunks: Iterable[memoryview]) -> None:
        """`chunks`: each one's place, in two buffers by turns. While one chunk is stored the next is received."""
        store = self._blobs.store
        store.intent_open(self.ref_id, self._call.now_ms + limits.INTENT_SECONDS * 1000)
        self._pinned = True
        storing: gevent.Greenlet[..., ChunkEntry] | None = None
        try:
            for chunk in chunks:
                receiver.receive(body, digesting, chunk, self._call)
                chunk_id = chunk_id_for(self._profile, digesting.chunk_id())
                if storing is not None:
                    self._entries.append(storing.get())
                storing = gevent.spawn(self._store_pinned, chunk_id, chunk)
            if storing is not None:
                self._entries.append(storing.get())
        finally:
            if storing is not None:
                _outlast(storing)  # it reads the buffer, which goes back to the pool after this

    def _store_pinned(self, chunk_id: ChunkId, view: memoryview) -> ChunkEntry:
        store = self._blobs.store
        blob_id = self._held(chunk_id, view, store.pin(self.ref_id, [chunk_id]).get(chunk_id))
        if blob_id is None:
            own = self._put(chunk_id, view)
            blob_id = store.publish(self.ref_id, [(chunk_id, own, len(view))])[chunk_id]
        return ChunkEntry(chunk_id, blob_id, len(view))

    def _held(self, chunk_id: ChunkId, view: memoryview, blob_id: BlobId | None) -> BlobId | None:
        """The blob that holds a chunk which is live already; None when there is none: upload it.

        Nothing is acknowledged on the strength of bytes nobody has looked at: a blob that cannot be read back whole is
        replaced by one of these bytes, for everybody who refers to the chunk.
        """
        if blob_id is None or self._blobs.present.whole(blob_id, len(view)):
            return blob_id
        if not self._pinned and self._age_s() > limits.ATTEMPT_SECONDS_MAX:
            return None
        own = self._put(chunk_id, view)
        holder = self._blobs.store.chunk_replace(chunk_id, blob_id, own)
        if holder is None:
            self._blobs.chunks.delete(own)
        return holder

    def _put(self, chunk_id: ChunkId, view: memoryview) -> BlobId:
        blob_id = blob_id_for(self._profile, self._blobs.sources.new_id())
        self._call.stages.chunks += 1
        with self._call.stages.timed("chunk_put"):
            self._blobs.chunks.put(BlobName(blob_id, chunk_id, self.ref_id), view)
        return blob_id

    def _upload_after_all(self, view: memoryview) -> None:
        entry = self._entries[0]
        blob_id = self._put(entry.chunk_id, view)
        self._uploaded[entry.chunk_id] = blob_id
        self._entries = [ChunkEntry(entry.chunk_id, blob_id, entry.length)]

    def give_up(self) -> None:
        """Undo what was not committed: nothing refers to a blob no commit may have published, so it may go at once."""
        if self._pinned:
            self._pinned = False
            self._blobs.store.intent_abort(self.ref_id)
        for blob_id in self._uploaded.values():
            self._blobs.chunks.delete(blob_id)
        self._uploaded.clear()


class Blobs:
    """Takes bodies in. One per worker process."""

    def __init__(
        self, store: MetadataStore, chunks: ChunkStore, pool: BufferPool, offload: Offload, sources: Sources
    ) -> None:
        self.store = store
        self.chunks = chunks
        self.present = Chunks(store, chunks)
        self.sources = sources
        self._pool = pool
        self._offload = offload

    @contextmanager
    def take_in(
        self,
        call: Call,
        body: Body,
        algorithms: Iterable[str],
        keeping: Keeping = HERE,
        data_key: DataKey | None = None,
    ) -> Iterator[Intake]:
        """Receive the whole body; on entry every chunk is durable and every digest known, nothing is visible yet.

        `body.length` must be known. With a `data_key` frames are stored; the digests are those of the plaintext all the
        same. `keeping`: the profile of its chunks. Raises S3Error from the body (IncompleteBody, RequestTimeout,
        signature errors), Full, Unavailable (buffers or store busy). Leaving without `Intake.commit` gives everything
        up.
        """
        if body.length is None:
            raise S3Error("MissingContentLength")
        size, ref_id = body.length, self.sources.new_id()
        receiver = receiver_of(size, None if data_key is None else data_key.frames(ref_id, size))
        intake = Intake(self, call, ref_id, size, keeping.profile)
        intake.stored_size = receiver.stored_size
        digesting = Digesting(self._offload, algorithms)
        if receiver.stored_size <= keeping.inline_bytes:
            if self.chunks.room() <= receiver.stored_size:  # else small objects eat the room that deletions need
                raise Full("the device is down to its reserve")
            intake.take_inline(body, digesting, receiver)
            _finish(body, intake, digesting)
            yield intake
            return
        with self._pool.take(receiver.buffer_size) as buffer:
            try:
                chunks = receiver.chunks(buffer.view)
                if len(chunks) == 1:
                    intake.take_one_chunk(body, digesting, receiver, chunks[0])
                else:
                    intake.take_chunks(body, digesting, receiver, chunks)
                _finish(body, intake, digesting)
                yield intake
            finally:
                try:
                    digesting.wait()
                finally:
                    _given_up(intake)

    @contextmanager
    def adopt(
        self, call: Call, size: int, contents: Sequence[ChunkEntry | bytes], keeping: Keeping = HERE
    ) -> Iterator[Intake]:
        """A content of `size` bytes made of what the store holds already: nothing is read, nothing written twice.

        Never of an encrypted content, whose frames open under their own ref id alone. The chunks stay under the
        profiles they have: `keeping` is that of chunks made of what lay inline.
        Raises Conflict, here or from the commit, when a chunk was released meanwhile.
        """
        intake = Intake(self, call, self.sources.new_id(), size, keeping.profile)
        try:
            intake.adopt(contents)
            yield intake
        finally:
            _given_up(intake)


def _given_up(intake: Intake) -> None:
    try:
        intake.give_up()
    except StoreError:
        return  # the janitor and the orphan scrub find what is left


def _outlast(storing: "gevent.Greenlet[..., ChunkEntry]") -> None:
    """Return when `storing` has ended; what is thrown into the waiting greenlet is held back until then."""
    thrown: BaseException | None = None
    while not storing.ready():
        try:
            storing.join()
        except BaseException as error:  # noqa: BLE001 - raised again below, once the buffer is out of use
            thrown = error
    if thrown is not None:
        raise thrown


def _finish(body: Body, intake: Intake, digesting: Digesting) -> None:
    if body.receive(memoryview(bytearray(1))):
        raise S3Error("IncompleteBody", reason="the body is longer than declared")
    intake.digests = digesting.finish()
