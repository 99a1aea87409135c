"""The use cases on one bucket against a dictionary: versions, markers, locks, uploads, copies, renames, appends.

`Stack` is what S3 promises, written the way one would without caring for cost. Every step runs on both; a refusal must
come from both, with the same code.
"""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from app.core.errors import S3Error
from app.core.integrity import NOTHING
from app.core.limits import MIB
from app.core.s3.listing import Query
from app.core.s3.multipart import RequestedPart
from app.core.s3.version_ids import place_of, version_text
from app.core.s3.wanted import NOTHING_WANTED, Wanted
from app.core.types import NO_LOCK, NULL_PLACE, Attributes, Lock, Version, Versioning, VersionPlace
from app.services.buckets.buckets import Birth
from app.services.objects.copying import CopyRequest
from app.services.objects.deleting import Wish
from app.services.objects.multipart import UploadTarget
from app.services.objects.objects import Incoming, Selection, Target
from app.services.objects.renaming import RenameRequest
from tests.house import BytesBody, House, noise

KEYS = (b"a", b"a/1", b"a/2", b"a0", b"b")
BODIES = (b"", b"x", b"four", noise(17_000, 1), noise(17_000, 2), noise(MIB, 3))
ABSENT = VersionPlace(2**40, b"\x01" * 16)

keys = st.sampled_from(KEYS)
bodies = st.sampled_from(BODIES)
depths = st.integers(0, 6)
"""Which version of a stack is meant: deeper than it is means one that is not there."""
locks = st.sampled_from([NO_LOCK, NO_LOCK, ("GOVERNANCE", 30), ("COMPLIANCE", 60), "HOLD"])


@dataclass
class Entry:
    """One version, `body` None for a delete marker."""

    place: VersionPlace
    body: bytes | None
    lock: Lock = NO_LOCK
    text: str = ""


@dataclass
class Model:
    """The bucket as it should be: stacks newest first."""

    versioning: Versioning = Versioning.OFF
    stacks: dict[bytes, list[Entry]] = field(default_factory=dict)

    def stack(self, key: bytes) -> list[Entry]:
        return self.stacks.get(key, [])

    def current(self, key: bytes) -> Entry | None:
        stack = self.stack(key)
        return stack[0] if stack and stack[0].body is not None else None

    def push(self, key: bytes, entry: Entry) -> None:
        if self.versioning is not Versioning.ENABLED:
            self.take(key, NULL_PLACE)
        self.stacks.setdefault(key, []).insert(0, entry)

    def take(self, key: bytes, place: VersionPlace) -> Entry | None:
        stack = self.stack(key)
        found = next((entry for entry in stack if entry.place == place), None)
        if found is not None:
            stack.remove(found)
        return found


def is_locked(lock: Lock, now_ms: int, bypass: bool) -> bool:
    """Object lock's rule in one line."""
    return lock.legal_hold or (bool(lock.mode) and lock.until_ms > now_ms and not (bypass and lock.mode[0] == "G"))


