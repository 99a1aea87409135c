"""Event records: what a target is told of a change, made inside the change's transaction. Pure.

Knows the form of S3's event message, 2.1. Must not know targets' addresses, nor how and when a record is delivered.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, NamedTuple
from urllib.parse import quote_plus

from app.core import limits
from app.core.errors import Corrupt
from app.core.s3.configs.notification import NOTIFICATION, Wish, wishes
from app.core.s3.times import precise_time
from app.core.s3.version_ids import version_text
from app.core.types import NULL_VERSION, Bucket, Task, Version

KIND: Final = "notification"
_REMOVED: Final = ("ObjectRemoved:", "LifecycleExpiration:")
_WITHOUT_SIZE: Final = (*_REMOVED, "ObjectTagging:Delete")


class Origin(NamedTuple):
    """Where a change comes from. `principal`: the caller's principal id, "" for nobody. `remote`: a peer's address."""

    now_ms: int
    request_id: str
    principal: str
    remote: str


class Delivery(NamedTuple):
    """The body of a queued task: one record for one target. `first_ms`: when it was queued."""

    arn: str
    first_ms: int
    attempts: int
    record: dict[str, Any]

    def text(self) -> bytes:
        """As it is queued."""
        return json.dumps(self._asdict(), separators=(",", ":")).encode()

    @classmethod
    def of(cls, body: bytes) -> "Delivery":
        """Raises Corrupt."""
        try:
            return cls(**json.loads(body))
        except (ValueError, TypeError) as error:
            raise Corrupt("a queued event does not parse") from error

    def message(self, region: str) -> bytes:
        """What is sent: S3's event message. `region`: the server's own."""
        return json.dumps({"Records": [{**self.record, "awsRegion": self.record["awsRegion"] or region}]}).encode()


@lru_cache(limits.DOCUMENTS_PARSED_MAX)
def _wishes(document: bytes) -> tuple[Wish, ...]:
    return tuple(wishes(NOTIFICATION.stored(document)))


def wanting(bucket: Bucket, event: str, key: bytes) -> list[Wish]:
    """The rules of the bucket that want this event ("ObjectCreated:Put") of this key. A configuration that does not
    parse tells nobody anything."""
    document = bucket.configs.get(KIND)
    if document is None:
        return []
    try:
        return [wish for wish in _wishes(document) if wish.wants(event, key)]
    except Corrupt:
        return []


def may_want(bucket: Bucket, event: str) -> bool:
    """Whether an event of this family may be told: asked before a change, when its version is not known."""
    document = bucket.configs.get(KIND)
    if document is None:
        return False
    try:
        family = f"s3:{event.partition(':')[0]}:"
        return any(
            name.startswith(family) or name == f"s3:{event}" for wish in _wishes(document) for name in wish.events
        )
    except Corrupt:
        return False


def tasks(bucket: Bucket, event: str, origin: Origin, version: Version) -> Sequence[Task]:
    """A task for each rule that wants to be told of `version`."""
    made = []
    for wish in wanting(bucket, event, version.key):
        # The attempt's own id is part of the name: a task of the same name would replace one that still waits.
        unique = (origin.request_id, event, wish.rule_id, str(version.seq), str(origin.now_ms))
        name = sha256("\n".join(unique).encode() + version.ref_id + version.version_id + version.key).digest()[:16]
        delivery = Delivery(wish.arn, origin.now_ms, 0, _record(bucket, event, origin, wish, version))
        made.append(Task(name, origin.now_ms, delivery.text()))
    return made


def _record(bucket: Bucket, event: str, origin: Origin, wish: Wish, version: Version) -> dict[str, Any]:
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": bucket.region,  # "": the server's own, which the deliverer knows
        "eventTime": precise_time(origin.now_ms),
        "eventName": event,
        "userIdentity": {"principalId": origin.principal or "Anonymous"},
        "requestParameters": {"sourceIPAddress": origin.remote},
        "responseElements": {"x-amz-request-id": origin.request_id, "x-amz-id-2": origin.request_id},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": wish.rule_id,
            "bucket": {
                "name": bucket.name,
                "ownerIdentity": {"principalId": bucket.owner},
                "arn": f"arn:aws:s3:::{bucket.name}",
            },
            "object": _object(event, origin, version),
        },
    }


def _object(event: str, origin: Origin, version: Version) -> dict[str, Any]:
    told: dict[str, Any] = {"key": quote_plus(version.key)}
    if not event.startswith(_WITHOUT_SIZE):
        told["size"] = version.size
        told["eTag"] = version.etag
    if version.version_id != NULL_VERSION:
        told["versionId"] = version_text(version)
    # Of one key: later commits sort higher, and a removal sorts after the commit of what it removes.
    last = 1 if event.startswith(_REMOVED) else 0
    told["sequencer"] = f"{max(origin.now_ms, version.modified_ms):012X}{version.seq:08X}{last}"
    return told
