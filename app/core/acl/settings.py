"""A bucket's two settings about lists: object ownership and the public access block; documents read and written.

Knows their elements and what each switch is called. What is stored is what `ownership_document` and `block_document`
write; a stored document that is none of these fails closed. A bucket without ownership controls has S3's oldest rule
(ObjectWriter), one without a public access block blocks nothing.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
"""

from functools import lru_cache
from typing import Final, NamedTuple

from app.core.errors import S3Error
from app.core.s3 import documents
from app.core.s3.xml import Writer
from app.core.types import Bucket

POLICY: Final = "policy"
ACL: Final = "acl"
OWNERSHIP: Final = "ownershipControls"
BLOCK: Final = "publicAccessBlock"

ENFORCED: Final = "BucketOwnerEnforced"
PREFERRED: Final = "BucketOwnerPreferred"
WRITER: Final = "ObjectWriter"
OWNERSHIPS: Final = (ENFORCED, PREFERRED, WRITER)


class PublicAccessBlock(NamedTuple):
    """Four switches. acls: refuse new public lists; ignore_acls: count none; policy: refuse a new public policy;
    restrict: a public policy opens the bucket to its own account only."""

    acls: bool = False
    ignore_acls: bool = False
    policy: bool = False
    restrict: bool = False


OPEN: Final = PublicAccessBlock()
CLOSED: Final = PublicAccessBlock(True, True, True, True)
_TAGS: Final = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def blocked(what: str, switch: str) -> S3Error:
    """The refusal of public `what` by one of the block's switches: it names the switch, for whoever wonders why."""
    return S3Error("AccessDenied", f"Public {what} are prevented by the {switch} setting in S3 Block Public Access.")


def ownership_document(ownership: str) -> bytes:
    """The canonical OwnershipControls document."""
    writer = Writer("OwnershipControls")
    writer.open("Rule")
    writer.text("ObjectOwnership", ownership)
    writer.close("Rule")
    return writer.document()


_OWNERSHIPS: Final = {ownership_document(ownership): ownership for ownership in OWNERSHIPS}


def ownership_asked(document: bytes) -> str:
    """The one rule of a client's OwnershipControls. Raises MalformedXML."""
    rules = list(documents.read(document, "OwnershipControls"))
    if len(rules) != 1 or documents.local_name(rules[0]) != "Rule":
        raise S3Error("MalformedXML", reason="not exactly one rule")
    ownership = documents.child_texts(rules[0], frozenset({"ObjectOwnership"})).get("ObjectOwnership", "").strip()
    return ownership_named(ownership)


def ownership_named(text: str) -> str:
    """One of OWNERSHIPS. Raises MalformedXML."""
    if text not in OWNERSHIPS:
        raise S3Error("MalformedXML", reason="no such object ownership")
    return text


def ownership_of(bucket: Bucket) -> str:
    """The rule in force."""
    document = bucket.configs.get(OWNERSHIP)
    return WRITER if document is None else _OWNERSHIPS.get(document, ENFORCED)


def block_document(block: PublicAccessBlock) -> bytes:
    """The canonical PublicAccessBlockConfiguration document."""
    writer = Writer("PublicAccessBlockConfiguration")
    for tag, value in zip(_TAGS, block, strict=True):
        writer.flag(tag, value)
    return writer.document()


def block_asked(document: bytes) -> PublicAccessBlock:
    """A client's PublicAccessBlockConfiguration; what it leaves out is off. Raises MalformedXML."""
    root = documents.read(document, "PublicAccessBlockConfiguration")
    texts = documents.child_texts(root, frozenset(_TAGS))
    return PublicAccessBlock(*(documents.flag(texts.get(tag)) for tag in _TAGS))


@lru_cache(64)
def _block(document: bytes) -> PublicAccessBlock:
    try:
        return block_asked(document)
    except S3Error:
        return CLOSED


def block_of(bucket: Bucket) -> PublicAccessBlock:
    """The switches in force."""
    document = bucket.configs.get(BLOCK)
    return OPEN if document is None else _block(document)


def acl_of(bucket: Bucket) -> str:
    """The text form of a bucket's own list."""
    return bucket.configs.get(ACL, b"").decode("ascii", "replace")
