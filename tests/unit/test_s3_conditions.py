"""Conditions on reads, copy sources, writes and deletes."""

import pytest

from app.core.errors import S3Error
from app.core.s3 import conditions
from app.core.s3.times import http_date, iso_time, parse_http_date, parse_iso_time
from app.core.types import Version

NOW = 1_700_000_000_123
SAME, EARLIER, LATER = http_date(NOW), http_date(NOW - 60_000), http_date(NOW + 60_000)
ETAG = "9dd4e461268c8034f5c8564e155c67a6"
GOOD, BAD = f'"{ETAG}"', '"0"'


def version(etag=ETAG, size=1):
    return Version(b"b" * 16, b"k", bytes(16), 1, b"r" * 16, size, etag, NOW, "owner")


def outcome(call):
    try:
        call()
    except S3Error as error:
        return error.status
    return 200


def read(headers):
    found = conditions.read_conditions(headers)
    return 200 if found is None else outcome(lambda: conditions.check_read(found, ETAG, NOW))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"if-match": GOOD}, 200),
        ({"if-match": ETAG}, 200),
        ({"if-match": "*"}, 200),
        ({"if-match": f"{BAD}, {GOOD}"}, 200),
        ({"if-match": BAD}, 412),
        ({"if-match": f"W/{GOOD}"}, 412),
        ({"if-none-match": BAD}, 200),
        ({"if-none-match": GOOD}, 304),
        ({"if-none-match": f"W/{GOOD}"}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-modified-since": EARLIER}, 200),
        ({"if-modified-since": SAME}, 304),
        ({"if-modified-since": LATER}, 304),
        ({"if-modified-since": "yesterday"}, 200),
        ({"if-unmodified-since": SAME}, 200),
        ({"if-unmodified-since": EARLIER}, 412),
        ({"if-match": GOOD, "if-unmodified-since": EARLIER}, 200),
        ({"if-none-match": BAD, "if-modified-since": LATER}, 200),
        ({"if-none-match": GOOD, "if-modified-since": EARLIER}, 304),
        ({"if-match": BAD, "if-none-match": GOOD}, 412),
    ],
)
def test_a_read_obeys_its_conditions_in_the_precedence_of_s3(headers, status):
    assert read(headers) == status


def test_not_modified_carries_what_a_cache_needs():
    found = conditions.read_conditions({"if-none-match": GOOD})
    with pytest.raises(S3Error) as caught:
        conditions.check_read(found, ETAG, NOW)
    assert caught.value.headers == {"ETag": GOOD, "Last-Modified": SAME}


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("if-match", BAD, 412),
        ("if-none-match", GOOD, 412),
        ("if-modified-since", SAME, 412),
        ("if-unmodified-since", EARLIER, 412),
        ("if-match", GOOD, 200),
        ("if-none-match", BAD, 200),
    ],
)
def test_a_copy_source_fails_every_condition_with_412(name, value, status):
    found = conditions.read_conditions({conditions.COPY_SOURCE + name: value}, conditions.COPY_SOURCE)
    assert outcome(lambda: conditions.check_copy_source(found, ETAG, NOW)) == status


@pytest.mark.parametrize(
    ("headers", "absent", "same", "other"),
    [
        ({"if-none-match": "*"}, 200, 412, 412),
        ({"if-none-match": GOOD}, 200, 412, 200),
        ({"if-match": GOOD}, 404, 200, 412),
        ({"if-match": "*"}, 404, 200, 200),
    ],
)
def test_a_conditional_write_is_judged_by_the_current_version(headers, absent, same, other):
    check = conditions.write_check(headers)
    found = [outcome(lambda current=current: check(current)) for current in (None, version(), version("other"))]
    assert found == [absent, same, other]


def test_an_unconditional_write_has_no_check():
    assert conditions.write_check({"content-length": "1"}) is None
    assert conditions.delete_check({}) is None


@pytest.mark.parametrize(
    "headers",
    [{"if-match": GOOD, "if-none-match": "*"}, {"if-modified-since": SAME}, {"if-unmodified-since": SAME}],
)
def test_conditions_no_write_has_are_not_implemented(headers):
    with pytest.raises(S3Error) as caught:
        conditions.write_check(headers)
    assert caught.value.code == "NotImplemented"


@pytest.mark.parametrize(
    ("entry", "status"),
    [
        ((GOOD, None, None), 200),
        ((BAD, None, None), 412),
        (("*", None, None), 200),
        ((None, SAME, None), 200),
        ((None, iso_time(NOW), None), 200),
        ((None, EARLIER, None), 412),
        ((None, None, "1"), 200),
        ((None, None, "2"), 412),
    ],
)
def test_a_conditional_delete_compares_what_it_names_and_passes_where_nothing_is(entry, status):
    check = conditions.delete_entry_check(*entry)
    assert outcome(lambda: check(version())) == status
    assert outcome(lambda: check(None)) == 200


@pytest.mark.parametrize("entry", [(None, "soon", None), (None, None, "-1"), (None, None, "1e3")])
def test_an_unreadable_condition_of_a_delete_is_refused(entry):
    with pytest.raises(S3Error) as caught:
        conditions.delete_entry_check(*entry)
    assert caught.value.code == "InvalidArgument"


def test_a_range_applies_only_to_the_state_it_was_asked_of():
    for value, applies in ((GOOD, True), (BAD, False), (SAME, True), (EARLIER, False), ("rubbish", False)):
        assert conditions.range_applies({"if-range": value}, ETAG, NOW) is applies
    assert conditions.range_applies({}, ETAG, NOW)


def test_times_are_spelled_in_whole_seconds_and_read_back():
    assert http_date(784_111_777_999) == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert iso_time(784_111_777_999) == "1994-11-06T08:49:37.000Z"
    assert parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == 784_111_777
    assert parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT") == 784_111_777
    assert parse_http_date("Sun Nov  6 08:49:37 1994") == 784_111_777
    assert parse_iso_time("1994-11-06T08:49:37Z") == 784_111_777
    assert parse_http_date("") is parse_http_date("never") is parse_iso_time("never") is None
