"""The form of a query request: its parameters, from the body or, for a presigned request, from the query.

Knows bounds and encodings. Must not know what any action means.
"""

from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

from app.core.errors import S3Error
from app.core.limits import QUERY_PARAMETERS_MAX

Form = Mapping[str, str]
"""Parameters, decoded, Action and Version among them."""
_CONTENT_TYPE: Final = "application/x-www-form-urlencoded"


def is_form(method: str, target: str, content_type: str) -> bool:
    """Whether a request is for the query API: a form posted to "/", or "/" with an Action in its query."""
    path, _, query = target.partition("?")
    if path != "/":
        return False
    if method == "POST" and content_type.partition(";")[0].strip().lower() == _CONTENT_TYPE:
        return True
    return method in ("GET", "POST") and any(piece.startswith("Action=") for piece in query.split("&"))


def read_form(encoded: bytes) -> Form:
    """The parameters. Raises S3Error InvalidArgument for too many, for one given twice, and for what is no UTF-8."""
    pieces = [piece for piece in encoded.split(b"&") if piece]
    if len(pieces) > QUERY_PARAMETERS_MAX:
        raise S3Error("InvalidArgument", "Too many parameters.")
    found: dict[str, str] = {}
    for piece in pieces:
        name, _, value = piece.partition(b"=")
        key = _decoded(name)
        if key in found:
            raise S3Error("InvalidArgument", "A parameter was given more than once.")
        found[key] = _decoded(value)
    return found


def leaves_out(form: Form, name: str, read: Collection[str]) -> bool:
    """Whether the form names something of the list `name` that is not among what was `read` of it: a member that is
    not numbered from 1 on, or one too many. Left out in silence, it could be a policy that was to narrow a session."""
    return any(given.startswith(f"{name}.") and given not in read for given in form)


def _decoded(raw: bytes) -> str:
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise S3Error("InvalidArgument", "A parameter is not UTF-8.") from None
