"""The one gate: may this caller do this to that bucket or object.

Knows the order of the questions (bucket, expected owner, policies, ACLs, public access block) and who must not be told
whether a thing exists. Must not know wires, nor how policies and lists are weighed (services/gate/verdicts).
Every use case begins with `admit`, naming the action AWS names.

What an owner's own root keys do to a bucket without a policy is decided by a few look-ups; everybody else's requests
are weighed. What the object itself has a say in (its owner, its list, its tags, whether its absence may be told) is
decided by `Admission.seen`, once the version is read.
"""

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple, Protocol

from app.core.acl.grants import BUCKET_PERMISSION, OBJECT_PERMISSION
from app.core.acl.requests import HEADERS as ACL_HEADERS
from app.core.acl.settings import ENFORCED, POLICY, ownership_of
from app.core.errors import Missing, S3Error
from app.core.policy.evaluation import Decision, Effect
from app.core.types import Bucket, Version
from app.services.call import OWNERS, Call
from app.services.gate.directory import Directory
from app.services.gate.ownership import writer_of
from app.services.gate.verdicts import Subject, Verdicts, asks_for_object_tags

Judge = Callable[[Version | None], None]

_OF_THE_OBJECT: Final = (
    frozenset(OBJECT_PERMISSION)
    | {
        f"s3:{verb}Object{version}{what}"
        for verb, what in (
            ("Get", "Tagging"),
            ("Put", "Tagging"),
            ("Delete", "Tagging"),
        )
        for version in ("", "Version")
    }
    | {"s3:GetObjectRetention", "s3:PutObjectRetention", "s3:GetObjectLegalHold", "s3:PutObjectLegalHold"}
)
"""Actions on an object that is there already: its owner, list or tags decide, and its absence is not everybody's."""

_SPELLED: Final = {name.lower(): name for name in (*_OF_THE_OBJECT, *BUCKET_PERMISSION)}

_ROOT_MAY: Final = frozenset({"s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"})
"""What no bucket policy takes from the root of the bucket's account, so that nobody locks a bucket for good.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html"""

_OF_ROOTS: Final = {name.lower(): name for name in _ROOT_MAY}


class Admission(NamedTuple):
    """The bucket, and what is still to be judged by the object itself (its ACL, its tags, whether its absence may be
    told). Whoever reads a version asks `seen` before anything of it is told or changed."""

    bucket: Bucket
    judge: Judge | None = None

    def seen(self, version: Version | None) -> None:
        """Raises AccessDenied. `version` None: there is no such object."""
        if self.judge is not None:
            self.judge(version)


def spelled(action: str) -> str:
    """An action as the gate knows it, however it is capitalised. What nothing depends on stays as it is."""
    return _SPELLED.get(action.lower(), _OF_ROOTS.get(action.lower(), action))


class Named(Protocol):
    """Where buckets are found: a MetadataStore, or a bucket that is only thought of."""

    def bucket_get(self, name: str, /) -> Bucket:
        """Missing when there is none."""

    def bucket_lately(self, name: str, /) -> Bucket:
        """See MetadataStore.bucket_lately."""


