"""Kinds of bucket configurations: the name each is stored under, its grammar, its permissions, and what its absence is.

Knows values only. A plain kind is one document of a bucket (`Bucket.configs[kind.name]`); of a named kind a bucket has
up to 1,000, each under the id its document bears.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from app.core.s3 import tags
from app.core.s3.configs import cors, encryption, inventory, replication, stored, website
from app.core.s3.configs.grammar import Grammar, Node
from app.core.types import Bucket


def _accept(bucket: Bucket, node: Node) -> None:
    """Nothing to decide beyond the grammar."""


def _no_buckets(node: Node) -> tuple[str, ...]:
    return ()


class Kind(NamedTuple):
    """One document per bucket.

    `reads`, `writes`: the permissions. `absent`: the S3 error of a bucket that has none, or (when it starts with "<")
    the document that stands for it. `check`: decides inside the transaction, across configurations; pure, raises.
    `buckets`: other buckets the document names, which must exist when it is put.
    """

    name: str
    grammar: Grammar
    reads: str
    writes: str
    absent: str
    check: Callable[[Bucket, Node], None] = _accept
    buckets: Callable[[Node], tuple[str, ...]] = _no_buckets


class NamedKind(NamedTuple):
    """Several documents per bucket, by the text of their element Id. `listed`: root element of the list."""

    name: str
    grammar: Grammar
    reads: str
    writes: str
    listed: str


def _check_tagging(bucket: Bucket, node: Node) -> None:
    tags.check_bucket_tags(node)


ENCRYPTION: Final = Kind(
    "encryption",
    encryption.GRAMMAR,
    "s3:GetEncryptionConfiguration",
    "s3:PutEncryptionConfiguration",
    "ServerSideEncryptionConfigurationNotFoundError",
)
CORS: Final = Kind("cors", cors.GRAMMAR, "s3:GetBucketCORS", "s3:PutBucketCORS", "NoSuchCORSConfiguration")
TAGGING: Final = Kind(
    "tagging", tags.GRAMMAR, "s3:GetBucketTagging", "s3:PutBucketTagging", "NoSuchTagSet", _check_tagging
)
WEBSITE: Final = Kind(
    "website", website.GRAMMAR, "s3:GetBucketWebsite", "s3:PutBucketWebsite", "NoSuchWebsiteConfiguration"
)
REPLICATION: Final = Kind(
    "replication",
    replication.GRAMMAR,
    "s3:GetReplicationConfiguration",
    "s3:PutReplicationConfiguration",
    "ReplicationConfigurationNotFoundError",
    replication.check,
    replication.destinations,
)
PAYMENT: Final = Kind(
    "requestPayment", stored.PAYMENT, "s3:GetBucketRequestPayment", "s3:PutBucketRequestPayment", stored.PAYMENT_ABSENT
)
ACCELERATE: Final = Kind(
    "accelerate",
    stored.ACCELERATE,
    "s3:GetAccelerateConfiguration",
    "s3:PutAccelerateConfiguration",
    stored.ACCELERATE_ABSENT,
    stored.check_accelerate,
)
ABAC: Final = Kind("abac", stored.ABAC, "s3:GetBucketAbac", "s3:PutBucketAbac", stored.ABAC_ABSENT)

ANALYTICS: Final = NamedKind(
    "analytics",
    stored.ANALYTICS,
    "s3:GetAnalyticsConfiguration",
    "s3:PutAnalyticsConfiguration",
    "ListBucketAnalyticsConfigurationResult",
)
METRICS: Final = NamedKind(
    "metrics",
    stored.METRICS,
    "s3:GetMetricsConfiguration",
    "s3:PutMetricsConfiguration",
    "ListMetricsConfigurationsResult",
)
INVENTORY: Final = NamedKind(
    "inventory",
    inventory.INVENTORY,
    "s3:GetInventoryConfiguration",
    "s3:PutInventoryConfiguration",
    "ListInventoryConfigurationsResult",
)
TIERING: Final = NamedKind(
    "intelligent-tiering",
    stored.TIERING,
    "s3:GetIntelligentTieringConfiguration",
    "s3:PutIntelligentTieringConfiguration",
    "ListBucketIntelligentTieringConfigurationsOutput",
)
