"""Object lock's rules: headers, documents, defaults, and what a lock forbids."""

import itertools

import pytest

from app.core.errors import Corrupt, S3Error
from app.core.s3 import lock
from app.core.types import NO_LOCK, Attributes, Bucket, Lock, Version

NOW_MS = 1_800_000_000_000  # 2027-01-15T08:00:00Z
LATER, PAST = NOW_MS + 1000, NOW_MS - 1000
GOVERNED, COMPLIANT = Lock("GOVERNANCE", LATER), Lock("COMPLIANCE", LATER)


def headers(mode=None, until=None, hold=None):
    found = {lock.MODE_HEADER: mode, lock.UNTIL_HEADER: until, lock.HOLD_HEADER: hold}
    return {name: value for name, value in found.items() if value is not None}


def bucket(document=None, object_lock=True):
    configs = {} if document is None else {lock.CONFIG: document}
    return Bucket(b"b" * 16, "b", "o", 0, object_lock=object_lock, configs=configs)


def version(held, delete_marker=False):
    return Version(
        b"b" * 16, b"k", b"v" * 16, 1, b"r" * 16, 0, "", 0, "o", Attributes(lock=held), delete_marker=delete_marker
    )


def configuration(inner="<Mode>GOVERNANCE</Mode><Days>1</Days>"):
    rule = f"<Rule><DefaultRetention>{inner}</DefaultRetention></Rule>"
    text = f"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>{rule}</ObjectLockConfiguration>"
    return text.encode()


def code_of(call, *arguments):
    with pytest.raises(S3Error) as caught:
        call(*arguments)
    return caught.value.code


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (headers(), NO_LOCK),
        (headers(hold="ON"), Lock(legal_hold=True)),
        (headers(hold="OFF"), NO_LOCK),
        (headers("GOVERNANCE", "2030-01-01T00:00:00Z"), Lock("GOVERNANCE", 1_893_456_000_000)),
        (headers("COMPLIANCE", "2030-01-01T00:00:00+01:00", "ON"), Lock("COMPLIANCE", 1_893_452_400_000, True)),
        (headers("GOVERNANCE", "2030-01-01T00:00:00.000001Z"), Lock("GOVERNANCE", 1_893_456_001_000)),
        (headers("GOVERNANCE", "2030-01-01T00:00:00"), Lock("GOVERNANCE", 1_893_456_000_000)),
    ],
)
def test_headers_ask_for_a_lock_and_dates_are_rounded_up(asked, expected):
    assert lock.requested(asked, NOW_MS) == expected


@pytest.mark.parametrize(
    "asked",
    [
        headers("GOVERNANCE"),
        headers(until="2030-01-01T00:00:00Z"),
        headers("governance", "2030-01-01T00:00:00Z"),
        headers("GOVERNANCE", "2030-01-01"),
        headers("GOVERNANCE", "tomorrow"),
        headers("GOVERNANCE", "9999-12-31T23:59:59.9Z"),
        headers("GOVERNANCE", "2027-01-15T08:00:00Z"),
        headers("GOVERNANCE", "2020-01-01T00:00:00Z"),
        headers(hold="on"),
        headers(hold=""),
    ],
)
def test_headers_that_make_no_lock_are_refused(asked):
    assert code_of(lock.requested, asked, NOW_MS) == "InvalidArgument"


@pytest.mark.parametrize(
    ("held", "bypass", "removable"),
    [
        (NO_LOCK, False, True),
        (Lock("GOVERNANCE", PAST), False, True),
        (Lock("GOVERNANCE", NOW_MS), False, True),
        (Lock("COMPLIANCE", PAST), False, True),
        (GOVERNED, False, False),
        (GOVERNED, True, True),
        (COMPLIANT, False, False),
        (COMPLIANT, True, False),
        (Lock(legal_hold=True), False, False),
        (Lock(legal_hold=True), True, False),
        (Lock("GOVERNANCE", PAST, True), True, False),
        # What cannot be understood is locked, whoever asks.
        (Lock("ETERNITY", PAST), True, False),
        (Lock("GOVERNANCE", 0), True, False),
        (Lock("GOVERNANCE", -1), True, False),
        (Lock("GOVERNANCE", "soon"), True, False),
        (Lock("GOVERNANCE", None), True, False),
        (Lock("", 0, "perhaps"), True, False),
        (Lock(None, 0, None), True, False),
    ],
)
def test_a_lock_keeps_its_version(held, bypass, removable):
    if removable:
        lock.check_removal(version(held), NOW_MS, bypass)
    else:
        assert code_of(lock.check_removal, version(held), NOW_MS, bypass) == "AccessDenied"


def test_a_delete_marker_is_never_locked():
    lock.check_removal(version(COMPLIANT, delete_marker=True), NOW_MS, False)


@pytest.mark.parametrize(
    ("old", "new", "without", "with_bypass"),
    [
        (NO_LOCK, GOVERNED, True, True),
        (NO_LOCK, COMPLIANT, True, True),
        (Lock("COMPLIANCE", PAST), Lock("GOVERNANCE", LATER), True, True),
        (Lock("COMPLIANCE", PAST), NO_LOCK, True, True),
        (GOVERNED, Lock("GOVERNANCE", LATER + 1), True, True),
        (GOVERNED, GOVERNED, True, True),
        (GOVERNED, Lock("GOVERNANCE", LATER - 1), False, True),
        (GOVERNED, Lock("COMPLIANCE", LATER + 1), False, True),
        (GOVERNED, NO_LOCK, False, True),
        (COMPLIANT, Lock("COMPLIANCE", LATER + 1), True, True),
        (COMPLIANT, Lock("COMPLIANCE", LATER - 1), False, False),
        (COMPLIANT, Lock("GOVERNANCE", LATER + 1), False, False),
        (COMPLIANT, NO_LOCK, False, False),
        (Lock("ETERNITY", PAST), GOVERNED, False, False),
    ],
)
def test_a_retention_is_lengthened_by_anybody_and_shortened_by_few(old, new, without, with_bypass):
    for bypass, allowed in ((False, without), (True, with_bypass)):
        if allowed:
            lock.check_change(old, new, NOW_MS, bypass)
        else:
            assert code_of(lock.check_change, old, new, NOW_MS, bypass) == "AccessDenied"


