"""Buckets: whose they are, what they hold and what they may. Knows paths and shapes only.

Accounts see their own; the operator everybody's, or with ?account= one account's.
"""

from app.core.errors import S3Error
from app.core.limits import BUCKETS_PAGE_MAX
from app.faces.http.admin.endpoints import Asked, Endpoint, Shape
from app.faces.http.admin.limits import LimitsShape, shown
from app.faces.http.admin.times import shown_time
from app.services.limits.overview import BucketSeen, Overview


class BucketShape(Shape):
    """`owner`: the account's name. `objects`: versions, delete markers too. `bytes`: of the versions.
    `part_bytes`: of the parts of uploads that are not complete. `limits`: the bucket's own."""

    name: str
    owner: str
    created: str
    objects: int
    bytes: int
    part_bytes: int
    limits: LimitsShape


class BucketPageShape(Shape):
    """`next`: what to go on behind, "" at the end."""

    buckets: list[BucketShape]
    next: str


def endpoints(overview: Overview) -> list[Endpoint]:
    """Served where the database is."""

    def page(asked: Asked) -> BucketPageShape:
        limit = _limit(asked.query.get("limit", str(BUCKETS_PAGE_MAX)))
        prefix, after = asked.query.get("prefix", ""), asked.query.get("after", "")
        found = overview.page(_whose(asked), prefix, after, limit + 1)
        following = found[limit - 1].bucket.name if len(found) > limit else ""
        return BucketPageShape(buckets=[_shape(one) for one in found[:limit]], next=following)

    def one(asked: Asked) -> BucketShape:
        return _shape(overview.bucket(_whose(asked), asked.names["bucket"]))

    query = {
        "limit": f"how many at most, 1..{BUCKETS_PAGE_MAX}",
        "after": "go on behind this name: what the page before told as next",
        "prefix": "names that begin so",
    }
    text = "Buckets by name, with what they hold and may."
    return [
        Endpoint("GET", "/buckets", "ListBuckets", text, page, returned=BucketPageShape, query=query),
        Endpoint("GET", "/buckets/{bucket}", "GetBucket", "One bucket.", one, returned=BucketShape),
    ]


def _whose(asked: Asked) -> str:
    return "" if asked.call.caller.root and "account" not in asked.query else asked.account


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= BUCKETS_PAGE_MAX):
        raise S3Error("InvalidRequest", f"limit must be 1..{BUCKETS_PAGE_MAX}.")
    return int(text)


def _shape(seen: BucketSeen) -> BucketShape:
    bucket, usage = seen.bucket, seen.usage
    return BucketShape(
        name=bucket.name,
        owner=seen.owner,
        created=shown_time(bucket.created_ms),
        objects=usage.objects,
        bytes=usage.bytes,
        part_bytes=usage.part_bytes,
        limits=shown(seen.limits),
    )
