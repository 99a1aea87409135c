"""Signature Version 4, the client's side: for our own command line, tests and benches.

Knows how to make what sigv4 and stream verify. Must not know sockets or clocks.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote

from app.core.auth import canonical, payload, timestamps


class Credentials(NamedTuple):
    """Who signs, and for what."""

    access_key: str
    secret: str
    region: str = "us-east-1"
    service: str = "s3"

    def scope(self, timestamp: str) -> str:
        """The credential scope of one day."""
        return f"{timestamp[:8]}/{self.region}/{self.service}/aws4_request"

    def key(self, timestamp: str) -> bytes:
        """The signing key of one day."""
        return canonical.signing_key(self.secret, timestamp[:8], self.region, self.service)


def sign(
    credentials: Credentials, method: str, target: str, headers: Mapping[str, str], now_s: float, body: str
) -> dict[str, str]:
    """The headers to send: those given (lower-case names, `host` among them), the date and the authorization.

    `target`: path and query exactly as they will be sent. `body`: a value of x-amz-content-sha256 (see
    `body_sha256`). Every header given is signed.
    """
    timestamp = timestamps.basic(now_s)
    sent = {**headers, "x-amz-date": timestamp, "x-amz-content-sha256": body}
    signed = ";".join(sorted(sent))
    signature = _signature(credentials, timestamp, canonical.request(method, _split(target), sent, signed, body))
    sent["authorization"] = (
        f"{canonical.ALGORITHM} Credential={credentials.access_key}/{credentials.scope(timestamp)}, "
        f"SignedHeaders={signed}, Signature={signature}"
    )
    return sent


def presign(
    credentials: Credentials, method: str, target: str, headers: Mapping[str, str], now_s: float, expires_s: int
) -> str:
    """The target with a signature in its query, good for `expires_s` seconds.

    `headers` (lower-case names, `host` among them) must be sent along as given.
    """
    timestamp = timestamps.basic(now_s)
    signed = ";".join(sorted(headers))
    parameters = {
        "X-Amz-Algorithm": canonical.ALGORITHM,
        "X-Amz-Credential": f"{credentials.access_key}/{credentials.scope(timestamp)}",
        "X-Amz-Date": timestamp,
        "X-Amz-Expires": str(expires_s),
        "X-Amz-SignedHeaders": signed,
    }
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())
    target = f"{target}{'&' if '?' in target else '?'}{query}"
    body = headers.get("x-amz-content-sha256", payload.UNSIGNED)
    signature = _signature(credentials, timestamp, canonical.request(method, _split(target), headers, signed, body))
    return f"{target}&X-Amz-Signature={signature}"


def body_sha256(body: bytes) -> str:
    """The value of x-amz-content-sha256 for a body held whole."""
    return sha256(body).hexdigest()


def _split(target: str) -> tuple[str, str]:
    path, _, query = target.partition("?")
    return canonical.path(path), canonical.query(canonical.pairs(query))


def _signature(credentials: Credentials, timestamp: str, canonical_request: str) -> str:
    text = canonical.string_to_sign(timestamp, credentials.scope(timestamp), canonical_request)
    return canonical.sign(credentials.key(timestamp), text)
