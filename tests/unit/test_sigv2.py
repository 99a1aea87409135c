"""Signature Version 2: botocore's own requests, and what nobody may change in them."""

from base64 import b64encode
from hmac import digest
from urllib.parse import quote, urlsplit

import botocore.auth
import pytest
from botocore.auth import HmacV1Auth, HmacV1QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from app.core.auth.sigv2 import Claim, parse, string_to_sign, verify
from app.core.auth.sigv4 import SignedRequest
from app.core.errors import S3Error

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
NOW = 1369353600


@pytest.fixture(autouse=True)
def _botocore_signs_in_2013(monkeypatch: pytest.MonkeyPatch) -> None:
    """Botocore reads the clock itself."""
    monkeypatch.setattr(botocore.auth.time, "time", lambda: float(NOW))


def presigned(
    method: str, target: str, headers: dict[str, str] | None = None, auth_path: str | None = None
) -> SignedRequest:
    sent = headers or {}
    made = AWSRequest(method, f"http://localhost:8082{target}", headers=dict(sent), auth_path=auth_path)
    HmacV1QueryAuth(Credentials(ACCESS_KEY, SECRET), expires=60).add_auth(made)
    parts = urlsplit(made.url)
    return SignedRequest(method, parts.path, parts.query, {"host": "localhost:8082"} | sent)


def check(request: SignedRequest, now_s: float = NOW, secret: str | None = SECRET) -> Claim:
    claim = parse(request)
    assert claim is not None
    verify(claim, request, secret, now_s)
    return claim


def refused(request: SignedRequest, now_s: float = NOW, secret: str | None = SECRET) -> S3Error:
    with pytest.raises(S3Error) as caught:
        check(request, now_s, secret)
    return caught.value


def added(request: SignedRequest, query: str) -> SignedRequest:
    return request._replace(raw_query=f"{request.raw_query}&{query}")


@pytest.mark.parametrize("key", ["plain", "with space", "a+b", "a%2Fb", "a//b", "ünïcödé", "~x", "a=b&c?d#e", "(1)"])
@pytest.mark.parametrize(
    "query",
    ["", "acl", "uploadId=a.b&partNumber=1", "versionId=null", "response-content-disposition=a%3B%20b%3D%22c%22"],
)
def test_botocore_s_presigned_urls_verify(key: str, query: str) -> None:
    target = f"/bucket/{quote(key, safe='/~')}" + (f"?{query}" if query else "")
    assert check(presigned("GET", target)).access_key == ACCESS_KEY


def test_the_headers_a_url_was_made_for_are_covered() -> None:
    made = presigned("PUT", "/bucket/key", {"content-type": "text/plain", "content-md5": "XUFAKrxLKna5cZ2REBfFkg=="})
    check(made)
    for change in ({"content-type": "text/html"}, {"content-md5": ""}, {"x-amz-acl": "public-read"}):
        changed = made._replace(headers=dict(made.headers) | change)
        assert refused(changed).code == "SignatureDoesNotMatch"


def test_a_bucket_named_by_the_host_is_part_of_what_is_signed() -> None:
    made = presigned("GET", "/key", auth_path="/bucket/key")
    check(made._replace(bucket_of_host="bucket"))
    assert refused(made._replace(bucket_of_host="other")).code == "SignatureDoesNotMatch"
    assert refused(made).code == "SignatureDoesNotMatch"


@pytest.mark.parametrize("path", ["/bucket", "/bucket/"])
def test_a_bucket_s_own_resource_ends_in_a_slash(path: str) -> None:
    made = presigned("GET", "/bucket?list-type=2", auth_path="/bucket/")
    check(made._replace(raw_path=path))


def test_a_header_repeated_as_a_parameter_must_come_as_a_header() -> None:
    made = presigned("PUT", "/bucket/key", {"x-amz-meta-a": "b c"})
    assert "x-amz-meta-a=b%20c" in made.raw_query
    check(made)
    assert refused(made._replace(headers={"host": "h"})).code == "AccessDenied"
    assert refused(made._replace(headers={"host": "h", "x-amz-meta-a": "other"})).code == "AccessDenied"


@pytest.mark.parametrize("change", [{"method": "PUT"}, {"raw_path": "/bucket/other"}, {"raw_path": "/bucket//key"}])
def test_a_url_is_good_for_its_own_request_only(change: dict[str, str]) -> None:
    assert refused(presigned("GET", "/bucket/key")._replace(**change)).code == "SignatureDoesNotMatch"


