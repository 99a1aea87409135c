"""Handlers of the operations on buckets. Each turns an exchange into one use case and its result into an answer.

Knows S3's wire forms of buckets. Must not know rules (core/s3) or what a use case does.
"""

from collections.abc import Collection

from app.core import limits
from app.core.acl import requests as acl_requests
from app.core.acl.settings import ownership_named
from app.core.errors import S3Error
from app.core.s3.bucket_rules import DEFAULT_REGION, check_bucket_name, check_location
from app.core.s3.documents import location_constraint
from app.core.s3.listing import decode_token, encode_token
from app.core.s3.times import iso_time
from app.core.s3.versioning import versioning_asked, versioning_document
from app.core.s3.xml import Writer, escape
from app.core.types import Bucket
from app.faces.http.exchange import Exchange
from app.faces.http.s3 import answers
from app.faces.http.wire import Response
from app.services.buckets.buckets import Birth, Buckets


class BucketHandlers:
    """`region`: the server's own; `regions`: those a LocationConstraint may name."""

    def __init__(self, buckets: Buckets, region: str, regions: Collection[str]) -> None:
        self._buckets = buckets
        self._region = region
        self._regions = frozenset(regions) | {region}

    def _find(self, exchange: Exchange, action: str) -> Bucket:
        return self._buckets.find(exchange.call, exchange.operation.bucket, exchange.expected_owner, action)

    def list_buckets(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html"""
        parameters = exchange.parameters
        limit = answers.number(parameters, "max-buckets", limits.LIST_BUCKETS_MAX, limits.LIST_BUCKETS_MAX)
        if limit == 0:
            raise S3Error("InvalidArgument", fields={"ArgumentName": "max-buckets", "ArgumentValue": "0"})
        prefix = parameters.get("prefix", "")
        token = parameters.get("continuation-token")
        after = decode_token(token).decode("utf-8", "replace") if token else ""
        page = self._buckets.list(exchange.call, prefix, after, limit)
        region = parameters.get("bucket-region", "")
        writer = Writer("ListAllMyBucketsResult")
        caller = exchange.call.caller
        answers.write_owner(writer, "Owner", caller.canonical_id, caller.display_name)
        writer.open("Buckets")
        for bucket in page.buckets:
            lives_in = bucket.region or self._region
            if region and region != lives_in:
                continue
            writer.raw(
                f"<Bucket><Name>{escape(bucket.name)}</Name><CreationDate>{iso_time(bucket.created_ms)}</CreationDate>"
                f"<BucketRegion>{escape(lives_in)}</BucketRegion></Bucket>"
            )
        writer.close("Buckets")
        if prefix:
            writer.text("Prefix", prefix)
        if page.next_after:
            writer.text("ContinuationToken", encode_token(page.next_after.encode()))
        return answers.document(writer)

    def create_bucket(self, exchange: Exchange) -> Response:
        """Creating again what one has is no error in S3's first region, and only there.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
        """
        name = exchange.operation.bucket
        check_bucket_name(name)
        self._buckets.may_create(exchange.call, name)
        headers = exchange.headers
        ownership = headers.get("x-amz-object-ownership", "") and ownership_named(headers["x-amz-object-ownership"])
        acl = acl_requests.requested(headers)
        locked = headers.get("x-amz-bucket-object-lock-enabled", "").lower() == "true"
        region = check_location(location_constraint(exchange.document(limits.XML_BYTES_MAX)), self._regions)
        try:
            self._buckets.create(exchange.call, name, Birth(region, locked, ownership, acl))
        except S3Error as error:
            if error.code != "BucketAlreadyOwnedByYou" or region or self._region != DEFAULT_REGION:
                raise
        return Response(200, [("Location", f"/{name}")])

    def head_bucket(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html"""
        bucket = self._find(exchange, "s3:ListBucket")
        return Response(200, [("x-amz-bucket-region", bucket.region or self._region), answers.XML])

    def delete_bucket(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html"""
        self._buckets.delete(exchange.call, exchange.operation.bucket, exchange.expected_owner)
        return answers.no_content()

    def get_bucket_location(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html"""
        bucket = self._find(exchange, "s3:GetBucketLocation")
        region = bucket.region or self._region
        writer = Writer("LocationConstraint")
        if region != DEFAULT_REGION:
            writer.raw(escape(region))
        return answers.document(writer)

    def get_bucket_versioning(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html"""
        bucket = self._find(exchange, "s3:GetBucketVersioning")
        return answers.document(versioning_document(bucket.versioning))

    def put_bucket_versioning(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html"""
        self._find(exchange, "s3:PutBucketVersioning")  # nobody's document is read in vain
        asked = versioning_asked(exchange.document(limits.XML_BYTES_MAX))
        self._buckets.set_versioning(exchange.call, exchange.operation.bucket, exchange.expected_owner, asked)
        return Response(200, [])
