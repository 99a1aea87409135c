"""The grammar of lifecycle configurations, with S3's own choice of error for each thing that is wrong.

Knows elements, and rules within and across them. Must not know what a rule does to a version (core/s3/lifecycle).
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-configuration-examples.html
"""

from base64 import b64encode
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Final

from app.core import limits
from app.core.errors import S3Error
from app.core.s3.configs.grammar import Choice, Field, Grammar, Leaf, Node, Record, Shape, malformed
from app.core.s3.configs.leaves import flag, number, text, word
from app.core.s3.times import iso_time, parse_iso_time

DAY_S: Final = 86_400
_AGED_CLASSES: Final = ("STANDARD_IA", "ONEZONE_IA")  # S3 moves nothing there before it is thirty days old
_AGED_DAYS_MIN: Final = 30
_DAYS_TEXT_MAX: Final = 12


def _invalid(message: str) -> S3Error:
    return S3Error("InvalidArgument", message)


def _refused(message: str) -> S3Error:
    return S3Error("InvalidRequest", message)


def _days(least: int, message: str) -> Leaf:
    """A number of days; too small a one is an InvalidArgument of its own."""
    read = number(-(10**_DAYS_TEXT_MAX), 10**_DAYS_TEXT_MAX)

    def leaf(found: str) -> str:
        days = int(read(found))
        if not least <= days <= limits.LIFECYCLE_DAYS_MAX:
            raise _invalid(message)
        return str(days)

    return leaf


def _midnight(found: str) -> str:
    """A date; S3 takes midnights only."""
    seconds = parse_iso_time(found.strip())
    if seconds is None:
        raise ValueError("not a date")
    if seconds % DAY_S:
        raise _invalid("'Date' must be at midnight GMT")
    return iso_time(seconds * 1000)


def _id(found: str) -> str:
    if len(found) > limits.LIFECYCLE_ID_CHARS_MAX:
        raise _invalid("ID length should not exceed allowed limit of 255")
    return found


def _prefix(found: str) -> str:
    if len(found) > limits.LIFECYCLE_PREFIX_CHARS_MAX:
        raise _refused("The maximum size of a prefix is 1024.")
    return found


def _newer(found: str) -> str:
    count = int(number(-(10**9), 10**9)(found))
    if not 1 <= count <= limits.NEWER_NONCURRENT_MAX:
        raise _invalid("'NewerNoncurrentVersions' must be a positive integer of at most 100")
    return str(count)


def _class_name(found: str) -> str:
    """A storage class's form; whether it exists is the caller's question (`check_classes`)."""
    found = found.strip()
    if not (1 <= len(found) <= 64 and found.isascii() and found.replace("_", "").isalnum()) or found == "STANDARD":
        raise ValueError("not a storage class to move to")
    return found


_TAG: Final = Record(Field("Key", text(1, 128), least=1), Field("Value", text(0, 256), least=1))
_SIZE: Final = number(0, limits.OBJECT_BYTES_MAX * 10)


def _check_and(node: Node) -> None:
    if len(node.items) < 2:
        raise malformed("And joins two conditions or more")
    keys = [tag.text("Key") for tag in node.nodes("Tag")]
    if len(set(keys)) != len(keys):
        raise _refused("Duplicate Tag Keys are not allowed.")
    above, below = node.number("ObjectSizeGreaterThan"), node.number("ObjectSizeLessThan")
    if above is not None and below is not None and below <= above + 1:
        raise _refused("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.")


_CONDITIONS: Final = ("Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan")


def _conditions(tags_max: int) -> list[Field]:
    shapes: tuple[Shape, ...] = (_prefix, _TAG, _SIZE, _SIZE)
    return [
        Field(name, shape, most=tags_max if name == "Tag" else 1)
        for name, shape in zip(_CONDITIONS, shapes, strict=True)
    ]


_FILTER: Final = Record(
    *_conditions(1),
    Field("And", Record(*_conditions(50), rule=_check_and)),
    choices=(Choice((*_CONDITIONS, "And"), least=0),),
)
_EXPIRATION: Final = Record(
    Field("Days", _days(1, "'Days' for Expiration action must be a positive integer")),
    Field("Date", _midnight),
    Field("ExpiredObjectDeleteMarker", flag()),
    choices=(Choice(("Days", "Date", "ExpiredObjectDeleteMarker")),),
)
_TRANSITION: Final = Record(
    Field("Days", _days(0, "'Days' in Transition action must be nonnegative")),
    Field("Date", _midnight),
    Field("StorageClass", _class_name, least=1),
    choices=(Choice(("Days", "Date")),),
)
_NONCURRENT_EXPIRATION: Final = Record(
    Field("NoncurrentDays", _days(1, "'NoncurrentDays' for NoncurrentVersionExpiration action must be positive"), 1),
    Field("NewerNoncurrentVersions", _newer),
)
_NONCURRENT_TRANSITION: Final = Record(
    Field("NoncurrentDays", _days(0, "'NoncurrentDays' for NoncurrentVersionTransition action must be nonnegative"), 1),
    Field("NewerNoncurrentVersions", _newer),
    Field("StorageClass", _class_name, least=1),
)
_ABORT: Final = Record(
    Field("DaysAfterInitiation", _days(1, "'DaysAfterInitiation' must be a positive integer"), least=1)
)
_ACTIONS: Final = frozenset(
    {
        "Expiration",
        "Transition",
        "NoncurrentVersionExpiration",
        "NoncurrentVersionTransition",
        "AbortIncompleteMultipartUpload",
    }
)


def _check_rule(rule: Node) -> None:
    if not any(name in _ACTIONS for name, _ in rule.items):
        raise _refused("At least one action needs to be specified in a rule")
    for check in (_check_filter_fits, _check_transitions, _check_noncurrent):
        check(rule)


