"""Lines and names of access logs, as S3 writes them. Pure.

Knows the format's fields. Must not know when or where a log is delivered.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple
from urllib.parse import quote

from app.core.s3.configs.logging import LogRule

_MONTHS: Final = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NAMES: Final[Mapping[str, str]] = {
    "AbortMultipartUpload": "REST.DELETE.UPLOAD",
    "CompleteMultipartUpload": "REST.POST.UPLOAD",
    "CopyObject": "REST.COPY.OBJECT",
    "CreateMultipartUpload": "REST.POST.UPLOADS",
    "DeleteObjects": "REST.POST.MULTI_OBJECT_DELETE",
    "ListBuckets": "REST.GET.SERVICE",
    "ListMultipartUploads": "REST.GET.UPLOADS",
    "ListObjectVersions": "REST.GET.BUCKETVERSIONS",
    "ListObjects": "REST.GET.BUCKET",
    "ListObjectsV2": "REST.GET.BUCKET",
    "ListParts": "REST.GET.UPLOAD",
    "PostObject": "REST.POST.OBJECT",
    "RenameObject": "REST.PUT.RENAMEOBJECT",
    "UploadPart": "REST.PUT.PART",
    "UploadPartCopy": "REST.COPY.PART",
}
"""Operations the log calls otherwise than by method and resource."""
_WORDS: Final = re.compile(r"[A-Z][a-z0-9]*|ACL|CORS")
_UNQUOTABLE: Final = re.compile(r'["\\\x00-\x1f\x7f]')


class Entry(NamedTuple):
    """One request. Times: `time_ms` when it ended; `total_ms` how long it took. "" and -1 become a dash."""

    time_ms: int
    owner: str
    bucket: str
    remote: str
    requester: str
    request_id: str
    operation: str
    method: str
    key: bytes
    target: str
    status: int
    error: str
    bytes_sent: int
    total_ms: int
    referer: str
    user_agent: str
    version_id: str
    host_id: str
    signature_version: str
    auth_type: str
    host: str


def line(entry: Entry) -> bytes:
    """The line, its newline included. What a client chose can neither end a field nor the line."""
    fields = (
        entry.owner,
        entry.bucket,
        f"[{_time(entry.time_ms)}]",
        entry.remote,
        entry.requester,
        entry.request_id,
        operation_name(entry.operation, entry.method),
        quote(entry.key, safe="/~") if entry.key else "",
        f'"{_quotable(f"{entry.method} {entry.target} HTTP/1.1")}"',
        str(entry.status),
        entry.error,
        str(entry.bytes_sent) if entry.bytes_sent else "",
        "",
        str(entry.total_ms),
        "",
        f'"{_quotable(entry.referer or "-")}"',
        f'"{_quotable(entry.user_agent or "-")}"',
        entry.version_id,
        entry.host_id,
        {"AWS4-HMAC-SHA256": "SigV4", "AWS": "SigV2"}.get(entry.signature_version, ""),
        "",
        {"REST-HEADER": "AuthHeader", "REST-QUERY-STRING": "QueryString", "POST": "POST"}.get(entry.auth_type, ""),
        _quotable(entry.host).replace(" ", "+"),
        "",
        "",
        "",
    )
    return (" ".join(field or "-" for field in fields) + "\n").encode("utf-8", "replace")


def operation_name(operation: str, method: str) -> str:
    """REST.METHOD.RESOURCE: REST.PUT.OBJECT, REST.GET.LIFECYCLE."""
    named = _NAMES.get(operation)
    if named is not None:
        return named
    words = _WORDS.findall(operation)[1:]
    if len(words) > 1 and words[0] == "Bucket":
        words = words[1:]
    if words and words[-1] == "Configuration":
        words = words[:-1] or words
    if words[:1] == ["Object"] and len(words) > 1:
        return f"REST.{method}.OBJECT_{''.join(words[1:]).upper()}"
    return f"REST.{method}.{''.join(words).upper() or 'UNKNOWN'}"


def object_key(rule: LogRule, source: tuple[str, str, str], time_ms: int, unique: str) -> bytes:
    """The name of a log object. `source`: account id, region and name of the bucket; `time_ms`: of the delivery, or of
    the requests' day when the rule names by that."""
    moment = datetime.fromtimestamp(time_ms // 1000, UTC)
    if rule.by_event:
        moment = moment.replace(hour=0, minute=0, second=0)
    name = f"{moment:%Y-%m-%d-%H-%M-%S}-{unique}"
    if rule.partitioned:
        name = f"{'/'.join(source)}/{moment:%Y/%m/%d}/{name}"
    return f"{rule.prefix}{name}".encode()


def _time(time_ms: int) -> str:
    moment = datetime.fromtimestamp(time_ms // 1000, UTC)
    return f"{moment.day:02d}/{_MONTHS[moment.month]}/{moment:%Y:%H:%M:%S} +0000"


def _quotable(text: str) -> str:
    return _UNQUOTABLE.sub(lambda found: f"%{ord(found[0]):02X}", text)
