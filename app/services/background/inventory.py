"""The writing of inventories: gzip'd CSV files, a manifest and its checksum, by schedule.

Knows when a run is due and what it remembers between steps (a note: cursor, files written). Bounded and resumable: one
step reads some pages and writes one file; cut off anywhere the run goes on behind the last file. Must not know columns
(core/s3/inventory).
"""

import gzip
import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import md5
from typing import Any, Final, NamedTuple

from app.core import limits
from app.core.errors import Corrupt, Missing, S3Error, StoreError
from app.core.integrity import NOTHING
from app.core.policy.principal import SERVICE
from app.core.s3 import inventory
from app.core.s3.inventory import File, Wanted
from app.core.s3.lifecycle import DAY_MS, Clock
from app.core.s3.wanted import NOTHING_WANTED
from app.core.types import Bucket, Version
from app.ports.metadata import MetadataStore
from app.services.background.access_logs import HeldBody
from app.services.call import Call, Caller, Sources, Stages
from app.services.objects.objects import Incoming, Objects, Target

KIND: Final = "inventory"
NOTES: Final = "inventory/"
LEASE: Final = "inventory"
LEASE_MS: Final = 120_000
_WEEK: Final = 7


class _Run(NamedTuple):
    """What is remembered of one configuration. `begun_ms` 0: no run is under way."""

    begun_ms: int = 0
    next_ms: int = 0
    key: str = ""
    seq: int = 0
    files: tuple[File, ...] = ()


class Inventories:
    """The writer of one process. Errors of one inventory are told to `failed` and met again at the next turn."""

    def __init__(
        self,
        store: MetadataStore,
        objects: Objects,
        sources: Sources,
        holder: str,
        clock: Clock,
        failed: Callable[[str], object],
    ) -> None:
        self._store = store
        self._objects = objects
        self._sources = sources
        self._holder = holder
        self._clock = clock
        self._failed = failed

    def run(self) -> int:
        """One turn: at most one step of each inventory that is due; returns how many steps were taken."""
        steps, after = 0, ""
        while page := self._store.buckets_scan("", "", after, limits.BUCKETS_PAGE):
            for bucket in page:
                steps += self._of_bucket(bucket)
            after = page[-1].name
        return steps

    def _of_bucket(self, bucket: Bucket) -> int:
        steps = 0
        for name, document in self._store.configs_scan(bucket.bucket_id, KIND, "", limits.NAMED_CONFIGS_MAX):
            if not self._store.lease_take(LEASE, self._holder, self._sources.now_ms(), LEASE_MS):
                return steps
            try:
                steps += self._step(bucket, inventory.wanted(document))
            except (S3Error, StoreError) as error:
                self._failed(f"inventory {name} of {bucket.name}: {error}")
        return steps

    def _step(self, bucket: Bucket, chosen: Wanted) -> bool:
        note, now_ms = f"{NOTES}{bucket.bucket_id.hex()}/{chosen.inventory_id}", self._sources.now_ms()
        run = self._read(note)
        if not chosen.enabled or chosen.file_format != inventory.CSV or (not run.begun_ms and now_ms < run.next_ms):
            return False
        if not run.begun_ms:
            run = _Run(begun_ms=now_ms)
        target = self._target(bucket, chosen)
        rows, place = self._rows(bucket, chosen, run)
        if rows:
            run = run._replace(files=(*run.files, self._write_file(bucket, target, chosen, b"".join(rows))))
        if place is None:
            self._write_manifest(bucket, target, chosen, run)
            self._write(note, _Run(next_ms=self._next_ms(chosen, now_ms)))
        else:
            self._write(note, run._replace(key=b64encode(place[0]).decode(), seq=place[1]))
        return True

    def _next_ms(self, chosen: Wanted, now_ms: int) -> int:
        """A day or a week later; with real days at midnight."""
        days = _WEEK if chosen.weekly else 1
        return self._clock.due_ms(now_ms, days) if self._clock.day_ms else (now_ms // DAY_MS + days) * DAY_MS

    def _target(self, bucket: Bucket, chosen: Wanted) -> Bucket:
        """Raises S3Error when it is gone, or another account's."""
        target = self._store.bucket_get(chosen.target)
        if target.owner != bucket.owner:
            raise S3Error("AccessDenied", reason="the target bucket belongs to another account")
        return target

    def _rows(self, bucket: Bucket, chosen: Wanted, run: _Run) -> tuple[list[bytes], tuple[bytes, int] | None]:
        """The rows of one file, and the place behind them; None at the end."""
        rows: list[bytes] = []
        place = b64decode(run.key), run.seq
        begun, stop = bool(run.key), _behind(chosen.filter_prefix)
        start, after = place if begun else (chosen.filter_prefix, None)
        while len(rows) < limits.INVENTORY_FILE_ROWS:
            page = self._store.versions_scan(bucket.bucket_id, start, after, stop, limits.SWEEP_STEP_ROWS)
            for version in page:
                latest = not begun or version.key != start
                rows += self._row(bucket, version, latest, chosen)
                start, after, begun = version.key, version.seq, True
            if len(page) < limits.SWEEP_STEP_ROWS:
                return rows, None
        return rows, (start, after or 0)

    def _row(self, bucket: Bucket, version: Version, latest: bool, chosen: Wanted) -> list[bytes]:
        if not chosen.all_versions and (not latest or version.delete_marker):
            return []
        return [inventory.row(bucket, version, latest, chosen)]

    def _write_file(self, bucket: Bucket, target: Bucket, chosen: Wanted, rows: bytes) -> File:
        data = gzip.compress(rows, mtime=0)
        key = f"{inventory.folder(bucket, chosen)}/data/{self._sources.new_id().hex()}.csv.gz"
        self._put(target, key, data)
        return File(key, len(data), md5(data, usedforsecurity=False).hexdigest())

    def _write_manifest(self, bucket: Bucket, target: Bucket, chosen: Wanted, run: _Run) -> None:
        where = inventory.manifest_folder(bucket, chosen, run.begun_ms)
        data = inventory.manifest(bucket, chosen, run.begun_ms, run.files)
        self._put(target, f"{where}/manifest.json", data)
        self._put(target, f"{where}/manifest.checksum", md5(data, usedforsecurity=False).hexdigest().encode())

    def _put(self, target: Bucket, key: str, data: bytes) -> None:
        caller = Caller("", target.owner, "", "", root=True, principal=SERVICE)
        call = Call(caller, "", self._sources.now_ms(), Stages())
        incoming = Incoming(HeldBody(data), NOTHING)
        self._objects.put(call, Target(target.name, key.encode()), NOTHING_WANTED, incoming)

    def _read(self, note: str) -> _Run:
        try:
            plain: dict[str, Any] = json.loads(self._store.note_get(note))
            return _Run(**{**plain, "files": tuple(File(*file) for file in plain["files"])})
        except (Missing, Corrupt, ValueError, KeyError, TypeError):
            return _Run()

    def _write(self, note: str, run: _Run) -> None:
        self._store.note_put(note, json.dumps(run._asdict()).encode())


def _behind(prefix: bytes) -> bytes | None:
    """The first key behind all that begin with `prefix`; None: there is no end."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None
