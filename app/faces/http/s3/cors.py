"""Cross-origin requests at the door: the headers real answers bear, and preflights.

Knows where a bucket's rules are and the wire. Must not know the rules (core/s3/cors). Nothing here asks who calls: a
preflight has no signature, and a browser wants the headers on refusals too. Whoever asks from an allowed origin learns
that the bucket exists, as with S3; nobody else does.
"""

from collections.abc import Callable, Mapping

from app.core.errors import Missing, S3Error, StoreError
from app.core.s3 import cors
from app.core.types import Bucket
from app.faces.http.exchange import Exchange
from app.faces.http.wire import Headers, Response

_KIND = "cors"


class Crossing:
    """`find`: the bucket of a name; raises Missing."""

    def __init__(self, find: Callable[[str], Bucket]) -> None:
        self._find = find

    def answer_headers(self, bucket: str, method: str, headers: Mapping[str, str]) -> Headers:
        """What an answer to a request with an Origin bears. Never raises: without them a browser keeps the answer
        from the page, and that is the safe side."""
        try:
            stored = self._find(bucket).configs.get(_KIND) if bucket else None
            if stored is None:
                return []
            asked = headers.get("access-control-request-method", method)
            return cors.answer_headers(cors.rules(stored), headers["origin"], asked)
        except StoreError:
            return []

    def preflight(self, exchange: Exchange) -> Response:
        """OPTIONS on a bucket or an object. A bucket that is not there is like one without rules: a stranger asks.

        https://docs.aws.amazon.com/AmazonS3/latest/API/RESTOPTIONSobject.html
        """
        asked = cors.asked(exchange.headers)
        operation = exchange.operation
        resource = "OBJECT" if operation.key else "BUCKET"
        try:
            stored = self._find(operation.bucket).configs.get(_KIND)
        except Missing:
            stored = None
        if stored is None:
            fields = {"Method": asked.method, "ResourceType": resource}
            raise S3Error("AccessForbidden", cors.NOT_ENABLED, fields=fields)
        return Response(200, cors.preflight_headers(cors.rules(stored), asked, resource))
