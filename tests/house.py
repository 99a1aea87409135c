"""A whole server in one process without wires: every service over the real metadata store and chunks in memory."""

import itertools
import random
from os import urandom
from pathlib import Path

from app.adapters.chunks.memory import MemoryStore
from app.adapters.cluster.sealing import Sealer
from app.adapters.sql.store import SqliteStore
from app.core import limits
from app.core.cluster import Account, ClusterState, Command, Outcome
from app.core.cluster.keys import DEFAULT_KMS_ALIAS, SSE_S3_KEY, KmsKey
from app.core.cluster.state import assembled
from app.core.errors import Unavailable
from app.core.ids import make_id
from app.core.integrity import NOTHING, Integrity
from app.core.s3.wanted import NOTHING_WANTED
from app.runtime.buffers import BufferPool
from app.runtime.offload import Offload
from app.services.background.check import Check
from app.services.background.gc import Gc, GcSettings
from app.services.buckets.buckets import Buckets
from app.services.call import Call, Caller, Sources, Stages
from app.services.content.blobs import Blobs
from app.services.content.keyring import Keyring
from app.services.content.reading import Reading
from app.services.content.sealing import Sealing
from app.services.gate.directory import Directory
from app.services.gate.guard import Guard
from app.services.gate.ownership import Ownership
from app.services.objects.appending import Appends
from app.services.objects.copying import Copying
from app.services.objects.deleting import Deleting, Removal, Wish
from app.services.objects.drafts import Drafts
from app.services.objects.listing import Listing
from app.services.objects.multipart import Multipart
from app.services.objects.objects import Incoming, Objects, Selection, Target
from app.services.objects.renaming import Renaming
from migrations.run import migrate

MIB = limits.MIB
OWNER = Caller("111111111111", "a" * 64, "owner", "AK")
OTHER = Caller("222222222222", "b" * 64, "other", "BK")


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


class BytesBody:
    """A body held whole; `end` bytes of it arrive, then the client is gone."""

    def __init__(self, data: bytes, end: int | None = None) -> None:
        self.length = len(data)
        self._data = memoryview(data)[:end]

    def receive(self, view: memoryview) -> int:
        step = min(len(view), len(self._data))
        view[:step] = self._data[:step]
        self._data = self._data[step:]
        return step


class Board:
    """A read board of one process."""

    def __init__(self) -> None:
        self.oldest: int | None = None

    def publish(self, oldest_ms: int | None) -> None:
        self.oldest = oldest_ms

    def oldest_ms(self) -> int:
        return 2**62 if self.oldest is None else self.oldest


class Accounts:
    """The control state of two accounts, which nobody changes."""

    def __init__(self) -> None:
        made = [Account(who.account_id, who.canonical_id, who.display_name, "", 0) for who in (OWNER, OTHER)]
        self.sealer = Sealer(bytes(32), urandom)
        self._accounts = made
        self.set_keys(self.key(SSE_S3_KEY), self.key("named"), self.key("default", DEFAULT_KMS_ALIAS))

    def set_keys(self, *keys: KmsKey) -> None:
        self._state = assembled(1, self._accounts, keys, {})

    def key(self, key_id: str, *aliases: str, versions: int = 1) -> KmsKey:
        sealed = [self.sealer.seal_material(key_id, n, bytes([n + 1]) * 32) for n in range(versions)]
        return KmsKey(key_id, f"arn:aws:kms:us-east-1:111111111111:key/{key_id}", 0, tuple(sealed), aliases)

    def state(self) -> ClusterState:
        return self._state

    def submit(self, command: Command) -> Outcome:
        raise Unavailable("nothing changes here")

    def close(self) -> None: ...


class House:
    """Every service over two stores, and a clock set by hand."""

    def __init__(self, root: Path, chunks: MemoryStore | None = None) -> None:
        migrate(root / "zapfs.db")
        self.now_ms = 1_800_000_000_000
        numbers = itertools.count(1)
        self.sources = Sources(lambda: self.now_ms, lambda: make_id(self.now_ms, next(numbers).to_bytes(10, "big")))
        self.store = SqliteStore(root / "zapfs.db")
        self.chunks = chunks or MemoryStore()
        self.offload = Offload(4)
        self.board = Board()
        self.accounts = Accounts()
        self.sealing = Sealing(Keyring(self.accounts.state, self.accounts.sealer.open_material), urandom)
        directory = Directory(self.accounts)
        ownership = Ownership(directory)
        self.guard = Guard(self.store, directory)
        self.drafts = Drafts(self.guard, ownership, self.sealing, ("STANDARD", "STANDARD_IA"))
        self.buckets = Buckets(self.store, self.guard, ownership, self.sources)
        self.pool = BufferPool(64 * MIB)
        self.blobs = Blobs(self.store, self.chunks, self.pool, self.offload, self.sources)
        self.reading = Reading(self.store, self.chunks, self.sources)
        self.objects = Objects(self.store, self.blobs, self.reading, self.guard, self.drafts, limits.INLINE_BYTES_MAX)
        self.appends = Appends(self.store, self.blobs, self.objects, self.guard, self.drafts)
        self.renaming = Renaming(self.objects, self.blobs, self.reading, self.guard, self.sealing)
        self.deleting = Deleting(self.store, self.guard, self.sources)
        self.copying = Copying(self.objects, self.blobs, self.reading, self.guard, self.drafts)
        self.multipart = Multipart(self.store, self.blobs, self.guard, self.drafts, self.copying, self.sources)
        self.listing = Listing(self.store, self.guard)
        self.gc = Gc(self.store, self.chunks, self.board, self.sources, GcSettings("test", 300_000))

    def call(self, caller: Caller = OWNER) -> Call:
        return Call(caller, "REQUEST", self.now_ms, Stages())

    def put(self, key: bytes, data: bytes, integrity: Integrity = NOTHING) -> str:
        incoming = Incoming(BytesBody(data), integrity)
        return self.objects.put(self.call(), Target("bucket", key), NOTHING_WANTED, incoming).version.etag

    def delete(self, key: bytes, bucket: str = "bucket") -> Removal:
        return self.deleting.delete(self.call(), Wish(Target(bucket, key)))

    def get(self, key: bytes, span: tuple[int, int] | None = None) -> bytes:
        read = self.objects.get(self.call(), Target("bucket", key), Selection(span=lambda size: span))
        assert read.pieces is not None
        try:
            return b"".join(bytes(piece) for piece in read.pieces)
        finally:
            read.pieces.close()

    def later(self, seconds: int) -> None:
        self.now_ms += seconds * 1000

    def blob_count(self) -> int:
        return len(list(self.chunks.names()))

    def check(self) -> None:
        report = Check(self.store, self.chunks, self.sources, lambda line: None).run()
        assert report.findings == []

    def close(self) -> None:
        self.store.close()
        self.offload.close()
