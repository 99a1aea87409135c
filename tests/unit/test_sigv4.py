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

from app.core.auth import canonical
from app.core.auth.sigv4 import SignedRequest, seed
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
        check(sign("PUT", target, {"x-amz-meta-a": "b", "content-type": "text/plain"}))


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


@pytest.mark.parametrize("target", ["/b/a%2Fb", "/b/a+b", "/b/%41", "/b/a:b@c", "/b?prefix=a+b", "/b?b&a=1"])
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
