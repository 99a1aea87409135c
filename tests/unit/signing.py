"""Signed requests for the tests of signatures, made at the moment of AWS's published examples."""

import pytest

from app.core.auth import payload, signer
from app.core.auth.sigv4 import Claim, SignedRequest, parse, verify
from app.core.errors import S3Error

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
NOW = 1369353600.0  # 2013-05-24T00:00:00Z, the moment of AWS's examples
HOST = "examplebucket.s3.amazonaws.com"
EMPTY = payload.EMPTY_SHA256
CREDENTIALS = signer.Credentials(ACCESS_KEY, SECRET)


def request(method: str, target: str, headers: dict[str, str], body_sha256: str = "") -> SignedRequest:
    path, _, query = target.partition("?")
    return SignedRequest(method, path, query, headers, body_sha256)


def check(made: SignedRequest, now_s: float = NOW, secret: str | None = SECRET) -> Claim:
    claim = parse(made)
    assert claim is not None
    verify(claim, made, secret, now_s)
    return claim


def refused(made: SignedRequest, now_s: float = NOW, secret: str | None = SECRET) -> S3Error:
    with pytest.raises(S3Error) as caught:
        check(made, now_s, secret)
    return caught.value


def signed(method: str = "GET", target: str = "/bucket/key", body: str = EMPTY, **headers: str) -> SignedRequest:
    named = {"host": HOST} | {name.replace("_", "-"): value for name, value in headers.items()}
    return request(method, target, signer.sign(CREDENTIALS, method, target, named, NOW, body))


def presigned(method: str = "GET", target: str = "/bucket/key", expires_s: int = 60, **headers: str) -> SignedRequest:
    named = {"host": HOST} | {name.replace("_", "-"): value for name, value in headers.items()}
    return request(method, signer.presign(CREDENTIALS, method, target, named, NOW, expires_s), named)


def with_headers(made: SignedRequest, **changes: str | None) -> SignedRequest:
    headers = dict(made.headers)
    for name, value in changes.items():
        if value is None:
            headers.pop(name.replace("_", "-"))
        else:
            headers[name.replace("_", "-")] = value
    return made._replace(headers=headers)
