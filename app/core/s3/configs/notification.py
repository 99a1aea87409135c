"""The grammar of notification configurations: which events go to which targets.

Knows elements, event names and which rules contradict each other. Must not know targets' addresses or deliveries.
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html
"""

from base64 import b64encode
from collections.abc import Collection
from hashlib import sha256
from typing import Final, NamedTuple

from app.core import limits
from app.core.errors import S3Error
from app.core.s3.configs.grammar import Field, Grammar, Node, Record
from app.core.s3.configs.leaves import text

_FAMILIES: Final = {
    "ObjectCreated": ("Put", "Post", "Copy", "CompleteMultipartUpload"),
    "ObjectRemoved": ("Delete", "DeleteMarkerCreated"),
    "ObjectRestore": ("Post", "Completed", "Delete"),
    "Replication": (
        "OperationFailedReplication",
        "OperationMissedThreshold",
        "OperationReplicatedAfterThreshold",
        "OperationNotTracked",
    ),
    "LifecycleExpiration": ("Delete", "DeleteMarkerCreated"),
    "ObjectTagging": ("Put", "Delete"),
}
_SINGLE: Final = ("ReducedRedundancyLostObject", "LifecycleTransition", "IntelligentTiering", "ObjectAcl:Put")
EVENTS: Final = frozenset(
    [f"s3:{family}:*" for family in _FAMILIES]
    + [f"s3:{family}:{one}" for family, ones in _FAMILIES.items() for one in ones]
    + [f"s3:{one}" for one in _SINGLE]
)
KINDS: Final = {
    "TopicConfiguration": "Topic",
    "QueueConfiguration": "Queue",
    "CloudFunctionConfiguration": "CloudFunction",
}
"""The element of a rule, and the element in it that names the target."""
EVENT_BRIDGE: Final = "EventBridgeConfiguration"
EVENT_BRIDGE_SERVICE: Final = "events"
BRIDGE: Final = "EventBridge"
"""Stands for the one target of that kind: a configuration does not name it."""


class Wish(NamedTuple):
    """One rule: `arn` is told the `events` of keys that begin and end so. `events`: names, some with a star."""

    rule_id: str
    arn: str
    events: frozenset[str]
    prefix: bytes = b""
    suffix: bytes = b""

    def wants(self, event: str, key: bytes) -> bool:
        """Whether it wants this event ("ObjectCreated:Put") of this key."""
        named = f"s3:{event}" in self.events or f"s3:{event.partition(':')[0]}:*" in self.events
        return named and key.startswith(self.prefix) and key.endswith(self.suffix)


def _event(found: str) -> str:
    found = found.strip()
    if found not in EVENTS:
        fields = {"ArgumentName": "Event", "ArgumentValue": found[:100]}
        raise S3Error("InvalidArgument", "The event is not supported for notifications", fields=fields)
    return found


def _side(found: str) -> str:
    found = found.strip().lower()
    if found not in ("prefix", "suffix"):
        raise S3Error("InvalidArgument", "filter rule name must be either prefix or suffix")
    return found


def _check_sides(node: Node) -> None:
    sides = [rule.text("Name") for rule in node.nodes("FilterRule")]
    if len(set(sides)) != len(sides):
        raise S3Error("InvalidArgument", "Cannot specify more than one prefix or suffix rule in a filter.")


_FILTER: Final = Record(
    Field(
        "S3Key",
        Record(
            Field(
                "FilterRule",
                Record(Field("Name", _side, least=1), Field("Value", text(0, limits.KEY_BYTES_MAX), least=1)),
                most=10,
            ),
            rule=_check_sides,
        ),
    )
)


def _rule(target: str) -> Record:
    return Record(
        Field("Id", text(0, 255)),
        Field(target, text(1, 1024), least=1),
        Field("Event", _event, least=1, most=len(EVENTS)),
        Field("Filter", _FILTER),
    )


