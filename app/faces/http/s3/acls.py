"""Handlers of access control lists, of buckets and of objects.

Knows S3's wire forms of them. Must not know rules (core/acl) or what a use case does.
"""

from collections.abc import Callable, Iterable

from app.core import limits
from app.core.acl import documents, requests
from app.core.acl.grants import Grant
from app.core.acl.requests import AclRequest
from app.core.errors import S3Error
from app.core.s3.version_ids import NULL, version_text
from app.core.types import Version
from app.faces.http.exchange import Exchange
from app.faces.http.s3 import answers
from app.faces.http.wire import Headers, Response
from app.services.gate.bucket_access import BucketAccess, Place
from app.services.gate.object_acls import ObjectAcls


class AclHandlers:
    """`name_of`: an account's display name by canonical id, "" for none."""

    def __init__(self, access: BucketAccess, acls: ObjectAcls, name_of: Callable[[str], str]) -> None:
        self._access = access
        self._acls = acls
        self._name_of = name_of

    def get_bucket_acl(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAcl.html"""
        found = self._access.get_acl(exchange.call, place_of(exchange))
        return self._written(found.owner, found.grants, [])

    def put_bucket_acl(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAcl.html"""
        self._access.put_acl(exchange.call, place_of(exchange), lambda: _wish(exchange))
        return Response(200)

    def get_object_acl(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAcl.html"""
        found = self._acls.get(exchange.call, exchange.target())
        return self._written(found.owner, found.grants, _version(exchange, found.version))

    def put_object_acl(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html"""
        version = self._acls.put(exchange.call, exchange.target(), lambda: _wish(exchange))
        return Response(200, _version(exchange, version))

    def _written(self, owner: str, grants: Iterable[Grant], headers: Headers) -> Response:
        return xml(documents.written(owner, grants, self._name_of), headers)


def place_of(exchange: Exchange) -> Place:
    """The bucket addressed."""
    return Place(exchange.operation.bucket, exchange.expected_owner)


def xml(body: bytes, headers: Headers | None = None) -> Response:
    """200 with a document that is written already."""
    return Response(200, [*(headers or ()), answers.XML], (body,), len(body))


def _wish(exchange: Exchange) -> AclRequest:
    """The list asked for, from one source only: headers or the document. Raises InvalidRequest, MissingSecurityHeader
    when there is none."""
    request = requests.requested(exchange.headers)
    body = exchange.document(limits.XML_BYTES_MAX)
    if request is None:
        if not body:
            raise S3Error("MissingSecurityHeader", fields={"MissingHeaderName": "x-amz-acl"})
        return documents.asked(body)
    if body.strip():
        raise S3Error("UnexpectedContent")
    return request


def _version(exchange: Exchange, version: Version) -> Headers:
    """`x-amz-version-id`, where the version has one or was named."""
    text = version_text(version)
    return [("x-amz-version-id", text)] if text != NULL or "versionId" in exchange.parameters else []
