"""Every operation of S3's service model: which method and marker of the query asks for it, and whether it works here.

Knows names only. A marker is the query parameter that turns a plain request into another operation; an operation is
either in `WORKS` or in `REFUSED` (NotImplemented), and nothing falls through to a plain handler.
Source: botocore's service model of s3, 2006-03-01 (tests/unit/test_s3_operation.py compares).
"""

from collections.abc import Mapping
from typing import Final

Markers = Mapping[str, Mapping[str, str]]


def _configuration(name: str, put: str = "Put") -> Mapping[str, str]:
    return {"GET": f"Get{name}", "PUT": f"{put}{name}", "DELETE": f"Delete{name}"}


def _read_write(name: str) -> Mapping[str, str]:
    return {"GET": f"Get{name}", "PUT": f"Put{name}"}


BUCKET_MARKERS: Final[Markers] = {
    "abac": _read_write("BucketAbac"),
    "accelerate": _read_write("BucketAccelerateConfiguration"),
    "acl": _read_write("BucketAcl"),
    "analytics": _configuration("BucketAnalyticsConfiguration"),
    "cors": _configuration("BucketCors"),
    "delete": {"POST": "DeleteObjects"},
    "encryption": _configuration("BucketEncryption"),
    "intelligent-tiering": _configuration("BucketIntelligentTieringConfiguration"),
    "inventory": _configuration("BucketInventoryConfiguration"),
    "lifecycle": {
        "GET": "GetBucketLifecycleConfiguration",
        "PUT": "PutBucketLifecycleConfiguration",
        "DELETE": "DeleteBucketLifecycle",
    },
    "location": {"GET": "GetBucketLocation"},
    "logging": _read_write("BucketLogging"),
    "metadataAnnotationTable": {"PUT": "UpdateBucketMetadataAnnotationTableConfiguration"},
    "metadataConfiguration": {
        "POST": "CreateBucketMetadataConfiguration",
        "GET": "GetBucketMetadataConfiguration",
        "DELETE": "DeleteBucketMetadataConfiguration",
    },
    "metadataInventoryTable": {"PUT": "UpdateBucketMetadataInventoryTableConfiguration"},
    "metadataJournalTable": {"PUT": "UpdateBucketMetadataJournalTableConfiguration"},
    "metadataTable": {
        "POST": "CreateBucketMetadataTableConfiguration",
        "GET": "GetBucketMetadataTableConfiguration",
        "DELETE": "DeleteBucketMetadataTableConfiguration",
    },
    "metrics": _configuration("BucketMetricsConfiguration"),
    "notification": _read_write("BucketNotificationConfiguration"),
    "object-lock": _read_write("ObjectLockConfiguration"),
    "ownershipControls": _configuration("BucketOwnershipControls"),
    "policy": _configuration("BucketPolicy"),
    "policyStatus": {"GET": "GetBucketPolicyStatus"},
    "publicAccessBlock": _configuration("PublicAccessBlock"),
    "replication": _configuration("BucketReplication"),
    "requestPayment": _read_write("BucketRequestPayment"),
    "session": {"GET": "CreateSession"},
    "tagging": _configuration("BucketTagging"),
    "uploads": {"GET": "ListMultipartUploads"},
    "versioning": _read_write("BucketVersioning"),
    "versions": {"GET": "ListObjectVersions"},
    "website": _configuration("BucketWebsite"),
}

OBJECT_MARKERS: Final[Markers] = {
    "acl": _read_write("ObjectAcl"),
    "annotation": _configuration("ObjectAnnotation"),
    "attributes": {"GET": "GetObjectAttributes"},
    "encryption": {"PUT": "UpdateObjectEncryption"},
    "legal-hold": _read_write("ObjectLegalHold"),
    "renameObject": {"PUT": "RenameObject"},
    "restore": {"POST": "RestoreObject"},
    "retention": _read_write("ObjectRetention"),
    "select": {"POST": "SelectObjectContent"},
    "tagging": _configuration("ObjectTagging"),
    "torrent": {"GET": "GetObjectTorrent"},
    "uploadId": {
        "GET": "ListParts",
        "PUT": "UploadPart",
        "POST": "CompleteMultipartUpload",
        "DELETE": "AbortMultipartUpload",
    },
    "uploads": {"POST": "CreateMultipartUpload"},
}

SERVICE_PLAIN: Final[Mapping[str, str]] = {"GET": "ListBuckets", "POST": "CallIdentityService"}
BUCKET_PLAIN: Final[Mapping[str, str]] = {
    "GET": "ListObjects",
    "HEAD": "HeadBucket",
    "PUT": "CreateBucket",
    "DELETE": "DeleteBucket",
    "POST": "PostObject",
    "OPTIONS": "OptionsBucket",
}
OBJECT_PLAIN: Final[Mapping[str, str]] = {
    "GET": "GetObject",
    "HEAD": "HeadObject",
    "PUT": "PutObject",
    "DELETE": "DeleteObject",
    "OPTIONS": "OptionsObject",
}

