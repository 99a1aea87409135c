"""Whether S3's log delivery may write into a bucket: by the bucket's policy, or by its access control list.

Knows both ways to say so. Must not know logs. Source:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
"""

from typing import Final

from app.core.acl import grants
from app.core.acl.settings import acl_of
from app.core.errors import S3Error
from app.core.policy.evaluation import Effect, decide
from app.core.policy.grammar import BUCKET, parse
from app.core.policy.principal import Principal
from app.core.policy.s3_context import Acted, S3Context
from app.core.policy.statement import Request
from app.core.types import Bucket
from app.services.call import NO_FACTS
from app.services.gate.directory import Directory

_DELIVERY: Final = Principal("service", "", "", name="logging.s3.amazonaws.com")


def may_deliver(directory: Directory, source: Bucket, target: Bucket, key: str, now_ms: int) -> bool:
    """Whether the log of `source` may be put into `target` as `key`. Both belong to one account, in one region."""
    if source.owner != target.owner or source.region != target.region:
        return False
    granted = grants.decode(acl_of(target), target.owner)
    if any(grant.grantee == grants.LOG_DELIVERY and grant.permission in _WRITES for grant in granted):
        return True
    try:
        policy = parse(target.configs["policy"].decode("utf-8", "surrogateescape"), BUCKET)
    except (S3Error, KeyError):
        return False
    account = directory.account_id(source.owner)
    more = {"aws:sourcearn": (f"arn:aws:s3:::{source.name}",), "aws:sourceaccount": (account,)}
    context = S3Context(NO_FACTS, _DELIVERY, now_ms, Acted(account, more=more))
    request = Request(_DELIVERY, "s3:PutObject", f"arn:aws:s3:::{target.name}/{key}", account, context)
    return decide(request, policy).effect is Effect.ALLOW


_WRITES: Final = (grants.WRITE, grants.FULL_CONTROL)
