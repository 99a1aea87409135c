"""Handlers of a bucket's object ownership and of its public access block.

Knows S3's wire forms of them. Must not know rules (core/acl/settings) or what a use case does.
"""

from app.core import limits
from app.core.acl import settings
from app.faces.http.exchange import Exchange
from app.faces.http.s3 import answers
from app.faces.http.s3.acls import place_of, xml
from app.faces.http.wire import Response
from app.services.gate.bucket_access import BucketAccess


class PublicAccessHandlers:
    """Each is read and written whole."""

    def __init__(self, access: BucketAccess) -> None:
        self._access = access

    def get_bucket_ownership_controls(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketOwnershipControls.html"""
        found = self._access.get_ownership(exchange.call, place_of(exchange))
        return xml(settings.ownership_document(found))

    def put_bucket_ownership_controls(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketOwnershipControls.html"""
        self._access.put_ownership(
            exchange.call,
            place_of(exchange),
            lambda: settings.ownership_asked(exchange.document(limits.XML_BYTES_MAX)),
        )
        return Response(200)

    def delete_bucket_ownership_controls(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketOwnershipControls.html"""
        self._access.delete_ownership(exchange.call, place_of(exchange))
        return answers.no_content()

    def get_public_access_block(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetPublicAccessBlock.html"""
        return xml(settings.block_document(self._access.get_block(exchange.call, place_of(exchange))))

    def put_public_access_block(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutPublicAccessBlock.html"""
        self._access.put_block(
            exchange.call, place_of(exchange), lambda: settings.block_asked(exchange.document(limits.XML_BYTES_MAX))
        )
        return Response(200)

    def delete_public_access_block(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeletePublicAccessBlock.html"""
        self._access.delete_block(exchange.call, place_of(exchange))
        return answers.no_content()
