"""Signature Version 4, the server's side: who a request claims to be from, and whether the claim holds.

Knows header and presigned authentication and S3's answers when they are wrong. Pure: the secret and the time are
handed in. Must not know accounts, permissions or bodies (stream verifies signed frames).

The kind of payload changes nothing here: every request that bears a signature has it verified, streamed or not. Every
x-amz-* header present must be signed, on presigned requests too, for each may change what the request means;
Content-Type and Content-MD5 need not be, as on S3.

Sources: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html,
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

from collections.abc import Mapping
from hmac import compare_digest
from typing import Final, NamedTuple

from app.core.auth import canonical, payload, timestamps
from app.core.errors import S3Error
from app.core.limits import CLOCK_SKEW_SECONDS_MAX, PRESIGN_SECONDS_MAX, REGION_CHARS_MAX

_QUERY_PARAMETERS: Final = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Signature",
    "X-Amz-Date",
    "X-Amz-SignedHeaders",
    "X-Amz-Expires",
)
_TOKEN: Final = "X-Amz-Security-Token"  # noqa: S105 -- the parameter's name
_UNSUPPORTED_VERSION: Final = (
    "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
)
_NOT_SIGNED: Final = "There were headers present in the request which were not signed"
_HEADER_PARTS: Final = (
    "The authorization header is malformed; the authorization header requires three components: Credential, "
    "SignedHeaders, and Signature."
)


class SignedRequest(NamedTuple):
    """What of a request a signature covers.

    `raw_path`, `raw_query`: the request target as received (latin-1 text), without "?". `headers` by lower-case name,
    repeated ones joined by ",". `body_sha256`: hex digest of the body, given only by a face that holds it whole; then
    x-amz-content-sha256 may be missing, and must agree if it is there. `bucket_of_host`: the bucket when the Host
    header names it; only version 2 signs it apart.
    """

    method: str
    raw_path: str
    raw_query: str
    headers: Mapping[str, str]
    body_sha256: str = ""
    bucket_of_host: str = ""


class Scope(NamedTuple):
    """What a signature is good for. `date`: yyyymmdd."""

    date: str
    region: str
    service: str

    def __str__(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


class Claim(NamedTuple):
    """A well-formed claim, not yet believed.

    `timestamp`: yyyymmddThhmmssZ, `time_s` the same in seconds since the epoch. `signed_headers`: sorted as sent,
    joined by ";". `payload`: the value of x-amz-content-sha256. `expires_s`: lifetime of a presigned request, None for
    one signed in its header. `query`: the canonical pairs of the query. `token`: of a session, "" for none; it is among
    what is signed.
    """

    access_key: str
    scope: Scope
    timestamp: str
    time_s: int
    signed_headers: str
    signature: str
    payload: str
    expires_s: int | None
    query: list[tuple[str, str]]
    token: str = ""


class Seed(NamedTuple):
    """Where the chain of frame signatures begins: the signing key and the request's own signature."""

    key: bytes
    timestamp: str
    scope: str
    signature: str


def parse(request: SignedRequest, service: str = "s3") -> Claim | None:
    """The claim a request makes, None when it makes none (anonymous).

    Any region is taken: clients need not know the server's, and a scope of another one weakens nothing. Raises S3Error
    for a malformed or unsupported claim, and AccessDenied when a header that must be signed is not.
    """
    query = canonical.pairs(request.raw_query) if request.raw_query else []
    authorization = request.headers.get("authorization")
    in_query = _query_scheme(query) if query else ""
    if authorization is None and not in_query:
        return None
    if authorization is not None and in_query:
        text = (
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
            "parameter or the Authorization header should be specified"
        )
        raise S3Error("InvalidArgument", text, fields={"ArgumentName": "Authorization"})
    if authorization is not None:
        claim = _from_header(authorization, request, query)
    elif in_query == "v2":
        raise S3Error("InvalidRequest", _UNSUPPORTED_VERSION)
    else:
        claim = _from_query(query, request)
    _check_scope(claim, service)
    _check_signed_headers(claim, request.headers)
    token = _token(claim, request.headers)
    return claim._replace(token=token) if token else claim


def verify(claim: Claim, request: SignedRequest, secret: str | None, now_s: float) -> None:
    """Believe the claim or raise: InvalidAccessKeyId (`secret` is None), RequestTimeTooSkewed, AccessDenied (expired),
    SignatureDoesNotMatch, XAmzContentSHA256Mismatch (only with `body_sha256`).

    The target's canonical spelling is tried first, then the one received, its query sorted or, as older curl signs it,
    not. All decode to the same key and parameters, so a signature is never good for more than it was made for.
    """
    if secret is None:
        raise S3Error("InvalidAccessKeyId", fields={"AWSAccessKeyId": claim.access_key})
    _check_time(claim, now_s)
    key = canonical.signing_key(secret, *claim.scope)
    target = canonical.path(request.raw_path), canonical.query(claim.query) if claim.query else ""
    failure = _mismatch(claim, request, key, target)
    if failure is not None:
        queries = canonical.query(canonical.raw_pairs(request.raw_query)), request.raw_query
        others = {(request.raw_path, query) for query in queries} - {target}
        if all(_mismatch(claim, request, key, other) for other in others):
            raise failure
    if request.body_sha256 and request.body_sha256 != claim.payload.lower():
        raise S3Error("XAmzContentSHA256Mismatch")