class Guard:
    """One per worker process. Raises S3Error; StoreError from the store passes through. What decided is left in the
    call's stages, for traces."""

    def __init__(self, store: Named, directory: Directory) -> None:
        self._store = store
        self._directory = directory
        self._verdicts = Verdicts(directory)

    def admit(self, call: Call, name: str, action: str, key: bytes = b"", expected_owner: str = "") -> Admission:
        """May the caller do `action` ("s3:GetObject") on bucket `name`, or on its object `key`?

        `expected_owner`: `x-amz-expected-bucket-owner`, an account's 12-digit id. Raises NoSuchBucket, AccessDenied.
        """
        bucket = self._expected(name, expected_owner)
        if _unquestioned(call, bucket):
            if action not in OBJECT_PERMISSION or call.caller.root or ownership_of(bucket) == ENFORCED:
                call.stages.decision = OWNERS
                return Admission(bucket)
        else:
            self._verdicts.charge(call, bucket)
        if action in _OF_THE_OBJECT:
            if action not in OBJECT_PERMISSION and not asks_for_object_tags(call, bucket):
                # The object has no say but by its tags, and nobody asks for these.
                self._demand(call, Subject(bucket, action, key))
            return Admission(bucket, partial(self._judge, call, bucket, action, key))
        self._demand(call, Subject(bucket, action, key))
        if action == "s3:PutObject" and not ACL_HEADERS.isdisjoint(call.facts.headers):
            self._demand(call, Subject(bucket, "s3:PutObjectAcl", key, owner=writer_of(call, bucket)))
        return Admission(bucket)

    def may_send(self, call: Call, name: str, action: str, expected_owner: str = "") -> None:
        """Before a document that names the keys is read: refuse those whom no key could be allowed, as nothing in the
        bucket speaks for them. Each key asks `admit` for itself. Raises NoSuchBucket, AccessDenied.
        """
        bucket = self._expected(name, expected_owner)
        caller = call.caller
        if caller.canonical_id != bucket.owner and not caller.root and POLICY not in bucket.configs:
            # What a user's own policies say of keys nobody knows yet is left out: the account is asked in its stead.
            account = caller._replace(principal=None if caller.canonical_id else caller.principal)
            self._demand(call._replace(caller=account), Subject(bucket, action))

    def require(
        self, call: Call, bucket: Bucket, action: str, key: bytes = b"", version: Version | None = None
    ) -> None:
        """A further permission an admitted request needs (s3:PutObjectTagging beside s3:PutObject).

        `version` None: of an object to be, or of none. Raises AccessDenied.
        """
        if not _unquestioned(call, bucket) or (version is not None and version.owner != bucket.owner):
            self._demand(call, Subject(bucket, action, key, version))
        else:
            call.stages.decision = OWNERS

    def allows(self, call: Call, bucket: Bucket, action: str, key: bytes = b"", version: Version | None = None) -> bool:
        """The same as a question (s3:BypassGovernanceRetention)."""
        before = call.stages.decision
        try:
            self.require(call, bucket, action, key, version)
        except S3Error:
            return False
        finally:
            call.stages.decision = before
        return True

    def bucket(self, name: str) -> Bucket:
        """The bucket, nobody's permission asked. Raises NoSuchBucket."""
        try:
            return self._store.bucket_get(name)
        except Missing:
            raise S3Error("NoSuchBucket", fields={"BucketName": name}) from None

    def bucket_lately(self, name: str) -> Bucket:
        """The same, as it was a moment ago: for what an answer tells beside the point. Raises NoSuchBucket."""
        try:
            return self._store.bucket_lately(name)
        except Missing:
            raise S3Error("NoSuchBucket", fields={"BucketName": name}) from None

    def _expected(self, name: str, owner: str) -> Bucket:
        bucket = self.bucket(name)
        if owner and owner != self._directory.account_id(bucket.owner):
            raise S3Error("AccessDenied", reason="the bucket's owner is not the expected one")
        return bucket

    def _judge(self, call: Call, bucket: Bucket, action: str, key: bytes, version: Version | None) -> None:
        """What `Admission.seen` decides."""
        absent = version is None or version.delete_marker
        if _unquestioned(call, bucket) and (absent or version is None or version.owner == bucket.owner):
            call.stages.decision = OWNERS
            return
        subject = Subject(bucket, action, key, None if absent else version)
        if not absent:
            self._demand(call, subject)
            return
        found = call.stages.decision = self._verdicts.verdict(call, subject)
        if found.effect is Effect.EXPLICIT_DENY:
            raise self._refusal(call, subject, found)
        listing = self._verdicts.verdict(call, Subject(bucket, "s3:ListBucket", key, listed=True))
        if not listing.allowed:
            raise self._refusal(call, subject, listing if found.allowed else found)

    def _demand(self, call: Call, subject: Subject) -> None:
        verdict = call.stages.decision = self._verdicts.verdict(call, subject)
        if verdict.allowed:
            return
        if subject.action in _ROOT_MAY and call.caller.canonical_id == subject.bucket.owner and _is_root(call):
            call.stages.decision = OWNERS
            return
        raise self._refusal(call, subject, verdict)

    def _refusal(self, call: Call, subject: Subject, verdict: Decision) -> S3Error:
        """The kind of policy that decided is named to callers of the bucket owner's account, and to them only.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
        """
        call.stages.decision = verdict
        arn = call.caller.identity.arn
        if call.caller.canonical_id != subject.bucket.owner or not arn:
            return S3Error("AccessDenied", reason=verdict.reason)
        return S3Error("AccessDenied", verdict.message(arn, subject.action, subject.arn), reason=verdict.reason)


def _is_root(call: Call) -> bool:
    """Whether the account itself calls, by its root keys."""
    principal = call.caller.principal
    return principal is None or principal.kind == "root"


def _unquestioned(call: Call, bucket: Bucket) -> bool:
    """Root keys of the owner or of the operator, or the system itself; and no policy that could say no."""
    caller = call.caller
    if caller.root:
        return POLICY not in bucket.configs or caller.identity.kind == "service"
    return caller.canonical_id == bucket.owner and caller.principal is None and POLICY not in bucket.configs
