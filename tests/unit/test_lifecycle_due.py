"""What rules ask of a version: S3's own examples, precedence, and properties that hold for every version."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.s3 import lifecycle
from app.core.s3.configs.lifecycle import canonical
from app.core.s3.lifecycle import DAY_MS, Clock, Facts, Judge, Rule, abort_headers, expiration_headers, rules

KIB = 1024


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def judge(*texts: str, day_ms: int = 0, move_bytes_min: int = 0) -> Judge:
    return Judge(rules(document(*texts)), Clock(day_ms), move_bytes_min)


def document(*texts: str) -> bytes:
    inner = "".join(f"<Rule>{text}<Status>Enabled</Status></Rule>" for text in texts)
    return canonical(f"<LifecycleConfiguration>{inner}</LifecycleConfiguration>".encode(), lambda name: True)


def facts(since: str = "2014-01-15T10:30", key: bytes = b"logs/a", **others: object) -> Facts:
    return Facts(key, 300 * KIB, {}, "STANDARD", ms(since))._replace(**others)


def days(number: int) -> str:
    return f"<Expiration><Days>{number}</Days></Expiration>"


def move(number: int, name: str) -> str:
    return f"<Transition><Days>{number}</Days><StorageClass>{name}</StorageClass></Transition>"


def noncurrent(number: int, newer: int = 0) -> str:
    kept = f"<NewerNoncurrentVersions>{newer}</NewerNoncurrentVersions>" if newer else ""
    return f"<NoncurrentVersionExpiration><NoncurrentDays>{number}</NoncurrentDays>{kept}</NoncurrentVersionExpiration>"


MARKERS = "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"


def kinds(judged: Judge, version: Facts, now: str) -> list[str]:
    return [action.kind for action in judged.due(version, ms(now))]


def test_three_days_from_a_morning_end_at_the_midnight_after() -> None:
    rule = judge(f"<Prefix/>{days(3)}")
    assert kinds(rule, facts(), "2014-01-18T23:59") == []
    assert kinds(rule, facts(), "2014-01-19T00:00") == ["expire"]


def test_a_date_holds_for_every_version_from_that_midnight_on() -> None:
    rule = judge("<Prefix/><Expiration><Date>2014-01-20</Date></Expiration>")
    assert kinds(rule, facts(), "2014-01-19T23:59") == []
    assert kinds(rule, facts("2014-02-01T00:00"), "2014-02-01T00:01") == ["expire"]


def test_a_debug_day_is_counted_to_the_second() -> None:
    rule = judge(f"<Prefix/>{days(3)}", day_ms=2000)
    assert rule.due(facts(), ms("2014-01-15T10:30:05")) == ()
    assert [a.kind for a in rule.due(facts(), ms("2014-01-15T10:30:06"))] == ["expire"]


@pytest.mark.parametrize(
    ("where", "chosen"),
    [
        ("<Filter><Prefix>logs/</Prefix></Filter>", True),
        ("<Filter><Prefix>tax/</Prefix></Filter>", False),
        ("<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>", True),
        ("<Filter><Tag><Key>k</Key><Value>w</Value></Tag></Filter>", False),
        ("<Filter><ObjectSizeGreaterThan>307199</ObjectSizeGreaterThan></Filter>", True),
        ("<Filter><ObjectSizeGreaterThan>307200</ObjectSizeGreaterThan></Filter>", False),
        ("<Filter><ObjectSizeLessThan>307201</ObjectSizeLessThan></Filter>", True),
        ("<Filter><ObjectSizeLessThan>307200</ObjectSizeLessThan></Filter>", False),
        ("<Filter><And><Prefix>logs/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>", True),
        ("<Filter><And><Prefix>tax/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>", False),
        ("<Filter/>", True),
    ],
)
def test_a_filter_chooses_by_prefix_tags_and_size(where: str, chosen: bool) -> None:
    version = facts(tags={"k": "v", "more": "x"})
    assert bool(kinds(judge(where + days(1)), version, "2020-01-01T00:00")) is chosen


def test_disabled_rules_ask_for_nothing() -> None:
    text = canonical(
        f"<LifecycleConfiguration><Rule><Prefix/><Status>Disabled</Status>{days(1)}</Rule></LifecycleConfiguration>".encode(),
        lambda name: True,
    )
    assert rules(text) == ()


def test_removal_for_good_comes_before_a_move() -> None:
    both = judge(f"<Prefix/>{days(2)}{move(1, 'GLACIER')}")
    assert kinds(both, facts(), "2015-01-01T00:00") == ["expire"]


def test_a_move_comes_before_a_delete_marker_on_top() -> None:
    both = judge(f"<Prefix/>{days(2)}{move(1, 'GLACIER')}")
    assert kinds(both, facts(keeps_versions=True), "2015-01-01T00:00") == ["transition", "expire"]


def test_of_two_rules_the_shorter_expiration_wins() -> None:
    both = judge(f"<ID>long</ID><Prefix/>{days(9)}", f"<ID>short</ID><Prefix>logs/</Prefix>{days(3)}")
    assert both.due(facts(), ms("2014-01-20T00:00"))[0].rule_id == "short"


def test_of_two_moves_due_on_one_day_the_colder_is_made() -> None:
    both = judge(f"<Prefix/>{move(60, 'STANDARD_IA')}", f"<Prefix/>{move(60, 'GLACIER')}")
    assert [a.storage_class for a in both.due(facts(), ms("2015-01-01T00:00"))] == ["GLACIER"]


def test_moves_go_down_the_waterfall_one_after_another_and_never_up() -> None:
    steps = judge(f"<Prefix/>{move(30, 'STANDARD_IA')}{move(90, 'GLACIER')}")
    at = {"2014-03-01T00:00": "STANDARD_IA", "2015-01-01T00:00": "GLACIER"}
    for now, wanted in at.items():
        assert [a.storage_class for a in steps.due(facts(), ms(now))] == [wanted]
        assert steps.due(facts(storage_class=wanted), ms(now)) == ()
    assert steps.due(facts(storage_class="DEEP_ARCHIVE"), ms("2015-01-01T00:00")) == ()


def test_small_objects_stay_in_their_class_unless_the_rule_names_a_size() -> None:
    small = facts(size=127 * KIB)
    assert kinds(judge(f"<Prefix/>{move(1, 'GLACIER')}", move_bytes_min=128 * KIB), small, "2015-01-01T00:00") == []
    sized = f"<Filter><ObjectSizeGreaterThan>0</ObjectSizeGreaterThan></Filter>{move(1, 'GLACIER')}"
    assert kinds(judge(sized, move_bytes_min=128 * KIB), small, "2015-01-01T00:00") == ["transition"]


def test_noncurrent_age_counts_from_the_successor() -> None:
    rule = judge(f"<Prefix/>{noncurrent(2)}")
    old = facts(noncurrent_since_ms=ms("2014-06-01T10:00"), keeps_versions=True)
    assert kinds(rule, old, "2014-06-03T23:59") == []
    assert kinds(rule, old, "2014-06-04T00:00") == ["expire-noncurrent"]
    assert kinds(rule, facts(keeps_versions=True), "2014-06-04T00:00") == []


def test_so_many_newer_noncurrent_versions_are_kept() -> None:
    rule = judge(f"<Prefix/>{noncurrent(1, newer=5)}")
    old = facts(noncurrent_since_ms=ms("2014-06-01T10:00"))
    assert kinds(rule, old._replace(newer_noncurrent=4), "2015-01-01T00:00") == []
    assert kinds(rule, old._replace(newer_noncurrent=5), "2015-01-01T00:00") == ["expire-noncurrent"]


def test_a_delete_marker_goes_only_when_it_is_all_that_is_left() -> None:
    marker = facts(marker=True, size=0, keeps_versions=True)
    assert kinds(judge(f"<Prefix/>{MARKERS}"), marker, "2015-01-01T00:00") == []
    assert kinds(judge(f"<Prefix/>{MARKERS}"), marker._replace(alone=True), "2015-01-01T00:00") == ["remove-marker"]


def test_an_expiration_in_days_takes_lonely_markers_of_that_age_with_it() -> None:
    marker = facts(marker=True, size=0, alone=True, keeps_versions=True)
    assert kinds(judge(f"<Prefix/>{days(5)}"), marker, "2014-01-19T00:00") == []
    assert kinds(judge(f"<Prefix/>{days(5)}"), marker, "2014-01-21T00:00") == ["remove-marker"]


def test_the_headers_tell_the_next_end_by_the_calendar() -> None:
    text = document(
        f"<ID>one</ID><Prefix>logs/</Prefix>{days(3)}",
        "<ID>up</ID><Prefix/><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>"
        "</AbortIncompleteMultipartUpload>",
    )
    [(name, value)] = expiration_headers(text, b"logs/a", 5, ms("2014-01-15T10:30"), {})
    assert name == "x-amz-expiration"
    assert value == 'expiry-date="Sun, 19 Jan 2014 00:00:00 GMT", rule-id="one"'
    assert expiration_headers(text, b"tax/a", 5, 0, {}) == []
    assert expiration_headers(None, b"logs/a", 5, 0, {}) == []
    assert abort_headers(text, b"tax/a", ms("2014-01-15T10:30")) == [
        ("x-amz-abort-date", "Fri, 17 Jan 2014 00:00:00 GMT"),
        ("x-amz-abort-rule-id", "up"),
    ]


def test_a_stored_configuration_that_does_not_parse_tells_no_end() -> None:
    assert expiration_headers(b"<Broken", b"a", 1, 0, {}) == []
    assert abort_headers(b"<Broken", b"a", 0) == []


_RULES = st.builds(
    Rule,
    rule_id=st.just("r"),
    prefix=st.sampled_from([b"", b"a", b"b"]),
    tags=st.sampled_from([{}, {"k": "v"}]),
    above=st.sampled_from([None, 10]),
    below=st.sampled_from([None, 100]),
    expiration=st.one_of(st.none(), st.builds(lifecycle.When, st.integers(1, 5))),
    orphaned_markers=st.booleans(),
    transitions=st.lists(
        st.builds(
            lifecycle.Move, st.builds(lifecycle.When, st.integers(0, 5)), st.sampled_from(["GLACIER", "DEEP_ARCHIVE"])
        ),
        max_size=2,
    ).map(tuple),
    noncurrent_days=st.one_of(st.none(), st.integers(1, 5)),
    noncurrent_newer=st.integers(0, 3),
    noncurrent_transitions=st.just(()),
    abort_days=st.none(),
)
_FACTS = st.builds(
    Facts,
    key=st.sampled_from([b"a1", b"b1", b"c1"]),
    size=st.integers(0, 200),
    tags=st.sampled_from([{}, {"k": "v"}, {"k": "w"}]),
    storage_class=st.sampled_from(["STANDARD", "GLACIER", "DEEP_ARCHIVE"]),
    since_ms=st.integers(0, 9 * DAY_MS),
    marker=st.booleans(),
    noncurrent_since_ms=st.one_of(st.none(), st.integers(0, 9 * DAY_MS)),
    newer_noncurrent=st.integers(0, 5),
    alone=st.booleans(),
    keeps_versions=st.booleans(),
)


@given(st.lists(_RULES, max_size=4), _FACTS, st.integers(0, 20 * DAY_MS))
def test_nothing_is_done_that_no_rule_covers_or_before_it_is_due(some: list[Rule], version: Facts, now_ms: int) -> None:
    actions = Judge(some, Clock(), 0).due(version, now_ms)
    covering = [rule for rule in some if rule.covers(version.key, version.size, version.tags)]
    assert not actions or covering
    assert all(action.due_ms <= now_ms for action in actions)
    if version.noncurrent_since_ms is None and not version.marker:
        assert all(action.kind in ("expire", "transition") for action in actions)
    if version.marker and version.noncurrent_since_ms is None:
        assert all(version.alone for _ in actions)


@given(st.lists(_RULES, max_size=4), _FACTS, st.integers(0, 20 * DAY_MS), st.integers(0, 20 * DAY_MS))
def test_what_is_removed_on_one_day_would_be_on_every_later_one(
    some: list[Rule], version: Facts, now_ms: int, later_ms: int
) -> None:
    judged = Judge(some, Clock(), 0)
    first = {action.kind for action in judged.due(version, now_ms)} - {"transition"}
    assert first <= {action.kind for action in judged.due(version, now_ms + later_ms)}
