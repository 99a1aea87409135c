"""Handlers of the tags of objects.

Knows S3's wire forms of them. Must not know rules (core/s3/tags) or what a use case does.
"""

from app.core import limits
from app.core.s3 import tags
from app.core.s3.version_ids import NULL, version_text
from app.core.types import Version
from app.faces.http.exchange import Exchange
from app.faces.http.s3 import answers
from app.faces.http.wire import Headers, Response
from app.services.objects.tagging import Tagged, Tagging


class TaggingHandlers:
    """A bucket's own tags are a configuration like others (configs)."""

    def __init__(self, tagging: Tagging) -> None:
        self._tagging = tagging

    def get_object_tagging(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html"""
        version = self._tagging.get(exchange.call, _target(exchange))
        body = tags.document(version.attributes.tags)
        return Response(200, [*_version(exchange, version), answers.XML], (body,), len(body))

    def put_object_tagging(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html"""
        wanted = tags.object_tags(exchange.document(limits.XML_BYTES_MAX))
        version = self._tagging.put(exchange.call, _target(exchange), wanted)
        return Response(200, _version(exchange, version))

    def delete_object_tagging(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjectTagging.html"""
        return answers.no_content(_version(exchange, self._tagging.delete(exchange.call, _target(exchange))))


def _target(exchange: Exchange) -> Tagged:
    operation = exchange.operation
    return Tagged(operation.bucket, operation.key, operation.parameters.get("versionId"), exchange.expected_owner)


def _version(exchange: Exchange, version: Version) -> Headers:
    """`x-amz-version-id`, where the version has one or was named."""
    text = version_text(version)
    return [("x-amz-version-id", text)] if text != NULL or "versionId" in exchange.parameters else []
