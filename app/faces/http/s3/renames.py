"""The handler of RenameObject: its source, its two sets of conditions, its token.

Knows the headers. Must not know what renaming does.
"""

import re
from typing import Final

from app.core.errors import S3Error
from app.core.s3.conditions import RENAME_SOURCE, rename_check
from app.core.s3.operation import decode_key
from app.faces.http.exchange import Exchange
from app.faces.http.s3 import answers
from app.faces.http.wire import Response
from app.services.objects.renaming import RenameRequest, Renaming

_TOKEN: Final = re.compile(r"[!-~]{1,64}")


class RenameHandlers:
    def __init__(self, renaming: Renaming) -> None:
        self._renaming = renaming

    def rename_object(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_RenameObject.html"""
        headers = exchange.headers
        token = headers.get("x-amz-client-token", "")
        if token and not _TOKEN.fullmatch(token):
            raise S3Error("InvalidArgument", fields={"ArgumentName": "x-amz-client-token", "ArgumentValue": ""})
        request = RenameRequest(
            target=exchange.target(),
            source_key=_source_key(exchange),
            check=rename_check(headers),
            source_check=rename_check(headers, RENAME_SOURCE),
            token=token,
        )
        stored = self._renaming.rename(exchange.call, request)
        return Response(200, answers.version_header(stored.shown))


def _source_key(exchange: Exchange) -> bytes:
    """The key named by `x-amz-rename-source`, percent-encoded: `key`, `/key` or `/bucket/key`.

    A key that begins with a slash is written with `%2F`. Raises InvalidArgument, KeyTooLongError.
    """
    text = exchange.headers.get("x-amz-rename-source", "")
    if text.startswith("/"):
        text = text[1:].removeprefix(f"{exchange.operation.bucket}/")
    if not text:
        fields = {"ArgumentName": "x-amz-rename-source", "ArgumentValue": ""}
        raise S3Error("InvalidArgument", "A rename must name its source.", fields=fields)
    return decode_key(text)