def _check_overlaps(configuration: Node) -> None:
    """Two rules that both want one event of one key: S3 refuses to choose."""
    wishes = _wishes(configuration)
    if len({wish.rule_id for wish in wishes if wish.rule_id}) != sum(bool(wish.rule_id) for wish in wishes):
        raise S3Error("InvalidArgument", "Same ID used for multiple configurations.")
    for index, one in enumerate(wishes):
        if any(_overlap(one, other) for other in wishes[:index]):
            raise S3Error(
                "InvalidArgument",
                "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes "
                "are overlapping for the same event type.",
            )


def _overlap(one: Wish, other: Wish) -> bool:
    prefixes = one.prefix.startswith(other.prefix) or other.prefix.startswith(one.prefix)
    suffixes = one.suffix.endswith(other.suffix) or other.suffix.endswith(one.suffix)
    return prefixes and suffixes and bool(_plain(one.events) & _plain(other.events))


def _plain(events: Collection[str]) -> set[str]:
    """The events without stars."""
    stars = {event[:-1] for event in events if event.endswith("*")}
    return {event for event in EVENTS if event in events or any(event.startswith(star) for star in stars)}


NOTIFICATION: Final = Grammar(
    "NotificationConfiguration",
    Record(
        *(Field(kind, _rule(target), most=limits.NOTIFICATION_RULES_MAX) for kind, target in KINDS.items()),
        Field(EVENT_BRIDGE, Record()),
        rule=_check_overlaps,
    ),
    elements_max=10 * limits.XML_ELEMENTS_MAX,
)


def _wishes(configuration: Node) -> list[Wish]:
    found = []
    for kind, target in KINDS.items():
        for rule in configuration.nodes(kind):
            sides = {"prefix": "", "suffix": ""}
            chosen = rule.node("Filter")
            of_key = chosen.node("S3Key") if chosen is not None else None
            if of_key is not None:
                sides |= {each.text("Name"): each.text("Value") for each in of_key.nodes("FilterRule")}
            events = frozenset(rule.texts("Event"))
            prefix, suffix = sides["prefix"].encode(), sides["suffix"].encode()
            found.append(Wish(rule.text("Id"), rule.text(target), events, prefix, suffix))
    return found


def wishes(configuration: Node) -> list[Wish]:
    """Every rule of a configuration; EventBridge is told everything."""
    found = _wishes(configuration)
    if EVENT_BRIDGE in configuration:
        found.append(Wish(BRIDGE, BRIDGE, EVENTS))
    return found


def is_event_bridge(arn: str) -> bool:
    """arn:PARTITION:events:…"""
    return arn.split(":")[2:3] == [EVENT_BRIDGE_SERVICE]


def canonical(document: bytes, arns: Collection[str]) -> bytes | None:
    """The document to store, every rule with an id; None when it has no rule: notifications end. Raises S3Error,
    InvalidArgument when a target is none of `arns`."""
    configuration = NOTIFICATION.parse(document)
    if not configuration.items:
        return None
    bridged = EVENT_BRIDGE in configuration and not any(is_event_bridge(arn) for arn in arns)
    unknown = [wish.arn for wish in _wishes(configuration) if wish.arn not in arns]
    if unknown or bridged:
        argument = {"ArgumentName": (unknown or [BRIDGE])[0], "ArgumentValue": "no such target"}
        message = "Unable to validate the following destination configurations"
        raise S3Error("InvalidArgument", message, fields=argument)
    items = [(name, _identified(value, i)) for i, (name, value) in enumerate(configuration.items)]
    return NOTIFICATION.write(Node(items))


def _identified(rule: "Node | str", index: int) -> "Node | str":
    if isinstance(rule, str) or not rule.items or rule.get("Id"):
        return rule
    name = b64encode(sha256(f"{index} {rule!r}".encode()).digest()[:24]).decode()
    return Node([("Id", name), *(item for item in rule.items if item[0] != "Id")])