@pytest.mark.parametrize("query", ["versionId=x", "acl", "uploads", "response-content-type=text%2Fhtml", "tagging="])
def test_a_signed_parameter_cannot_be_added(query: str) -> None:
    assert refused(added(presigned("GET", "/bucket/key"), query)).code == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    "query", ["attributes", "legal-hold", "retention", "encryption", "x-amz-acl=public-read", "new"]
)
def test_a_parameter_that_version_2_does_not_cover_is_refused(query: str) -> None:
    assert refused(added(presigned("GET", "/bucket/key"), query)).code == "AccessDenied"


def test_two_parameters_cannot_be_folded_into_one() -> None:
    made = presigned("GET", "/bucket/key?response-content-type=a&versionId=v")
    check(made)
    folded = made.raw_query.replace("response-content-type=a&versionId=v", "response-content-type=a%26versionId%3Dv")
    assert refused(made._replace(raw_query=folded)).code == "AccessDenied"


def test_a_listing_may_be_paged() -> None:
    check(added(presigned("GET", "/bucket"), "prefix=a%2Fb&max-keys=2&list-type=2"))


@pytest.mark.parametrize("query", ["Signature=x", "Expires=99999999999", "AWSAccessKeyId=other"])
def test_a_parameter_given_twice_is_refused(query: str) -> None:
    assert refused(added(presigned("GET", "/bucket/key"), query)).code == "AccessDenied"


def test_a_url_expires() -> None:
    made = presigned("GET", "/bucket/key")
    check(made, NOW + 59)
    assert refused(made, NOW + 60).message == "Request has expired"
    longer = made._replace(raw_query=made.raw_query.replace(str(NOW + 60), str(NOW + 6000)))
    assert refused(longer).code == "SignatureDoesNotMatch"


@pytest.mark.parametrize("query", ["Signature=x", "Signature=x&Expires=1", "Signature=&Expires=1&AWSAccessKeyId=a"])
def test_an_incomplete_claim_is_refused_not_taken_for_anonymous(query: str) -> None:
    assert refused(SignedRequest("GET", "/b/k", query, {})).code == "AccessDenied"


def test_a_malformed_expiry_is_refused() -> None:
    for text in ("x", "-1", "1.5", "%D9%A1", "9" * 5000):
        request = SignedRequest("GET", "/b/k", f"Signature=x&Expires={text}&AWSAccessKeyId=a", {})
        assert refused(request).message == "Invalid date (should be seconds since epoch)"


def test_an_unknown_key_and_a_session_token_nobody_signed_are_refused() -> None:
    made = presigned("GET", "/bucket/key")
    assert refused(made, secret=None).code == "InvalidAccessKeyId"
    added = made._replace(headers=dict(made.headers) | {"x-amz-security-token": "t"})
    assert refused(added).code == "SignatureDoesNotMatch"
    assert refused(made._replace(raw_query=made.raw_query + "&x-amz-security-token=t")).code == "SignatureDoesNotMatch"
    assert refused(made._replace(raw_query=made.raw_query + "&x-amz-security-token=")).code == "InvalidToken"


@pytest.mark.parametrize("query", ["", "acl", "X-Amz-Signature=x", "prefix=Signature=x", "X-Amz-Signature=x&a=1&a=2"])
def test_other_requests_are_none_of_version_2_s(query: str) -> None:
    assert parse(SignedRequest("GET", "/b/k", query, {})) is None


def test_a_request_with_an_authorization_header_is_left_to_it() -> None:
    made = presigned("GET", "/bucket/key")
    assert parse(made._replace(headers=dict(made.headers) | {"authorization": "AWS4-HMAC-SHA256 x"})) is None


# --- in the Authorization header

DATE = "Fri, 24 May 2013 00:00:00 GMT"


def signed(method: str, target: str, headers: dict[str, str] | None = None, auth_path: str = "") -> SignedRequest:
    """As botocore's signature_version="s3" sends it."""
    sent = {"Date": DATE} | (headers or {})
    made = AWSRequest(method, f"http://localhost:8082{target}", headers=sent, auth_path=auth_path or None)
    # Botocore dates the request itself, by a clock of its own.
    signer = HmacV1Auth(Credentials(ACCESS_KEY, SECRET))
    signer._get_date = lambda: DATE  # type: ignore[method-assign]
    signer.add_auth(made)
    parts = urlsplit(made.url)
    names = {name.lower(): value for name, value in made.headers.items()}
    return SignedRequest(method, parts.path, parts.query, {"host": "localhost:8082"} | names)


