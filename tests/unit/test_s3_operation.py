"""Method, raw target, Host and copy header decide the operation; nothing falls through."""

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import S3Error
from app.core.s3 import operations_table as table
from app.core.s3.operation import parse, parse_query

HOST = {"host": "localhost:8082"}
COPY = {**HOST, "x-amz-copy-source": "/b/k"}


def operation(method, target, headers=HOST, domains=()):
    return parse(method, target, headers, domains)


def refusal(method, target, headers=HOST, domains=()):
    with pytest.raises(S3Error) as caught:
        parse(method, target, headers, domains)
    return caught.value.code


@pytest.mark.parametrize(
    ("method", "target", "name", "bucket", "key"),
    [
        ("GET", "/", "ListBuckets", "", b""),
        ("GET", "/?max-buckets=3&prefix=a", "ListBuckets", "", b""),
        ("GET", "/b", "ListObjects", "b", b""),
        ("GET", "/b/", "ListObjects", "b", b""),
        ("GET", "/b?list-type=2&prefix=", "ListObjectsV2", "b", b""),
        ("GET", "/b?versions", "ListObjectVersions", "b", b""),
        ("GET", "/b?versions=&delimiter=%2F", "ListObjectVersions", "b", b""),
        ("GET", "/b?uploads", "ListMultipartUploads", "b", b""),
        ("GET", "/b?location", "GetBucketLocation", "b", b""),
        ("GET", "/b?versioning", "GetBucketVersioning", "b", b""),
        ("GET", "/b?acl", "GetBucketAcl", "b", b""),
        ("PUT", "/b", "CreateBucket", "b", b""),
        ("HEAD", "/b", "HeadBucket", "b", b""),
        ("DELETE", "/b", "DeleteBucket", "b", b""),
        ("POST", "/b?delete", "DeleteObjects", "b", b""),
        ("PUT", "/b/k", "PutObject", "b", b"k"),
        ("PUT", "/b/k?x-id=PutObject", "PutObject", "b", b"k"),
        ("GET", "/b/k", "GetObject", "b", b"k"),
        ("GET", "/b/k?partNumber=2&versionId=null", "GetObject", "b", b"k"),
        ("GET", "/b/k?response-expires=", "GetObject", "b", b"k"),
        ("GET", "/b/k?AWSAccessKeyId=A&Expires=1&Signature=", "GetObject", "b", b"k"),
        ("GET", "/b/k?X-Amz-Signature=00&X-Amz-Security-Token", "GetObject", "b", b"k"),
        ("GET", "/b/k?attributes", "GetObjectAttributes", "b", b"k"),
        ("GET", "/b/k?acl", "GetObjectAcl", "b", b"k"),
        ("HEAD", "/b/k", "HeadObject", "b", b"k"),
        ("DELETE", "/b/k", "DeleteObject", "b", b"k"),
        ("POST", "/b/k?uploads", "CreateMultipartUpload", "b", b"k"),
        ("PUT", "/b/k?partNumber=1&uploadId=u", "UploadPart", "b", b"k"),
        ("GET", "/b/k?uploadId=u", "ListParts", "b", b"k"),
        ("POST", "/b/k?uploadId=u", "CompleteMultipartUpload", "b", b"k"),
        ("DELETE", "/b/k?uploadId=u", "AbortMultipartUpload", "b", b"k"),
        ("GET", "http://other/b/k?acl", "GetObjectAcl", "b", b"k"),
        ("GET", "/b%2Dc/k", "GetObject", "b-c", b"k"),
    ],
)
def test_a_request_names_one_operation(method, target, name, bucket, key):
    found = operation(method, target)
    assert (found.name, found.bucket, found.key) == (name, bucket, key)


def test_the_copy_header_turns_puts_into_copies_and_nothing_else():
    assert operation("PUT", "/b/k", COPY).name == "CopyObject"
    assert operation("PUT", "/b/k?partNumber=1&uploadId=u", COPY).name == "UploadPartCopy"
    assert operation("GET", "/b/k", COPY).name == "GetObject"


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("..", b".."),
        ("%2e%2e/x", b"../x"),
        ("a/../b", b"a/../b"),
        ("/", b"/"),
        ("//", b"//"),
        ("a//b/", b"a//b/"),
        ("%2F", b"/"),
        ("a%2Fb", b"a/b"),
        ("a+b", b"a+b"),
        ("a%2Bb%20c", b"a+b c"),
        ("%00", b"\x00"),
        ("%25zz", b"%zz"),
        ("%3Fversions", b"?versions"),
        ("%C3%BC", "ü".encode()),
        ("\xc3\xbc", "ü".encode()),
        ("k" * 1024, b"k" * 1024),
    ],
)
def test_a_key_is_the_bytes_of_the_path_decoded_once(path, key):
    assert operation("GET", f"/b/{path}").key == key


@given(st.text(min_size=1, max_size=300).map(str.encode).filter(lambda key: len(key) <= 1024))
def test_every_key_survives_escaping_of_every_byte(key):
    escaped = "".join(f"%{byte:02X}" for byte in key)
    assert operation("GET", f"/b/{escaped}").key == key


