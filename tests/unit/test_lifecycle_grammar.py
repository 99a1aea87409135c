"""Lifecycle documents: what is taken, what is refused and how, and the canonical form."""

import pytest

from app.core.errors import S3Error
from app.core.s3.configs.lifecycle import LIFECYCLE, canonical


def document(*rules: str) -> bytes:
    inner = "".join(f"<Rule>{rule}</Rule>" for rule in rules)
    return f"<LifecycleConfiguration>{inner}</LifecycleConfiguration>".encode()


def stored(*rules: str) -> bytes:
    return canonical(document(*rules), lambda name: name in ("STANDARD_IA", "GLACIER", "DEEP_ARCHIVE"))


ON = "<Status>Enabled</Status>"
ALL = f"<Prefix/>{ON}"


def move(days: int, name: str) -> str:
    return f"<Transition><Days>{days}</Days><StorageClass>{name}</StorageClass></Transition>"


DUE = "<Days>1</Days>"
DAY = f"<Expiration>{DUE}</Expiration>"
TAG = "<Tag><Key>k</Key><Value>v</Value></Tag>"

REFUSED = [
    ("MalformedXML", "no rule at all", []),
    ("MalformedXML", "a status in lower case", [f"<Prefix/><Status>enabled</Status>{DAY}"]),
    ("MalformedXML", "no status", [f"<Prefix/>{DAY}"]),
    ("MalformedXML", "neither prefix nor filter", [f"{ON}{DAY}"]),
    ("MalformedXML", "both prefix and filter", [f"<Filter/><Prefix/>{ON}{DAY}"]),
    ("MalformedXML", "two conditions without And", [f"<Filter><Prefix>a</Prefix>{TAG}</Filter>{ON}{DAY}"]),
    ("MalformedXML", "And of one", [f"<Filter><And><Prefix>a</Prefix></And></Filter>{ON}{DAY}"]),
    ("MalformedXML", "an unknown element", [f"{ALL}{DAY}<Colour/>"]),
    ("MalformedXML", "two dues in one expiration", [f"{ALL}<Expiration>{DUE}<Date>2030-01-01</Date></Expiration>"]),
    ("MalformedXML", "an empty expiration", [f"{ALL}<Expiration/>"]),
    ("MalformedXML", "no date", [f"{ALL}<Expiration><Date>tomorrow</Date></Expiration>"]),
    ("MalformedXML", "an unknown class", [f"{ALL}{move(1, 'NONE')}"]),
    ("MalformedXML", "a move to STANDARD", [f"{ALL}{move(1, 'STANDARD')}"]),
    ("InvalidArgument", "an id too long", [f"<ID>{'a' * 256}</ID>{ALL}{DAY}"]),
    ("InvalidArgument", "an id twice", [f"<ID>a</ID>{ALL}{DAY}", f"<ID>a</ID>{ALL}{DAY}"]),
    ("InvalidArgument", "no days", [f"{ALL}<Expiration><Days>0</Days></Expiration>"]),
    ("InvalidArgument", "no midnight", [f"{ALL}<Expiration><Date>2030-01-01T01:00:00Z</Date></Expiration>"]),
    ("InvalidArgument", "negative days", [f"{ALL}{move(-1, 'GLACIER')}"]),
    ("InvalidArgument", "young infrequent access", [f"{ALL}{move(29, 'STANDARD_IA')}"]),
    (
        "InvalidArgument",
        "expired before moved",
        [f"{ALL}<Expiration><Days>5</Days></Expiration>{move(5, 'GLACIER')}"],
    ),
    (
        "InvalidArgument",
        "too many kept",
        [
            f"{ALL}<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>101</NewerNoncurrentVersions></NoncurrentVersionExpiration>"
        ],
    ),
    ("InvalidRequest", "no action", [ALL]),
    ("InvalidRequest", "a long prefix", [f"<Prefix>{'a' * 1025}</Prefix>{ON}{DAY}"]),
    (
        "InvalidRequest",
        "days and dates",
        [f"{ALL}{DAY}<Transition><Date>2030-01-01</Date><StorageClass>GLACIER</StorageClass></Transition>"],
    ),
    (
        "InvalidRequest",
        "markers by tag",
        [
            f"<Filter>{TAG}</Filter>{ON}<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"
        ],
    ),
    (
        "InvalidRequest",
        "uploads by tag",
        [
            f"<Filter>{TAG}</Filter>{ON}<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
        ],
    ),
    ("InvalidRequest", "a tag twice", [f"<Filter><And>{TAG}{TAG}</And></Filter>{ON}{DAY}"]),
    (
        "InvalidRequest",
        "sizes that leave nothing",
        [
            f"<Filter><And><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan><ObjectSizeLessThan>5</ObjectSizeLessThan></And></Filter>{ON}{DAY}"
        ],
    ),
]


@pytest.mark.parametrize(("code", "rules"), [pytest.param(c, r, id=name) for c, name, r in REFUSED])
def test_a_wrong_configuration_is_refused_as_s3_refuses_it(code: str, rules: list[str]) -> None:
    with pytest.raises(S3Error) as refused:
        stored(*rules)
    assert refused.value.code == code


def test_more_than_a_thousand_rules_are_refused() -> None:
    assert LIFECYCLE.stored(stored(*[f"{ALL}{DAY}"] * 1000))
    with pytest.raises(S3Error, match="MalformedXML"):
        stored(*[f"{ALL}{DAY}"] * 1001)


def test_every_rule_gets_an_id_of_its_own_and_keeps_the_one_it_has() -> None:
    rules = LIFECYCLE.stored(stored(f"{ALL}{DAY}", f"{ALL}{DAY}", f"<ID>mine</ID>{ALL}{DAY}")).nodes("Rule")
    ids = [rule.text("ID") for rule in rules]
    assert ids[2] == "mine"
    assert len(set(ids)) == 3
    assert all(ids)


def test_what_is_stored_is_read_and_written_as_it_is() -> None:
    full = stored(
        f"<ID>a</ID><Filter><And><Prefix>p/</Prefix>{TAG}<ObjectSizeGreaterThan>1</ObjectSizeGreaterThan></And></Filter>{ON}"
        "<Expiration><Date>2030-01-01</Date></Expiration>"
        "<NoncurrentVersionExpiration><NoncurrentDays>9</NoncurrentDays></NoncurrentVersionExpiration>"
        "<NoncurrentVersionTransition><NoncurrentDays>1</NoncurrentDays><StorageClass>GLACIER</StorageClass></NoncurrentVersionTransition>"
    )
    assert LIFECYCLE.write(LIFECYCLE.stored(full)) == full
    assert b"<Date>2030-01-01T00:00:00.000Z</Date>" in full


def test_a_class_the_server_has_not_is_named_in_the_refusal() -> None:
    with pytest.raises(S3Error) as refused:
        stored(f"{ALL}{move(30, 'GLACIER_IR')}")
    assert refused.value.code == "MalformedXML"
    assert refused.value.message == "This server has no storage class GLACIER_IR"
