"""What lifecycle rules ask for: of one version or upload, on one day. Pure decisions; nothing is done here.

Knows filters, ages and precedence. Must not know stores, sweeps or wires. A rule that cannot be read keeps everything.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-configuration-examples.html
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote

from app.core import limits
from app.core.errors import Corrupt
from app.core.s3.configs.grammar import Node
from app.core.s3.configs.lifecycle import LIFECYCLE
from app.core.s3.times import http_date, parse_iso_time

DAY_MS: Final = 86_400_000
COLDER: Final = (
    "STANDARD",
    "STANDARD_IA",
    "INTELLIGENT_TIERING",
    "ONEZONE_IA",
    "GLACIER_IR",
    "GLACIER",
    "DEEP_ARCHIVE",
)
"""S3's classes; nothing is moved up this waterfall. A class of the operator's own stands outside it."""

_TAKE_SMALL: Final = ("GLACIER", "DEEP_ARCHIVE")
EXPIRE: Final = "expire"
EXPIRE_NONCURRENT: Final = "expire-noncurrent"
REMOVE_MARKER: Final = "remove-marker"
TRANSITION: Final = "transition"
ABORT: Final = "abort-upload"


class Clock(NamedTuple):
    """How long a day is. `day_ms` 0: a day of the calendar, and what is due is due at the next midnight UTC."""

    day_ms: int = 0

    def due_ms(self, since_ms: int, days: int) -> int:
        """When something is `days` old: rounded up to the next midnight, as S3 rounds."""
        if self.day_ms:
            return since_ms + days * self.day_ms
        return ((since_ms + days * DAY_MS) // DAY_MS + 1) * DAY_MS


class When(NamedTuple):
    """Either `days` after something happened, or from the midnight `date_ms` on."""

    days: int | None
    date_ms: int = 0

    def due_ms(self, clock: Clock, since_ms: int) -> int:
        return self.date_ms if self.days is None else clock.due_ms(since_ms, self.days)


class Move(NamedTuple):
    """To `storage_class`; `newer`: only beyond so many newer noncurrent versions."""

    when: When
    storage_class: str
    newer: int = 0


class Rule(NamedTuple):
    """One enabled rule. Sizes in bytes, exclusive; None where a rule does not say."""

    rule_id: str
    prefix: bytes
    tags: Mapping[str, str]
    above: int | None
    below: int | None
    expiration: When | None
    orphaned_markers: bool
    transitions: tuple[Move, ...]
    noncurrent_days: int | None
    noncurrent_newer: int
    noncurrent_transitions: tuple[Move, ...]
    abort_days: int | None

    def covers(self, key: bytes, size: int, tags: Mapping[str, str]) -> bool:
        """Whether the filter chooses an object of this key, size and these tags."""
        if not key.startswith(self.prefix):
            return False
        if (self.above is not None and size <= self.above) or (self.below is not None and size >= self.below):
            return False
        return all(tags.get(name) == value for name, value in self.tags.items())


class Facts(NamedTuple):
    """A version or delete marker as a sweep finds it.

    `since_ms`: when it was made. `noncurrent_since_ms`: when its successor was made, None while it is current.
    `newer_noncurrent`: noncurrent versions of the key newer than it. `alone`: the key has no other version.
    `keeps_versions`: the bucket's versioning is, or was, enabled, so that expiring the current version removes nothing.
    """

    key: bytes
    size: int
    tags: Mapping[str, str]
    storage_class: str
    since_ms: int
    marker: bool = False
    noncurrent_since_ms: int | None = None
    newer_noncurrent: int = 0
    alone: bool = False
    keeps_versions: bool = False


class Action(NamedTuple):
    """What `rule_id` asks for. `due_ms`: since when. `storage_class`: of a TRANSITION."""

    kind: str
    rule_id: str
    due_ms: int
    storage_class: str = ""


@lru_cache(limits.DOCUMENTS_PARSED_MAX)
def rules(document: bytes) -> tuple[Rule, ...]:
    """The enabled rules of a stored configuration. Raises Corrupt: no rule of it is followed."""
    return tuple(_rule(node) for node in LIFECYCLE.stored(document).nodes("Rule") if node.text("Status") == "Enabled")


def _rule(node: Node) -> Rule:
    chosen = node.node("Filter")
    where = node if chosen is None else chosen.node("And") or chosen
    expiration, noncurrent = node.node("Expiration"), node.node("NoncurrentVersionExpiration")
    abort = node.node("AbortIncompleteMultipartUpload")
    timed = expiration is not None and "ExpiredObjectDeleteMarker" not in expiration
    return Rule(
        node.text("ID"),
        where.text("Prefix").encode(),
        {tag.text("Key"): tag.text("Value") for tag in where.nodes("Tag")},
        where.number("ObjectSizeGreaterThan"),
        where.number("ObjectSizeLessThan"),
        _when(expiration) if expiration is not None and timed else None,
        expiration is not None and expiration.flag("ExpiredObjectDeleteMarker"),
        tuple(Move(_when(move), move.text("StorageClass")) for move in node.nodes("Transition")),
        None if noncurrent is None else noncurrent.number("NoncurrentDays"),
        0 if noncurrent is None else noncurrent.number("NewerNoncurrentVersions") or 0,
        tuple(
            Move(
                When(move.number("NoncurrentDays")),
                move.text("StorageClass"),
                move.number("NewerNoncurrentVersions") or 0,
            )
            for move in node.nodes("NoncurrentVersionTransition")
        ),
        None if abort is None else abort.number("DaysAfterInitiation"),
    )


def _when(node: Node) -> When:
    seconds = parse_iso_time(node.text("Date")) if "Date" in node else None
    return When(node.number("Days"), 0 if seconds is None else seconds * 1000)


class Judge(NamedTuple):
    """Rules with what they are read by. `move_bytes_min`: smaller objects change their class only by a rule that says
    a size; with `varies` they may go to the two coldest classes all the same (varies_by_storage_class)."""

    rules: Sequence[Rule]
    clock: Clock = Clock()
    move_bytes_min: int = limits.TRANSITION_BYTES_MIN
    varies: bool = False

    def due(self, facts: Facts, now_ms: int) -> tuple[Action, ...]:
        """What is to be done now, in order: removal for good, before a move, before a delete marker on top."""
        removal = _first(action for action in self._removals(facts) if action.due_ms <= now_ms)
        if removal is not None and (removal.kind != EXPIRE or not facts.keeps_versions):
            return (removal,)
        move = self._move(facts, now_ms)
        return tuple(action for action in (move, removal) if action is not None)

    def dues(self, facts: Facts) -> Iterator[int]:
        """When anything of it is, was or will be due."""
        yield from (action.due_ms for action in self._removals(facts))
        yield from (action.due_ms for action in self._moves(facts))

    def expiry(self, facts: Facts) -> Action | None:
        """When the current version will expire, by which rule; None: never. For `x-amz-expiration`."""
        return _first(action for action in self._removals(facts) if action.kind == EXPIRE)

    def aborts(self, key: bytes, initiated_ms: int) -> Action | None:
        """When an upload in progress will be given up, by which rule; None: never."""
        return _first(
            Action(ABORT, rule.rule_id, self.clock.due_ms(initiated_ms, rule.abort_days))
            for rule in self.rules
            if rule.abort_days is not None and key.startswith(rule.prefix)
        )

    def _removals(self, facts: Facts) -> Iterator[Action]:
        for rule in self.rules:
            if not rule.covers(facts.key, facts.size, facts.tags):
                continue
            if facts.noncurrent_since_ms is not None:
                if rule.noncurrent_days is not None and facts.newer_noncurrent >= rule.noncurrent_newer:
                    due_ms = self.clock.due_ms(facts.noncurrent_since_ms, rule.noncurrent_days)
                    yield Action(EXPIRE_NONCURRENT, rule.rule_id, due_ms)
            elif facts.marker:
                if facts.alone and (rule.orphaned_markers or rule.expiration is not None):
                    due_ms = facts.since_ms
                    if rule.expiration is not None:
                        due_ms = rule.expiration.due_ms(self.clock, facts.since_ms)
                    yield Action(REMOVE_MARKER, rule.rule_id, due_ms)
            elif rule.expiration is not None:
                yield Action(EXPIRE, rule.rule_id, rule.expiration.due_ms(self.clock, facts.since_ms))

    def _move(self, facts: Facts, now_ms: int) -> Action | None:
        """Of the moves due the last, of several at once the coldest; None when the version is there or beyond."""
        if facts.marker:
            return None
        due = [move for move in self._moves(facts) if move.due_ms <= now_ms]
        if not due:
            return None
        last = max(due, key=lambda move: (move.due_ms, _coldness(move.storage_class)))
        here, there = _coldness(facts.storage_class), _coldness(last.storage_class)
        if last.storage_class == facts.storage_class or (here >= 0 and 0 <= there <= here):
            return None
        return last

    def _moves(self, facts: Facts) -> Iterator[Action]:
        since_ms = facts.since_ms if facts.noncurrent_since_ms is None else facts.noncurrent_since_ms
        for rule in self.rules:
            moves = rule.transitions if facts.noncurrent_since_ms is None else rule.noncurrent_transitions
            if not moves or not rule.covers(facts.key, facts.size, facts.tags):
                continue
            small = rule.above is None and rule.below is None and facts.size < self.move_bytes_min
            for move in moves:
                if small and not (self.varies and move.storage_class in _TAKE_SMALL):
                    continue
                if facts.newer_noncurrent >= move.newer:
                    due_ms = move.when.due_ms(self.clock, since_ms)
                    yield Action(TRANSITION, rule.rule_id, due_ms, move.storage_class)


def _first(actions: Iterator[Action]) -> Action | None:
    return min(actions, key=lambda action: action.due_ms, default=None)


def _coldness(storage_class: str) -> int:
    return COLDER.index(storage_class) if storage_class in COLDER else -1


def expiration_headers(
    document: bytes | None, key: bytes, size: int, since_ms: int, tags: Mapping[str, str]
) -> list[tuple[str, str]]:
    """`x-amz-expiration` of a current version, [] when nothing will expire it. The date is the calendar's, whatever a
    debug clock says: that is what clients can read. A configuration that does not parse expires nothing."""
    if document is None:
        return []
    action = _calendar(document).expiry(Facts(key, size, tags, "", since_ms))
    if action is None:
        return []
    return [("x-amz-expiration", f'expiry-date="{http_date(action.due_ms)}", rule-id="{_header_text(action.rule_id)}"')]


def abort_headers(document: bytes | None, key: bytes, initiated_ms: int) -> list[tuple[str, str]]:
    """`x-amz-abort-date` and `x-amz-abort-rule-id` of an upload in progress, [] when nothing will abort it."""
    action = None if document is None else _calendar(document).aborts(key, initiated_ms)
    if action is None:
        return []
    rule_id = _header_text(action.rule_id)
    return [("x-amz-abort-date", http_date(action.due_ms)), ("x-amz-abort-rule-id", rule_id)]


def _calendar(document: bytes) -> Judge:
    try:
        return Judge(rules(document))
    except Corrupt:
        return Judge(())


def _header_text(rule_id: str) -> str:
    """A rule's id as a header can hold it: percent-encoded where it is not plain ASCII."""
    return rule_id if rule_id.isascii() and rule_id.isprintable() and '"' not in rule_id else quote(rule_id, safe="")
