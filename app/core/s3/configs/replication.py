"""The grammar of replication configurations. They are kept and given back; nothing replicates yet.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketReplication.html
"""

import re
from typing import Final

from app.core import limits
from app.core.errors import S3Error
from app.core.s3.configs.grammar import Choice, Field, Grammar, Node, Record, malformed
from app.core.s3.configs.leaves import number, text, word
from app.core.types import Bucket, Versioning

_ROLE: Final = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,512}", re.ASCII)
_BUCKET: Final = re.compile(r"arn:aws[a-z-]*:s3:::([a-z0-9.-]{3,63})")
_PRIORITY_MAX: Final = 2**31 - 1
_MINUTES: Final = 15  # the only time there is


def _role(found: str) -> str:
    if not _ROLE.fullmatch(found):
        fields = {"ArgumentName": "Role", "ArgumentValue": found[:512]}
        raise S3Error(
            "InvalidArgument", "The role of a replication configuration must be the ARN of a role", fields=fields
        )
    return found


def _bucket(found: str) -> str:
    if not _BUCKET.fullmatch(found):
        raise S3Error(
            "InvalidArgument", "Invalid bucket ARN", fields={"ArgumentName": "Bucket", "ArgumentValue": found[:512]}
        )
    return found


def destinations(root: Node) -> tuple[str, ...]:
    """The names of the buckets it replicates to."""
    found = (rule.node("Destination") for rule in root.nodes("Rule"))
    arns = (destination.text("Bucket") for destination in found if destination is not None)
    return tuple(dict.fromkeys(arn.rpartition(":")[2] for arn in arns))


def check(bucket: Bucket, node: Node) -> None:
    """Raises InvalidRequest in a bucket whose versioning is not enabled."""
    if bucket.versioning is not Versioning.ENABLED:
        message = "Versioning must be 'Enabled' on the bucket to apply a replication configuration"
        raise S3Error("InvalidRequest", message)


def _check_rule(rule: Node) -> None:
    if "Filter" in rule and "Priority" not in rule:
        message = "Priority must be specified for this version of Cross Region Replication configuration schema"
        raise S3Error("InvalidRequest", message)
    destination = rule.node("Destination")
    if destination is not None and "AccessControlTranslation" in destination and "Account" not in destination:
        raise S3Error("InvalidRequest", "Destination account must be specified to translate the owner of replicas.")


def _check_all(root: Node) -> None:
    for name in ("ID", "Priority"):
        found = [rule.text(name) for rule in root.nodes("Rule") if name in rule]
        if len(set(found)) < len(found):
            raise S3Error("InvalidRequest", f"Found duplicate {name.lower()} among the rules.")


def _switch(least: int = 1) -> Field:
    return Field("Status", word("Enabled", "Disabled"), least=least)


def _two_or_more(node: Node) -> None:
    if len(node.items) < 2:
        raise malformed("And joins two conditions or more")


_PREFIX: Final = Field("Prefix", text(0, limits.KEY_BYTES_MAX))
_TAG: Final = Record(
    Field("Key", text(1, limits.TAG_KEY_CHARS_MAX), least=1),
    Field("Value", text(0, limits.TAG_VALUE_CHARS_MAX), least=1),
)
_AND: Final = Record(_PREFIX, Field("Tag", _TAG, most=limits.OBJECT_TAGS_MAX), rule=_two_or_more)
_TIME: Final = Record(Field("Minutes", number(_MINUTES, _MINUTES), least=1))
_DESTINATION: Final = Record(
    Field("Bucket", _bucket, least=1),
    Field("Account", text(12, 12)),
    Field("StorageClass", text(1, 64)),
    Field("AccessControlTranslation", Record(Field("Owner", word("Destination"), least=1))),
    Field("EncryptionConfiguration", Record(Field("ReplicaKmsKeyID", text(1, 2048)))),
    Field("ReplicationTime", Record(_switch(), Field("Time", _TIME, least=1))),
    Field("Metrics", Record(_switch(), Field("EventThreshold", _TIME))),
)
_RULE: Final = Record(
    Field("ID", text(0, 255)),
    Field("Priority", number(0, _PRIORITY_MAX)),
    _PREFIX,
    Field(
        "Filter",
        Record(_PREFIX, Field("Tag", _TAG), Field("And", _AND), choices=(Choice(("Prefix", "Tag", "And"), least=0),)),
    ),
    _switch(),
    Field(
        "SourceSelectionCriteria",
        Record(Field("SseKmsEncryptedObjects", Record(_switch())), Field("ReplicaModifications", Record(_switch()))),
    ),
    Field("ExistingObjectReplication", Record(_switch())),
    Field("Destination", _DESTINATION, least=1),
    Field("DeleteMarkerReplication", Record(_switch(least=0))),
    choices=(Choice(("Prefix", "Filter"), least=0),),
    rule=_check_rule,
)
GRAMMAR: Final = Grammar(
    "ReplicationConfiguration",
    Record(
        Field("Role", _role, least=1),
        Field("Rule", _RULE, least=1, most=limits.REPLICATION_RULES_MAX),
        rule=_check_all,
    ),
    elements_max=limits.REPLICATION_RULES_MAX * 30,
)
