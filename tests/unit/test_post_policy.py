"""Policies of forms: what they say, what holds, and whose signature they bear."""

import base64
import hmac
import json
from typing import Any

import pytest

from app.core.auth import canonical, post_policy
from app.core.errors import S3Error

SECRET = "secret"
FUTURE = "2030-01-01T00:00:00Z"
NOW = 1_800_000_000.0


def encoded(conditions: Any, expiration: Any = FUTURE, **more: Any) -> str:
    document = {"expiration": expiration, "conditions": conditions} | more
    return base64.b64encode(json.dumps(document).encode()).decode()


def judged(conditions: Any, fields: dict[str, str], now_s: float = NOW) -> None:
    post_policy.check(post_policy.parse(encoded(conditions)), fields, now_s)


@pytest.mark.parametrize(
    ("conditions", "fields"),
    [
        ([{"bucket": "b"}, {"KEY": "k"}], {"bucket": "b", "key": "k"}),
        ([["eq", "$bucket", "b"], ["StArTs-With", "$Key", "a/"]], {"bucket": "b", "key": "a/b"}),
        ([{"bucket": "b"}, ["starts-with", "$acl", ""]], {"bucket": "b", "acl": "anything"}),
        (
            [{"bucket": "b"}, ["starts-with", "$Content-Type", "image/"]],
            {"bucket": "b", "content-type": "image/a, image/b"},
        ),
        (
            [{"bucket": "b"}],
            {"bucket": "b", "x-ignore-me": "1", "policy": "p", "signature": "s", "awsaccesskeyid": "a"},
        ),
        ([{"bucket": "b"}], {"bucket": "b", "x-amz-signature": "s", "x-amz-checksum-crc32": "c"}),
        ([{"bucket": "b"}, ["content-length-range", 0, 1]], {"bucket": "b"}),
        ([{"bucket": "b"}, ["starts-with", "$x-amz-server-side-encryption", ""]], {"bucket": "b"}),
        ([["starts-with", "$bucket", "b"], ["eq", "$x", "\\$y"]], {"bucket": "b", "x": "\\$y"}),
    ],
)
def test_a_form_within_its_policy_may_be_posted(conditions: Any, fields: dict[str, str]) -> None:
    judged(conditions, fields)


@pytest.mark.parametrize(
    ("conditions", "fields"),
    [
        ([], {"bucket": "b"}),
        ([{"bucket": "b"}], {"bucket": "c"}),
        ([{"bucket": "b"}, {"key": "k"}], {"bucket": "b"}),
        ([{"bucket": "b"}, ["starts-with", "$key", ""]], {"bucket": "b"}),
        ([{"bucket": "b"}, ["starts-with", "$key", "a"]], {"bucket": "b", "key": "ba"}),
        ([{"bucket": "b"}], {"bucket": "b", "acl": "public-read"}),
        ([{"bucket": "b"}], {"bucket": "b", "x-amz-credential": "c"}),
        (
            [{"bucket": "b"}, ["starts-with", "$content-type", "image/"]],
            {"bucket": "b", "content-type": "image/a,text/b"},
        ),
        ([{"bucket": "b"}, {"key": "a"}, {"key": "b"}], {"bucket": "b", "key": "a"}),
    ],
)
def test_a_form_outside_its_policy_is_denied(conditions: Any, fields: dict[str, str]) -> None:
    with pytest.raises(S3Error) as caught:
        judged(conditions, fields)
    assert caught.value.code == "AccessDenied"


def test_a_policy_expires() -> None:
    judged([{"bucket": "b"}], {"bucket": "b"}, 1_893_455_999)
    with pytest.raises(S3Error) as caught:
        judged([{"bucket": "b"}], {"bucket": "b"}, 1_893_456_000)
    assert "expired" in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "!!",
        base64.b64encode(b"[]").decode(),
        base64.b64encode(b"\xff").decode(),
        base64.b64encode(b"[" * 10_000).decode(),
        base64.b64encode(b'{"conditions": []}').decode(),
        base64.b64encode(b'{"EXPIRATION": "2030-01-01T00:00:00Z", "conditions": []}').decode(),
        base64.b64encode(b'{"expiration": "2030-01-01T00:00:00Z"}').decode(),
        encoded({}),
        encoded([{}]),
        encoded([{"a": 1}]),
        encoded([["eq", "key", "v"]]),
        encoded([["near", "$key", "v"]]),
        encoded([["eq", "$key"]]),
        encoded(["eq"]),
        encoded([["content-length-range", 0]]),
        encoded([["content-length-range", -1, 0]]),
        encoded([["content-length-range", 2, 1]]),
        encoded([["content-length-range", True, 1]]),
        encoded([["content-length-range", "a", "b"]]),
        encoded([], "2030-01-01 00:00:00"),
        encoded([], 5),
        encoded([], None),
        encoded([], more="x"),
    ],
)
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(S3Error) as caught:
        post_policy.parse(text)
    assert caught.value.code == "InvalidPolicyDocument"


