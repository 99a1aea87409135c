"""Conditional requests: which reads answer 304 or 412, and which writes may replace what is there.

Knows ETags (unquoted, as stored), times and the headers' rules. Must not know transactions: a write's condition is a
`Check` that the metadata store runs inside its own.
Source: RFC 9110 section 13; https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from app.core.errors import S3Error
from app.core.s3.times import http_date, parse_http_date, parse_iso_time
from app.core.types import Version

Check = Callable[[Version | None], None]
"""Judges the key's current version (None = no object); raises S3Error to refuse the change."""

_READ_NAMES: Final = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")
COPY_SOURCE: Final = "x-amz-copy-source-"
RENAME_SOURCE: Final = "x-amz-rename-source-"


class ReadConditions(NamedTuple):
    """Header values as sent; times in seconds since the epoch, None when absent or unreadable (then ignored)."""

    match: str | None
    none_match: str | None
    modified_since_s: int | None
    unmodified_since_s: int | None


def read_conditions(headers: Mapping[str, str], prefix: str = "") -> ReadConditions | None:
    """The conditions of a read, or with `COPY_SOURCE` as prefix those on a copy's source; None when there are none."""
    match, none_match, since, unless = (headers.get(prefix + name) for name in _READ_NAMES)
    if match is None and none_match is None and since is None and unless is None:
        return None
    return ReadConditions(
        match,
        none_match,
        None if since is None else parse_http_date(since),
        None if unless is None else parse_http_date(unless),
    )


def check_read(conditions: ReadConditions, etag: str, modified_ms: int) -> None:
    """Raises PreconditionFailed (412), or NotModified (304) with the headers a cache needs.

    Precedence as AWS has it: a true If-Match silences If-Unmodified-Since, a false If-None-Match silences
    If-Modified-Since.
    """
    _check_required(conditions, etag, modified_ms)
    if _is_unchanged(conditions, etag, modified_ms):
        raise S3Error("NotModified", headers={"ETag": f'"{etag}"', "Last-Modified": http_date(modified_ms)})


def check_copy_source(conditions: ReadConditions, etag: str, modified_ms: int) -> None:
    """The same rules for a copy's source, where every refusal is PreconditionFailed."""
    _check_required(conditions, etag, modified_ms)
    if _is_unchanged(conditions, etag, modified_ms):
        raise _failed("If-None-Match" if conditions.none_match is not None else "If-Modified-Since")


def _check_required(conditions: ReadConditions, etag: str, modified_ms: int) -> None:
    if conditions.match is not None:
        if not etag_listed(conditions.match, etag):
            raise _failed("If-Match")
    elif conditions.unmodified_since_s is not None and modified_ms // 1000 > conditions.unmodified_since_s:
        raise _failed("If-Unmodified-Since")


def _is_unchanged(conditions: ReadConditions, etag: str, modified_ms: int) -> bool:
    if conditions.none_match is not None:
        return etag_listed(conditions.none_match, etag, weak=True)
    return conditions.modified_since_s is not None and modified_ms // 1000 <= conditions.modified_since_s


def range_applies(headers: Mapping[str, str], etag: str, modified_ms: int) -> bool:
    """False when an `If-Range` names another state of the object: then the whole object is the answer."""
    wanted = headers.get("if-range")
    if wanted is None or _unquoted(wanted.strip()) == etag:
        return True
    moment = parse_http_date(wanted)
    return moment is not None and modified_ms // 1000 == moment


def etag_listed(header: str, etag: str, weak: bool = False) -> bool:
    """Whether `etag` is in a comma-separated list of entity tags (quotes optional), or the list is `*`.

    A weak tag (`W/"…"`) matches only where the comparison is weak.
    """
    for item in header.split(","):
        tag = item.strip()
        if tag == "*":
            return True
        if tag.startswith("W/"):
            if not weak:
                continue
            tag = tag[2:]
        if _unquoted(tag) == etag:
            return True
    return False


def _unquoted(tag: str) -> str:
    return tag[1:-1] if len(tag) >= 2 and tag[0] == tag[-1] == '"' else tag


