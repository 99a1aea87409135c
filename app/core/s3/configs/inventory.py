"""The grammar of inventory configurations: what is listed, how, how often and where to.

Knows elements. Must not know files or schedules (core/s3/inventory, services/background/inventory).
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketInventoryConfiguration.html
"""

import re
from typing import Final

from app.core import limits
from app.core.errors import S3Error
from app.core.s3.configs.grammar import Choice, Field, Grammar, Record
from app.core.s3.configs.leaves import flag, text, word

FIELDS: Final = (
    "Size",
    "LastModifiedDate",
    "StorageClass",
    "ETag",
    "IsMultipartUploaded",
    "ReplicationStatus",
    "EncryptionStatus",
    "ObjectLockRetainUntilDate",
    "ObjectLockMode",
    "ObjectLockLegalHoldStatus",
    "IntelligentTieringAccessTier",
    "BucketKeyStatus",
    "ChecksumAlgorithm",
    "ObjectAccessControlList",
    "ObjectOwner",
    "LifecycleExpirationDate",
)
_ARN: Final = re.compile(r"arn:aws:s3:::[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")


def _bucket(found: str) -> str:
    found = found.strip()
    if not _ARN.fullmatch(found):
        raise S3Error("InvalidS3DestinationBucket", fields={"ArgumentName": "Bucket", "ArgumentValue": found[:100]})
    return found


def _format(found: str) -> str:
    found = word("CSV", "ORC", "Parquet")(found)
    if found != "CSV":
        raise S3Error("NotImplemented", "Inventories are written as CSV only.")
    return found


_DESTINATION: Final = Record(
    Field(
        "S3BucketDestination",
        Record(
            Field("AccountId", text(1, 64)),
            Field("Bucket", _bucket, least=1),
            Field("Format", _format, least=1),
            Field("Prefix", text(0, 512)),
            Field(
                "Encryption",
                Record(
                    Field("SSE-KMS", Record(Field("KeyId", text(1, 2048), least=1))),
                    Field("SSE-S3", Record()),
                    choices=(Choice(("SSE-KMS", "SSE-S3")),),
                ),
            ),
        ),
        least=1,
    )
)
INVENTORY: Final = Grammar(
    "InventoryConfiguration",
    Record(
        Field("Destination", _DESTINATION, least=1),
        Field("IsEnabled", flag(), least=1),
        Field("Filter", Record(Field("Prefix", text(0, limits.KEY_BYTES_MAX), least=1))),
        Field("Id", text(1, 64), least=1),
        Field("IncludedObjectVersions", word("All", "Current"), least=1),
        Field("OptionalFields", Record(Field("Field", word(*FIELDS), most=len(FIELDS)))),
        Field("Schedule", Record(Field("Frequency", word("Daily", "Weekly"), least=1)), least=1),
    ),
)