@pytest.mark.parametrize("key", ["plain", "with space", "a+b", "a%2Fb", "ünïcödé", "a=b&c?d#e"])
@pytest.mark.parametrize("query", ["", "acl", "uploadId=a.b&partNumber=1", "versionId=null", "tagging"])
def test_botocore_s_headers_verify(key: str, query: str) -> None:
    target = f"/bucket/{quote(key, safe='/~')}" + (f"?{query}" if query else "")
    claim = check(signed("GET", target))
    assert (claim.access_key, claim.presigned, claim.time_s) == (ACCESS_KEY, False, NOW)


def test_a_date_of_amazon_s_stands_for_the_other() -> None:
    made = signed("PUT", "/bucket/key", {"x-amz-date": DATE, "x-amz-acl": "private"})
    assert check(made).dated == ""
    text = string_to_sign(made, check(made), "/bucket/key")
    assert text == f"PUT\n\n\n\nx-amz-acl:private\nx-amz-date:{DATE}\n/bucket/key"
    signature = b64encode(digest(SECRET.encode(), text.encode(), "sha1")).decode()
    by_the_book = dict(made.headers) | {"authorization": f"AWS {ACCESS_KEY}:{signature}", "date": "whatever"}
    check(made._replace(headers=by_the_book))
    assert refused(made._replace(headers=made.headers | {"x-amz-acl": "public-read"})).code == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    "change",
    [{"x-amz-meta-a": "b"}, {"content-type": "text/html"}, {"content-md5": "XUFAKrxLKna5cZ2REBfFkg=="}],
)
def test_a_header_that_means_something_cannot_be_added(change: dict[str, str]) -> None:
    made = signed("PUT", "/bucket/key")
    assert refused(made._replace(headers=dict(made.headers) | change)).code == "SignatureDoesNotMatch"


def test_a_host_s_bucket_is_signed_in_the_header_too() -> None:
    made = signed("GET", "/key", auth_path="/bucket/key")
    check(made._replace(bucket_of_host="bucket"))
    assert refused(made._replace(bucket_of_host="other")).code == "SignatureDoesNotMatch"


@pytest.mark.parametrize("seconds", [-901, 901])
def test_a_signature_of_another_time_is_refused(seconds: int) -> None:
    assert refused(signed("GET", "/bucket/key"), NOW + seconds).code == "RequestTimeTooSkewed"
    check(signed("GET", "/bucket/key"), NOW + seconds * 899 / 901)


@pytest.mark.parametrize("date", ["", "Bad Date", "Tue, 07 Jul 1950 21:53:04 GMT"])
def test_a_request_needs_a_date(date: str) -> None:
    made = signed("GET", "/bucket/key")
    assert refused(made._replace(headers=made.headers | {"date": date})).code == "AccessDenied"
    assert refused(made._replace(headers=made.headers | {"x-amz-date": date})).code == "AccessDenied"


@pytest.mark.parametrize("value", ["AWS HAHAHA", "AWS ", "AWS :c2ln", "AWS AKIA:"])
def test_a_malformed_header_is_refused(value: str) -> None:
    made = signed("GET", "/bucket/key")
    assert refused(made._replace(headers=made.headers | {"authorization": value})).code == "InvalidArgument"


@pytest.mark.parametrize("query", ["retention", "encryption", "versionId=null&versionId=null", "x-amz-acl=private"])
def test_a_parameter_that_is_not_covered_cannot_be_added_to_a_header_s_request(query: str) -> None:
    assert refused(added(signed("GET", "/bucket/key"), query)).code == "AccessDenied"


def test_two_ways_of_signing_at_once_are_refused() -> None:
    both = added(signed("GET", "/bucket/key"), "AWSAccessKeyId=a&Signature=b&Expires=1")
    assert refused(both).code == "InvalidArgument"


def test_a_session_token_is_of_the_claim_and_signed() -> None:
    made = signed("GET", "/bucket/key", {"x-amz-security-token": "t"})
    claim = parse(made)
    assert claim is not None
    assert claim.token == "t"
    verify(claim, made, SECRET, NOW)
    assert refused(made._replace(headers=made.headers | {"x-amz-security-token": "u"})).code == "SignatureDoesNotMatch"
    assert refused(added(made, "x-amz-security-token=t")).code == "InvalidToken"


def test_an_unknown_key_is_refused_by_its_name() -> None:
    assert refused(signed("GET", "/bucket/key"), secret=None).code == "InvalidAccessKeyId"
