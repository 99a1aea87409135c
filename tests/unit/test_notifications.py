"""Notifications: their grammar, the records queued with changes, and deliveries with a clock set by hand."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.adapters.sql.store import SqliteStore
from app.core.errors import S3Error, Unavailable
from app.core.s3.configs.notification import canonical
from app.core.types import Bucket, Task, Version
from app.ports.metadata import EVENTS
from app.services.background.notifications import Deliveries, DeliverySettings, Target, announcing
from app.services.call import Call, Caller, Sources, Stages
from migrations.run import migrate

ARN = "arn:zapfs:sqs:r:1:hook"
BRIDGE = "arn:zapfs:events:r:1:bus"
CALL = Call(Caller("1" * 12, "c" * 64, "me", "AK"), "REQUEST", 1_700_000_000_000, Stages())


def document(*rules: str) -> bytes:
    return f"<NotificationConfiguration>{''.join(rules)}</NotificationConfiguration>".encode()


def queue(events: str, filters: str = "", arn: str = ARN, name: str = "") -> str:
    told = "".join(f"<Event>s3:{event}</Event>" for event in events.split())
    named = f"<Id>{name}</Id>" if name else ""
    chosen = f"<Filter><S3Key>{filters}</S3Key></Filter>" if filters else ""
    return f"<QueueConfiguration>{named}<Queue>{arn}</Queue>{told}{chosen}</QueueConfiguration>"


def side(name: str, value: str) -> str:
    return f"<FilterRule><Name>{name}</Name><Value>{value}</Value></FilterRule>"


def bucket(*rules: str) -> Bucket:
    stored = canonical(document(*rules), (ARN, BRIDGE))
    return Bucket(bytes(16), "b", "o" * 64, 0, configs={} if stored is None else {"notification": stored})


def version(key: bytes = b"k", marker: bool = False) -> Version:
    return Version(bytes(16), key, bytes(15) + b"1", 7, b"r" * 16, 3, "e", CALL.now_ms, "o", delete_marker=marker)


def told(rules: str, event: str, made: Version) -> list[str]:
    announce = announcing(CALL, bucket(rules), event)
    return [] if announce is None else [json.loads(t.body)["record"]["eventName"] for t in announce(made)]


def test_a_bucket_without_notifications_pays_nothing() -> None:
    assert announcing(CALL, bucket(), "ObjectCreated:Put") is None


@pytest.mark.parametrize(
    ("rules", "event", "key", "wanted"),
    [
        (queue("ObjectCreated:*"), "ObjectCreated:Copy", b"k", True),
        (queue("ObjectCreated:Put"), "ObjectCreated:Copy", b"k", False),
        (queue("ObjectCreated:*"), "ObjectRemoved:Delete", b"k", False),
        (queue("ObjectCreated:*", side("prefix", "a/")), "ObjectCreated:Put", b"a/k", True),
        (queue("ObjectCreated:*", side("prefix", "a/")), "ObjectCreated:Put", b"k", False),
        (queue("ObjectCreated:*", side("Suffix", ".jpg")), "ObjectCreated:Put", b"k.jpg", True),
        (queue("ObjectCreated:*", side("suffix", ".jpg")), "ObjectCreated:Put", b"k.png", False),
        ("<EventBridgeConfiguration/>", "ObjectAcl:Put", b"k", True),
    ],
)
def test_rules_choose_by_event_and_key(rules: str, event: str, key: bytes, wanted: bool) -> None:
    assert told(rules, event, version(key)) == ([event] if wanted else [])


def test_a_deletion_is_told_by_what_it_did() -> None:
    asked = "ObjectRemoved:DeleteMarkerCreated"
    assert told(queue("ObjectRemoved:*"), asked, version(marker=True)) == [asked]
    assert told(queue("ObjectRemoved:*"), asked, version()) == ["ObjectRemoved:Delete"]
    assert told(queue("ObjectRemoved:Delete"), asked, version(marker=True)) == []


@pytest.mark.parametrize(
    ("code", "rules"),
    [
        ("InvalidArgument", queue("ObjectCreated:*", arn="arn:other")),
        ("InvalidArgument", queue("ObjectCreated:Never")),
        ("InvalidArgument", queue("ObjectCreated:*", side("middle", "a"))),
        ("InvalidArgument", queue("ObjectCreated:*", side("prefix", "a") + side("prefix", "b"))),
        ("InvalidArgument", queue("ObjectCreated:*") + queue("ObjectCreated:Put", side("prefix", "a"))),
        ("InvalidArgument", queue("ObjectCreated:*", name="a") + queue("ObjectRemoved:*", name="a")),
        ("MalformedXML", f"<QueueConfiguration><Queue>{ARN}</Queue></QueueConfiguration>"),
        ("MalformedXML", "<Unknown/>"),
    ],
)
def test_wrong_configurations_are_refused(code: str, rules: str) -> None:
    with pytest.raises(S3Error) as refused:
        canonical(document(rules), (ARN,))
    assert refused.value.code == code


class Desk:
    """Deliveries over a real store, with a target that fails at will."""

    def __init__(self, directory: Path) -> None:
        migrate(directory / "zapfs.db")
        self.store = SqliteStore(directory / "zapfs.db")
        self.now_ms, self.sick, self.taken = CALL.now_ms, False, list[dict[str, object]]()
        self.dropped: list[str] = []
        numbers = itertools.count()
        sources = Sources(lambda: self.now_ms, lambda: next(numbers).to_bytes(16, "big"))
        settings = DeliverySettings({ARN: Target("http://x/")}, "home", 10_000)
        self.deliveries = Deliveries(self.store, sources, settings, self.send, self.dropped.append)

    def send(self, target: Target, message: bytes) -> None:
        if self.sick:
            raise Unavailable("sick")
        self.taken += json.loads(message)["Records"]

    def queue(self, key: bytes) -> None:
        announce = announcing(CALL, bucket(queue("ObjectCreated:*")), "ObjectCreated:Put")
        assert announce is not None
        self.store.tasks_put(EVENTS, announce(version(key)))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.store.close()


def test_a_record_leaves_the_queue_when_it_was_taken(desk: Desk) -> None:
    desk.queue(b"a")
    assert desk.deliveries.run("one") == 1
    assert desk.taken[0]["awsRegion"] == "home"
    assert desk.deliveries.waiting() == 0


def test_a_sick_target_is_tried_again_later_and_later(desk: Desk) -> None:
    desk.sick = True
    desk.queue(b"a")
    desk.queue(b"b")
    desk.deliveries.run("one")
    assert desk.deliveries.counts.failed + desk.deliveries.counts.delivered >= 1
    assert desk.deliveries.run("one") == 0
    desk.sick = False
    desk.now_ms += 1_000
    assert desk.deliveries.run("one") == 2
    assert desk.dropped == []


def test_a_record_nobody_took_in_time_is_dropped_and_told(desk: Desk) -> None:
    desk.sick = True
    desk.queue(b"a")
    for _ in range(8):
        desk.deliveries.run("one")
        desk.now_ms += 5_000
    assert desk.deliveries.waiting() == 0
    assert len(desk.dropped) == 1


def test_what_does_not_parse_is_dropped_and_stops_nothing(desk: Desk) -> None:
    desk.store.tasks_put(EVENTS, [Task(bytes(16), 0, b"{")])
    desk.queue(b"a")
    desk.deliveries.run("one")
    assert len(desk.taken) == 1
    assert len(desk.dropped) == 1


def test_only_the_holder_of_the_lease_delivers(desk: Desk) -> None:
    desk.queue(b"a")
    desk.store.lease_take("notifications", "other", desk.now_ms, 60_000)
    assert desk.deliveries.run("one") == 0
    assert desk.taken == []
