"""Requests that never reach the application, and the document they are answered with.

Knows statuses of HTTP and the shape of an S3 error; must not know sockets or the parser.
"""

from base64 import b64encode
from typing import Final
from xml.sax.saxutils import escape

REASONS: Final = {
    400: "Bad Request",
    408: "Request Timeout",
    414: "URI Too Long",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    505: "HTTP Version Not Supported",
}

CODES: Final = {
    400: "BadRequest",
    408: "RequestTimeout",
    414: "InvalidURI",
    431: "RequestHeaderSectionTooLarge",
    500: "InternalError",
    501: "NotImplemented",
    505: "HttpVersionNotSupported",
}


class Refusal(Exception):
    """The bytes on the wire are no request to serve. Answered with `status`, then the connection closes.

    `message` goes to the client and to the log; it never quotes what the client sent.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def render(status: int, code: str, message: str, unique: bytes, date_line: str, *, with_body: bool) -> bytes:
    """A whole answer, head and `<Error>` document, which announces the end of the connection.

    `unique`: 16 bytes no other answer has, from which both of its ids are made. `date_line`: the Date header with its
    CRLF. `with_body`: False for HEAD.

    https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
    """
    request_id, host_id = unique[-8:].hex().upper(), b64encode(unique).decode("ascii")
    document = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
        f"<RequestId>{request_id}</RequestId><HostId>{host_id}</HostId></Error>"
    ).encode()
    head = (
        f"HTTP/1.1 {status} {REASONS.get(status, 'Error')}\r\n"
        "Content-Type: application/xml\r\n"
        f"Content-Length: {len(document)}\r\n"
        f"x-amz-request-id: {request_id}\r\nx-amz-id-2: {host_id}\r\n{date_line}"
        "Connection: close\r\n\r\n"
    ).encode("ascii")
    return head + document if with_body else head
