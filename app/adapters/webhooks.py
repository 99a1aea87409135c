"""Handing event messages to HTTP targets.

Knows HTTP's client side. Must not know events or queues. A redirect is no delivery: nobody else than the operator says
where messages go.
"""

import http.client
import ssl
from typing import Protocol
from urllib.parse import urlsplit

from app.core import limits
from app.core.errors import Unavailable


class Address(Protocol):
    """Where to, and with which bearer token ("" = none)."""

    @property
    def url(self) -> str: ...

    @property
    def token(self) -> str: ...


def post(target: Address, message: bytes, content_type: str = "application/json") -> None:
    """POST a message; returns when the target answered 2xx. Raises Unavailable."""
    parts = urlsplit(target.url)
    connect: type[http.client.HTTPConnection] = http.client.HTTPConnection
    options: dict[str, ssl.SSLContext] = {}
    if parts.scheme == "https":
        connect, options = http.client.HTTPSConnection, {"context": ssl.create_default_context()}
    headers = {"Content-Type": content_type, "User-Agent": "ZapFS"}
    if target.token:
        headers["Authorization"] = f"Bearer {target.token}"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection = connect(parts.hostname or "", parts.port, timeout=limits.DELIVERY_SECONDS_MAX, **options)  # type: ignore[arg-type]
        try:
            connection.request("POST", path, message, headers)
            status = connection.getresponse().status
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unavailable(f"{type(error).__name__}: {error}") from error
    if not 200 <= status < 300:
        raise Unavailable(f"the target answered {status}")