@pytest.mark.parametrize(
    ("method", "target", "code"),
    [
        ("GET", "/b/%", "InvalidURI"),
        ("GET", "/b/%zz", "InvalidURI"),
        ("GET", "/b/%4", "InvalidURI"),
        ("GET", "/b/%ff", "InvalidURI"),
        ("GET", "/%ff/k", "InvalidURI"),
        ("GET", "//k", "InvalidBucketName"),
        ("GET", "ftp://x/b", "InvalidURI"),
        ("OPTIONS", "*", "MethodNotAllowed"),
        ("PUT", "/b/" + "k" * 1025, "KeyTooLongError"),
        ("PUT", "/b/" + "%C3%BC" * 513, "KeyTooLongError"),
        ("GET", "/b?prefix=%ff", "InvalidArgument"),
        ("GET", "/b?list-type=3", "InvalidArgument"),
        ("PATCH", "/b/k", "MethodNotAllowed"),
        ("POST", "/b/k", "MethodNotAllowed"),
        ("PUT", "/", "MethodNotAllowed"),
        ("PUT", "/b/k?uploads", "MethodNotAllowed"),
        ("PUT", "/b?location", "MethodNotAllowed"),
        ("PUT", "/b/k?partNumber=1", "InvalidArgument"),
        ("POST", "/b/k?uploadId=u&partNumber=1", "InvalidArgument"),
        ("POST", "/b?partNumber=1", "InvalidArgument"),
        ("PUT", "/b/k?uploadId=u", "InvalidArgument"),
        ("PUT", "/b/k?versionId=null", "InvalidArgument"),
        ("GET", "/b?acl&policy", "InvalidArgument"),
        ("GET", "/b?no-such-thing", "NotImplemented"),
        ("GET", "/b/k?no-such-thing=", "NotImplemented"),
        ("PUT", "/b/k?append", "NotImplemented"),
        ("POST", "/", "NotImplemented"),
        ("POST", "/b/k?restore", "NotImplemented"),
        ("POST", "/b/k?select&select-type=2", "NotImplemented"),
        ("GET", "/b/k?torrent", "NotImplemented"),
        ("GET", "/b?session", "NotImplemented"),
    ],
)
def test_what_is_not_there_is_refused_and_never_falls_through(method, target, code):
    assert refusal(method, target) == code


def test_a_bucket_may_be_a_sub_domain_of_a_configured_domain():
    domains = ("s3.test", "other.test")
    named = {"host": "My.Bucket.s3.test:8082"}
    found = operation("GET", "/b/k", named, domains)
    assert (found.name, found.bucket, found.key) == ("GetObject", "my.bucket", b"b/k")
    assert operation("GET", "/", named, domains).name == "ListObjects"
    assert operation("GET", "/b", {"host": "s3.test"}, domains).bucket == "b"
    assert operation("GET", "/b", {"host": "evils3.test"}, domains).bucket == "b"
    assert operation("GET", "/b", {"host": "127.0.0.1:8082"}, domains).bucket == "b"


def test_query_parameters_are_decoded_and_the_first_of_a_name_counts():
    assert parse_query("a=1&b&a=2&c=x%26y+z&&=v") == {"a": "1", "b": "", "c": "x&y z", "": "v"}


MODEL = botocore.session.get_session().get_service_model("s3")
ELSEWHERE = {
    "ListDirectoryBuckets",  # directory buckets: the same request as ListBuckets
    "WriteGetObjectResponse",  # object lambdas: lives on another host
    "GetBucketLifecycle",  # older names of the same requests
    "PutBucketLifecycle",
    "GetBucketNotification",
    "PutBucketNotification",
    "ListObjectAnnotations",
}


@pytest.mark.parametrize("name", sorted(set(MODEL.operation_names) - ELSEWHERE))
def test_every_operation_of_the_service_model_works_or_is_refused_by_name(name):
    model = MODEL.operation_model(name)
    target = model.http["requestUri"].replace("{Bucket}", "b").replace("{Key+}", "k")
    if name in ("ListParts", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload", "AbortMultipartUpload"):
        target += "?uploadId=u&partNumber=1" if name in table.TAKES_PART else "?uploadId=u"
    if name in table.LISTED_WITHOUT_ID:
        target += "&id=i"
    headers = COPY if name in ("CopyObject", "UploadPartCopy") else HOST
    if name in table.WORKS:
        assert operation(model.http["method"], target, headers).name == name
    else:
        with pytest.raises(S3Error) as caught:
            operation(model.http["method"], target, headers)
        assert caught.value.code == "NotImplemented"
        assert name in caught.value.message


@given(st.sampled_from(["GET", "PUT", "POST", "HEAD", "DELETE", "X"]), st.text(alphabet="/%?&=+ab2F0\xff", max_size=40))
def test_any_target_gives_an_operation_or_an_error_of_s3(method, tail):
    try:
        found = operation(method, "/" + tail)
    except S3Error:
        return
    assert found.name in table.WORKS


@pytest.mark.parametrize("target", ["/b", "/b/k", "/b/k?versionId=null", "/b/k?tagging", "/b?cors", "/b/k?uploadId=u"])
def test_a_preflight_is_one_whatever_the_query_says(target):
    assert operation("OPTIONS", target).name == ("OptionsObject" if "/k" in target else "OptionsBucket")
