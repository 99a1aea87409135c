"""Grammars of small configurations: request payment, acceleration, analytics, metrics, intelligent tiering, ABAC.

Knows which documents there are. But for request payment and ABAC they are kept and given back, and act on nothing here
(docs/design/configurations.md says so of each).
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAnalyticsConfiguration.html and its like
"""

from typing import Final

from app.core import limits
from app.core.errors import S3Error
from app.core.s3.configs.grammar import Choice, Field, Grammar, Node, Record, malformed
from app.core.s3.configs.leaves import number, text, word
from app.core.types import Bucket

PAYMENT: Final = Grammar(
    "RequestPaymentConfiguration", Record(Field("Payer", word("Requester", "BucketOwner"), least=1))
)
PAYMENT_ABSENT: Final = PAYMENT.canonical(
    b"<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>"
).decode()

ACCELERATE: Final = Grammar("AccelerateConfiguration", Record(Field("Status", word("Enabled", "Suspended"), least=1)))
ACCELERATE_ABSENT: Final = (
    Grammar("AccelerateConfiguration", Record()).canonical(b"<AccelerateConfiguration/>").decode()
)

ABAC: Final = Grammar("AbacStatus", Record(Field("Status", word("Enabled", "Disabled"), least=1)))
ABAC_ABSENT: Final = ABAC.canonical(b"<AbacStatus><Status>Disabled</Status></AbacStatus>").decode()


def check_accelerate(bucket: Bucket, node: Node) -> None:
    """Raises InvalidRequest for a bucket whose name has dots."""
    if "." in bucket.name:
        message = "S3 Transfer Acceleration is not supported for buckets with periods (.) in their names"
        raise S3Error("InvalidRequest", message)


def tags_are_asked(stored: bytes | None) -> bool:
    """Whether policies may ask for the bucket's tags, by its stored ABAC document. Raises Corrupt."""
    return stored is not None and ABAC.stored(stored).text("Status") == "Enabled"


# --- what several named kinds share

_TAGS_MAX: Final = limits.OBJECT_TAGS_MAX
_KEY_PREFIX: Final = text(0, limits.KEY_BYTES_MAX)
_ID: Final = text(1, limits.CONFIG_ID_CHARS_MAX)
_TAG: Final = Record(
    Field("Key", text(1, limits.TAG_KEY_CHARS_MAX), least=1),
    Field("Value", text(0, limits.TAG_VALUE_CHARS_MAX), least=1),
)


def _two_or_more(node: Node) -> None:
    if len(node.items) < 2:
        raise malformed("And joins two conditions or more")


def _filter(*more: Field) -> Record:
    """A Filter: one condition, or And of several."""
    single = (Field("Prefix", _KEY_PREFIX), Field("Tag", _TAG), *more)
    joined = Record(Field("Prefix", _KEY_PREFIX), Field("Tag", _TAG, most=_TAGS_MAX), *more, rule=_two_or_more)
    names = ("And", *(field.name for field in single))
    return Record(*single, Field("And", joined), choices=(Choice(names),))


def _bucket_arn(found: str) -> str:
    if not found.startswith("arn:aws:s3:::") or not 3 <= len(found) - 13 <= limits.BUCKET_NAME_BYTES_MAX:
        raise ValueError("not the ARN of a bucket")
    return found


_EXPORT: Final = Record(
    Field("OutputSchemaVersion", word("V_1"), least=1),
    Field(
        "Destination",
        Record(
            Field(
                "S3BucketDestination",
                Record(
                    Field("Format", word("CSV"), least=1),
                    Field("BucketAccountId", text(12, 12)),
                    Field("Bucket", _bucket_arn, least=1),
                    Field("Prefix", _KEY_PREFIX),
                ),
                least=1,
            )
        ),
        least=1,
    ),
)
ANALYTICS: Final = Grammar(
    "AnalyticsConfiguration",
    Record(
        Field("Id", _ID, least=1),
        Field("Filter", _filter()),
        Field("StorageClassAnalysis", Record(Field("DataExport", _EXPORT)), least=1),
    ),
)

_ACCESS_POINT: Final = Field("AccessPointArn", text(1, 2048))
METRICS: Final = Grammar(
    "MetricsConfiguration", Record(Field("Id", _ID, least=1), Field("Filter", _filter(_ACCESS_POINT)))
)


_TIER_DAYS_MIN: Final = {"ARCHIVE_ACCESS": 90, "DEEP_ARCHIVE_ACCESS": 180}
_TIER_DAYS_MAX: Final = 730


def _check_tiering(node: Node) -> None:
    days, least = node.number("Days") or 0, _TIER_DAYS_MIN[node.text("AccessTier")]
    if days < least:
        fields = {"ArgumentName": "Days", "ArgumentValue": str(days)}
        message = f"The number of days of {node.text('AccessTier')} must be at least {least}"
        raise S3Error("InvalidArgument", message, fields=fields)


def _check_tiers(root: Node) -> None:
    tiers = [tiering.text("AccessTier") for tiering in root.nodes("Tiering")]
    if len(set(tiers)) < len(tiers):
        raise malformed("a tier named twice")


TIERING: Final = Grammar(
    "IntelligentTieringConfiguration",
    Record(
        Field("Id", _ID, least=1),
        Field("Filter", _filter()),
        Field("Status", word("Enabled", "Disabled"), least=1),
        Field(
            "Tiering",
            Record(
                Field("AccessTier", word(*_TIER_DAYS_MIN), least=1),
                Field("Days", number(1, _TIER_DAYS_MAX), least=1),
                rule=_check_tiering,
            ),
            least=1,
            most=len(_TIER_DAYS_MIN),
        ),
        rule=_check_tiers,
    ),
)