def _token(claim: Claim, headers: Mapping[str, str]) -> str:
    """The session's token, "" without one: a header's beside a signature in a header, a parameter's of a presigned
    request. Raises InvalidToken for one anywhere else, for an empty one and for several."""
    found = [value for name, value in claim.query if name == _TOKEN] if claim.query else []
    in_header = headers.get(_TOKEN.lower())
    if in_header is None and not found:
        return ""
    if claim.expires_s is None:
        token = "" if found else in_header or ""
    else:
        token = canonical.plain(found[0]) if len(found) == 1 and in_header in (None, canonical.plain(found[0])) else ""
    if not token:
        raise S3Error("InvalidToken")
    return token


def seed(claim: Claim, secret: str) -> Seed:
    """The seed of a verified claim's frame signatures."""
    return Seed(canonical.signing_key(secret, *claim.scope), claim.timestamp, str(claim.scope), claim.signature)


def _mismatch(claim: Claim, request: SignedRequest, key: bytes, target: tuple[str, str]) -> S3Error | None:
    """SignatureDoesNotMatch, with what the server signed, unless the signature holds for this spelling."""
    canonical_request = canonical.request(request.method, target, request.headers, claim.signed_headers, claim.payload)
    text = canonical.string_to_sign(claim.timestamp, str(claim.scope), canonical_request)
    if compare_digest(canonical.sign(key, text).encode(), claim.signature.encode()):
        return None
    fields = {
        "AWSAccessKeyId": claim.access_key,
        "StringToSign": text,
        "SignatureProvided": claim.signature,
        "CanonicalRequest": canonical_request,
    }
    return S3Error("SignatureDoesNotMatch", fields=fields)


def _query_scheme(query: list[tuple[str, str]]) -> str:
    """Which authentication the query bears: "v4", "v2" or ""."""
    for name, _ in query:
        if name in ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"):
            return "v4"
        if name in ("AWSAccessKeyId", "Signature"):
            return "v2"
    return ""