def _failed(condition: str) -> S3Error:
    return S3Error("PreconditionFailed", fields={"Condition": condition})


def write_check(headers: Mapping[str, str]) -> Check | None:
    """The condition of a PutObject, CopyObject or CompleteMultipartUpload; None when it has none.

    If-Match: the object must be there (else NoSuchKey) with one of these ETags, or any for `*`. If-None-Match: it must
    not be there for `*`, or not have one of these ETags (AWS has only `*`; the rest is RFC 9110, and s3-tests asks for
    it). Conditions on times are NotImplemented for writes, as is asking for both.
    """
    match, none_match = headers.get("if-match"), headers.get("if-none-match")
    refused = [name for name in _READ_NAMES[2:] if name in headers]
    if match is not None and none_match is not None:
        refused = ["if-match", "if-none-match"]
    if refused:
        raise S3Error("NotImplemented", fields={"Header": ", ".join(refused)})
    if match is not None:
        return _must_match(match)
    if none_match is not None:
        return _must_not_match(none_match)
    return None


def _must_match(header: str) -> Check:
    def check(current: Version | None) -> None:
        if current is None or current.delete_marker:
            raise S3Error("NoSuchKey")
        if not etag_listed(header, current.etag):
            raise _failed("If-Match")

    return check


def _must_not_match(header: str) -> Check:
    def check(current: Version | None) -> None:
        if current is not None and not current.delete_marker and etag_listed(header, current.etag, weak=True):
            raise _failed("If-None-Match")

    return check


def rename_check(headers: Mapping[str, str], prefix: str = "") -> Check | None:
    """The condition RenameObject sets on its destination, or with `RENAME_SOURCE` as prefix on its source.

    Every refusal is PreconditionFailed; to match, or to have changed since, an object must be there.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_RenameObject.html
    """
    conditions = read_conditions(headers, prefix)
    if conditions is None:
        return None

    def check(current: Version | None) -> None:
        if current is not None and not current.delete_marker:
            check_copy_source(conditions, current.etag, current.modified_ms)
        elif conditions.match is not None:
            raise _failed("If-Match")
        elif conditions.modified_since_s is not None:
            raise _failed("If-Modified-Since")

    return check


def delete_check(headers: Mapping[str, str]) -> Check | None:
    """The condition of a DeleteObject: `If-Match`, `x-amz-if-match-last-modified-time`, `x-amz-if-match-size`."""
    return delete_entry_check(
        headers.get("if-match"),
        headers.get("x-amz-if-match-last-modified-time"),
        headers.get("x-amz-if-match-size"),
    )


def delete_entry_check(etag: str | None, modified: str | None, size: str | None) -> Check | None:
    """The same for one entry of a DeleteObjects: its ETag, LastModifiedTime and Size, None where not given.

    An object that is not there passes: what the caller wants is already so, and a retried delete must not fail. Raises
    InvalidArgument for a time or size that cannot be read.
    """
    if etag is None and modified is None and size is None:
        return None
    modified_s = None if modified is None else _moment(modified)
    if size is not None and not (size.isascii() and size.isdigit() and len(size) <= 19):
        raise _unreadable("x-amz-if-match-size", size)
    size_bytes = None if size is None else int(size)

    def check(current: Version | None) -> None:
        if current is None:
            return
        if etag is not None and not etag_listed(etag, current.etag):
            raise _failed("If-Match")
        if modified_s is not None and current.modified_ms // 1000 != modified_s:
            raise _failed("x-amz-if-match-last-modified-time")
        if size_bytes is not None and current.size != size_bytes:
            raise _failed("x-amz-if-match-size")

    return check


def _moment(text: str) -> int:
    moment = parse_iso_time(text)
    moment = parse_http_date(text) if moment is None else moment
    if moment is None:
        raise _unreadable("x-amz-if-match-last-modified-time", text)
    return moment


def _unreadable(name: str, value: str) -> S3Error:
    return S3Error("InvalidArgument", fields={"ArgumentName": name, "ArgumentValue": value})
