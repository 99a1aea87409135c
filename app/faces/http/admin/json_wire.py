"""JSON in and out of the admin face: what a body may say, and the form of answers and errors.

Knows JSON only. Every error leaves as {"error", "message"}.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from flask import Response

from app.core.errors import S3Error

_NAMES: Final[Mapping[type, str]] = {
    str: "a text",
    int: "a number",
    bool: "true or false",
    dict: "an object",
    list: "a list",
}


def fields(content: bytes, **kinds: type) -> dict[str, Any]:
    """The fields of a JSON object, each of its kind; none may be unknown, all may be missing.

    A field of kind `object` is a policy document: an object or its text, given back as text. Raises S3Error
    InvalidRequest or InvalidArgument.
    """
    try:
        found = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        raise S3Error("InvalidRequest", "The body must be a JSON object.") from None
    if not isinstance(found, dict):
        raise S3Error("InvalidRequest", "The body must be a JSON object.")
    unknown = sorted(found.keys() - kinds.keys())
    if unknown:
        raise S3Error("InvalidArgument", f"There is no choice named {unknown[0]}.")
    return {name: _checked(name, value, kinds[name]) for name, value in found.items()}


def needed(content: bytes, name: str, kind: type) -> Any:
    """The one field of a body that must have it: what is missing is no wish to take something away."""
    found = fields(content, **{name: kind})
    if name not in found:
        raise S3Error("InvalidArgument", f"{name} is missing.")
    return found[name]


def _checked(name: str, value: Any, kind: type) -> Any:
    if kind is object:
        if isinstance(value, dict):
            return json.dumps(value, separators=(",", ":"))
        kind = str
    if type(value) is not kind:
        raise S3Error("InvalidArgument", f"{name} must be {_NAMES[kind]}.")
    if isinstance(value, dict) and not all(isinstance(one, str) for one in value.values()):
        raise S3Error("InvalidArgument", f"{name} must be an object of texts.")
    return value


def answer(content: Mapping[str, Any], status: int = 200) -> Response:
    """A JSON answer."""
    return Response(json.dumps(content) + "\n", status, content_type="application/json")


def done() -> Response:
    """It is done, and there is nothing to tell."""
    return Response(status=204)


def failure(status: int, code: str, message: str) -> Response:
    """An error."""
    return answer({"error": code, "message": message}, status)