def _check_filter_fits(rule: Node) -> None:
    """Uploads in progress and delete markers have neither tags nor sizes to be chosen by."""
    chosen = rule.node("Filter")
    where = (chosen.node("And") or chosen) if chosen is not None else None
    if where is None:
        return
    tags, sizes = "Tag" in where, "ObjectSizeGreaterThan" in where or "ObjectSizeLessThan" in where
    if "AbortIncompleteMultipartUpload" in rule and (tags or sizes):
        kind = "Tags" if tags else "Object Size"
        raise _refused(f"AbortIncompleteMultipartUpload cannot be specified with {kind}.")
    expiration = rule.node("Expiration")
    if expiration is not None and "ExpiredObjectDeleteMarker" in expiration and (tags or sizes):
        kind = "Tags" if tags else "Object Size"
        raise _refused(f"ExpiredObjectDeleteMarker cannot be specified with {kind}.")


def _check_transitions(rule: Node) -> None:
    transitions, expiration = rule.nodes("Transition"), rule.node("Expiration")
    _check_distinct(transitions, "Transition")
    dated = [part for part in (*transitions, *([expiration] if expiration else [])) if _timed(part)]
    if len({"Date" in part for part in dated}) > 1:
        raise _refused("Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle rule")
    _check_aged(transitions, "Days")
    days = [transition.number("Days") or 0 for transition in transitions if "Days" in transition]
    last = expiration.number("Days") if expiration else None
    if last is not None and days and last <= max(days):
        raise _invalid("'Days' in the Expiration action must be greater than 'Days' in the Transition action")
    dates = [transition.text("Date") for transition in transitions if "Date" in transition]
    end = expiration.get("Date") if expiration else None
    if end is not None and dates and end <= max(dates):
        raise _invalid("'Date' in the Expiration action must be later than 'Date' in the Transition action")


def _timed(part: Node) -> bool:
    return "Date" in part or "Days" in part


def _check_noncurrent(rule: Node) -> None:
    transitions, expiration = rule.nodes("NoncurrentVersionTransition"), rule.node("NoncurrentVersionExpiration")
    _check_distinct(transitions, "NoncurrentVersionTransition")
    _check_aged(transitions, "NoncurrentDays")
    last = expiration.number("NoncurrentDays") if expiration else None
    if last is not None and transitions and last <= max(t.number("NoncurrentDays") or 0 for t in transitions):
        raise _invalid(
            "'NoncurrentDays' in the NoncurrentVersionExpiration action must be greater than 'NoncurrentDays' in the "
            "NoncurrentVersionTransition action"
        )


def _check_distinct(transitions: list[Node], action: str) -> None:
    classes = [transition.text("StorageClass") for transition in transitions]
    if len(set(classes)) != len(classes):
        raise _refused(f"'StorageClass' must be different for '{action}' actions in same 'Rule'")


def _check_aged(transitions: list[Node], element: str) -> None:
    for transition in transitions:
        name, days = transition.text("StorageClass"), transition.number(element)
        if name in _AGED_CLASSES and days is not None and days < _AGED_DAYS_MIN:
            raise _invalid(
                f"'{element}' in the Transition action must be greater than or equal to 30 for storageClass '{name}'"
            )


RULE: Final = Record(
    Field("ID", _id),
    Field("Filter", _FILTER),
    Field("Prefix", _prefix),
    Field("Status", word("Enabled", "Disabled"), least=1),
    Field("Expiration", _EXPIRATION),
    Field("Transition", _TRANSITION, most=20),
    Field("NoncurrentVersionExpiration", _NONCURRENT_EXPIRATION),
    Field("NoncurrentVersionTransition", _NONCURRENT_TRANSITION, most=20),
    Field("AbortIncompleteMultipartUpload", _ABORT),
    choices=(Choice(("Filter", "Prefix")),),
    rule=_check_rule,
)


def _check_ids(configuration: Node) -> None:
    ids = [rule.text("ID") for rule in configuration.nodes("Rule") if rule.get("ID")]
    if len(set(ids)) != len(ids):
        raise _invalid("Rule ID must be unique. Found same ID for more than one rule")


LIFECYCLE: Final = Grammar(
    "LifecycleConfiguration",
    Record(Field("Rule", RULE, least=1, most=limits.LIFECYCLE_RULES_MAX), rule=_check_ids),
    elements_max=limits.LIFECYCLE_ELEMENTS_MAX,
)


def canonical(document: bytes, is_class: Callable[[str], bool]) -> bytes:
    """The document to store of one a client sent: checked, every rule with an ID. Raises S3Error.

    `is_class` tells the storage classes this server has; another one is MalformedXML, as S3 answers.
    """
    configuration = LIFECYCLE.parse(document)
    for name in _classes(configuration):
        if not is_class(name):
            raise S3Error("MalformedXML", f"This server has no storage class {name}")
    rules = [_identified(rule, index) for index, rule in enumerate(configuration.nodes("Rule"))]
    return LIFECYCLE.write(Node([("Rule", rule) for rule in rules]))


def _classes(configuration: Node) -> Iterator[str]:
    for rule in configuration.nodes("Rule"):
        for action in (*rule.nodes("Transition"), *rule.nodes("NoncurrentVersionTransition")):
            yield action.text("StorageClass")


def _identified(rule: Node, index: int) -> Node:
    """The rule with an ID: made of what it says and where it stands, as the core has no randomness to draw from."""
    if rule.get("ID"):
        return rule
    digest = sha256(f"{index} {rule!r}".encode()).digest()
    others = [item for item in rule.items if item[0] != "ID"]
    return Node([("ID", b64encode(digest[:30]).decode()), *others])