def test_ranges_of_sizes_hold_together() -> None:
    found = post_policy.parse(encoded([["content-length-range", 1, 10], ["Content-Length-Range", "5", "20"]]))
    assert found.size == (5, 10)
    assert post_policy.parse(encoded([])).size is None


def v2(policy: str) -> dict[str, str]:
    signature = base64.b64encode(hmac.digest(SECRET.encode(), policy.encode(), "sha1")).decode()
    return {"awsaccesskeyid": "AK", "policy": policy, "signature": signature}


def v4(policy: str) -> dict[str, str]:
    key = canonical.signing_key(SECRET, "20270115", "us-east-1", "s3")
    return {
        "policy": policy,
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": "A/K/20270115/us-east-1/s3/aws4_request",
        "x-amz-date": "20270115T080000Z",
        "x-amz-signature": canonical.sign(key, policy),
    }


@pytest.mark.parametrize("sign", [v2, v4])
def test_a_signature_holds_for_its_policy_and_secret_alone(sign: Any) -> None:
    fields = sign(encoded([]))
    claim = post_policy.claim_of(fields)
    assert claim is not None
    assert claim.access_key == ("AK" if sign is v2 else "A/K")
    post_policy.verify(claim, SECRET)
    other = post_policy.claim_of(fields | {"policy": encoded([{"a": "b"}])})
    assert other is not None
    for wrong, secret, code in (
        (claim, None, "InvalidAccessKeyId"),
        (claim, "other", "SignatureDoesNotMatch"),
        (other, SECRET, "SignatureDoesNotMatch"),
    ):
        with pytest.raises(S3Error) as caught:
            post_policy.verify(wrong, secret)
        assert caught.value.code == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"x-amz-algorithm": "AWS4-HMAC-SHA1"}, "InvalidArgument"),
        ({"x-amz-credential": "AK"}, "InvalidArgument"),
        ({"x-amz-credential": "AK/20270115/us-east-1/ec2/aws4_request"}, "InvalidArgument"),
        ({"x-amz-credential": "AK/20270116/us-east-1/s3/aws4_request"}, "InvalidArgument"),
        ({"x-amz-credential": "AK/20270115/" + "r" * 65 + "/s3/aws4_request"}, "InvalidArgument"),
        ({"x-amz-date": ""}, "InvalidArgument"),
        ({"policy": ""}, "InvalidArgument"),
        ({"policy": "\u20ac"}, "InvalidPolicyDocument"),
        ({"x-amz-signature": ""}, "InvalidArgument"),
        ({"x-amz-security-token": ""}, "InvalidToken"),
    ],
)
def test_half_a_claim_is_refused_and_never_nobodys(change: dict[str, str], code: str) -> None:
    with pytest.raises(S3Error) as caught:
        post_policy.claim_of(v4(encoded([])) | change)
    assert caught.value.code == code


def test_a_session_token_is_of_the_claim_and_nothing_without_one() -> None:
    claim = post_policy.claim_of(v4(encoded([])) | {"x-amz-security-token": "t"})
    assert claim is not None
    assert claim.token == "t"
    with pytest.raises(S3Error):
        post_policy.claim_of({"key": "k", "x-amz-security-token": "t"})


def test_a_form_without_any_of_it_is_nobodys() -> None:
    assert post_policy.claim_of({"key": "k", "acl": "private"}) is None
    for fields in ({"policy": "p"}, {"signature": "s"}, {"awsaccesskeyid": "a"}):
        with pytest.raises(S3Error):
            post_policy.claim_of(fields)
