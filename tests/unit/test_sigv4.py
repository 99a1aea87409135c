"""Signature Version 4: AWS's published examples, botocore's own signatures over odd targets, and every refusal."""

import datetime
from collections.abc import Callable
from urllib.parse import quote, urlsplit

import botocore.auth
import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.auth import canonical, payload, signer, timestamps
from app.core.auth.sigv4 import Claim, SignedRequest, parse, seed, verify
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


def check(made: SignedRequest, now_s: float = NOW, secret: str | None = SECRET, region: str | None = None) -> Claim:
    claim = parse(made, region)
    assert claim is not None
    verify(claim, made, secret, now_s)
    return claim


def refused(made: SignedRequest, now_s: float = NOW, secret: str | None = SECRET, region: str | None = None) -> S3Error:
    with pytest.raises(S3Error) as caught:
        check(made, now_s, secret, region)
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


def aws_example(method: str, target: str, names: str, signature: str, **headers: str) -> SignedRequest:
    named = {"host": HOST, "x-amz-date": "20130524T000000Z", "x-amz-content-sha256": EMPTY}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    named["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20130524/us-east-1/s3/aws4_request,"
        f"SignedHeaders={names},Signature={signature}"
    )
    return request(method, target, named)


AWS_EXAMPLES = {
    "GET object": aws_example(
        "GET",
        "/test.txt",
        "host;range;x-amz-content-sha256;x-amz-date",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        range="bytes=0-9",
    ),
    "PUT object": aws_example(
        "PUT",
        "/test%24file.text",
        "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        date="Fri, 24 May 2013 00:00:00 GMT",
        x_amz_storage_class="REDUCED_REDUNDANCY",
        x_amz_content_sha256="44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
    ),
    "GET bucket lifecycle": aws_example(
        "GET",
        "/?lifecycle",
        "host;x-amz-content-sha256;x-amz-date",
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ),
    "list objects": aws_example(
        "GET",
        "/?max-keys=2&prefix=J",
        "host;x-amz-content-sha256;x-amz-date",
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ),
    "seed of a streamed PUT": aws_example(
        "PUT",
        "/examplebucket/chunkObject.txt",
        "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
        host="s3.amazonaws.com",
        content_encoding="aws-chunked",
        content_length="66824",
        x_amz_content_sha256="STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        x_amz_decoded_content_length="66560",
        x_amz_storage_class="REDUCED_REDUNDANCY",
    ),
}
AWS_PRESIGNED = (
    "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
    "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
    "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
    "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
)


@pytest.mark.parametrize("name", AWS_EXAMPLES)
def test_aws_published_example_verifies(name: str) -> None:
    claim = check(AWS_EXAMPLES[name])
    assert claim.access_key == ACCESS_KEY
    assert str(claim.scope) == "20130524/us-east-1/s3/aws4_request"
    assert seed(claim, SECRET).signature == claim.signature


def test_aws_published_presigned_example_verifies_for_a_day() -> None:
    made = request("GET", AWS_PRESIGNED, {"host": HOST})
    assert check(made).expires_s == 86400
    check(made, NOW + 86399)
    assert refused(made, NOW + 86400).message == "Request has expired"


ODD_KEYS = [
    "plain", "with space", "a+b", "a%2Fb", "a//b", "//", "/lead", "trail/", "..", "a/../b", "./a", "%2e%2e", "~tilde",
    "a=b&c", "a?b", "a#b", "a;b,c:d@e", "!$&'()*+,;=", "[x]{y}|z\\^`\"<>", "ünïcödé", "日本語", "🎉", "\x01\x7f", "a%",
    "%zz", "%25", "a%20b", "tab\tnl\n", "\xa0", "x" * 1024,
]  # fmt: skip
ODD_QUERIES = [
    "", "uploads", "uploads=", "prefix=a%2Fb&delimiter=%2F", "prefix=a%20b", "prefix=a%2Bb", "max-keys=0&list-type=2",
    "partNumber=1&uploadId=a.b-c_d~e", "b=2&a=1&a=0", "a=b%3Dc",
    "response-content-disposition=attachment%3B%20x%3D%22y%22",
    "prefix=%E6%97%A5", "versionId=null", "prefix=%25", "A=1&a=1", "tagging&versionId=x", "a=&b", "x=~-_.",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _botocore_signs_in_2013(monkeypatch: pytest.MonkeyPatch) -> None:
    """Botocore reads the clock itself; the examples' moment is put there."""
    moment = datetime.datetime.fromtimestamp(NOW, datetime.UTC)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: moment)


def by_botocore_header(method: str, target: str, headers: dict[str, str], data: bytes = b"") -> SignedRequest:
    made = AWSRequest(method, f"http://localhost:8082{target}", headers=headers, data=data)
    S3SigV4Auth(BotoCredentials(ACCESS_KEY, SECRET), "s3", "eu-west-3").add_auth(made)
    sent = {name.lower(): value for name, value in made.headers.items()} | {"host": "localhost:8082"}
    return request(method, target, sent)


def by_botocore_query(method: str, target: str, headers: dict[str, str]) -> SignedRequest:
    made = AWSRequest(method, f"http://localhost:8082{target}", headers=headers)
    S3SigV4QueryAuth(BotoCredentials(ACCESS_KEY, SECRET), "s3", "eu-west-3", 300).add_auth(made)
    parts = urlsplit(made.url)
    sent = {name.lower(): value for name, value in headers.items()} | {"host": "localhost:8082"}
    return SignedRequest(method, parts.path, parts.query, sent)