class S3Machine(RuleBasedStateMachine):
    """Steps on both sides. `steps` counts what was done in this process."""

    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="zapfs-model-"))
        self.house = House(self.directory)
        self.model = Model()
        self.lockable = False
        self.uploads: dict[str, tuple[bytes, list[RequestedPart], bytes]] = {}
        self.completed: dict[str, Entry] = {}

    @initialize(lockable=st.booleans())
    def begin(self, lockable: bool) -> None:
        self.lockable = lockable
        self.house.buckets.create(self.house.call(), "bucket", Birth(object_lock=lockable))
        if lockable:
            self.model.versioning = Versioning.ENABLED

    # --- both sides of a step

    def does(self, code: str, act: Callable[[], object]) -> object:
        """Run the real step, which must be refused with `code`, or done when that is ""."""
        S3Machine.steps += 1
        try:
            result = act()
        except S3Error as error:
            if error.code != code:
                raise AssertionError(f"refused with {error.code}, not {code or 'done'}") from error
            return None
        assert code == "", f"done, and not refused with {code}"
        return result

    def target(self, key: bytes, place: VersionPlace | None = None) -> Target:
        return Target("bucket", key, place)

    def place_at(self, key: bytes, depth: int) -> VersionPlace:
        stack = self.model.stack(key)
        return stack[depth].place if depth < len(stack) else ABSENT

    def pushed(self, key: bytes, version: Version, body: bytes, lock: Lock = NO_LOCK) -> Entry:
        entry = Entry(place_of(version), body, lock, version_text(version))
        assert (entry.place == NULL_PLACE) == (self.model.versioning is not Versioning.ENABLED)
        self.model.push(key, entry)
        return entry

    # --- steps

    @rule(key=keys, body=bodies, lock=locks, only_new=st.booleans())
    def put(self, key: bytes, body: bytes, lock: object, only_new: bool) -> None:
        asked = self.lock_of(lock) if self.lockable else NO_LOCK

        def check(current: Version | None) -> None:
            if only_new and current is not None:
                raise S3Error("PreconditionFailed")

        refused = "PreconditionFailed" if only_new and self.model.current(key) is not None else ""
        wanted = Wanted(Attributes(), None, asked)
        incoming = Incoming(BytesBody(body), NOTHING)
        call = self.house.call()
        stored = self.does(refused, lambda: self.house.objects.put(call, self.target(key), wanted, incoming, check))
        if stored is not None:
            self.pushed(key, stored.version, body, asked)  # type: ignore[attr-defined]

    def lock_of(self, lock: object) -> Lock:
        if lock == "HOLD":
            return Lock(legal_hold=True)
        if isinstance(lock, tuple) and not isinstance(lock, Lock):
            return Lock(lock[0], self.house.now_ms + lock[1] * 1000)
        return NO_LOCK

    @rule(key=keys)
    def delete(self, key: bytes) -> None:
        removal = self.house.deleting.delete(self.house.call(), Wish(self.target(key)))
        S3Machine.steps += 1
        if self.model.versioning is Versioning.OFF:
            assert removal.marker is None
            assert (removal.removed is None) == (self.model.take(key, NULL_PLACE) is None)
            return
        assert removal.marker is not None
        self.model.push(key, Entry(place_of(removal.marker), None, text=version_text(removal.marker)))

    @rule(key=keys, depth=depths, bypass=st.booleans())
    def delete_version(self, key: bytes, depth: int, bypass: bool) -> None:
        place = self.place_at(key, depth)
        entry = next((one for one in self.model.stack(key) if one.place == place), None)
        locked = entry is not None and is_locked(entry.lock, self.house.now_ms, bypass)
        wish = Wish(self.target(key, place), bypass=bypass)
        done = self.does("AccessDenied" if locked else "", lambda: self.house.deleting.delete(self.house.call(), wish))
        if done is not None:
            assert (done.removed is None) == (entry is None)  # type: ignore[attr-defined]
            self.model.take(key, place)

    @rule(wanted=st.lists(st.tuples(keys, depths), max_size=5, unique=True))
    def delete_many_versions(self, wanted: list[tuple[bytes, int]]) -> None:
        named = [(key, self.place_at(key, depth)) for key, depth in wanted]
        wishes = [Wish(self.target(key, place)) for key, place in named]
        removals = self.house.deleting.delete_many(self.house.call(), wishes)
        S3Machine.steps += 1
        for (key, place), removal in zip(named, removals, strict=True):
            entry = next((one for one in self.model.stack(key) if one.place == place), None)
            locked = entry is not None and is_locked(entry.lock, self.house.now_ms, False)
            assert (removal.error is not None) == locked
            if not locked:
                self.model.take(key, place)

    @rule(state=st.sampled_from([Versioning.ENABLED, Versioning.ENABLED, Versioning.SUSPENDED]))
    def set_versioning(self, state: Versioning) -> None:
        refused = "InvalidBucketState" if self.lockable and state is Versioning.SUSPENDED else ""
        call = self.house.call()
        self.does(refused, lambda: self.house.buckets.set_versioning(call, "bucket", "", state))
        if not refused:
            self.model.versioning = state

    @rule(source=keys, depth=depths, current=st.booleans(), key=keys)
    def copy(self, source: bytes, depth: int, current: bool, key: bytes) -> None:
        place = None if current else self.place_at(source, depth)
        entry = self.model.current(source) if current else self.at(source, place)
        if entry is None:
            refused = "NoSuchKey" if current else "NoSuchVersion"
        elif entry.body is None:
            refused = "InvalidRequest"
        else:
            refused = "InvalidRequest" if current and source == key else ""
        request = CopyRequest(self.target(source, place), Selection(), self.target(key))
        copied = self.does(refused, lambda: self.house.copying.copy(self.house.call(), request))
        if copied is not None and entry is not None and entry.body is not None:
            self.pushed(key, copied.version, entry.body)  # type: ignore[attr-defined]

    def at(self, key: bytes, place: VersionPlace | None) -> Entry | None:
        return next((entry for entry in self.model.stack(key) if entry.place == place), None)

    @rule(source=keys, key=keys)
    def rename(self, source: bytes, key: bytes) -> None:
        entry = self.model.current(source)
        if source == key:
            refused = "InvalidRequest"
        elif entry is None:
            refused = "NoSuchKey"
        else:
            refused = "AccessDenied" if is_locked(entry.lock, self.house.now_ms, False) else ""
        request = RenameRequest(self.target(key), source)
        stored = self.does(refused, lambda: self.house.renaming.rename(self.house.call(), request))
        if stored is None or entry is None or entry.body is None:
            return
        version: Version = stored.version  # type: ignore[attr-defined]
        self.pushed(key, version, entry.body, version.attributes.lock)
        if self.model.versioning is Versioning.OFF:
            self.model.take(source, NULL_PLACE)
        else:
            newest = self.house.store.newest(version.bucket_id, source)
            assert newest.delete_marker
            self.model.push(source, Entry(place_of(newest), None, text=version_text(newest)))

    @precondition(lambda self: self.model.versioning is Versioning.OFF)
    @rule(key=keys, body=bodies, wrong=st.sampled_from([0, 0, 0, 1]))
    def append(self, key: bytes, body: bytes, wrong: int) -> None:
        entry = self.model.current(key)
        before = b"" if entry is None or entry.body is None else entry.body
        if len(before) > 8 * MIB:
            return
        incoming, call = Incoming(BytesBody(body), NOTHING), self.house.call()
        offset = len(before) + wrong
        act = self.house.appends.append
        grown = self.does(
            "InvalidWriteOffset" if wrong else "",
            lambda: act(call, self.target(key), NOTHING_WANTED, incoming, offset),
        )
        if grown is not None:
            self.pushed(key, grown, before + body)  # type: ignore[arg-type]

    @rule(key=keys, body=bodies)
    def begin_upload(self, key: bytes, body: bytes) -> None:
        upload = self.house.multipart.create(self.house.call(), self.target(key), NOTHING_WANTED, "", "")
        S3Machine.steps += 1
        self.uploads[upload.upload_id.hex()] = (key, [self.send_part(key, upload.upload_id.hex(), body)], body)

    def send_part(self, key: bytes, upload_id: str, body: bytes) -> RequestedPart:
        target = UploadTarget(self.target(key), upload_id)
        stored = self.house.multipart.upload_part(self.house.call(), target, 1, Incoming(BytesBody(body), NOTHING))
        return RequestedPart(1, stored.part.etag)

    @precondition(lambda self: self.uploads)
    @rule(which=st.integers(0, 3), body=bodies)
    def send_part_again(self, which: int, body: bytes) -> None:
        upload_id = sorted(self.uploads)[which % len(self.uploads)]
        key = self.uploads[upload_id][0]
        S3Machine.steps += 1
        self.uploads[upload_id] = (key, [self.send_part(key, upload_id, body)], body)

    @precondition(lambda self: self.uploads)
    @rule(which=st.integers(0, 3), again=st.booleans())
    def complete_upload(self, which: int, again: bool) -> None:
        upload_id = sorted(self.uploads)[which % len(self.uploads)]
        key, requested, body = self.uploads.pop(upload_id)
        target = UploadTarget(self.target(key), upload_id)
        stored = self.house.multipart.complete(self.house.call(), target, requested, None)
        S3Machine.steps += 1
        self.pushed(key, stored.version, body)
        if again:
            assert self.house.multipart.complete(self.house.call(), target, requested, None) == stored
        self.does("NoSuchUpload", lambda: self.house.multipart.abort(self.house.call(), target))

    @precondition(lambda self: self.uploads)
    @rule(which=st.integers(0, 3))
    def abort_upload(self, which: int) -> None:
        upload_id = sorted(self.uploads)[which % len(self.uploads)]
        key = self.uploads.pop(upload_id)[0]
        target = UploadTarget(self.target(key), upload_id)
        self.does("", lambda: self.house.multipart.abort(self.house.call(), target))

    @rule(seconds=st.integers(1, 40))
    def time_goes_by(self, seconds: int) -> None:
        self.house.later(seconds)

    @rule()
    def collect(self) -> None:
        self.house.gc.run()

    # --- what must hold after every step

    @rule(key=keys, depth=depths)
    def read_version(self, key: bytes, depth: int) -> None:
        place = self.place_at(key, depth)
        entry = self.at(key, place)
        refused = "NoSuchVersion"
        if entry is not None:
            refused = "MethodNotAllowed" if entry.body is None else ""
        body = self.does(refused, lambda: self.read(key, place))
        if not refused and entry is not None:
            assert body == entry.body

    def read(self, key: bytes, place: VersionPlace | None) -> bytes:
        read = self.house.objects.get(self.house.call(), self.target(key, place), Selection())
        assert read.pieces is not None
        try:
            return b"".join(bytes(piece) for piece in read.pieces)
        finally:
            read.pieces.close()

    @invariant()
    def every_current_version_is_the_newest_that_is_no_marker(self) -> None:
        if not self.model.stacks:
            return
        listed = self.house.listing.objects(self.house.call(), "bucket", "", Query()).items
        expected = [(key, entry.body) for key in KEYS if (entry := self.model.current(key)) is not None]
        assert [version.key for version in listed] == [key for key, _ in expected]
        for key, body in expected:
            assert self.read(key, None) == body

    @rule(limit=st.integers(1, 9), prefix=st.sampled_from([b"", b"a", b"a/"]), delimited=st.booleans())
    def list_versions(self, limit: int, prefix: bytes, delimited: bool) -> None:
        rows, prefixes, after, marker = [], [], b"", ""
        while True:
            query = Query(prefix, b"/" if delimited else b"", after, limit)
            found = self.house.listing.versions(self.house.call(), "bucket", "", query, marker)
            assert len(found.page.items) + len(found.page.prefixes) <= limit
            rows += [
                (version.key, version_text(version), version.delete_marker, latest)
                for version, latest in zip(found.page.items, found.latest, strict=True)
            ]
            prefixes += found.page.prefixes
            if found.page.last is None:
                break
            after, last = found.page.last, found.page.items[-1:]
            marker = version_text(last[0]) if last and last[0].key == after else ""
        S3Machine.steps += 1
        assert (rows, prefixes) == self.expected_listing(prefix, delimited)

    def expected_listing(self, prefix: bytes, delimited: bool) -> tuple[list[object], list[bytes]]:
        rows: list[object] = []
        prefixes: list[bytes] = []
        for key in KEYS:
            if not key.startswith(prefix) or not self.model.stack(key):
                continue
            at = key.find(b"/", len(prefix)) if delimited else -1
            if at >= 0:
                prefixes += [key[: at + 1]] if key[: at + 1] not in prefixes else []
                continue
            for index, entry in enumerate(self.model.stack(key)):
                rows.append((key, entry.text, entry.body is None, index == 0))
        return rows, prefixes

    def teardown(self) -> None:
        """Nothing is damaged, and nothing is left of what is deleted."""
        try:
            self.house.check()
            self.end()
        finally:
            self.house.close()
            shutil.rmtree(self.directory)

    def end(self) -> None:
        self.house.later(3600)
        if not self.model.versioning:
            return
        for upload_id in list(self.uploads):
            key = self.uploads[upload_id][0]
            self.house.multipart.abort(self.house.call(), UploadTarget(self.target(key), upload_id))
        for key, stack in self.model.stacks.items():
            for entry in stack:
                if not entry.lock.legal_hold:
                    self.house.deleting.delete(self.house.call(), Wish(self.target(key, entry.place)))
        if any(entry.lock.legal_hold for stack in self.model.stacks.values() for entry in stack):
            return
        for _ in range(3):
            self.house.gc.run()
            self.house.later(400)
        assert self.house.blob_count() == 0
