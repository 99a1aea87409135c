"""Signature Version 2, in a presigned query or in the Authorization header: old clients, and what aws-cli and boto3
still make by default when they presign for an endpoint of one's own.

Knows both forms and S3's answers when they are wrong. Pure, as sigv4.

Version 2 signs the date, the path, the headers x-amz-*, Content-MD5 and Content-Type, and only those query parameters
its list names. So that nobody can change what a request means by adding to it, a parameter that is not signed must be
one that cannot: those that page or filter a listing. It signs no body, and no chain of frames begins in it.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
"""

from base64 import b64encode
from collections.abc import Mapping
from hmac import compare_digest, digest
from itertools import product
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from app.core.auth import canonical, timestamps
from app.core.auth.sigv4 import SignedRequest
from app.core.errors import S3Error
from app.core.limits import CLOCK_SKEW_SECONDS_MAX

_TOKEN: Final = "x-amz-security-token"  # noqa: S105 -- the header's and parameter's name
_OWN: Final = frozenset({"AWSAccessKeyId", "Signature", "Expires", _TOKEN})
_OTHER_WAYS: Final = frozenset(
    {"Signature", "AWSAccessKeyId", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"}
)
_SIGNED: Final = frozenset({
    "accelerate", "acl", "analytics", "cors", "defaultObjectAcl", "delete", "inventory", "lifecycle", "location",
    "logging", "metrics", "notification", "object-lock", "partNumber", "policy", "replication", "requestPayment",
    "response-cache-control", "response-content-disposition", "response-content-encoding",
    "response-content-language", "response-content-type", "response-expires", "restore", "select", "select-type",
    "storageClass", "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning", "versions", "website",
})  # fmt: skip
_HARMLESS: Final = frozenset({
    "content-md5", "content-type", "continuation-token", "delimiter", "encoding-type", "fetch-owner", "key-marker",
    "list-type", "marker", "max-keys", "max-parts", "max-uploads", "part-number-marker", "prefix", "start-after",
    "upload-id-marker", "version-id-marker", "x-id",
})  # fmt: skip


class Claim(NamedTuple):
    """A well-formed claim, not yet believed.

    `time_s`, in seconds since the epoch: when a presigned request expires, when another was signed. `dated`: the line
    of the string to sign that tells it, "" when x-amz-date does. `parameters`: the signed ones. `token`: of a session.
    """

    access_key: str
    signature: str
    time_s: int
    dated: str
    parameters: str
    presigned: bool = True
    token: str = ""


def parse(request: SignedRequest) -> Claim | None:
    """The claim of a request signed by version 2, None for any other.

    Raises S3Error AccessDenied (incomplete, without a date, or with a parameter it should have signed), InvalidArgument
    (malformed, or two ways at once) or InvalidToken.
    """
    authorization = request.headers.get("authorization")
    if authorization is not None:
        return _from_header(authorization, request) if authorization.startswith("AWS ") else None
    if "Signature=" not in request.raw_query:
        return None
    pairs = _pairs(request.raw_query)
    values = dict(pairs)
    if "Signature" not in values or "X-Amz-Signature" in values:
        return None
    return _from_query(_once(pairs, values), request)


def _from_query(values: Mapping[str, str | None], request: SignedRequest) -> Claim:
    access_key, signature, expires = (values.get(name) or "" for name in ("AWSAccessKeyId", "Signature", "Expires"))
    if not (access_key and signature and expires):
        text = "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"
        raise S3Error("AccessDenied", text)
    token = _token(values, request)
    if not (expires.isascii() and expires.isdigit() and len(expires) <= 12):
        raise S3Error("AccessDenied", "Invalid date (should be seconds since epoch)")
    parameters = _signed_parameters(values, request.headers, _OWN)
    return Claim(access_key, signature, int(expires), expires, parameters, token=token)


def _from_header(authorization: str, request: SignedRequest) -> Claim:
    # An access key may hold a colon, a signature in base64 none.
    access_key, _, signature = authorization[4:].strip().rpartition(":")
    if not (access_key and signature):
        text = "AWS authorization header is invalid. Expected AwsAccessKeyId:signature"
        raise S3Error("InvalidArgument", text, fields={"ArgumentName": "Authorization"})
    pairs = _pairs(request.raw_query) if request.raw_query else []
    values = _once(pairs, dict(pairs))
    if not _OTHER_WAYS.isdisjoint(values):
        text = "Only one auth mechanism allowed"
        raise S3Error("InvalidArgument", text, fields={"ArgumentName": "Authorization"})
    if _TOKEN in values:
        raise S3Error("InvalidToken")
    token = request.headers.get(_TOKEN, "")
    amz_date = request.headers.get("x-amz-date")
    date = request.headers.get("date", "") if amz_date is None else amz_date
    moment = timestamps.parse(date)
    if moment is None or moment[1] < 0:
        raise S3Error("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
    dated = date.strip() if amz_date is None else ""
    parameters = _signed_parameters(values, request.headers)
    return Claim(access_key, signature, moment[1], dated, parameters, presigned=False, token=token)


def _once(pairs: list[tuple[str, str | None]], values: dict[str, str | None]) -> dict[str, str | None]:
    if len(values) < len(pairs):
        raise S3Error("AccessDenied", reason="a query parameter given more than once")
    return values


def _token(values: Mapping[str, str | None], request: SignedRequest) -> str:
    """A presigned request's token. It is signed as the header it stands for."""
    in_query, in_header = values.get(_TOKEN), request.headers.get(_TOKEN)
    if _TOKEN in values and (not in_query or in_header not in (None, in_query)):
        raise S3Error("InvalidToken")
    return in_query or in_header or ""


def _signed_parameters(
    values: Mapping[str, str | None], headers: Mapping[str, str], own: frozenset[str] = frozenset()
) -> str:
    """The parameters as they are signed: sorted, decoded. Raises S3Error AccessDenied for those that would not be.

    Botocore repeats the headers a URL was made for as parameters; such a one says nothing new when its header came.
    """
    for name, value in values.items():
        repeats = name.startswith("x-amz-") and headers.get(name) == value
        if not (name in own or name in _SIGNED or name in _HARMLESS or repeats):
            raise S3Error("AccessDenied", reason="a query parameter that signature version 2 does not cover")
        # Values are signed decoded: "a&versionId=1" in one would read as two parameters in what was signed.
        if value and any(piece.partition("=")[0] in _SIGNED for piece in value.split("&")[1:]):
            raise S3Error("AccessDenied", reason="a query value that reads as another parameter")
    signed = sorted((name, value) for name, value in values.items() if name in _SIGNED)
    return "&".join(name if value is None else f"{name}={value}" for name, value in signed)


def verify(claim: Claim, request: SignedRequest, secret: str | None, now_s: float) -> None:
    """Believe the claim or raise S3Error: InvalidAccessKeyId (`secret` is None), AccessDenied (expired),
    RequestTimeTooSkewed, SignatureDoesNotMatch.

    Of the path both the spelling received and the canonical one are tried, as in sigv4.
    """
    if secret is None:
        raise S3Error("InvalidAccessKeyId", fields={"AWSAccessKeyId": claim.access_key})
    _check_time(claim, now_s)
    prefix = f"/{request.bucket_of_host}" if request.bucket_of_host else ""
    spellings = [prefix + request.raw_path, prefix + canonical.path(request.raw_path)]
    if "/" not in spellings[0][1:]:
        # A bucket's own resource is signed with a slash behind it, whether or not the path has it.
        spellings.append(spellings[0] + "/")
    for path, dated in product(dict.fromkeys(spellings), _dates(claim, request)):
        text = string_to_sign(request, claim._replace(dated=dated), path)
        computed = b64encode(digest(secret.encode(), text.encode("latin-1"), "sha1"))
        if compare_digest(computed, claim.signature.encode()):
            return
    fields = {"AWSAccessKeyId": claim.access_key, "StringToSign": text, "SignatureProvided": claim.signature}
    raise S3Error("SignatureDoesNotMatch", fields=fields)


def _check_time(claim: Claim, now_s: float) -> None:
    server_time = timestamps.iso_extended(now_s)
    if claim.presigned and now_s >= claim.time_s:
        fields = {"Expires": claim.dated, "ServerTime": server_time}
        raise S3Error("AccessDenied", "Request has expired", fields=fields)
    if not claim.presigned and abs(now_s - claim.time_s) > CLOCK_SKEW_SECONDS_MAX:
        fields = {
            "RequestTime": timestamps.basic(claim.time_s),
            "ServerTime": server_time,
            "MaxAllowedSkewMilliseconds": str(CLOCK_SKEW_SECONDS_MAX * 1000),
        }
        raise S3Error("RequestTimeTooSkewed", fields=fields)


def _dates(claim: Claim, request: SignedRequest) -> tuple[str, ...]:
    """The lines the date may stand in: botocore signs its Date header even where x-amz-date is the one that counts."""
    if claim.dated or "date" not in request.headers:
        return (claim.dated,)
    return "", request.headers["date"].strip()


def string_to_sign(request: SignedRequest, claim: Claim, path: str) -> str:
    """What the secret signs (latin-1)."""
    headers = {**request.headers, _TOKEN: claim.token} if claim.token else request.headers
    amz = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers) if name.startswith("x-amz-"))
    resource = f"{path}?{claim.parameters}" if claim.parameters else path
    md5, kind = headers.get("content-md5", "").strip(), headers.get("content-type", "").strip()
    return f"{request.method}\n{md5}\n{kind}\n{claim.dated}\n{amz}{resource}"


def _pairs(raw_query: str) -> list[tuple[str, str | None]]:
    """The decoded parameters; None is the value of one without "="."""
    pieces = (piece.partition("=") for piece in raw_query.split("&"))
    return [(_decoded(name), _decoded(value) if equals else None) for name, equals, value in pieces if name]


def _decoded(raw: str) -> str:
    """A query name or value. A "+" is a space, as everywhere in a query."""
    return unquote_to_bytes(raw.replace("+", " ").encode("latin-1")).decode("latin-1")
