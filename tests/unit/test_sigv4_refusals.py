"""Signature Version 4: every refusal, its code and its words."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.auth import canonical, payload, signer, timestamps
from app.core.auth.sigv4 import SignedRequest, parse, verify
from app.core.errors import S3Error
from tests.unit.signing import (
    ACCESS_KEY,
    CREDENTIALS,
    EMPTY,
    HOST,
    NOW,
    SECRET,
    check,
    presigned,
    refused,
    request,
    signed,
    with_headers,
)


@pytest.mark.parametrize("make", [signed, presigned])
@pytest.mark.parametrize(
    "name",
    [
        "x-amz-acl",
        "x-amz-meta-a",
        "x-amz-copy-source",
        "x-amz-server-side-encryption",
        "x-amz-website-redirect-location",
    ],
)
def test_an_amz_header_that_is_not_signed_is_refused(make: Callable[..., SignedRequest], name: str) -> None:
    made = make()
    error = refused(made._replace(headers=dict(made.headers) | {name: "public-read"}))
    assert (error.code, error.status) == ("AccessDenied", 403)
    assert error.message == "There were headers present in the request which were not signed"
    assert error.fields == {"HeadersNotSigned": name}


def test_the_host_must_be_signed() -> None:
    made = signed()
    loose = made.headers["authorization"].replace("host;", "")
    assert refused(with_headers(made, authorization=loose)).fields == {"HeadersNotSigned": "host"}


@pytest.mark.parametrize(
    "body", ["STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", payload.UNSIGNED]
)
def test_a_streamed_or_unsigned_payload_still_has_its_signature_verified(body: str) -> None:
    made = signed("PUT", body=body)
    check(made)
    assert refused(made, secret="another").code == "SignatureDoesNotMatch"
    assert refused(made, secret=None).code == "InvalidAccessKeyId"
    forged = made.headers["authorization"][:-64] + "0" * 64
    assert refused(with_headers(made, authorization=forged)).code == "SignatureDoesNotMatch"


def test_a_presigned_stream_has_its_signature_verified() -> None:
    made = presigned("PUT", x_amz_content_sha256="STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    check(made)
    forged = made._replace(raw_query=made.raw_query[:-64] + "0" * 64)
    assert refused(forged).code == "SignatureDoesNotMatch"


def test_a_mismatch_tells_what_was_signed_and_never_the_secret() -> None:
    error = refused(signed()._replace(method="PUT"))
    assert error.fields["CanonicalRequest"].startswith("PUT\n/bucket/key\n")
    assert error.fields["StringToSign"].startswith("AWS4-HMAC-SHA256\n20130524T000000Z\n")
    assert SECRET not in f"{error} {error.fields} {error.reason}"


def test_no_signature_is_anonymous() -> None:
    assert parse(request("GET", "/b/k?prefix=x", {"host": HOST})) is None


@pytest.mark.parametrize(
    "shape", ["{c},{h},{s}", "{c}, {h}, {s}", "{c} , {h} ,  {s} ", "{s}, {h}, {c}", "  {c},{h},{s}"]
)
def test_blanks_and_order_inside_the_authorization_do_not_matter(shape: str) -> None:
    made = signed()
    first, second, third = made.headers["authorization"].removeprefix("AWS4-HMAC-SHA256 ").split(", ")
    check(with_headers(made, authorization="AWS4-HMAC-SHA256 " + shape.format(c=first, h=second, s=third)))


def authorized(old: str, new: str) -> SignedRequest:
    made = signed()
    assert old in made.headers["authorization"]
    return with_headers(made, authorization=made.headers["authorization"].replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (", Signature=", ", Sig=", "requires three components"),
        ("SignedHeaders=", "Signature=x, SignedHeaders=", "requires three components"),
        ("/us-east-1/", "/", "the Credential is mal-formed"),
        (ACCESS_KEY, "", "the Credential is mal-formed"),
        ("/s3/", "/ec2/", 'incorrect service "ec2"'),
        ("aws4_request", "aws3_request", 'incorrect terminal "aws3_request"'),
        ("/20130524/", "/2013/", "incorrect date format"),
        ("/20130524/", "/20130523/", "Invalid credential date"),
    ],
)
def test_a_malformed_authorization_is_told_what_is_wrong(old: str, new: str, text: str) -> None:
    error = refused(authorized(old, new))
    assert (error.code, error.status) == ("AuthorizationHeaderMalformed", 400)
    assert text in error.message


def test_a_region_of_any_length_leaves_nothing_in_the_cache_of_keys() -> None:
    before = canonical.signing_key.cache_info().currsize
    assert refused(authorized("us-east-1", "x" * 65)).code == "AuthorizationHeaderMalformed"
    assert canonical.signing_key.cache_info().currsize == before


def test_an_access_key_may_hold_slashes() -> None:
    odd = CREDENTIALS._replace(access_key="team/key")
    made = request("GET", "/", signer.sign(odd, "GET", "/", {"host": HOST}, NOW, EMPTY))
    assert check(made).access_key == "team/key"


@pytest.mark.parametrize(
    ("authorization", "code", "status"),
    [
        ("", "AccessDenied", 403),
        ("AWS AKIA:c2ln", "InvalidRequest", 400),
        ("AWS4-ECDSA-P256-SHA256 Credential=x", "NotImplemented", 501),
        ("Bearer abc", "InvalidArgument", 400),
        ("AWS4-HMAC-SHA256", "AuthorizationHeaderMalformed", 400),
        ("aws4-hmac-sha256 Credential=x", "InvalidArgument", 400),
    ],
)
def test_other_authorizations_are_refused(authorization: str, code: str, status: int) -> None:
    error = refused(with_headers(signed(), authorization=authorization))
    assert (error.code, error.status) == (code, status)


@pytest.mark.parametrize("query", ["AWSAccessKeyId=x&Signature=y&Expires=1", "Signature=y", "acl&AWSAccessKeyId=x"])
def test_signature_version_2_in_a_query_is_refused_not_taken_for_anonymous(query: str) -> None:
    error = refused(request("GET", f"/b/k?{query}", {"host": HOST}))
    assert error.code == "InvalidRequest"
    assert "Please use AWS4-HMAC-SHA256" in error.message


def test_two_authentications_at_once_are_refused() -> None:
    made = presigned()
    both = with_headers(made, authorization=signed().headers["authorization"])
    assert refused(both).code == "InvalidArgument"


@pytest.mark.parametrize("made", [signed(x_amz_security_token="t"), presigned(target="/b/k?X-Amz-Security-Token=t")])
def test_a_session_token_is_of_the_claim(made: SignedRequest) -> None:
    claim = parse(made)
    assert claim is not None
    assert claim.token == "t"
    check(made, NOW)


@pytest.mark.parametrize(
    "made",
    [
        presigned(x_amz_security_token="t"),
        signed(target="/b/k?X-Amz-Security-Token=t"),
        signed(target="/b/k?X-Amz-Security-Token=t", x_amz_security_token="t"),
        signed(x_amz_security_token=""),
        presigned(target="/b/k?X-Amz-Security-Token="),
        presigned(target="/b/k?X-Amz-Security-Token=t&X-Amz-Security-Token=t"),
        presigned(target="/b/k?X-Amz-Security-Token=t", x_amz_security_token="u"),
    ],
)
def test_a_session_token_in_the_wrong_place_is_refused(made: SignedRequest) -> None:
    assert refused(made).code == "InvalidToken"


@pytest.mark.parametrize("skew_s", [-900, 0, 900])
def test_a_skew_of_fifteen_minutes_is_let_pass(skew_s: int) -> None:
    check(signed(), NOW + skew_s)


@pytest.mark.parametrize("skew_s", [-901, 901, 10**9])
def test_a_greater_skew_is_refused(skew_s: int) -> None:
    error = refused(signed(), NOW + skew_s)
    assert (error.code, error.status) == ("RequestTimeTooSkewed", 403)
    assert error.fields["MaxAllowedSkewMilliseconds"] == "900000"


def test_an_http_date_stands_in_for_the_amz_date() -> None:
    headers = {"host": HOST, "date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-content-sha256": EMPTY}
    names = "date;host;x-amz-content-sha256"
    text = canonical.request("GET", ("/", ""), headers, names, EMPTY)
    scope = CREDENTIALS.scope("20130524")
    signature = canonical.sign(CREDENTIALS.key("20130524"), canonical.string_to_sign("20130524T000000Z", scope, text))
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope},SignedHeaders={names},Signature={signature}"
    )
    check(request("GET", "/", headers))


@pytest.mark.parametrize(
    "date", ["", "Bad Date", "20130524", "20130524T000000", "20131324T000000Z", "\uff120130524T000000Z"]
)
def test_a_missing_or_malformed_date_is_access_denied(date: str) -> None:
    assert refused(with_headers(signed(), x_amz_date=date)).code == "AccessDenied"


def test_a_header_signature_needs_the_payload_s_digest() -> None:
    error = refused(with_headers(signed(), x_amz_content_sha256=None))
    assert error.code == "InvalidRequest"
    assert error.message == "Missing required header for this request: x-amz-content-sha256"


@pytest.mark.parametrize("value", ["", "abc", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "g" * 64])
def test_an_unknown_payload_digest_is_refused(value: str) -> None:
    assert refused(with_headers(signed(), x_amz_content_sha256=value)).code == "InvalidArgument"


def test_a_face_that_holds_the_body_may_do_without_the_digest_header() -> None:
    headers = {"host": HOST, "x-amz-date": "20130524T000000Z"}
    digest = signer.body_sha256(b"{}")
    text = canonical.request("POST", ("/v1/accounts", ""), headers, "host;x-amz-date", digest)
    scope = CREDENTIALS.scope("20130524")
    signature = canonical.sign(CREDENTIALS.key("20130524"), canonical.string_to_sign("20130524T000000Z", scope, text))
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope}, SignedHeaders=host;x-amz-date, Signature={signature}"
    )
    check(request("POST", "/v1/accounts", headers, digest))
    other = signer.body_sha256(b"{1}")
    assert refused(request("POST", "/v1/accounts", headers, other)).code == "SignatureDoesNotMatch"


def test_a_face_that_holds_the_body_refuses_a_digest_of_another() -> None:
    made = signed("POST", body=signer.body_sha256(b"{}"))._replace(body_sha256=signer.body_sha256(b"{1}"))
    assert refused(made).code == "XAmzContentSHA256Mismatch"
    unsigned = signed("POST", body=payload.UNSIGNED)._replace(body_sha256=signer.body_sha256(b"{1}"))
    assert refused(unsigned).code == "XAmzContentSHA256Mismatch"


def queried(old: str, new: str) -> SignedRequest:
    made = presigned()
    assert old in made.raw_query
    return made._replace(raw_query=made.raw_query.replace(old, new))


@pytest.mark.parametrize("name", ["Algorithm", "Credential", "Date", "SignedHeaders", "Expires", "Signature"])
def test_a_presigned_request_needs_every_parameter_once(name: str) -> None:
    assert refused(queried(f"X-Amz-{name}=", f"X-Amz-No{name}=")).code == "AuthorizationQueryParametersError"
    assert (
        refused(queried(f"X-Amz-{name}=", f"X-Amz-{name}=x&X-Amz-{name}=")).code == "AuthorizationQueryParametersError"
    )


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("Expires=60", "Expires=604801", "X-Amz-Expires must be less than a week (in seconds) that is 604800"),
        ("Expires=60", "Expires=-1", "X-Amz-Expires must be non-negative"),
        ("Expires=60", "Expires=1.5", "X-Amz-Expires should be a number"),
        ("Expires=60", "Expires=%D9%A1", "X-Amz-Expires should be a number"),
        ("Expires=60", f"Expires={'9' * 5000}", "X-Amz-Expires must be less than a week (in seconds) that is 604800"),
        ("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1", 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"'),
        ("20130524T000000Z", "20130524", "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""),
    ],
)
def test_a_malformed_presigned_parameter_is_told(old: str, new: str, text: str) -> None:
    error = refused(queried(old, new))
    assert (error.code, error.status, error.message) == ("AuthorizationQueryParametersError", 400, text)


def test_a_presigned_request_lives_from_its_date_to_its_expiry() -> None:
    made = presigned(expires_s=604_800)
    check(made, NOW + 604_799)
    expired = refused(made, NOW + 604_800)
    assert (expired.code, expired.message) == ("AccessDenied", "Request has expired")
    assert expired.fields["Expires"] == "2013-05-31T00:00:00Z"
    assert refused(made, NOW - 901).message == "Request is not valid yet"
    assert refused(presigned(expires_s=0)).message == "Request has expired"


def test_a_longer_life_breaks_a_presigned_signature() -> None:
    assert refused(queried("Expires=60", "Expires=604800")).code == "SignatureDoesNotMatch"


def test_an_unknown_access_key_is_told_before_anything_of_the_signature() -> None:
    error = refused(signed()._replace(method="PUT"), secret=None)
    assert (error.code, error.fields) == ("InvalidAccessKeyId", {"AWSAccessKeyId": ACCESS_KEY})


def test_timestamps_have_one_reading() -> None:
    assert timestamps.parse("20130524T000000Z") == ("20130524T000000Z", 1369353600)
    assert timestamps.parse("Fri, 24 May 2013 00:00:00 -0000") == ("20130524T000000Z", 1369353600)
    assert timestamps.parse("Fri, 24 May 2013 02:00:00 +0200") == ("20130524T000000Z", 1369353600)
    assert timestamps.parse("Fri, 99 May 2013 00:00:00 GMT") is None


def test_the_decoded_length_of_a_stream_is_digits_only() -> None:
    assert payload.decoded_length({"x-amz-decoded-content-length": "66560"}) == 66560
    for text in ("", "-1", "+1", "1 ", "0x1", "9" * 20, "\u0661"):
        with pytest.raises(S3Error, match="InvalidArgument"):
            payload.decoded_length({"x-amz-decoded-content-length": text})
    with pytest.raises(S3Error, match="MissingContentLength"):
        payload.decoded_length({})


LATIN = st.text(st.characters(max_codepoint=255), max_size=40)
WORDS = st.sampled_from(
    [
        "AWS4-HMAC-SHA256 ",
        "AWS ",
        f"Credential={ACCESS_KEY}/20130524/us-east-1/s3/aws4_request",
        "SignedHeaders=host;x-amz-date;x-amz-content-sha256",
        "Signature=",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256",
        f"X-Amz-Credential={ACCESS_KEY}/20130524/us-east-1/s3/aws4_request",
        "X-Amz-Date=20130524T000000Z",
        "X-Amz-Expires=60",
        "X-Amz-SignedHeaders=host",
        "X-Amz-Signature=x",
        "%",
        "&",
        "=",
        ",",
    ]
)
ANYTHING = st.lists(WORDS | LATIN, max_size=8)


@settings(max_examples=400, deadline=None)
@given(
    path=LATIN,
    query=ANYTHING,
    authorization=ANYTHING,
    date=LATIN | st.just("20130524T000000Z"),
    in_header=st.booleans(),
)
def test_anything_at_all_is_anonymous_or_refused(
    path: str, query: list[str], authorization: list[str], date: str, in_header: bool
) -> None:
    headers = {"host": HOST, "x-amz-date": date, "x-amz-content-sha256": EMPTY} if in_header else {"host": HOST}
    if in_header:
        headers["authorization"] = ",".join(authorization).replace(" ,", " ")
    made = SignedRequest("GET", f"/{path}", "&".join(query), headers)
    try:
        claim = parse(made)
    except S3Error:
        return
    if claim is not None:
        with pytest.raises(S3Error):
            verify(claim, made, SECRET, NOW)
    else:
        assert not in_header