def test_no_chain_of_allowed_changes_frees_a_compliant_version():
    """Whatever is allowed from COMPLIANCE leads to COMPLIANCE, at least as long."""
    for mode, until_ms, bypass in itertools.product(("", "GOVERNANCE", "COMPLIANCE"), range(-3, 4), (False, True)):
        new = Lock(mode, LATER + until_ms)
        try:
            lock.check_change(COMPLIANT, new, NOW_MS, bypass)
        except S3Error:
            continue
        assert new.mode == "COMPLIANCE"
        assert new.until_ms >= LATER


def test_documents_of_a_version_are_read_as_they_are_written():
    held = Lock("COMPLIANCE", NOW_MS + 5000, True)
    assert lock.retention_asked(lock.retention_document(held), NOW_MS) == held._replace(legal_hold=False)
    assert lock.hold_asked(lock.hold_document(held))
    assert not lock.hold_asked(lock.hold_document(NO_LOCK))
    assert lock.retention_asked(b"<Retention/>", NOW_MS) == NO_LOCK
    assert code_of(lock.retention_document, NO_LOCK) == "NoSuchObjectLockConfiguration"


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (b"<Retention><Mode>GOVERNANCE</Mode></Retention>", "MalformedXML"),
        (b"<Retention><RetainUntilDate>2030-01-01T00:00:00Z</RetainUntilDate></Retention>", "MalformedXML"),
        (
            b"<Retention><Mode>abc</Mode><RetainUntilDate>2030-01-01T00:00:00Z</RetainUntilDate></Retention>",
            "MalformedXML",
        ),
        (b"<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>x</RetainUntilDate></Retention>", "MalformedXML"),
        (
            b"<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2020-01-01T00:00:00Z</RetainUntilDate></Retention>",
            "InvalidArgument",
        ),
    ],
)
def test_a_retention_that_makes_no_sense_is_refused(document, code):
    assert code_of(lock.retention_asked, document, NOW_MS) == code


@pytest.mark.parametrize(
    ("inner", "code"),
    [
        ("<Mode>GOVERNANCE</Mode>", "MalformedXML"),
        ("<Days>1</Days>", "MalformedXML"),
        ("<Mode>GOVERNANCE</Mode><Days>1</Days><Years>1</Years>", "MalformedXML"),
        ("<Mode>governance</Mode><Days>1</Days>", "MalformedXML"),
        ("<Mode>GOVERNANCE</Mode><Days>x</Days>", "MalformedXML"),
        ("<Mode>GOVERNANCE</Mode><Days>0</Days>", "InvalidRetentionPeriod"),
        ("<Mode>GOVERNANCE</Mode><Years>-1</Years>", "InvalidRetentionPeriod"),
        ("<Mode>GOVERNANCE</Mode><Days>36501</Days>", "InvalidRetentionPeriod"),
        ("<Mode>GOVERNANCE</Mode><Years>101</Years>", "InvalidRetentionPeriod"),
    ],
)
def test_a_default_retention_that_makes_no_sense_is_refused(inner, code):
    assert code_of(lock.GRAMMAR.parse, configuration(inner)) == code


@pytest.mark.parametrize(
    ("inner", "now_ms", "until_ms"),
    [
        ("<Mode>GOVERNANCE</Mode><Days>1</Days>", NOW_MS, NOW_MS + 86_400_000),
        ("<Mode>GOVERNANCE</Mode><Days>1</Days>", NOW_MS + 1, NOW_MS + 86_401_000),
        ("<Mode>GOVERNANCE</Mode><Years>1</Years>", NOW_MS, 1_831_536_000_000),  # 2028-01-15T08:00:00Z
        ("<Mode>GOVERNANCE</Mode><Years>1</Years>", 1_835_424_000_000, 1_867_046_400_000),  # 2028-02-29 -> 2029-03-01
    ],
)
def test_a_new_version_gets_the_buckets_default(inner, now_ms, until_ms):
    asked = Lock(legal_hold=True)
    assert lock.of_bucket(bucket(configuration(inner)), asked, now_ms) == Lock("GOVERNANCE", until_ms, True)


def test_what_was_asked_goes_before_the_default():
    assert lock.of_bucket(bucket(configuration()), COMPLIANT, NOW_MS) == COMPLIANT
    assert lock.of_bucket(bucket(), GOVERNED, NOW_MS) == GOVERNED


def test_a_bucket_without_object_lock_takes_no_lock():
    plain = bucket(object_lock=False)
    assert lock.of_bucket(plain, NO_LOCK, NOW_MS) == NO_LOCK
    assert code_of(lock.of_bucket, plain, GOVERNED, NOW_MS) == "InvalidRequest"
    assert code_of(lock.check_lockable, plain) == "InvalidRequest"


def test_a_default_that_cannot_be_read_refuses_new_versions():
    with pytest.raises(Corrupt):
        lock.of_bucket(bucket(b"<ObjectLockConfiguration>"), NO_LOCK, NOW_MS)
