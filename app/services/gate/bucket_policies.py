"""The policy of a bucket: put, read, removed, and whether the bucket is public.

Knows the permissions and the rules that need the whole bucket, which are decided inside the store's transaction. Must
not know JSON (core/policy/grammar) or wires.
"""

from collections.abc import Callable
from dataclasses import replace

from app.core.acl import grants as acl
from app.core.acl import settings
from app.core.errors import S3Error
from app.core.policy.grammar import BUCKET, check_bucket_policy, parse
from app.core.policy.public import is_public
from app.core.types import Bucket
from app.services.call import Call
from app.services.gate.bucket_access import Amending, Place
from app.services.gate.guard import Guard
from app.services.gate.verdicts import policy_is_public


class BucketPolicies:
    """One per worker process. Errors: S3Error; StoreError from the store passes through."""

    def __init__(self, amending: Amending, guard: Guard) -> None:
        self._amending = amending
        self._guard = guard

    def get(self, call: Call, place: Place) -> bytes:
        """The text as it was put. Raises NoSuchBucketPolicy."""
        bucket = self._amending.bucket(call, place, "s3:GetBucketPolicy")
        text = bucket.configs.get(settings.POLICY)
        if text is None:
            raise S3Error("NoSuchBucketPolicy", fields={"BucketName": bucket.name})
        return text

    def put(self, call: Call, place: Place, read: Callable[[], bytes], *, lock_out: bool) -> None:
        """Replace it; durable on return. `lock_out`: the caller agrees to lose the right to change it again.

        Raises MalformedPolicy, and AccessDenied for a public one where the bucket blocks these.
        """
        bucket = self._amending.bucket(call, place, "s3:PutBucketPolicy")
        document = read()
        try:
            policy = parse(document.decode(), BUCKET)
        except UnicodeDecodeError:
            raise S3Error("MalformedPolicy", reason="not UTF-8") from None
        check_bucket_policy(policy, bucket.name)
        opens = is_public(policy)
        if not lock_out:
            self._check_still_welcome(call, bucket, document)

        def checked(current: Bucket) -> bytes:
            if opens and settings.block_of(current).policy:
                raise settings.blocked("policies", "BlockPublicPolicy")
            return document

        self._amending.put(bucket, settings.POLICY, checked)

    def delete(self, call: Call, place: Place) -> None:
        """No error when there is none."""
        bucket = self._amending.bucket(call, place, "s3:DeleteBucketPolicy")
        if settings.POLICY in bucket.configs:
            self._amending.put(bucket, settings.POLICY, lambda current: None)

    def is_public(self, call: Call, place: Place) -> bool:
        """Whether everybody is let in by the policy or by the bucket's list, as far as these count."""
        bucket = self._amending.bucket(call, place, "s3:GetBucketPolicyStatus")
        block = settings.block_of(bucket)
        if policy_is_public(bucket) and not block.restrict:
            return True
        if block.ignore_acls or settings.ownership_of(bucket) == settings.ENFORCED:
            return False
        return acl.is_public(acl.decode(settings.acl_of(bucket), bucket.owner))

    def _check_still_welcome(self, call: Call, bucket: Bucket, document: bytes) -> None:
        """Raises MalformedPolicy for a policy that would keep its own setter from changing it again."""
        changed = replace(bucket, configs={**bucket.configs, settings.POLICY: document})
        if not self._guard.allows(call, changed, "s3:PutBucketPolicy"):
            text = "The new bucket policy will not allow you to update bucket policies in the future"
            raise S3Error("MalformedPolicy", text)
