"""Object lock's use cases over the real store: changed inside the transaction, obeyed by every removal."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.errors import Corrupt, S3Error
from app.core.integrity import NOTHING
from app.core.s3 import lock as rules
from app.core.s3.version_ids import place_of
from app.core.s3.wanted import NOTHING_WANTED
from app.core.types import Bucket, Lock, Version, Versioning
from app.services.buckets.configs import Place
from app.services.objects.deleting import Wish
from app.services.objects.locks import Locks
from app.services.objects.objects import Incoming, Target
from tests.house import OTHER, OWNER, BytesBody, House

PLACE = Place("bucket")
DEFAULT = (
    b"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>"
    b"<Mode>COMPLIANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>"
)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    made.store.bucket_create(Bucket(b"b" * 16, "bucket", OWNER.canonical_id, made.now_ms, "", Versioning.ENABLED, True))
    made.store.bucket_create(Bucket(b"p" * 16, "plain", OWNER.canonical_id, made.now_ms))
    yield made
    made.close()


@pytest.fixture
def locks(house: House) -> Locks:
    return Locks(house.store, house.guard)


def put(house: House, key: bytes = b"k") -> Version:
    incoming = Incoming(BytesBody(b"body"), NOTHING)
    return house.objects.put(house.call(), Target("bucket", key), NOTHING_WANTED, incoming).version


def remove(house: House, version: Version, bypass: bool = False) -> None:
    house.deleting.delete(house.call(), Wish(Target("bucket", version.key, place_of(version)), bypass=bypass))


def refused(call, *arguments, **named) -> str:
    with pytest.raises(S3Error) as caught:
        call(*arguments, **named)
    return caught.value.code


def test_a_retained_version_stays_until_its_date_and_a_marker_may_cover_it(house: House, locks: Locks) -> None:
    version = put(house)
    target = Target("bucket", b"k")
    locks.retain(house.call(), target, Lock("COMPLIANCE", house.now_ms + 10_000), False)
    assert house.delete(b"k").marker is not None
    assert refused(remove, house, version, bypass=True) == "AccessDenied"
    house.later(11)
    remove(house, version)


def test_governance_gives_way_to_a_bypass_and_a_hold_to_none(house: House, locks: Locks) -> None:
    version = put(house)
    target = Target("bucket", b"k", place_of(version))
    locks.retain(house.call(), target, Lock("GOVERNANCE", house.now_ms + 10_000), False)
    locks.set_hold(house.call(), target, True)
    assert locks.hold(house.call(), target) == Lock("GOVERNANCE", house.now_ms + 10_000, True)
    assert refused(remove, house, version, bypass=True) == "AccessDenied"
    locks.set_hold(house.call(), target, False)
    assert refused(remove, house, version) == "AccessDenied"
    remove(house, version, bypass=True)
    assert refused(locks.retention, house.call(), target) == "NoSuchVersion"


def test_a_hold_outlives_a_change_of_the_retention(house: House, locks: Locks) -> None:
    put(house)
    target = Target("bucket", b"k")
    locks.set_hold(house.call(), target, True)
    locks.retain(house.call(), target, Lock("GOVERNANCE", house.now_ms + 10_000), False)
    assert refused(locks.retain, house.call(), target, rules.NO_LOCK, False) == "AccessDenied"
    locks.retain(house.call(), target, rules.NO_LOCK, True)
    assert locks.retention(house.call(), target) == Lock(legal_hold=True)


def test_the_buckets_default_locks_what_is_written_from_then_on(house: House, locks: Locks) -> None:
    before = put(house, b"before")
    locks.configure(house.call(), PLACE, lambda: DEFAULT)
    after = put(house, b"after")
    assert after.attributes.lock == Lock("COMPLIANCE", house.now_ms + 86_400_000)
    remove(house, before)
    assert refused(remove, house, after, bypass=True) == "AccessDenied"
    assert b"<Days>1</Days>" in locks.configuration(house.call(), PLACE)


def test_object_lock_is_turned_on_where_versioning_is(house: House, locks: Locks) -> None:
    place, call = Place("plain"), house.call()
    assert refused(locks.configuration, call, place) == "ObjectLockConfigurationNotFoundError"
    assert refused(locks.configure, call, place, lambda: DEFAULT) == "InvalidBucketState"
    house.store.bucket_amend(b"p" * 16, lambda found: replace(found, versioning=Versioning.ENABLED))
    locks.configure(call, place, lambda: DEFAULT)
    assert house.store.bucket_get("plain").object_lock


def test_a_bucket_without_object_lock_has_no_locks(house: House, locks: Locks) -> None:
    target = Target("plain", b"k")
    wanted = Lock("GOVERNANCE", house.now_ms + 1000)
    assert refused(locks.retention, house.call(), target) == "InvalidRequest"
    assert refused(locks.hold, house.call(), target) == "InvalidRequest"
    assert refused(locks.retain, house.call(), target, wanted, False) == "InvalidRequest"
    assert refused(locks.set_hold, house.call(), target, True) == "InvalidRequest"


def test_what_is_not_there_or_a_marker_has_no_lock(house: House, locks: Locks) -> None:
    target = Target("bucket", b"k")
    assert refused(locks.hold, house.call(), target) == "NoSuchKey"
    assert refused(locks.set_hold, house.call(), target, True) == "NoSuchKey"
    put(house)
    marker = house.delete(b"k").marker
    assert marker is not None
    named = Target("bucket", b"k", place_of(marker))
    assert refused(locks.hold, house.call(), named) == "MethodNotAllowed"
    assert refused(locks.set_hold, house.call(), named, True) == "MethodNotAllowed"


def test_strangers_neither_read_nor_change_locks(house: House, locks: Locks) -> None:
    put(house)
    target, call = Target("bucket", b"k"), house.call(OTHER)
    assert refused(locks.hold, call, target) == "AccessDenied"
    assert refused(locks.set_hold, call, target, True) == "AccessDenied"
    assert refused(locks.configure, call, PLACE, lambda: DEFAULT) == "AccessDenied"


@pytest.mark.parametrize("stored", ['"x"', '["ETERNITY",0,false]', '["GOVERNANCE","soon",false]', "[null,null,null]"])
def test_a_stored_lock_that_makes_no_sense_keeps_its_version(house: House, tmp_path: Path, stored: str) -> None:
    version = put(house)
    text = '[{},{},{},{"lock":' + stored + "}]"
    with sqlite3.connect(tmp_path / "zapfs.db") as tampering:
        tampering.execute("UPDATE obj_version SET attributes = ?", (text,))
    tampering.close()
    assert refused(remove, house, version, bypass=True) == "AccessDenied"


def test_a_stored_default_that_cannot_be_read_refuses_writes(house: House) -> None:
    house.store.bucket_amend(b"b" * 16, lambda found: replace(found, configs={rules.CONFIG: b"<nothing"}))
    with pytest.raises(Corrupt):
        put(house)
