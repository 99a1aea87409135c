"""Object lock: what its headers and documents say, when a version may go, and how a retention may change.

Knows values and texts. Must not know who may bypass governance (services/objects/removal asks) nor where locks lie.
A lock that cannot be read keeps its version for ever: whatever is not known to be open is closed. Dates are rounded up
to whole seconds, the unit every answer shows, so that a version is never freed before the date its client named.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

from collections.abc import Mapping
from datetime import MAXYEAR, UTC, datetime
from typing import Final, NamedTuple

from app.core import limits
from app.core.errors import S3Error
from app.core.s3.configs.grammar import Choice, Field, Grammar, Node, Record
from app.core.s3.configs.leaves import word
from app.core.s3.times import iso_time
from app.core.s3.xml import Writer
from app.core.types import NO_LOCK, Bucket, Lock, Version

CONFIG: Final = "object-lock"
GOVERNANCE: Final = "GOVERNANCE"
COMPLIANCE: Final = "COMPLIANCE"
MODE_HEADER: Final = "x-amz-object-lock-mode"
UNTIL_HEADER: Final = "x-amz-object-lock-retain-until-date"
HOLD_HEADER: Final = "x-amz-object-lock-legal-hold"
BYPASS_HEADER: Final = "x-amz-bypass-governance-retention"

_MODES: Final = (GOVERNANCE, COMPLIANCE)
_DAY_MS: Final = 86_400_000
_NO_LOCK_IN_BUCKET: Final = "Bucket is missing Object Lock Configuration"


# --- headers of a write


def requested(headers: Mapping[str, str], now_ms: int) -> Lock:
    """The lock a write's headers ask for, NO_LOCK for none. Raises InvalidArgument."""
    mode, until, hold = headers.get(MODE_HEADER), headers.get(UNTIL_HEADER), headers.get(HOLD_HEADER)
    if mode is None and until is None and hold is None:
        return NO_LOCK
    if hold not in (None, "ON", "OFF"):
        raise _bad_header("Legal Hold must be either of 'ON' or 'OFF'", HOLD_HEADER, hold or "")
    if mode is None and until is None:
        return Lock(legal_hold=hold == "ON")
    if mode is None or until is None:
        absent = MODE_HEADER if mode is None else UNTIL_HEADER
        raise _bad_header(f"{UNTIL_HEADER} and {MODE_HEADER} must both be supplied", absent, "null")
    if mode not in _MODES:
        raise _bad_header("Unknown wormMode directive.", MODE_HEADER, mode)
    until_ms = _time_ms(until)
    if until_ms is None:
        raise _bad_header("The retain until date must be provided in ISO 8601 format", UNTIL_HEADER, until)
    _check_future(until_ms, now_ms, until)
    return Lock(mode, until_ms, hold == "ON")


def bypass_asked(headers: Mapping[str, str]) -> bool:
    """Whether the request wants governance retention put aside; it counts only with the permission."""
    return headers.get(BYPASS_HEADER, "").lower() == "true"


def of_bucket(bucket: Bucket, asked: Lock, now_ms: int) -> Lock:
    """The lock a new version of the bucket gets: what was asked, else the bucket's default retention from now on.

    Raises InvalidRequest for a lock asked of a bucket without object lock, Corrupt for an unreadable configuration.
    """
    if not bucket.object_lock:
        if asked != NO_LOCK:
            raise S3Error("InvalidRequest", _NO_LOCK_IN_BUCKET)
        return NO_LOCK
    document = bucket.configs.get(CONFIG)
    if asked.mode or document is None:
        return asked
    default = default_retention(GRAMMAR.stored(document))
    if default is None:
        return asked
    return Lock(default.mode, default.until_ms(now_ms), asked.legal_hold)


def check_lockable(bucket: Bucket) -> None:
    """Raises InvalidRequest where no version can be locked."""
    if not bucket.object_lock:
        raise S3Error("InvalidRequest", _NO_LOCK_IN_BUCKET)


# --- what a lock forbids


def check_removal(version: Version, now_ms: int, bypass: bool) -> None:
    """May the version be removed for good? `bypass`: of governance, by a caller known to have the permission.

    Raises AccessDenied while it is held or retained, and for a lock that makes no sense.
    """
    lock = version.attributes.lock
    if lock == NO_LOCK or version.delete_marker:
        return
    if not _is_known(lock) or lock.legal_hold or not _may_shorten(lock, now_ms, bypass):
        raise _protected()


def check_change(old: Lock, new: Lock, now_ms: int, bypass: bool) -> None:
    """May the retention `old` become `new` (mode "": none at all)? Legal holds are not looked at.

    Longer in the same mode always; else compliance never, governance with `bypass`. Raises AccessDenied.
    """
    if not _is_known(old):
        raise _protected()
    longer = new.mode == old.mode and new.until_ms >= old.until_ms
    if not longer and not _may_shorten(old, now_ms, bypass):
        raise _protected()


def _may_shorten(lock: Lock, now_ms: int, bypass: bool) -> bool:
    return not lock.mode or lock.until_ms <= now_ms or (bypass and lock.mode == GOVERNANCE)


def _is_known(lock: Lock) -> bool:
    """A stored lock is a row of the store's: nothing about its values is taken for granted."""
    if not isinstance(lock.legal_hold, bool | int) or not isinstance(lock.until_ms, int):
        return False
    return lock.mode == "" or (lock.mode in _MODES and lock.until_ms > 0)


