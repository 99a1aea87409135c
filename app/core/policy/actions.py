"""Actions of policies: their form, S3's own names, and matching, which knows no case.

Knows names only. Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
"""

import re
from collections.abc import Iterable
from typing import Final

from app.core.policy.wildcards import Pattern, pattern

_FORM: Final = re.compile(r"\*|[a-z0-9-]{1,64}:[a-z0-9*?]{1,128}", re.ASCII)
_READ_AND_WRITTEN: Final = (
    "AccelerateConfiguration AnalyticsConfiguration BucketAcl BucketAbac BucketCORS BucketLogging BucketNotification "
    "BucketObjectLockConfiguration BucketOwnershipControls BucketPolicy BucketPublicAccessBlock BucketRequestPayment "
    "BucketTagging BucketVersioning BucketWebsite EncryptionConfiguration IntelligentTieringConfiguration "
    "InventoryConfiguration LifecycleConfiguration MetricsConfiguration ObjectAcl ObjectLegalHold ObjectRetention "
    "ObjectTagging ObjectVersionAcl ObjectVersionTagging ReplicationConfiguration BucketMetadataTableConfiguration"
)
_OTHERS: Final = (
    "AbortMultipartUpload BypassGovernanceRetention CreateBucket CreateSession DeleteBucket DeleteBucketPolicy "
    "DeleteBucketWebsite DeleteObject DeleteObjectTagging DeleteObjectVersion DeleteObjectVersionTagging "
    "GetBucketLocation GetBucketPolicyStatus GetObject GetObjectAttributes GetObjectTorrent GetObjectVersion "
    "GetObjectVersionAttributes GetObjectVersionForReplication GetObjectVersionTorrent InitiateReplication "
    "ListAllMyBuckets ListBucket ListBucketMultipartUploads ListBucketVersions ListMultipartUploadParts "
    "ListTagsForResource ObjectOwnerOverrideToBucketOwner PauseReplication PutObject RenameObject ReplicateDelete "
    "ReplicateObject ReplicateTags RestoreObject TagResource UntagResource UpdateObjectEncryption "
    "CreateBucketMetadataTableConfiguration DeleteBucketMetadataTableConfiguration "
    "UpdateBucketMetadataInventoryTableConfiguration UpdateBucketMetadataJournalTableConfiguration"
)
S3_ACTIONS: Final = frozenset(
    f"s3:{name}".lower()
    for name in (
        *(f"{verb}{what}" for what in _READ_AND_WRITTEN.split() for verb in ("Get", "Put")),
        *_OTHERS.split(),
    )
)
"""Every action a bucket policy may name, in lower case."""


class Actions:
    """The element Action or NotAction."""

    __slots__ = ("_exact", "_patterns", "texts")

    def __init__(self, texts: Iterable[str]) -> None:
        """Raises ValueError for what no action is called."""
        self.texts = tuple(text.lower() for text in texts)
        if not all(_FORM.fullmatch(text) for text in self.texts):
            raise ValueError("no such action")
        self._exact = frozenset(self.texts)
        self._patterns: tuple[Pattern, ...] = tuple(pattern(text) for text in self.texts if "*" in text or "?" in text)

    def have(self, action: str) -> bool:
        """Whether it is one of them; `action` in lower case."""
        return action in self._exact or any(one.matches(action) for one in self._patterns)

    @property
    def are_s3s(self) -> bool:
        """Whether each is, or fits, an action of S3's."""
        return all(text == "*" or any(pattern(text).matches(action) for action in S3_ACTIONS) for text in self._exact)
