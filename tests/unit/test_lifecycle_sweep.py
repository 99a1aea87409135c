"""The sweep over a real metadata store, with the clock set by hand."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.adapters.sql.store import SqliteStore
from app.core.ids import make_id
from app.core.s3.configs.lifecycle import canonical
from app.core.s3.lifecycle import Action, Clock
from app.core.types import (
    NO_LOCK,
    Attributes,
    Bucket,
    Content,
    Lock,
    Part,
    Upload,
    Version,
    Versioning,
)
from app.ports.metadata import EVENTS, Appending, Commit
from app.services.background.expiring import Expiring
from app.services.background.lifecycle import Lifecycle, LifecycleSettings
from app.services.background.notifications import of_system
from app.services.background.transitions import Transitions, place_of
from app.services.call import Sources
from migrations.run import migrate

DAY = 1_000
ARN = "arn:zapfs:sqs:us-east-1:1:hook"
EXPIRE = "<Expiration><Days>1</Days></Expiration>"
NONCURRENT = "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>"
GLACIER = "<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>"


class Rig:
    """One bucket, its sweep, and a day of one second."""

    def __init__(self, directory: Path) -> None:
        migrate(directory / "zapfs.db")
        self.store = SqliteStore(directory / "zapfs.db")
        self.now_ms = 1_800_000_000_000
        numbers = itertools.count(1)
        self.sources = Sources(lambda: self.now_ms, lambda: make_id(self.now_ms, next(numbers).to_bytes(10, "big")))
        self.bucket_id = self.sources.new_id()
        self.store.bucket_create(Bucket(self.bucket_id, "bucket", "o" * 64, self.now_ms))
        self.lifecycle = self.sweeper("one")

    def sweeper(self, holder: str, day_ms: int = DAY) -> Lifecycle:
        transitions = Transitions(self.store, {"STANDARD": "local", "GLACIER": "local"})
        expiring = Expiring(self.store, self.sources, transitions, of_system)
        settings = LifecycleSettings(holder, Clock(day_ms), 0, lambda rows: None)
        return Lifecycle(self.store, self.sources, expiring, settings)

    @property
    def bucket(self) -> Bucket:
        return self.store.bucket_get("bucket")

    def amend(self, versioning: Versioning = Versioning.OFF, **configs: bytes) -> None:
        def change(bucket: Bucket) -> Bucket:
            return Bucket(
                bucket.bucket_id,
                bucket.name,
                bucket.owner,
                bucket.created_ms,
                "",
                versioning,
                False,
                {**bucket.configs, **configs},
            )

        self.store.bucket_amend(self.bucket_id, change)

    def rules(self, *actions: str, versioning: Versioning = Versioning.OFF, prefix: str = "") -> None:
        inner = "".join(
            f"<Rule><ID>r{i}</ID><Prefix>{prefix}</Prefix><Status>Enabled</Status>{action}</Rule>"
            for i, action in enumerate(actions)
        )
        text = f"<LifecycleConfiguration>{inner}</LifecycleConfiguration>".encode()
        self.amend(versioning, lifecycle=canonical(text, lambda name: True))

    def put(self, key: bytes, lock: Lock = NO_LOCK) -> Version:
        content = Content(self.sources.new_id(), 3, b"abc")
        version = Version(
            self.bucket_id,
            key,
            self.sources.new_id(),
            0,
            content.ref_id,
            3,
            "e" * 32,
            self.now_ms,
            "o" * 64,
            Attributes(lock=lock),
        )
        return self.store.commit(Commit(version, content))

    def delete(self, key: bytes) -> None:
        marker = Version(
            self.bucket_id,
            key,
            self.sources.new_id(),
            0,
            self.sources.new_id(),
            0,
            "",
            self.now_ms,
            "o",
            delete_marker=True,
        )
        self.store.delete_current(self.bucket_id, key, marker)

    def left(self) -> list[tuple[bytes, bool]]:
        found = self.store.versions_scan(self.bucket_id, b"", None, None, 10_000)
        return [(version.key, version.delete_marker) for version in found]

    def later(self, days: float) -> None:
        self.now_ms += int(days * DAY)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.store.close()


def test_objects_of_a_day_go_and_others_stay(rig: Rig) -> None:
    rig.rules(EXPIRE, prefix="old/")
    rig.put(b"old/a")
    rig.put(b"keep/a")
    rig.later(0.5)
    rig.lifecycle.run()
    assert len(rig.left()) == 2
    rig.later(0.6)
    rig.lifecycle.run()
    assert rig.left() == [(b"keep/a", False)]


def test_expiring_the_current_version_of_a_stack_puts_a_marker_on_top(rig: Rig) -> None:
    rig.rules(EXPIRE, versioning=Versioning.ENABLED)
    rig.put(b"a")
    rig.later(1)
    rig.lifecycle.run()
    rig.lifecycle.run()
    assert rig.left() == [(b"a", True), (b"a", False)]


def test_noncurrent_versions_go_by_the_age_of_their_successor(rig: Rig) -> None:
    rig.rules(NONCURRENT, versioning=Versioning.ENABLED)
    for _ in range(3):
        rig.put(b"a")
        rig.later(0.4)
    rig.later(0.3)
    rig.lifecycle.run()
    assert len(rig.left()) == 2
    rig.later(0.3)
    rig.lifecycle.run()
    assert rig.left() == [(b"a", False)]


def test_the_newest_noncurrent_versions_are_kept_as_asked(rig: Rig) -> None:
    kept = NONCURRENT.replace(
        "</NoncurrentDays>", "</NoncurrentDays><NewerNoncurrentVersions>5</NewerNoncurrentVersions>"
    )
    rig.rules(kept, versioning=Versioning.ENABLED)
    for _ in range(10):
        rig.put(b"a")
    rig.later(2)
    rig.lifecycle.run()
    rig.lifecycle.run()
    assert len(rig.left()) == 6


def test_a_lonely_delete_marker_goes_after_its_versions(rig: Rig) -> None:
    markers = "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"
    rig.rules(NONCURRENT + markers, versioning=Versioning.ENABLED)
    rig.put(b"a")
    rig.delete(b"a")
    rig.lifecycle.run()
    assert len(rig.left()) == 2
    rig.later(1)
    rig.lifecycle.run()
    rig.lifecycle.run()
    assert rig.left() == []


def test_a_locked_version_outlasts_every_rule(rig: Rig) -> None:
    rig.rules(NONCURRENT, versioning=Versioning.ENABLED)
    rig.put(b"held", Lock(legal_hold=True))
    rig.put(b"held")
    rig.put(b"kept", Lock("COMPLIANCE", rig.now_ms + 50 * DAY))
    rig.put(b"kept")
    rig.later(9)
    rig.lifecycle.run()
    assert len(rig.left()) == 4
    assert rig.lifecycle.status(rig.bucket)["rules"] == {"r0": {"matched": 2, "kept": 2}}
    rig.later(50)
    rig.lifecycle.run()
    assert [key for key, _ in rig.left()] == [b"held", b"held", b"kept"]


def test_a_move_changes_the_class_and_nothing_else(rig: Rig) -> None:
    rig.rules(GLACIER)
    before = rig.put(b"a")
    rig.later(1)
    rig.lifecycle.run()
    after = rig.store.current(rig.bucket_id, b"a")
    assert after.attributes.storage_class == "GLACIER"
    assert (after.seq, after.ref_id, after.modified_ms) == (before.seq, before.ref_id, before.modified_ms)
    rig.lifecycle.run()
    assert rig.lifecycle.status(rig.bucket)["rules"] == {}


def test_uploads_left_alone_are_given_up(rig: Rig) -> None:
    rule = (
        "<AbortIncompleteMultipartUpload><DaysAfterInitiation>2</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
    )
    rig.rules(rule, prefix="a")
    for key in (b"a", b"b"):
        rig.store.upload_create(Upload(rig.sources.new_id(), rig.bucket_id, key, "o" * 64, rig.now_ms))
    rig.later(1)
    rig.lifecycle.run()
    assert rig.lifecycle.status(rig.bucket)["next_due_ms"] == rig.now_ms + DAY
    rig.later(1)
    rig.lifecycle.run()
    assert [upload.key for upload in rig.store.uploads_scan(rig.bucket_id, b"", b"", None, 9)] == [b"b"]


def test_a_sweep_cut_off_anywhere_goes_on_from_where_it_stood(rig: Rig) -> None:
    rig.rules(EXPIRE + NONCURRENT, versioning=Versioning.ENABLED)
    for number in range(700):
        rig.put(b"deep")
        rig.put(b"k%03d" % number)
    rig.later(5)
    while len(rig.left()) > 1 + 700 + 1 + 700:
        assert rig.sweeper("one").run(steps_max=1) == 1
    # The current versions went below markers in this pass; a day later they are noncurrent for long enough.
    rig.later(5)
    rig.sweeper("one").run()
    rig.later(5)
    rig.sweeper("one").run()
    rig.sweeper("one").run()
    assert rig.left() == []


@pytest.mark.parametrize("change", ["overwritten", "retagged", "removed"])
def test_a_version_that_changed_since_it_was_judged_is_kept(rig: Rig, change: str) -> None:
    rig.rules(EXPIRE)
    judged = rig.put(b"a")
    if change == "overwritten":
        rig.put(b"a")
    elif change == "retagged":
        rig.store.version_amend(rig.bucket_id, b"a", None, lambda version: Attributes(tags={"keep": "me"}))
    else:
        rig.delete(b"a")
    left = rig.left()
    expiring = Expiring(rig.store, rig.sources, Transitions(rig.store, {"GLACIER": "local"}), of_system)
    for kind in ("expire", "expire-noncurrent", "transition"):
        assert expiring.act(rig.bucket, judged, Action(kind, "r0", 0, "GLACIER")) == "kept"
    assert rig.left() == left


def test_an_object_that_grew_since_it_was_judged_is_kept(rig: Rig) -> None:
    def append() -> Version:
        content = Content(rig.sources.new_id(), 1, b"d")
        part = Part(content.ref_id, 1, content.ref_id, 1, "f" * 32, rig.now_ms)

        def grow(current: Version | None) -> Version:
            assert current is not None
            return current._replace(size=current.size + 1, modified_ms=rig.now_ms)

        return rig.store.append(Appending(rig.bucket_id, b"log", part, content, grow))

    rig.put(b"log")
    judged = append()
    rig.later(1)
    append()
    expiring = Expiring(rig.store, rig.sources, Transitions(rig.store, {}), of_system)
    assert expiring.act(rig.bucket, judged, Action("expire", "r0", 0)) == "kept"
    assert rig.store.current(rig.bucket_id, b"log").size == 5


def test_a_noncurrent_version_that_became_current_is_kept(rig: Rig) -> None:
    rig.rules(NONCURRENT, versioning=Versioning.ENABLED)
    judged = rig.put(b"a")
    expiring = Expiring(rig.store, rig.sources, Transitions(rig.store, {}), of_system)
    assert expiring.act(rig.bucket, judged, Action("expire-noncurrent", "r0", 0)) == "kept"
    assert rig.left() == [(b"a", False)]


def test_a_noncurrent_marker_that_came_to_the_top_goes_on_hiding_what_lies_under_it(rig: Rig) -> None:
    rig.rules(NONCURRENT, versioning=Versioning.ENABLED)
    rig.put(b"a")
    rig.delete(b"a")
    judged = rig.store.newest(rig.bucket_id, b"a")
    above = rig.put(b"a")
    rig.store.delete_version(rig.bucket_id, b"a", place_of(above))
    expiring = Expiring(rig.store, rig.sources, Transitions(rig.store, {}), of_system)
    assert expiring.act(rig.bucket, judged, Action("expire-noncurrent", "r0", 0)) == "kept"
    assert rig.left() == [(b"a", True), (b"a", False)]


def test_rules_taken_away_end_a_pass_at_its_next_step(rig: Rig) -> None:
    rig.rules(EXPIRE)
    for number in range(1_200):
        rig.put(b"%04d" % number)
    rig.later(2)

    def remove(rows: int) -> None:
        rig.store.bucket_amend(rig.bucket_id, lambda bucket: replace(bucket, configs={}))

    sweeper = rig.sweeper("one")
    sweeper._settings = replace(sweeper._settings, pause=remove)
    sweeper.run()
    assert 600 < len(rig.left()) < 800


def test_only_the_holder_of_the_lease_sweeps(rig: Rig) -> None:
    rig.rules(EXPIRE)
    rig.put(b"a")
    rig.later(1)
    rig.store.lease_take("lifecycle", "other", rig.now_ms, 60_000)
    assert rig.lifecycle.run() == 0
    assert len(rig.left()) == 1


def test_a_dry_run_tells_what_would_go_and_leaves_it(rig: Rig) -> None:
    rig.rules(EXPIRE)
    rig.put(b"a")
    rig.put(b"b")
    rig.later(1)
    assert [(plan.action.kind, plan.key) for plan in rig.lifecycle.dry_run(rig.bucket, 1)] == [("expire", b"a")]
    assert len(rig.left()) == 2


def test_rules_that_cannot_be_read_keep_everything(rig: Rig) -> None:
    rig.amend(lifecycle=b"<LifecycleConfiguration><Rule>")
    rig.put(b"a")
    rig.later(9)
    assert rig.lifecycle.run() == 0
    assert len(rig.left()) == 1


def test_with_a_real_day_a_pass_is_made_once_a_day_and_when_rules_change(rig: Rig) -> None:
    daily = rig.sweeper("one", day_ms=0)
    rig.rules(EXPIRE)
    assert daily.run() > 0
    assert daily.run() == 0
    rig.rules(EXPIRE, NONCURRENT)
    assert daily.run() > 0
    rig.now_ms += 86_400_000
    assert daily.run() > 0


def test_the_notes_of_buckets_without_rules_are_forgotten(rig: Rig) -> None:
    rig.rules(EXPIRE)
    rig.lifecycle.run()
    assert len(rig.store.notes_scan("lifecycle/", "", 9)) == 1
    rig.store.bucket_delete(rig.bucket_id)
    rig.lifecycle.run()
    assert rig.store.notes_scan("lifecycle/", "", 9) == []


def test_what_the_sweep_does_is_told_to_who_wants_to_know(rig: Rig) -> None:
    rig.rules(EXPIRE)
    rig.amend(
        notification=(
            f"<NotificationConfiguration><QueueConfiguration><Id>q</Id><Queue>{ARN}</Queue>"
            "<Event>s3:LifecycleExpiration:*</Event></QueueConfiguration></NotificationConfiguration>"
        ).encode()
    )
    rig.put(b"a b")
    rig.later(1)
    rig.lifecycle.run()
    [task] = rig.store.tasks_due(EVENTS, rig.now_ms, 9)
    record = json.loads(task.body)["record"]
    assert record["eventName"] == "LifecycleExpiration:Delete"
    assert record["s3"]["object"]["key"] == "a+b"