LISTED_WITHOUT_ID: Final[Mapping[str, str]] = {
    f"GetBucket{kind}Configuration": f"ListBucket{kind}Configurations"
    for kind in ("Analytics", "IntelligentTiering", "Inventory", "Metrics")
}
"""What reading a configuration becomes when the query names none by `id`."""

PREFLIGHTS: Final = frozenset({"OptionsBucket", "OptionsObject"})
"""Asked by browsers before a request from another origin, without a signature; whatever the query says."""

OBJECT_LEVEL_OF_COPY: Final[Mapping[str, str]] = {"PutObject": "CopyObject", "UploadPart": "UploadPartCopy"}
"""What a request becomes when it bears `x-amz-copy-source`."""

TAKES_VERSION: Final = frozenset(
    {
        "DeleteObject",
        "DeleteObjectTagging",
        "GetObject",
        "GetObjectAcl",
        "GetObjectAttributes",
        "GetObjectLegalHold",
        "GetObjectRetention",
        "GetObjectTagging",
        "HeadObject",
        "OptionsObject",
        "PutObjectAcl",
        "PutObjectLegalHold",
        "PutObjectRetention",
        "PutObjectTagging",
    }
)

TAKES_PART: Final = frozenset({"GetObject", "HeadObject", "UploadPart", "UploadPartCopy", *PREFLIGHTS})

REFUSED: Final = frozenset(
    {
        "CallIdentityService",
        "CreateBucketMetadataConfiguration",
        "CreateBucketMetadataTableConfiguration",
        "CreateSession",
        "DeleteBucketMetadataConfiguration",
        "DeleteBucketMetadataTableConfiguration",
        "DeleteObjectAnnotation",
        "GetBucketMetadataConfiguration",
        "GetBucketMetadataTableConfiguration",
        "GetObjectAnnotation",
        "GetObjectTorrent",
        "PutObjectAnnotation",
        "RestoreObject",
        "SelectObjectContent",
        "UpdateBucketMetadataAnnotationTableConfiguration",
        "UpdateBucketMetadataInventoryTableConfiguration",
        "UpdateBucketMetadataJournalTableConfiguration",
        "UpdateObjectEncryption",
    }
)
"""Operations answered with NotImplemented."""


STORED_ONLY: Final = frozenset(
    {
        "DeleteBucketAnalyticsConfiguration",
        "DeleteBucketIntelligentTieringConfiguration",
        "DeleteBucketMetricsConfiguration",
        "DeleteBucketReplication",
        "GetBucketAccelerateConfiguration",
        "GetBucketAnalyticsConfiguration",
        "GetBucketIntelligentTieringConfiguration",
        "GetBucketMetricsConfiguration",
        "GetBucketReplication",
        "ListBucketAnalyticsConfigurations",
        "ListBucketIntelligentTieringConfigurations",
        "ListBucketMetricsConfigurations",
        "PutBucketAccelerateConfiguration",
        "PutBucketAnalyticsConfiguration",
        "PutBucketIntelligentTieringConfiguration",
        "PutBucketMetricsConfiguration",
        "PutBucketReplication",
    }
)
"""Operations that work on a configuration which is checked, kept and given back, and has no effect here."""

OLDER_NAMES: Final[Mapping[str, str]] = {
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
}
"""Deprecated operations whose requests are those of another."""

OTHER_KINDS: Final = frozenset({"ListDirectoryBuckets", "ListObjectAnnotations", "WriteGetObjectResponse"})
"""Operations nobody can ask here: of directory buckets and object lambdas, which have hosts of their own, and of
annotations, whose marker is refused."""


def _named() -> frozenset[str]:
    tables = [*BUCKET_MARKERS.values(), *OBJECT_MARKERS.values(), SERVICE_PLAIN, BUCKET_PLAIN, OBJECT_PLAIN]
    variants = {*OBJECT_LEVEL_OF_COPY.values(), *LISTED_WITHOUT_ID.values()}
    return frozenset(name for table in tables for name in table.values()) | variants


WORKS: Final = (_named() | {"ListObjectsV2"}) - REFUSED

PARAMETERS: Final = frozenset(
    {
        "annotation-prefix",
        "annotationName",
        "allow-unordered",
        "bucket-region",
        "continuation-token",
        "delimiter",
        "encoding-type",
        "fetch-owner",
        "id",
        "key-marker",
        "list-type",
        "marker",
        "max-buckets",
        "max-directory-buckets",
        "max-keys",
        "max-parts",
        "max-uploads",
        "part-number-marker",
        "partNumber",
        "prefix",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
        "select-type",
        "start-after",
        "upload-id-marker",
        "version-id-marker",
        "versionId",
    }
)
"""Parameters some operation takes, beside markers; allowed to be empty."""
