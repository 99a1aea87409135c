"""What a bucket may be called and where it may live.

Knows names and regions as texts. Must not know which buckets exist.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
"""

import re
from collections.abc import Collection
from typing import Final

from app.core import limits
from app.core.errors import S3Error

DEFAULT_REGION: Final = "us-east-1"
"""The region whose LocationConstraint S3 shows as empty."""

_LABEL: Final = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_ADDRESS: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}", re.ASCII)
_PREFIXES: Final = ("xn--", "sthree-", "amzn-s3-demo-")
_SUFFIXES: Final = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def check_bucket_name(name: str) -> None:
    """Raises InvalidBucketName unless a bucket may be created under `name`."""
    fits = limits.BUCKET_NAME_BYTES_MIN <= len(name) <= limits.BUCKET_NAME_BYTES_MAX
    if not fits or not _NAME.fullmatch(name) or _ADDRESS.fullmatch(name) or name.startswith(_PREFIXES):
        raise S3Error("InvalidBucketName", fields={"BucketName": name})
    if name.endswith(_SUFFIXES):
        raise S3Error("InvalidBucketName", fields={"BucketName": name})


def check_location(constraint: str, regions: Collection[str]) -> str:
    """The region to store with a new bucket, "" for the default. Raises InvalidLocationConstraint."""
    if constraint and constraint not in regions:
        raise S3Error("InvalidLocationConstraint", fields={"LocationConstraint": constraint})
    return "" if constraint == DEFAULT_REGION else constraint
