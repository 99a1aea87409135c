"""What writes keep of their headers, refuse, and reads show."""

import pytest

from app.core.errors import S3Error
from app.core.s3 import headers as rules
from app.core.s3.bucket_rules import check_bucket_name, check_location
from app.core.types import Attributes, Checksum, Version


def refusal(call):
    with pytest.raises(S3Error) as caught:
        call()
    return caught.value.code


def version(attributes, checksum=None):
    return Version(
        b"b" * 16, b"k", bytes(16), 1, b"r" * 16, 5, "e" * 32, 784_111_777_000, "o", attributes, checksum=checksum
    )


def test_a_write_keeps_system_headers_and_metadata_and_nothing_else():
    kept = rules.attributes(
        {
            "content-type": "a/b",
            "cache-control": "max-age=1",
            "content-encoding": "aws-chunked, gzip",
            "expires": "whenever",
            "x-amz-meta-colour": "blue",
            "x-amz-website-redirect-location": "/there",
            "authorization": "secret",
            "x-amz-date": "now",
        }
    )
    assert kept.headers == {
        "content-type": "a/b",
        "cache-control": "max-age=1",
        "content-encoding": "gzip",
        "expires": "whenever",
        "x-amz-website-redirect-location": "/there",
    }
    assert kept.metadata == {"colour": "blue"}


def test_a_write_without_a_type_is_a_stream_of_bytes_and_aws_chunked_is_no_encoding():
    kept = rules.attributes({"content-type": "", "content-encoding": "aws-chunked"})
    assert kept == Attributes({"content-type": "binary/octet-stream"})


def test_metadata_has_two_kibibytes_for_names_and_values():
    rules.attributes({"x-amz-meta-ab": "v" * 2046})
    assert refusal(lambda: rules.attributes({"x-amz-meta-ab": "v" * 2047})) == "MetadataTooLarge"


def test_a_write_keeps_the_class_and_the_tags_it_names():
    kept = rules.attributes({"x-amz-storage-class": "STANDARD_IA", "x-amz-tagging": "a=b&c=d%20e"})
    assert (kept.storage_class, kept.tags) == ("STANDARD_IA", {"a": "b", "c": "d e"})


@pytest.mark.parametrize("name", ["x-amz-object-annotation", "x-amz-bucket-namespace"])
def test_a_header_that_would_not_be_obeyed_is_refused(name):
    assert refusal(lambda: rules.refuse_unimplemented({name: "x"})) == "NotImplemented"


def test_headers_that_are_obeyed_or_harmless_pass():
    rules.refuse_unimplemented(
        {"x-amz-acl": "private", "x-amz-request-payer": "requester", "x-amz-meta-x-amz-bucket-namespace": "a"}
    )


def test_a_read_shows_what_was_kept_and_overrides_win():
    kept = Attributes({"content-type": "a/b", "cache-control": "no"}, {"colour": "blue"})
    shown = dict(rules.object_headers(version(kept), {"response-cache-control": "yes", "response-other": "x"}))
    assert shown == {
        "ETag": f'"{"e" * 32}"',
        "Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT",
        "Accept-Ranges": "bytes",
        "Content-Type": "a/b",
        "Cache-Control": "yes",
        "x-amz-meta-colour": "blue",
    }


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b", "a\nb", "a\x00b"])
def test_an_override_cannot_split_the_head(value):
    call = lambda: rules.object_headers(version(Attributes()), {"response-content-type": value})  # noqa: E731
    assert refusal(call) == "InvalidArgument"


def test_metadata_in_utf8_comes_back_mail_safe_and_other_bytes_as_they_were():
    def shown(value):
        return dict(rules.object_headers(version(Attributes({}, {"m": value})), {}))["x-amz-meta-m"]

    assert shown("plain") == "plain"
    assert shown("=?UTF-8?Q?=C3=BC?=") == "=?UTF-8?Q?=C3=BC?="
    assert shown("ü".encode().decode("latin-1")) == "=?UTF-8?B?w7w=?="
    assert shown("\xe9") == "\xe9"


@pytest.mark.parametrize("name", ["abc", "a.b-c", "0ab", "a" * 63, "1.2.3", "a--b", "192.168.5.999.1"])
def test_a_bucket_may_be_called_what_s3_allows(name):
    check_bucket_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "ab",
        "a" * 64,
        "Abc",
        "a_b",
        "-ab",
        "ab-",
        ".ab",
        "ab.",
        "a..b",
        "a.-b",
        "a-.b",
        "192.168.5.4",
        "xn--ab",
        "abc-s3alias",
        "abc--ol-s3",
        "sthree-a",
        "a b",
        "äbc",
        "a/b",
        "",
    ],
)
def test_a_bucket_may_not_be_called_anything_else(name):
    assert refusal(lambda: check_bucket_name(name)) == "InvalidBucketName"


def test_a_location_is_a_configured_region():
    regions = {"us-east-1", "eu-1"}
    assert check_location("", regions) == check_location("us-east-1", regions) == ""
    assert check_location("eu-1", regions) == "eu-1"
    assert refusal(lambda: check_location("mars-1", regions)) == "InvalidLocationConstraint"


def test_a_checksum_value_is_kept_as_it_is():
    assert version(Attributes(), Checksum("CRC32", "AAAAAA==")).checksum.kind == "FULL_OBJECT"