@pytest.mark.parametrize("sign", [by_botocore_header, by_botocore_query])
@pytest.mark.parametrize("query", ODD_QUERIES)
def test_botocore_s_signatures_verify_for_every_odd_key(sign: Callable[..., SignedRequest], query: str) -> None:
    for key in ODD_KEYS:
        target = f"/bucket/{quote(key, safe='/~')}" + (f"?{query}" if query else "")
        check(sign("PUT", target, {"x-amz-meta-a": "b", "content-type": "text/plain"}), region="eu-west-3")


def test_botocore_s_signature_covers_its_body() -> None:
    check(by_botocore_header("PUT", "/b/k", {}, b"some body"))


@settings(max_examples=150, deadline=None)
@given(
    key=st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    value=st.text(st.characters(exclude_categories=["Cs"])),
)
def test_our_signer_and_verifier_agree_on_any_key_and_parameter(key: str, value: str) -> None:
    target = f"/bucket/{quote(key, safe='/')}?prefix={quote(value, safe='')}&uploads"
    check(signed(target=target))
    check(presigned(target=target))


@pytest.mark.parametrize(
    ("sent", "signed_as"),
    [
        ("/b/a+b:c@d", "/b/a%2Bb%3Ac%40d"),
        ("/b/%7Etilde", "/b/~tilde"),
        ("/b/%61", "/b/a"),
        ("/b/%c3%bc", "/b/%C3%BC"),
        ("/b/\xc3\xbc", "/b/%C3%BC"),
        ("/b?prefix=a+b/c", "/b?prefix=a%20b%2Fc"),
        ("/b?uploads", "/b?uploads="),
    ],
)
def test_a_client_may_escape_less_than_it_signs(sent: str, signed_as: str) -> None:
    made = signed(target=signed_as)
    path, _, query = sent.partition("?")
    check(made._replace(raw_path=path, raw_query=query))


@pytest.mark.parametrize("target", ["/b/a%2Fb", "/b/a+b", "/b/%41", "/b/a:b@c", "/b?prefix=a+b", "/b?marker=a/b"])
def test_a_client_may_sign_the_very_target_it_sends(target: str) -> None:
    path, _, query = target.partition("?")
    headers = {"host": HOST, "x-amz-date": "20130524T000000Z", "x-amz-content-sha256": EMPTY}
    names = "host;x-amz-content-sha256;x-amz-date"
    text = canonical.request("GET", (path, query), headers, names, EMPTY)
    scope = CREDENTIALS.scope("20130524T000000Z")
    signature = canonical.sign(
        CREDENTIALS.key("20130524T000000Z"), canonical.string_to_sign("20130524T000000Z", scope, text)
    )
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    check(request("GET", target, headers))


@pytest.mark.parametrize(
    "other",
    [
        {"method": "PUT"},
        {"raw_path": "/bucket/other"},
        {"raw_path": "/bucket//key"},
        {"raw_path": "/bucket/./key"},
        {"raw_path": "/bucket/key/"},
        {"raw_path": "/bucket/%256bey"},
        {"raw_query": "uploads"},
        {"raw_query": "acl&X=1"},
    ],
)
@pytest.mark.parametrize("make", [signed, presigned])
def test_a_signature_is_good_for_its_own_request_only(
    make: Callable[..., SignedRequest], other: dict[str, str]
) -> None:
    made = make()
    if "raw_query" in other and made.raw_query:
        other = {"raw_query": f"{made.raw_query}&{other['raw_query']}"}
    assert refused(made._replace(**other)).code == "SignatureDoesNotMatch"


def test_a_changed_signed_header_breaks_the_signature() -> None:
    made = signed(x_amz_meta_a="1", content_type="text/plain")
    assert refused(with_headers(made, x_amz_meta_a="2")).code == "SignatureDoesNotMatch"
    assert refused(with_headers(made, content_type="text/html")).code == "SignatureDoesNotMatch"
    assert refused(with_headers(made, content_type=None)).code == "SignatureDoesNotMatch"
    assert refused(with_headers(made, host="other")).code == "SignatureDoesNotMatch"


def test_blanks_around_and_inside_a_header_do_not_matter() -> None:
    made = signed(x_amz_meta_a="one two")
    check(with_headers(made, x_amz_meta_a="  one \t two "))


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


def test_a_wrong_region_is_told_the_right_one_when_one_is_expected() -> None:
    check(signed(), region="us-east-1")
    error = refused(signed(), region="eu-west-1")
    assert error.code == "AuthorizationHeaderMalformed"
    assert error.message.endswith("the region 'us-east-1' is wrong; expecting 'eu-west-1'")
    assert error.fields == {"Region": "eu-west-1"}
    assert refused(presigned(), region="eu-west-1").code == "AuthorizationQueryParametersError"


def test_an_access_key_may_hold_slashes() -> None:
    odd = CREDENTIALS._replace(access_key="team/key")
    made = request("GET", "/", signer.sign(odd, "GET", "/", {"host": HOST}, NOW, EMPTY))
    assert check(made).access_key == "team/key"


@pytest.mark.parametrize(
    ("authorization", "code", "status"),
    [
        ("", "AccessDenied", 403),
        ("AWS AKIA:c2ln", "InvalidRequest", 400),
        ("AWS HAHAHA", "InvalidArgument", 400),
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


@pytest.mark.parametrize("make", [signed, presigned])
def test_a_session_token_is_refused(make: Callable[..., SignedRequest]) -> None:
    assert refused(make(x_amz_security_token="t")).code == "InvalidToken"


def test_a_session_token_in_the_query_is_refused() -> None:
    assert refused(presigned(target="/b/k?X-Amz-Security-Token=t")).code == "InvalidToken"


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