def _from_header(authorization: str, request: SignedRequest, query: list[tuple[str, str]]) -> Claim:
    scheme, _, rest = authorization.strip().partition(" ")
    if scheme != canonical.ALGORITHM:
        raise _refused_scheme(scheme)
    parts = {}
    for piece in rest.split(","):
        name, _, value = piece.strip().partition("=")
        if name in parts:
            raise S3Error("AuthorizationHeaderMalformed", _HEADER_PARTS)
        parts[name] = value
    try:
        credential, signed, signature = parts["Credential"], parts["SignedHeaders"], parts["Signature"]
    except KeyError as error:
        raise S3Error("AuthorizationHeaderMalformed", _HEADER_PARTS) from error
    access_key, scope = _credential(credential, None)
    date = request.headers.get("x-amz-date") or request.headers.get("date", "")
    moment = timestamps.parse(date)
    if moment is None:
        raise S3Error("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
    body = _header_payload(request)
    return Claim(access_key, scope, moment[0], moment[1], signed.lower(), signature, body, None, query)


def _refused_scheme(scheme: str) -> S3Error:
    """The answer to an Authorization header that is not ours."""
    if not scheme:
        return S3Error("AccessDenied", reason="the authorization header is empty")
    if scheme == "AWS":
        # Where version 2 is spoken sigv2 has taken the header already.
        return S3Error("InvalidRequest", _UNSUPPORTED_VERSION)
    if scheme == "AWS4-ECDSA-P256-SHA256":
        return S3Error("NotImplemented", _UNSUPPORTED_VERSION)
    return S3Error("InvalidArgument", "Unsupported Authorization Type", fields={"ArgumentName": "Authorization"})


def _header_payload(request: SignedRequest) -> str:
    value = request.headers.get("x-amz-content-sha256")
    if value is not None:
        return payload.check(value)
    if request.body_sha256:
        return request.body_sha256
    raise S3Error("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")


def _from_query(query: list[tuple[str, str]], request: SignedRequest) -> Claim:
    values = {}
    for name, value in query:
        if name in values and name in _QUERY_PARAMETERS:
            raise _query_error(f"{name} was given more than once")
        values[name] = value
    if any(not values.get(name) for name in _QUERY_PARAMETERS):
        raise _query_error(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
            "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
        )
    if values["X-Amz-Algorithm"] == "AWS4-ECDSA-P256-SHA256":
        raise S3Error("NotImplemented", _UNSUPPORTED_VERSION)
    if values["X-Amz-Algorithm"] != canonical.ALGORITHM:
        raise _query_error(f'X-Amz-Algorithm only supports "{canonical.ALGORITHM}"')
    access_key, scope = _credential(canonical.plain(values["X-Amz-Credential"]), "X-Amz-Credential")
    moment = timestamps.parse_iso(values["X-Amz-Date"])
    if moment is None:
        raise _query_error("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    signed = canonical.plain(values["X-Amz-SignedHeaders"]).lower()
    in_query = canonical.plain(values.get("X-Amz-Content-Sha256") or request.body_sha256 or payload.UNSIGNED)
    body = payload.check(request.headers.get("x-amz-content-sha256", in_query))
    expires_s = _expires(values["X-Amz-Expires"])
    return Claim(access_key, scope, *moment, signed, values["X-Amz-Signature"], body, expires_s, query)


def _expires(text: str) -> int:
    """The lifetime in seconds. Zero is well-formed, and always expired."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        raise _query_error("X-Amz-Expires should be a number")
    if text.startswith("-"):
        raise _query_error("X-Amz-Expires must be non-negative")
    if len(digits) > 9 or int(digits) > PRESIGN_SECONDS_MAX:
        raise _query_error(f"X-Amz-Expires must be less than a week (in seconds) that is {PRESIGN_SECONDS_MAX}")
    return int(digits)


def _query_error(text: str) -> S3Error:
    return S3Error("AuthorizationQueryParametersError", text)


def _malformed(presigned: bool, text: str) -> S3Error:
    """The error of a bad credential, worded for where it stood."""
    if presigned:
        message = f"Error parsing the X-Amz-Credential parameter; {text}"
        return S3Error("AuthorizationQueryParametersError", message)
    return S3Error("AuthorizationHeaderMalformed", f"The authorization header is malformed; {text}")


def _credential(text: str, parameter: str | None) -> tuple[str, Scope]:
    """The access key and scope of a credential. An access key may hold slashes, so it is cut from the right."""
    pieces = text.rsplit("/", 4)
    # The region goes into the cache of signing keys, before the signature is known to hold: it must be short. Clients
    # of IAM and STS that were told none sign for none.
    named = pieces if pieces[3:4] == ["s3"] else (*pieces[:2], *pieces[3:])
    if len(pieces) != 5 or not all(named) or len(pieces[2]) > REGION_CHARS_MAX:
        expected = '"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request"'
        raise _malformed(parameter is not None, f"the Credential is mal-formed; expecting {expected}.")
    access_key, date, region, service, terminal = pieces
    if terminal != "aws4_request":
        text = f'incorrect terminal "{terminal}". This endpoint uses "aws4_request".'
        raise _malformed(parameter is not None, text)
    return access_key, Scope(date, region, service)


def _check_scope(claim: Claim, service: str) -> None:
    scope = claim.scope
    presigned = claim.expires_s is not None
    if scope.service != service:
        text = f'incorrect service "{scope.service}". This endpoint belongs to "{service}".'
        raise _malformed(presigned, text)
    if scope.date != claim.timestamp[:8]:
        if len(scope.date) != 8 or not scope.date.isascii() or not scope.date.isdigit():
            text = (
                f'incorrect date format "{scope.date}". This date in the credential must be in the format "yyyyMMdd".'
            )
        else:
            text = (
                f'Invalid credential date "{scope.date}". This date is not the same as X-Amz-Date: '
                f'"{claim.timestamp[:8]}".'
            )
        raise _malformed(presigned, text)


def _check_signed_headers(claim: Claim, headers: Mapping[str, str]) -> None:
    """The host and every x-amz-* header present are among the signed. Raises S3Error AccessDenied."""
    signed = frozenset(claim.signed_headers.split(";"))  # a hostile list is as long as a head may be
    missing = [name for name in headers if name.startswith("x-amz-") and name not in signed]
    if "host" not in signed:
        missing.append("host")
    if missing:
        raise S3Error("AccessDenied", _NOT_SIGNED, fields={"HeadersNotSigned": ", ".join(missing)})


def _check_time(claim: Claim, now_s: float) -> None:
    if claim.expires_s is None:
        if abs(now_s - claim.time_s) > CLOCK_SKEW_SECONDS_MAX:
            fields = {
                "RequestTime": claim.timestamp,
                "ServerTime": timestamps.iso_extended(now_s),
                "MaxAllowedSkewMilliseconds": str(CLOCK_SKEW_SECONDS_MAX * 1000),
            }
            raise S3Error("RequestTimeTooSkewed", fields=fields)
    elif claim.time_s > now_s + CLOCK_SKEW_SECONDS_MAX:
        raise S3Error("AccessDenied", "Request is not valid yet", fields={"ServerTime": timestamps.iso_extended(now_s)})
    elif now_s >= claim.time_s + claim.expires_s:
        fields = {
            "X-Amz-Expires": str(claim.expires_s),
            "Expires": timestamps.iso_extended(claim.time_s + claim.expires_s),
            "ServerTime": timestamps.iso_extended(now_s),
        }
        raise S3Error("AccessDenied", "Request has expired", fields=fields)