def _protected() -> S3Error:
    return S3Error("AccessDenied", "Access Denied because object protected by object lock.")


# --- documents of a version


def retention_asked(document: bytes, now_ms: int) -> Lock:
    """The mode and date of a `<Retention>`, NO_LOCK of an empty one. Raises MalformedXML, InvalidArgument."""
    node = _RETENTION.parse(document)
    mode, until = node.get("Mode"), node.get("RetainUntilDate")
    if mode is None or until is None:
        if mode is not None or until is not None:
            raise S3Error("MalformedXML", reason="a retention of half its elements")
        return NO_LOCK
    until_ms = _time_ms(until)
    if until_ms is None:
        raise S3Error("MalformedXML", reason="no date")
    _check_future(until_ms, now_ms, until)
    return Lock(mode, until_ms)


def retention_document(lock: Lock) -> bytes:
    """`<Retention>` of a lock. Raises NoSuchObjectLockConfiguration when it has no retention."""
    if not lock.mode:
        raise S3Error("NoSuchObjectLockConfiguration")
    writer = Writer("Retention")
    writer.text("Mode", lock.mode)
    writer.text("RetainUntilDate", iso_time(lock.until_ms))
    return writer.document()


def hold_asked(document: bytes) -> bool:
    """Whether a `<LegalHold>` is ON. Raises MalformedXML."""
    return _HOLD.parse(document).text("Status") == "ON"


def hold_document(lock: Lock) -> bytes:
    """`<LegalHold>` of a lock; one never held is OFF."""
    writer = Writer("LegalHold")
    writer.text("Status", "ON" if lock.legal_hold else "OFF")
    return writer.document()


# --- the bucket's configuration


class DefaultRetention(NamedTuple):
    """What new versions get unless they ask otherwise: `days` or `years`, the other 0."""

    mode: str
    days: int
    years: int

    def until_ms(self, now_ms: int) -> int:
        """The date of a version made now, rounded up to a second. A year ends on the same day of the calendar."""
        if self.days:
            return _whole_second(now_ms + self.days * _DAY_MS)
        moment = datetime.fromtimestamp(-(-now_ms // 1000), UTC)
        leap_day = moment.month == 2 and moment.day == 29
        later = moment.replace(year=moment.year + self.years, day=28 if leap_day else moment.day)
        return int(later.timestamp()) * 1000 + (_DAY_MS if leap_day else 0)


def default_retention(node: Node) -> DefaultRetention | None:
    """The rule of a configuration, None when it only turns object lock on."""
    rule = node.node("Rule")
    found = None if rule is None else rule.node("DefaultRetention")
    if found is None:
        return None
    return DefaultRetention(found.text("Mode"), found.number("Days") or 0, found.number("Years") or 0)


def _duration(name: str, most: int) -> Field:
    def leaf(found: str) -> str:
        found = found.strip()
        digits = found.removeprefix("-")
        if not (digits.isascii() and digits.isdigit()):
            raise ValueError("not a number")
        if len(digits) > 9 or int(found) > most:
            text = f"Default retention period is too large: at most {most} {name.lower()}."
            raise S3Error("InvalidRetentionPeriod", text)
        if int(found) <= 0:
            raise S3Error("InvalidRetentionPeriod")
        return str(int(found))

    return Field(name, leaf)


def _until(found: str) -> str:
    if _time_ms(found.strip()) is None:
        raise ValueError("not a time")
    return found.strip()


def _check_future(until_ms: int, now_ms: int, text: str) -> None:
    if until_ms <= now_ms:
        raise _bad_header("The retain until date must be in the future!", UNTIL_HEADER, text)


def _bad_header(message: str, name: str, value: str) -> S3Error:
    return S3Error("InvalidArgument", message, fields={"ArgumentName": name, "ArgumentValue": value})


def _time_ms(text: str) -> int | None:
    """A date with a time of day, or None."""
    if "T" not in text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        # Taken apart in integers: a float of milliseconds may fall short of the microsecond that was named. A date
        # that cannot be shown once it is rounded up (in 9999, somewhere west) is refused here, not in every answer.
        at_utc = aware.astimezone(UTC)
        if at_utc.year == MAXYEAR:
            return None
        return (int(at_utc.replace(microsecond=0).timestamp()) + (at_utc.microsecond > 0)) * 1000
    except (ValueError, OverflowError):
        return None


def _whole_second(time_ms: int) -> int:
    return -(-time_ms // 1000) * 1000


_DEFAULT: Final = Record(
    Field("Mode", word(*_MODES), least=1),
    _duration("Days", limits.RETENTION_DAYS_MAX),
    _duration("Years", limits.RETENTION_YEARS_MAX),
    choices=(Choice(("Days", "Years")),),
)
GRAMMAR: Final = Grammar(
    "ObjectLockConfiguration",
    Record(
        Field("ObjectLockEnabled", word("Enabled"), least=1),
        Field("Rule", Record(Field("DefaultRetention", _DEFAULT, least=1))),
    ),
)
_RETENTION: Final = Grammar("Retention", Record(Field("Mode", word(*_MODES)), Field("RetainUntilDate", _until)))
_HOLD: Final = Grammar("LegalHold", Record(Field("Status", word("ON", "OFF"), least=1)))
