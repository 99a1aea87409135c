"""Notifications: what is queued with a change, and the delivery of what is queued.

Knows the queue, retries and when a record is given up. Must not know how a target is spoken to (`Send`), nor records'
form (core/s3/notifications). A record is queued in the transaction of its change and leaves the queue after the target
took it: it is delivered at least once, in no promised order.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from gevent.pool import Pool

from app.core import limits
from app.core.errors import Corrupt, StoreError
from app.core.s3 import notifications
from app.core.s3.configs.notification import BRIDGE, is_event_bridge
from app.core.s3.notifications import Delivery, Origin
from app.core.types import Bucket, Task, Version
from app.ports.metadata import EVENTS, Announce, MetadataStore
from app.services.call import Call, Sources

LEASE: Final = "notifications"
LEASE_MS: Final = 120_000
_MARKED: Final = ":DeleteMarkerCreated"
"""Asked for where a marker may be put on top; told as Delete when a version was removed instead."""


class Target(NamedTuple):
    """Where an ARN's records go. `token`: bearer token, "" = none."""

    url: str
    token: str = ""


Send = Callable[[Target, bytes], None]
"""Hand a message over; returns once the target took it. Raises StoreError."""


def announcing(call: Call, bucket: Bucket, event: str) -> Announce | None:
    """The tasks of `event` ("ObjectCreated:Put") for the store's transaction; None, at the price of a look-up, when the
    bucket wants no such event."""
    if notifications.KIND not in bucket.configs:
        return None
    principal = call.caller.identity.unique_id or call.caller.canonical_id
    return _announce(bucket, event, Origin(call.now_ms, call.request_id, principal, call.facts.remote))


def created(call: Call, bucket: Bucket) -> Announce | None:
    """The same for an object made by a put, a form or a copy, as the request shows."""
    if notifications.KIND not in bucket.configs:
        return None
    form, headers = call.facts.auth_type == "POST", call.facts.headers
    copied = "x-amz-copy-source" in headers or "x-amz-rename-source" in headers
    return announcing(call, bucket, "ObjectCreated:" + ("Post" if form else "Copy" if copied else "Put"))


def of_system(bucket: Bucket, event: str, now_ms: int) -> Announce | None:
    """The same for what the server does by itself."""
    if notifications.KIND not in bucket.configs:
        return None
    return _announce(bucket, event, Origin(now_ms, "", "s3.amazonaws.com", "s3.amazonaws.com"))


def _announce(bucket: Bucket, event: str, origin: Origin) -> Announce | None:
    if not notifications.may_want(bucket, event):
        return None

    def announce(version: Version) -> list[Task]:
        told = event
        if event.endswith(_MARKED) and not version.delete_marker:
            told = event.removesuffix(_MARKED) + ":Delete"
        return list(notifications.tasks(bucket, told, origin, version))

    return announce


class Counts(NamedTuple):
    """What deliveries of this process came to since it began."""

    delivered: int = 0
    failed: int = 0
    dropped: int = 0


class DeliverySettings(NamedTuple):
    """`targets` by ARN. `region`: the server's own. `keep_ms`: a record nobody took for so long is dropped."""

    targets: Mapping[str, Target]
    region: str
    keep_ms: int

    def target(self, arn: str) -> Target | None:
        """Where the records for `arn` go; EventBridge's to the target of that kind."""
        if arn == BRIDGE:
            arn = next((each for each in self.targets if is_event_bridge(each)), "")
        return self.targets.get(arn)


class Deliveries:
    """The deliverer, one at a time by a lease. `dropped` is told why a record was given up."""

    def __init__(
        self,
        store: MetadataStore,
        sources: Sources,
        settings: DeliverySettings,
        send: Send,
        dropped: Callable[[str], object],
    ) -> None:
        self._store = store
        self._sources = sources
        self._settings = settings
        self._send = send
        self._dropped = dropped
        self.counts = Counts()

    def run(self, holder: str) -> int:
        """One turn: every record due is tried once, so many at once; returns how many were delivered."""
        delivered = 0
        for _ in range(limits.DELIVERY_PAGES_MAX):
            now_ms = self._sources.now_ms()
            due = self._store.tasks_due(EVENTS, now_ms, limits.DELIVERY_PAGE)
            if not due or not self._store.lease_take(LEASE, holder, now_ms, LEASE_MS):
                break
            delivered += self._deliver(due, now_ms)
        return delivered

    def waiting(self) -> int:
        """Records not delivered yet."""
        return self._store.tasks_count(EVENTS)

    def _deliver(self, due: list[Task], now_ms: int) -> int:
        sick: set[str] = set()
        outcomes = Pool(limits.DELIVERIES_AT_ONCE).map(lambda task: self._one(task, now_ms, sick), due)
        done = [task.task_id for task, later in zip(due, outcomes, strict=True) if later is None]
        again = [later for later in outcomes if later is not None]
        if done:
            self._store.tasks_done(EVENTS, done)
        if again:
            self._store.tasks_put(EVENTS, again)
        return len(done)

    def _one(self, task: Task, now_ms: int, sick: set[str]) -> Task | None:
        """None when the record is done with, else the task to try again. A target that failed in this page is not
        troubled again before its time."""
        try:
            delivery = Delivery.of(task.body)
        except Corrupt:
            self._drop("a queued event does not parse")
            return None
        target = self._settings.target(delivery.arn)
        reason = "the target is not configured any more" if target is None else "the target took nothing"
        if target is not None and delivery.arn not in sick:
            try:
                self._send(target, delivery.message(self._settings.region))
                self.counts = self.counts._replace(delivered=self.counts.delivered + 1)
                return None
            except StoreError as error:
                sick.add(delivery.arn)
                reason = str(error)
                self.counts = self.counts._replace(failed=self.counts.failed + 1)
        if now_ms - delivery.first_ms >= self._settings.keep_ms:
            self._drop(f"{delivery.arn}: {reason}")
            return None
        attempts = delivery.attempts + 1
        wait_ms = min(2 ** min(attempts, 20) * 500, limits.DELIVERY_BACKOFF_MS_MAX)
        return Task(task.task_id, now_ms + wait_ms, delivery._replace(attempts=attempts).text())

    def _drop(self, reason: str) -> None:
        self.counts = self.counts._replace(dropped=self.counts.dropped + 1)
        self._dropped(reason)
