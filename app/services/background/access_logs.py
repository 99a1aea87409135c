"""Access logs: lines are gathered in memory and written, now and then, as objects of the buckets they are kept in.

Knows the buffer and its bounds. Must not know lines' form (core/s3/access_log). As on S3 delivery is best effort: what
a worker gathered since its last roll is lost when it is killed, and lines beyond the buffer are dropped and counted.
"""

from collections.abc import Callable
from typing import NamedTuple

from app.core import limits
from app.core.acl.grants import FULL_CONTROL
from app.core.acl.requests import AclRequest, AskedGrant
from app.core.errors import S3Error, StoreError
from app.core.integrity import NOTHING
from app.core.policy.principal import SERVICE
from app.core.s3 import access_log
from app.core.s3.access_log import Entry
from app.core.s3.configs import logging
from app.core.s3.configs.logging import LogRule
from app.core.s3.wanted import NOTHING_WANTED, Wanted
from app.core.types import Bucket
from app.ports.metadata import MetadataStore
from app.services.background.log_permission import may_deliver
from app.services.call import Call, Caller, Sources, Stages
from app.services.gate.directory import Directory
from app.services.objects.objects import Incoming, Objects, Target

KIND = "logging"
DAY_MS = 86_400_000


class Lines(NamedTuple):
    """Where gathered lines belong: the source bucket's name and document at the time, and the requests' day."""

    source: str
    document: bytes
    day: int


class HeldBody:
    """A body held whole."""

    def __init__(self, data: bytes) -> None:
        self.length = len(data)
        self._data = memoryview(data)

    def receive(self, view: memoryview) -> int:
        """See core/body."""
        step = min(len(view), len(self._data))
        view[:step] = self._data[:step]
        self._data = self._data[step:]
        return step


class AccessLogs:
    """One per worker process. `dropped` is told why lines were lost."""

    def __init__(
        self,
        store: MetadataStore,
        objects: Objects,
        directory: Directory,
        sources: Sources,
        region: str,
        dropped: Callable[[str], object],
    ) -> None:
        self._store = store
        self._objects = objects
        self._directory = directory
        self._sources = sources
        self._region = region
        self._dropped = dropped
        self._lines: dict[Lines, list[bytes]] = {}
        self._bytes = 0
        self._lost = 0

    def keeps(self, bucket_name: str) -> Bucket | None:
        """The bucket, when it keeps an access log: asked of every request, so cheap, and a second late perhaps."""
        try:
            bucket = self._store.bucket_lately(bucket_name)
        except StoreError:
            return None
        return bucket if KIND in bucket.configs else None

    def gather(self, bucket: Bucket, entry: Entry) -> None:
        """One request to a bucket that keeps a log is over."""
        line = access_log.line(entry)
        if self._bytes + len(line) > limits.ACCESS_LOG_BYTES_MAX:
            self._lost += 1
            return
        self._bytes += len(line)
        self._lines.setdefault(Lines(bucket.name, bucket.configs[KIND], entry.time_ms // DAY_MS), []).append(line)

    def roll(self) -> int:
        """Write what was gathered; returns how many objects were made."""
        gathered, self._lines, self._bytes = self._lines, {}, 0
        if self._lost:
            self._dropped(f"{self._lost} lines of access logs did not fit the buffer")
            self._lost = 0
        return sum(self._deliver(where, b"".join(lines)) for where, lines in gathered.items())

    def _deliver(self, where: Lines, data: bytes) -> bool:
        try:
            rule = logging.rule(where.document)
            source, target = self._store.bucket_get(where.source), self._store.bucket_get(rule.bucket)
            now_ms = self._sources.now_ms()
            account = self._directory.account_id(source.owner)
            origin = (account, source.region or self._region, source.name)
            named_ms = where.day * DAY_MS if rule.by_event else now_ms
            key = access_log.object_key(rule, origin, named_ms, self._sources.new_id()[-8:].hex().upper())
            if not may_deliver(self._directory, source, target, key.decode(), now_ms):
                self._dropped(f"the log of {source.name} may not be written into {target.name} any more")
                return False
            caller = Caller(account, target.owner, "", "", root=True, principal=SERVICE)
            call = Call(caller, "", now_ms, Stages())
            wanted = _wanted(rule, target)
            self._objects.put(call, Target(target.name, key), wanted, Incoming(HeldBody(data), NOTHING))
        except (S3Error, StoreError) as error:
            self._dropped(f"the log of {where.source}: {error}")
            return False
        return True


def _wanted(rule: LogRule, target: Bucket) -> Wanted:
    """The list of a log object, where the rule grants anybody anything."""
    if not rule.granted:
        return NOTHING_WANTED
    return NOTHING_WANTED._replace(acl=AclRequest(asked=(AskedGrant("id", target.owner, FULL_CONTROL), *rule.granted)))
