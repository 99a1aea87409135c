"""Weighs what policies, lists and the public access block say of one action by one caller.

Knows whose word counts for which resource: the bucket's owner for the bucket and for what is done to it, the object's
owner for reading the object and its list. Must not know stores, the order of a request (services/gate/guard) or the
language of policies (core/policy).
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-s3-evaluates-access-control.html
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Final, NamedTuple

from app.core import limits
from app.core.acl import grants as acl
from app.core.acl.settings import ENFORCED, POLICY, acl_of, block_of, ownership_of
from app.core.errors import S3Error
from app.core.policy.evaluation import Decision, Effect, decide
from app.core.policy.grammar import BUCKET, IDENTITY, parse
from app.core.policy.public import is_public
from app.core.policy.s3_context import Acted, S3Context
from app.core.policy.statement import Policy, Request
from app.core.s3.configs.stored import tags_are_asked
from app.core.s3.tags import stored_tags
from app.core.types import Bucket, Version
from app.services.call import Call, Facts
from app.services.gate.directory import Directory


class Subject(NamedTuple):
    """An action and what it is done to. `version`: the object that is there; `owner`: of an object to be.

    `listed`: `key` is not the resource but the prefix of a listing of the bucket.
    """

    bucket: Bucket
    action: str
    key: bytes = b""
    version: Version | None = None
    owner: str = ""
    listed: bool = False

    @property
    def arn(self) -> str:
        """The resource, as policies name it."""
        name = f"arn:aws:s3:::{self.bucket.name}"
        return name if self.listed or not self.key else f"{name}/{self.key.decode('utf-8', 'replace')}"

    @property
    def authority(self) -> str:
        """Canonical id of the account whose word counts."""
        if self.action not in acl.OBJECT_PERMISSION or ownership_of(self.bucket) == ENFORCED:
            return self.bucket.owner
        return self.version.owner if self.version is not None else self.owner or self.bucket.owner


_NO_TAGS: Final[Mapping[str, str]] = {}
_NO_MORE: Final[Mapping[str, tuple[str, ...]]] = {}
_CREATION: Final[Mapping[str, tuple[str, ...]]] = {"s3:objectcreationoperation": ("true",)}
_NO_CREATION: Final[Mapping[str, tuple[str, ...]]] = {"s3:objectcreationoperation": ("false",)}
_DENIED: Final = Decision(Effect.EXPLICIT_DENY, "resource", "it cannot be read")
_UNPAID: Final = Decision(Effect.EXPLICIT_DENY, "resource", "the requester pays, and did not agree to")
_OPERATORS: Final = Decision(Effect.ALLOW, "root")


class Verdicts:
    """Pure, but for the directory of accounts."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def verdict(self, call: Call, subject: Subject) -> Decision:
        """May the caller do it? A bucket policy that cannot be read denies everything."""
        caller, bucket = call.caller, subject.bucket
        authority = subject.authority
        try:
            policy = _policy(bucket, theirs=authority != bucket.owner or _is_shut_out(call, bucket))
        except S3Error:
            return _DENIED
        request = Request(
            principal=caller.identity,
            action=subject.action,
            resource=subject.arn,
            resource_account=self._directory.account_id(authority),
            context=self._context(call, subject),
            canonical_id=caller.canonical_id,
        )
        decision = decide(request, policy, _granted(call, subject, caller.canonical_id == authority))
        # The operator may do what nobody forbids.
        return _OPERATORS if caller.root and decision.effect is Effect.IMPLICIT_DENY else decision

    def _context(self, call: Call, subject: Subject) -> S3Context:
        """What conditions may ask. Whether a key's absence may be told is a question about a listing of that prefix."""
        facts = call.facts
        if subject.listed:
            facts = facts._replace(parameters={"prefix": subject.key.decode("utf-8", "replace")})
        version = subject.version
        tags = _NO_TAGS if version is None else version.attributes.tags
        more = _creation(facts) if subject.action == "s3:PutObject" else _NO_MORE
        if facts.given:
            more = {**more, **facts.given}
        acted = Acted(self._directory.account_id(subject.bucket.owner), tags, _bucket_tags(subject.bucket), more)
        return S3Context(facts, call.caller.identity, call.now_ms, acted)

    def charge(self, call: Call, bucket: Bucket) -> None:
        """Who reads from a bucket whose requester pays says so, and is known. Raises AccessDenied.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/RequesterPaysBuckets.html
        """
        payment = bucket.configs.get("requestPayment", b"")
        if b"<Payer>Requester</Payer>" not in payment or call.caller.root or call.caller.canonical_id == bucket.owner:
            return
        if call.caller.identity.kind == "anonymous" or call.facts.headers.get("x-amz-request-payer") != "requester":
            call.stages.decision = _UNPAID
            raise S3Error("AccessDenied", reason="the requester pays, and did not agree to")
        call.stages.charged = True


