"""Handlers of bucket configurations. Thirty operations differ in nothing but their kind, so they are made of a table.

Knows operations' names and the wire's form of a document. Must not know what a configuration says.
"""

from collections.abc import Mapping
from typing import Final

from app.core import limits
from app.core.errors import S3Error
from app.core.s3.configs import kinds
from app.core.s3.configs.kinds import Kind, NamedKind
from app.core.s3.listing import decode_token, encode_token
from app.core.s3.xml import DECLARATION, Writer
from app.faces.http.exchange import Exchange, Handler
from app.faces.http.s3 import answers
from app.faces.http.wire import Response
from app.services.buckets.configs import Configs, Place

PLAIN: Final[Mapping[str, Kind]] = {
    "BucketCors": kinds.CORS,
    "BucketEncryption": kinds.ENCRYPTION,
    "BucketReplication": kinds.REPLICATION,
    "BucketTagging": kinds.TAGGING,
    "BucketWebsite": kinds.WEBSITE,
}
"""Kinds with Get, Put and Delete, by the name their operations share."""

LASTING: Final[Mapping[str, Kind]] = {
    "BucketAbac": kinds.ABAC,
    "BucketAccelerateConfiguration": kinds.ACCELERATE,
    "BucketRequestPayment": kinds.PAYMENT,
}
"""Kinds with Get and Put: there is always one, if only the one meant by its absence."""

NAMED: Final[Mapping[str, NamedKind]] = {
    "BucketAnalyticsConfiguration": kinds.ANALYTICS,
    "BucketIntelligentTieringConfiguration": kinds.TIERING,
    "BucketInventoryConfiguration": kinds.INVENTORY,
    "BucketMetricsConfiguration": kinds.METRICS,
}
"""Kinds of which a bucket has several: Get, Put, Delete and List."""


def handlers(configs: Configs) -> dict[str, Handler]:
    """The handler of every operation on the kinds above, by operation name.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketCors.html and its like
    """
    found: dict[str, Handler] = {}
    for name, kind in {**PLAIN, **LASTING}.items():
        one = OneDocument(configs, kind)
        found |= {f"Get{name}": one.get, f"Put{name}": one.put}
    for name, kind in PLAIN.items():
        found[f"Delete{name}"] = OneDocument(configs, kind).delete
    for name, named in NAMED.items():
        several = SeveralDocuments(configs, named)
        found |= {f"Get{name}": several.get, f"Put{name}": several.put, f"Delete{name}": several.delete}
        found[f"List{name}s"] = several.list
    return found


class OneDocument:
    """The operations on a kind of which a bucket has one."""

    def __init__(self, configs: Configs, kind: Kind) -> None:
        self._configs = configs
        self._kind = kind

    def get(self, exchange: Exchange) -> Response:
        """200 with the document as it is stored."""
        return _stored(self._configs.get(exchange.call, _place(exchange), self._kind))

    def put(self, exchange: Exchange) -> Response:
        """200."""
        self._configs.put(exchange.call, _place(exchange), self._kind, lambda: exchange.document(limits.XML_BYTES_MAX))
        return Response(200)

    def delete(self, exchange: Exchange) -> Response:
        """204, also when there was none."""
        self._configs.delete(exchange.call, _place(exchange), self._kind)
        return answers.no_content()


class SeveralDocuments:
    """The operations on a kind of which a bucket has several by id."""

    def __init__(self, configs: Configs, kind: NamedKind) -> None:
        self._configs = configs
        self._kind = kind

    def get(self, exchange: Exchange) -> Response:
        """200 with the document as it is stored."""
        return _stored(self._configs.get_named(exchange.call, _place(exchange), self._kind, _id(exchange)))

    def put(self, exchange: Exchange) -> Response:
        """200."""
        self._configs.put_named(
            exchange.call,
            _place(exchange),
            self._kind,
            _id(exchange),
            lambda: exchange.document(limits.XML_BYTES_MAX),
        )
        return Response(200)

    def delete(self, exchange: Exchange) -> Response:
        """204."""
        self._configs.delete_named(exchange.call, _place(exchange), self._kind, _id(exchange))
        return answers.no_content()

    def list(self, exchange: Exchange) -> Response:
        """200 with up to 100 documents by id."""
        token = exchange.parameters.get("continuation-token", "")
        after = decode_token(token).decode("utf-8", "replace") if token else ""
        page = self._configs.list_named(exchange.call, _place(exchange), self._kind, after)
        writer = Writer(self._kind.listed)
        if token:
            writer.text("ContinuationToken", token)
        writer.flag("IsTruncated", bool(page.next_after))
        if page.next_after:
            writer.text("NextContinuationToken", encode_token(page.next_after.encode()))
        for document in page.documents:
            writer.raw(document.decode().removeprefix(DECLARATION))
        return answers.document(writer)


def _place(exchange: Exchange) -> Place:
    return Place(exchange.operation.bucket, exchange.expected_owner)


def _id(exchange: Exchange) -> str:
    """The id named in the query. Raises InvalidArgument for what no id can be."""
    found = exchange.parameters.get("id", "")
    if not 1 <= len(found) <= limits.CONFIG_ID_CHARS_MAX:
        raise S3Error("InvalidArgument", "Invalid id specified.", fields={"ArgumentName": "id", "ArgumentValue": found})
    return found


def _stored(document: bytes) -> Response:
    return Response(200, [answers.XML], (document,), len(document))
