"""SigV4 as a client writes it, independent of the server's own code so that the two check each other.

Knows signing of headers, of presigned targets and of aws-chunked frames. Must not import app/.
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
"""

import functools
import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

UNSIGNED = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Credentials:
    """One access key pair."""

    access_key: str
    secret_key: str


@functools.lru_cache(maxsize=64)
def signing_key(secret: str, date: str, region: str, service: str = "s3") -> bytes:
    """The 32-byte key of one day, region and service."""
    key = ("AWS4" + secret).encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def amz_date(now_s: float | None = None) -> str:
    """A time in seconds (default: now) as YYYYMMDDTHHMMSSZ."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now_s))


def escape(value: str | bytes, *, slash: bool = False) -> str:
    """Percent-escape as S3 canonicalises; `slash` says whether "/" is escaped too."""
    return quote(value, safe="-_.~" if slash else "-_.~/")


def canonical_path(raw_path: str) -> str:
    """Decode once, encode once: what the server must sign whatever spelling the client chose."""
    return escape(unquote_to_bytes(raw_path))


def canonical_query(raw_query: str) -> str:
    """Sorted, strictly escaped `name=value` pairs of a raw query."""
    pairs = []
    for piece in filter(None, raw_query.split("&")):
        name, _, value = piece.partition("=")
        pairs.append((escape(unquote_to_bytes(name), slash=True), escape(unquote_to_bytes(value), slash=True)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs requests of one key pair for one region and service."""

    credentials: Credentials
    region: str = "us-east-1"
    service: str = "s3"

    def scope(self, date: str) -> str:
        """The credential scope of a day given as YYYYMMDD."""
        return f"{date}/{self.region}/{self.service}/aws4_request"

    def signature(self, stamp: str, text: str, algorithm: str = "AWS4-HMAC-SHA256") -> str:
        """Hex signature of `text` (a canonical request's hash, or a frame's lines) made at `stamp`."""
        to_sign = f"{algorithm}\n{stamp}\n{self.scope(stamp[:8])}\n{text}"
        key = signing_key(self.credentials.secret_key, stamp[:8], self.region, self.service)
        return hmac.digest(key, to_sign.encode(), "sha256").hex()

    def sign(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        payload: str = UNSIGNED,
        now_s: float | None = None,
    ) -> dict[str, str]:
        """All headers to send: the given ones (every one signed; must hold Host) and the three of SigV4."""
        stamp = amz_date(now_s)
        signed = {name.lower(): value for name, value in headers.items()}
        signed |= {"x-amz-date": stamp, "x-amz-content-sha256": payload}
        path, _, query = target.partition("?")
        names = sorted(signed)
        request = "\n".join(
            [
                method,
                canonical_path(path),
                canonical_query(query),
                *(f"{name}:{' '.join(signed[name].split())}" for name in names),
                "",
                ";".join(names),
                payload,
            ]
        )
        signature = self.signature(stamp, hashlib.sha256(request.encode()).hexdigest())
        signed["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.credentials.access_key}/{self.scope(stamp[:8])}, "
            f"SignedHeaders={';'.join(names)}, Signature={signature}"
        )
        return signed

    def presign(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        expires_s: int = 300,
        now_s: float | None = None,
        payload: str = UNSIGNED,
    ) -> str:
        """`target` with the query of a presigned request; every header given (Host at least) is signed."""
        stamp = amz_date(now_s)
        signed = {name.lower(): value for name, value in headers.items()}
        names = ";".join(sorted(signed))
        path, _, query = target.partition("?")
        credential = escape(f"{self.credentials.access_key}/{self.scope(stamp[:8])}", slash=True)
        query += ("&" if query else "") + (
            f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={stamp}"
            f"&X-Amz-Expires={expires_s}&X-Amz-SignedHeaders={escape(names, slash=True)}"
        )
        lines = [f"{name}:{signed[name]}" for name in sorted(signed)]
        request = "\n".join([method, canonical_path(path), canonical_query(query), *lines, "", names, payload])
        return f"{path}?{query}&X-Amz-Signature={self.signature(stamp, hashlib.sha256(request.encode()).hexdigest())}"