def _creation(facts: Facts) -> Mapping[str, tuple[str, ...]]:
    """Whether the request makes an object, or begins or feeds an upload, whom nobody asks for a precondition.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
    """
    return _NO_CREATION if "uploads" in facts.parameters or "partNumber" in facts.parameters else _CREATION


def _bucket_tags(bucket: Bucket) -> Mapping[str, str]:
    """What policies may ask of the bucket's own tags: nothing, unless its owner turned that on.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/buckets-tagging-enable-abac.html
    """
    return stored_tags(bucket.configs.get("tagging")) if tags_are_asked(bucket.configs.get("abac")) else _NO_TAGS


def _policy(bucket: Bucket, *, theirs: bool) -> Policy | None:
    """The bucket's policy as it counts. `theirs`: it only forbids, because somebody else's word allows (an object of
    another account), or because the public access block lets nobody of another account in. Raises MalformedPolicy."""
    document = bucket.configs.get(POLICY)
    if document is None:
        return None
    return _denials(document) if theirs else _parsed(document)


@lru_cache(limits.POLICIES_PARSED_MAX)
def _parsed(document: bytes) -> Policy:
    return parse(document.decode("utf-8", "surrogateescape"), BUCKET)


@lru_cache(limits.POLICIES_PARSED_MAX)
def _denials(document: bytes) -> Policy:
    policy = _parsed(document)
    return replace(policy, statements=tuple(one for one in policy.statements if not one.allows))


@lru_cache(limits.DOCUMENTS_PARSED_MAX)
def _is_public(document: bytes) -> bool:
    return is_public(_parsed(document))


def asks_for_object_tags(call: Call, bucket: Bucket) -> bool:
    """Whether a policy that may decide about the call asks for the tags of the object. One that cannot be read asks
    for nothing: it denies."""
    principal = call.caller.identity
    attached = (*principal.identity, *principal.session, *((principal.boundary,) if principal.boundary else ()))
    try:
        policy = _policy(bucket, theirs=False)
        if policy is not None and policy.asks_object_tags:
            return True
        return any(parse(one.text, IDENTITY).asks_object_tags for one in attached)
    except S3Error:
        return False


def _is_shut_out(call: Call, bucket: Bucket) -> bool:
    """Whether RestrictPublicBuckets keeps the caller from what a public policy allows.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
    """
    if call.caller.canonical_id == bucket.owner or not block_of(bucket).restrict:
        return False
    return policy_is_public(bucket)


def policy_is_public(bucket: Bucket) -> bool:
    """Whether the bucket's policy opens it to everybody. Raises MalformedPolicy."""
    document = bucket.configs.get(POLICY)
    return document is not None and _is_public(document)


def _granted(call: Call, subject: Subject, same: bool) -> bool:
    """Whether a list allows it. To the account that owns the resource only what everybody is granted is more."""
    bucket = subject.bucket
    if ownership_of(bucket) == ENFORCED:
        return False
    version = subject.version
    permission = acl.OBJECT_PERMISSION.get(subject.action)
    if permission is not None:
        if version is None:
            # What nobody in particular writes is nobody's: whoever may write it there may say who reads it.
            return subject.owner == acl.ANONYMOUS_OWNER
        found = acl.decode(version.attributes.acl, version.owner)
    else:
        permission = acl.BUCKET_PERMISSION.get(subject.action)
        found = acl.decode(acl_of(bucket), bucket.owner)
    if permission is None:
        return False
    if same:
        found = tuple(grant for grant in found if grant.grantee in acl.PUBLIC)
    return acl.permits(found, permission, acl.Grantee(call.caller.canonical_id, not block_of(bucket).ignore_acls))
