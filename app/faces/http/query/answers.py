"""The documents of the query API: an action's result, and its errors with IAM's and STS's own codes.

Knows XML shapes and how S3's names for what is wrong with a signature are called here. Source:
https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
"""

from collections.abc import Mapping, Sequence
from typing import Final

from app.core.s3.xml import Writer, readable

Values = Mapping[str, "str | int | Values | Sequence[str | Values]"]
"""What a Result holds, in order: texts by element, elements within, lists of either (as <member>)."""


class Entries(dict[str, "str | int"]):
    """A map, which this API writes as <entry>s of <key> and <value>."""


_CALLED: Final = {
    "AccessDenied": ("AccessDenied", 403),
    "AuthorizationHeaderMalformed": ("IncompleteSignature", 400),
    "AuthorizationQueryParametersError": ("IncompleteSignature", 400),
    "ExpiredToken": ("ExpiredToken", 403),
    "InvalidAccessKeyId": ("InvalidClientTokenId", 403),
    "InvalidToken": ("InvalidClientTokenId", 403),
    "InvalidArgument": ("InvalidParameterValue", 400),
    "MaxMessageLengthExceeded": ("RequestEntityTooLarge", 413),
    "MissingAuthenticationToken": ("MissingAuthenticationToken", 403),
    "RequestTimeTooSkewed": ("SignatureDoesNotMatch", 403),
    "XAmzContentSHA256Mismatch": ("SignatureDoesNotMatch", 403),
    "SlowDown": ("Throttling", 503),
    "InternalError": ("InternalFailure", 500),
}
_TEXTS: Final = {"InvalidClientTokenId": "The security token included in the request is invalid"}


def result(action: str, namespace: str, values: Values, request_id: str) -> bytes:
    """`<ActionResponse>` with `<ActionResult>` and the request's id."""
    writer = Writer(f"{action}Response", namespace)
    # Empty where there is nothing to tell: some actions' clients look for the element, the others' for nothing.
    writer.open(f"{action}Result")
    _write(writer, values)
    writer.close(f"{action}Result")
    writer.open("ResponseMetadata")
    writer.text("RequestId", request_id)
    writer.close("ResponseMetadata")
    return writer.document()


def named(code: str, status: int, message: str) -> tuple[str, int, str]:
    """Code, status and message of an error as this API has them."""
    known = _CALLED.get(code, (code, status))
    return known[0], known[1], _TEXTS.get(known[0], message)


def error(code: str, status: int, message: str, namespace: str, request_id: str) -> bytes:
    """`<ErrorResponse>`."""
    writer = Writer("ErrorResponse", namespace)
    writer.open("Error")
    writer.text("Type", "Sender" if status < 500 else "Receiver")
    writer.text("Code", code)
    writer.text("Message", readable(message))
    writer.close("Error")
    writer.text("RequestId", request_id)
    return writer.document()


def _write(writer: Writer, values: Values) -> None:
    for name, value in values.items():
        _element(writer, name, value)


def _element(writer: Writer, name: str, value: "str | int | Values | Sequence[str | Values]") -> None:
    if isinstance(value, bool):
        writer.flag(name, value)
    elif isinstance(value, str | int):
        writer.text(name, value)
    else:
        writer.open(name)
        if isinstance(value, Entries):
            for key, told in value.items():
                _element(writer, "entry", {"key": key, "value": told})
        elif isinstance(value, Mapping):
            _write(writer, value)
        else:
            for one in value:
                _element(writer, "member", one)
        writer.close(name)
