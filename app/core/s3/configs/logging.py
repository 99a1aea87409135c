"""The grammar of access logging: where a bucket's log goes and how its objects are named.

Knows elements. Must not know lines or deliveries (core/s3/access_log, services/background/access_logs).
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLogging.html
"""

from typing import Final, NamedTuple

from app.core import limits
from app.core.acl.grants import WRITE
from app.core.acl.requests import AskedGrant
from app.core.s3.configs.grammar import XSI_TYPE, Choice, Field, Grammar, Node, Record, malformed
from app.core.s3.configs.leaves import text, word

_GRANTEES: Final = {"CanonicalUser": "ID", "AmazonCustomerByEmail": "EmailAddress", "Group": "URI"}
_KINDS: Final = {"ID": "id", "EmailAddress": "email", "URI": "uri"}


def _check_grantee(node: Node) -> None:
    needed = _GRANTEES.get(node.text(XSI_TYPE))
    if needed is None or needed not in node:
        raise malformed("a grantee of no known type, or without its name")


_GRANTEE: Final = Record(
    Field("ID", text(1, 256)),
    Field("DisplayName", text(0, 256)),
    Field("EmailAddress", text(1, 256)),
    Field("URI", text(1, 256)),
    rule=_check_grantee,
    typed=True,
)
_GRANT: Final = Record(
    Field("Grantee", _GRANTEE, least=1), Field("Permission", word("FULL_CONTROL", "READ", "WRITE"), least=1)
)
_FORMAT: Final = Record(
    Field("SimplePrefix", Record()),
    Field("PartitionedPrefix", Record(Field("PartitionDateSource", word("EventTime", "DeliveryTime")))),
    choices=(Choice(("SimplePrefix", "PartitionedPrefix")),),
)
_ENABLED: Final = Record(
    Field("TargetBucket", text(3, 63), least=1),
    Field("TargetPrefix", text(0, limits.LOG_PREFIX_CHARS_MAX), least=1),
    Field("TargetGrants", Record(Field("Grant", _GRANT, most=limits.ACL_GRANTS_MAX))),
    Field("TargetObjectKeyFormat", _FORMAT),
)
LOGGING: Final = Grammar("BucketLoggingStatus", Record(Field("LoggingEnabled", _ENABLED)))


class LogRule(NamedTuple):
    """Where the log goes. `partitioned`: objects are named below account, region, bucket and day; `by_event`: the day
    of the requests, not of the delivery. `granted`: on each of its objects, beside the owner's own."""

    bucket: str
    prefix: str
    partitioned: bool = False
    by_event: bool = False
    granted: tuple[AskedGrant, ...] = ()


def canonical(document: bytes) -> tuple[bytes, LogRule] | None:
    """The document to store and what it says; None when it turns logging off. Raises S3Error.

    Without a key format it is given the one it means: S3 answers it so.
    """
    enabled = LOGGING.parse(document).node("LoggingEnabled")
    if enabled is None:
        return None
    items = list(enabled.items)
    if "TargetObjectKeyFormat" not in enabled:
        items.append(("TargetObjectKeyFormat", Node([("SimplePrefix", Node([]))])))
    node = Node([("LoggingEnabled", Node(items))])
    return LOGGING.write(node), _rule(node)


def rule(document: bytes) -> LogRule:
    """Of a stored document. Raises Corrupt."""
    return _rule(LOGGING.stored(document))


def _rule(node: Node) -> LogRule:
    enabled = node.node("LoggingEnabled") or Node([])
    named = enabled.node("TargetObjectKeyFormat") or Node([])
    partitioned = named.node("PartitionedPrefix")
    return LogRule(
        enabled.text("TargetBucket"),
        enabled.text("TargetPrefix"),
        partitioned is not None,
        partitioned is not None and partitioned.text("PartitionDateSource") == "EventTime",
        _granted(enabled.node("TargetGrants") or Node([])),
    )


def _granted(target_grants: Node) -> tuple[AskedGrant, ...]:
    """WRITE on an object permits nothing, so that it is not written into lists."""
    found = []
    for grant in target_grants.nodes("Grant"):
        grantee, permission = grant.node("Grantee") or Node([]), grant.text("Permission")
        element = _GRANTEES[grantee.text(XSI_TYPE)]
        if permission != WRITE:
            found.append(AskedGrant(_KINDS[element], grantee.text(element), permission))
    return tuple(found)
