"""Keys are opaque bytes: whatever S3 allows in one comes back the same from put, get, list, copy and delete."""

from typing import Any
from urllib.parse import unquote_to_bytes

import pytest

from tests.integration.server import Server
from tests.wire.signer import escape

KEYS = [
    b"..",
    b".",
    b"../../etc/passwd",
    b"a/../b",
    b"a/./b",
    b"%2e%2e/x",
    b"%2F",
    b"%",
    b"%zz",
    b"a//b",
    b"//",
    b"/leading",
    b"/",
    b"trailing/",
    b"nul\x00inside",
    b"\x01\x1f\x7f",
    b"line\nfeed\rreturn",
    b"plus+plus",
    b"space and  spaces ",
    b" leading space",
    b"tilde~*'()!",
    b"query?and=&hash#;:@$,",
    b"back\\slash",
    b"quote\"<>&amp;'",
    "ünïcödé/日本語/🚀".encode(),
    "e\u0301 is not \u00e9".encode(),
    b"k" * 1024,
    "ü".encode() * 512,
    b"\xf4\x8f\xbf\xbf",
]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: repr(key)[:24])
def test_a_strange_key_comes_back_the_same_from_every_operation(server: Server, bucket: str, key: bytes) -> None:
    raw, target = server.raw(), f"/{bucket}/{escape(key)}"
    assert raw.call("PUT", target, b"body of " + key).status == 200
    got = raw.call("GET", target)
    assert (got.status, got.body) == (200, b"body of " + key)
    assert raw.call("HEAD", target).status == 200
    listing = raw.call("GET", f"/{bucket}?encoding-type=url&list-type=2")
    assert keys_of(listing.body) == [key]
    copied = raw.call("PUT", f"/{bucket}/copy", headers={"x-amz-copy-source": f"/{bucket}/{escape(key)}"})
    assert copied.status == 200, copied.body
    assert raw.call("GET", f"/{bucket}/copy").body == b"body of " + key
    assert raw.call("DELETE", target).status == 204
    assert raw.call("GET", target).code == "NoSuchKey"


def keys_of(listing: bytes) -> list[bytes]:
    """The url-encoded keys of a listing, decoded."""
    return [unquote_to_bytes(piece.split(b"<")[0].replace(b"+", b" ")) for piece in listing.split(b"<Key>")[1:]]


def test_every_strange_key_lives_beside_the_others_in_binary_order(server: Server, bucket: str) -> None:
    raw = server.raw()
    for key in KEYS:
        assert raw.call("PUT", f"/{bucket}/{escape(key)}", key).status == 200
    listing = raw.call("GET", f"/{bucket}?encoding-type=url&list-type=2")
    assert keys_of(listing.body) == sorted(KEYS)
    for key in KEYS:
        assert raw.call("GET", f"/{bucket}/{escape(key)}").body == key


def test_a_dot_segment_in_a_target_is_never_resolved(server: Server, bucket: str) -> None:
    raw = server.raw()
    assert raw.call("PUT", f"/{bucket}/victim", b"mine").status == 200
    assert raw.call("PUT", f"/{bucket}/x/%2e%2e/victim", b"other").status == 200
    assert raw.call("GET", f"/{bucket}/victim").body == b"mine"
    assert raw.call("GET", f"/{bucket}/x/../victim").body == b"other"


def test_escaped_and_plain_spellings_name_the_same_key(server: Server, bucket: str) -> None:
    raw = server.raw()
    assert raw.call("PUT", f"/{bucket}/%61%2Fb%7e", b"1").status == 200
    assert raw.call("GET", f"/{bucket}/a/b~").body == b"1"


def test_boto3_round_trips_unicode_keys_and_prefixes(s3: Any, bucket: str) -> None:
    names = ["ä/1 +", "ä/2%2F", "ö", "a&b<c>", "a\nb"]
    for name in names:
        s3.put_object(Bucket=bucket, Key=name, Body=name.encode())
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == sorted(names)
    assert [one["Key"] for one in s3.list_objects(Bucket=bucket, Prefix="ä/")["Contents"]] == ["ä/1 +", "ä/2%2F"]
    for name in names:
        assert s3.get_object(Bucket=bucket, Key=name)["Body"].read() == name.encode()
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": name} for name in names]})
    assert sorted(one["Key"] for one in done["Deleted"]) == sorted(names)
