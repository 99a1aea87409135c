"""The rules about who may do what, and about documents that decide it; each test bears its rule as docstring.

On one server: the bucket's owner, a stranger with an account, and nobody.
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.integration.server import Server
from tests.integration.test_objects import code_of
from tests.wire.connection import Closed
from tests.wire.signer import Credentials

OPEN = {"BlockPublicAcls": False, "IgnorePublicAcls": False, "BlockPublicPolicy": False, "RestrictPublicBuckets": False}


@pytest.fixture(scope="module")
def stranger(server: Server) -> Credentials:
    """An account that owns nothing."""
    return server.create_account("passerby")


@pytest.fixture
def nobody(server: Server) -> Any:
    """A client that signs nothing."""
    return server.client(config=Config(signature_version=UNSIGNED, retries={"max_attempts": 0}))


@pytest.fixture
def lists(s3: Any, bucket: str) -> str:
    """A bucket where access control lists and public policies count, with one object."""
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=OPEN)
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    return bucket


def refusal(call: Callable[[], Any]) -> str:
    """The error code of a call that must fail."""
    with pytest.raises(ClientError) as error:
        call()
    return code_of(error)[0]


def policy(bucket: str, effect: str, action: str, **more: Any) -> str:
    """A bucket policy of one statement for everybody."""
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    one = {"Effect": effect, "Principal": "*", "Action": action, "Resource": resources} | more
    return json.dumps({"Version": "2012-10-17", "Statement": [one]})


def test_a_body_that_ends_early_ends_the_request(server: Server, bucket: str) -> None:
    """a truncated or malformed body ends the parser at EOF with an error; no loop without progress"""
    raw = server.raw()
    for body in (b"<Delete><Object><Key>k</Key>", b"", b"<"):
        answer = raw.call("PUT", f"/{bucket}?versioning", body)
        assert (answer.status, answer.code) == (400, "MalformedXML")
    with raw.connect() as connection:
        connection.send_head("PUT", f"/{bucket}/k", raw.head("PUT", f"/{bucket}/k", {"content-length": "100"}))
        connection.send(b"short")
    assert raw.call("GET", f"/{bucket}/k").status == 404


def test_of_racing_writers_one_wins(server: Server, bucket: str) -> None:
    """conditional PUT/Complete is decided inside the metadata transaction"""
    barrier, statuses = threading.Barrier(8), []

    def put() -> None:
        barrier.wait()
        statuses.append(server.raw().call("PUT", f"/{bucket}/k", b"x", {"if-none-match": "*"}).status)

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [412] * 7


def test_an_address_in_a_policy_is_the_sockets(server: Server, s3: Any, lists: str) -> None:
    """client address for conditions comes from the socket, or from a configured trusted proxy; nothing from
    X-Forwarded-For otherwise"""
    condition = {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}
    s3.put_bucket_policy(Bucket=lists, Policy=policy(lists, "Allow", "s3:GetObject", Condition=condition))
    for name in ("x-forwarded-for", "x-real-ip", "forwarded"):
        with server.raw().connect() as connection:
            connection.send_head("GET", f"/{lists}/k", {"host": connection.authority, name: "203.0.113.9"})
            assert connection.answer().status == 403


def test_a_trusted_proxy_is_believed(own_server: Callable[..., Server]) -> None:
    """client address for conditions comes from the socket, or from a configured trusted proxy"""
    server = own_server(workers=1, arguments=["--trusted-proxies", "127.0.0.0/8", "--block-public-access", "false"])
    s3 = server.client()
    s3.create_bucket(Bucket="proxied")
    s3.put_object(Bucket="proxied", Key="k", Body=b"x")
    condition = {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}, "Bool": {"aws:SecureTransport": "true"}}
    s3.put_bucket_policy(Bucket="proxied", Policy=policy("proxied", "Allow", "s3:GetObject", Condition=condition))
    told = {"x-forwarded-for": "198.51.100.1, 203.0.113.9", "x-forwarded-proto": "https"}
    for headers, status in ((told, 200), ({"x-forwarded-for": "203.0.113.9, 198.51.100.1"}, 403), ({}, 403)):
        with server.raw().connect() as connection:
            connection.send_head("GET", "/proxied/k", {"host": connection.authority} | headers)
            assert connection.answer().status == status


UNKNOWN = {
    "policy": b'{"Version": "2012-10-17", "Statement": [], "Other": 1}',
    "acl": b"<AccessControlPolicy><Owner><ID>x</ID></Owner><Other/></AccessControlPolicy>",
    "ownershipControls": b"<OwnershipControls><Rule><ObjectOwnership>Mine</ObjectOwnership></Rule></OwnershipControls>",
    "publicAccessBlock": b"<PublicAccessBlockConfiguration><Other>1</Other></PublicAccessBlockConfiguration>",
    "lifecycle": b"<LifecycleConfiguration><Rule><Other/></Rule></LifecycleConfiguration>",
    "object-lock": b"<ObjectLockConfiguration><Other/></ObjectLockConfiguration>",
    "cors": b"<CORSConfiguration><CORSRule><Other/></CORSRule></CORSConfiguration>",
    "versioning": b"<VersioningConfiguration><Status>Perhaps</Status></VersioningConfiguration>",
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_what_is_not_understood_is_not_taken(server: Server, lists: str, kind: str) -> None:
    """unparsable policy, lock or lifecycle = deny / keep; unknown elements are refused when the configuration is put"""
    for document in (UNKNOWN[kind], b"junk", b"\xff\xfe", b"{" * 1000, b"<a>" * 1000):
        answer = server.raw().call("PUT", f"/{lists}?{kind}", document)
        assert 400 <= answer.status < 500, (document[:40], answer)


@pytest.mark.parametrize("kind", ["acl", "ownershipControls", "publicAccessBlock", "versioning", "tagging"])
def test_no_document_brings_entities(server: Server, lists: str, kind: str) -> None:
    """XML: no DTD, no entities, bounded size and depth"""
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><AccessControlPolicy>&b;</AccessControlPolicy>'
    for document in (bomb, b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><a/>', b"<a>" * 100_000):
        answer = server.raw().call("PUT", f"/{lists}?{kind}", document)
        assert answer.status == 400
        assert b"root:" not in answer.body


def form(fields: dict[str, str], data: bytes = b"body") -> bytes:
    """A browser's form."""
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    ]
    head = '--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    return ("".join(parts) + head).encode() + data + b"\r\n--x--\r\n"


def test_every_condition_of_a_form_is_enforced_and_every_field_covered(server: Server, s3: Any, bucket: str) -> None:
    """POST policy conditions all enforced, and every form field covered by one"""
    conditions = [["content-length-range", 1, 4], ["starts-with", "$x-amz-meta-a", "b"]]
    made = s3.generate_presigned_post(bucket, "k", {"x-amz-meta-a": "bc"}, conditions, 600)["fields"]

    def post(body: bytes) -> int:
        headers = {"content-type": "multipart/form-data; boundary=x", "content-length": str(len(body))}
        with server.raw().connect() as connection:
            connection.send_head("POST", f"/{bucket}", {"host": connection.authority} | headers)
            connection.send_tolerant(body)
            return connection.answer("POST").status

    assert post(form(made)) == 204
    assert post(form(made, b"")) == 400
    assert post(form(made, b"toolong")) == 400
    assert post(form(made | {"x-amz-meta-a": "other"})) == 403
    assert post(form(made | {"key": "another"})) == 403
    assert post(form(made | {"x-amz-meta-extra": "1"})) == 403
    assert post(form(made | {"signature": "AAAA"})) == 403
    assert post(form({"key": "k"})) == 403


def test_an_upload_ends_once(s3: Any, bucket: str) -> None:
    """Abort refuses a completed upload; Complete removes the upload row in its own transaction; a retried Complete with
    the same parts answers the same 200"""
    whole = {"Bucket": bucket, "Key": "m"} | {
        "UploadId": s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    }
    etag = s3.upload_part(**whole, PartNumber=1, Body=b"x")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    done = s3.complete_multipart_upload(**whole, MultipartUpload=parts)
    assert s3.complete_multipart_upload(**whole, MultipartUpload=parts)["ETag"] == done["ETag"]
    assert refusal(lambda: s3.abort_multipart_upload(**whole)) == "NoSuchUpload"
    assert s3.get_object(Bucket=bucket, Key="m")["Body"].read() == b"x"


def test_a_thousand_keys_are_deleted_in_little_time(s3: Any, bucket: str) -> None:
    """1,000-key multi-deletes, 10,000-part completes and deep version stacks do bounded work per step"""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    wanted = {"Objects": [{"Key": "one"}] * 500 + [{"Key": f"k{number}"} for number in range(500)], "Quiet": True}
    begun = time.monotonic()
    assert "Errors" not in s3.delete_objects(Bucket=bucket, Delete=wanted)
    assert time.monotonic() - begun < 10


EXPECTING = [
    *[("PUT", "/{bucket}?" + kind) for kind in UNKNOWN],
    *[("PUT", "/{bucket}?" + kind) for kind in ("tagging", "website", "encryption", "notification", "logging")],
    ("PUT", "/{bucket}?requestPayment"),
    ("PUT", "/{bucket}/k"),
    ("PUT", "/{bucket}/k?acl"),
    ("PUT", "/{bucket}/k?partNumber=1&uploadId=00"),
    ("POST", "/{bucket}/k?uploadId=00"),
    ("POST", "/{bucket}?delete"),
]


@pytest.mark.parametrize(("method", "path"), EXPECTING)
def test_no_body_is_asked_of_who_may_not_send_it(
    server: Server, bucket: str, stranger: Credentials, method: str, path: str
) -> None:
    """`Expect: 100-continue` is answered only after authentication and authorisation"""
    target, raw = path.format(bucket=bucket), server.raw(stranger)
    expect = {"expect": "100-continue", "content-length": "50", "content-md5": "AAAAAAAAAAAAAAAAAAAAAA=="}
    for headers in (raw.head(method, target, expect), {"host": f"{raw.host}:{raw.port}"} | expect):
        with raw.connect() as connection:
            connection.send_head(method, target, headers)
            assert connection.interim() in (403, 404, 501), headers


TAGS = b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"
HOLD = b"<LegalHold><Status>ON</Status></LegalHold>"
KEPT = b"<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2099-01-01T00:00:00Z</RetainUntilDate></Retention>"
MEDDLING = [
    ("GET", "", b"", {}),
    ("HEAD", "", b"", {}),
    ("DELETE", "", b"", {}),
    ("PUT", "", b"x", {}),
    ("PUT", "", b"x", {"x-amz-write-offset-bytes": "1"}),
    ("PUT", "", b"", {"x-amz-copy-source": "/{bucket}/k"}),
    ("PUT", "?renameObject", b"", {"x-amz-rename-source": "/{bucket}/k"}),
    ("GET", "?attributes", b"", {"x-amz-object-attributes": "ETag"}),
    ("GET", "?acl", b"", {}),
    ("PUT", "?acl", b"", {"x-amz-acl": "public-read"}),
    ("GET", "?tagging", b"", {}),
    ("PUT", "?tagging", TAGS, {}),
    ("DELETE", "?tagging", b"", {}),
    ("GET", "?legal-hold", b"", {}),
    ("PUT", "?legal-hold", HOLD, {}),
    ("GET", "?retention", b"", {}),
    ("PUT", "?retention", KEPT, {}),
    ("POST", "?uploads", b"", {}),
]


@pytest.mark.parametrize("meddling", MEDDLING)
def test_neither_an_object_nor_its_absence_is_a_strangers_business(
    server: Server, lists: str, stranger: Credentials, meddling: tuple[str, str, bytes, dict[str, str]]
) -> None:
    """authorise the real action on the real resource"""
    method, query, body, headers = meddling
    headers = {name: value.format(bucket=lists) for name, value in headers.items()}
    versions = ("", "versionId=null") if query != "?uploads" and method != "PUT" else ("",)
    for key in ("k", "no"):
        for version in versions:
            target = f"/{lists}/{key}{query}" + (("&" if query else "?") + version if version else "")
            assert server.raw(stranger).call(method, target, body, headers).status == 403, target
            with server.raw().connect() as connection:
                length = {"content-length": str(len(body))}
                connection.send_head(method, target, {"host": connection.authority} | headers | length)
                connection.send_tolerant(body)
                assert connection.answer(method).status == 403, target
    assert server.raw().call("GET", f"/{lists}/k").body == b"x"


def test_nobody_creates_a_bucket_and_has_none(server: Server, nobody: Any) -> None:
    """`Expect: 100-continue` is answered only after authentication and authorisation"""
    assert refusal(nobody.list_buckets) == "AccessDenied"
    with server.raw().connect() as connection, contextlib.suppress(Closed):
        head = {"host": connection.authority, "expect": "100-continue", "content-length": "50"}
        connection.send_head("PUT", "/a-bucket-of-nobody", head)
        assert connection.interim() == 403


def test_nobody_is_let_in_by_lists_and_by_policies_alone(s3: Any, nobody: Any, lists: str) -> None:
    """authentication comes before any answer that reveals whether a bucket exists"""
    assert refusal(lambda: nobody.get_object(Bucket=lists, Key="k")) == "AccessDenied"
    assert refusal(lambda: nobody.get_object(Bucket=lists, Key="no")) == "AccessDenied"
    s3.put_object_acl(Bucket=lists, Key="k", ACL="public-read")
    assert nobody.get_object(Bucket=lists, Key="k")["Body"].read() == b"x"
    s3.put_bucket_acl(Bucket=lists, ACL="public-read")
    assert refusal(lambda: nobody.get_object(Bucket=lists, Key="no")) == "NoSuchKey"
    blocked = OPEN | {"IgnorePublicAcls": True}
    s3.put_public_access_block(Bucket=lists, PublicAccessBlockConfiguration=blocked)
    assert refusal(lambda: nobody.get_object(Bucket=lists, Key="k")) == "AccessDenied"
    s3.put_bucket_policy(Bucket=lists, Policy=policy(lists, "Allow", "s3:GetObject"))
    assert nobody.get_object(Bucket=lists, Key="k")["Body"].read() == b"x"
    s3.put_public_access_block(Bucket=lists, PublicAccessBlockConfiguration=OPEN | {"RestrictPublicBuckets": True})
    s3.put_object_acl(Bucket=lists, Key="k", ACL="private")
    assert refusal(lambda: nobody.get_object(Bucket=lists, Key="k")) == "AccessDenied"


def test_a_new_bucket_takes_neither_lists_nor_public_policies(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html"""
    assert refusal(lambda: s3.put_bucket_acl(Bucket=bucket, ACL="public-read")) == "AccessControlListNotSupported"
    text = policy(bucket, "Allow", "s3:GetObject")
    with pytest.raises(ClientError, match=r"AccessDenied.*BlockPublicPolicy"):  # the switch to be turned is named
        s3.put_bucket_policy(Bucket=bucket, Policy=text)
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is False
    assert refusal(lambda: s3.get_bucket_policy(Bucket=bucket)) == "NoSuchBucketPolicy"
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=text)
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == text
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is True


def test_no_condition_on_tags_is_met_by_tags_the_copy_does_not_get(s3: Any, bucket: str) -> None:
    """a condition on the tags asked for is met by those the object gets: a copy that keeps the source's asks for none,
    whatever its header says"""
    s3.put_object(Bucket=bucket, Key="secret", Body=b"x", Tagging="class=secret")
    condition = {"StringNotEquals": {"s3:RequestObjectTag/class": "public"}}
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(bucket, "Deny", "s3:PutObject", Condition=condition))

    def copy(directive: str) -> Any:
        asked = {"Tagging": "class=public", "TaggingDirective": directive}
        return s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/secret", **asked)

    assert refusal(lambda: copy("COPY")) == "AccessDenied"
    copy("REPLACE")
    s3.delete_bucket_policy(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="plain", Body=b"x")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/plain", Tagging="class=public")
    assert s3.get_object_tagging(Bucket=bucket, Key="copy")["TagSet"] == []


def test_nobody_adds_bytes_to_an_object_of_another_account(
    server: Server, s3: Any, lists: str, stranger: Credentials
) -> None:
    """what is in an object was written by its owner: who may only write beside it replaces it under their own name"""
    theirs = server.client(stranger)
    grantee = theirs.list_buckets()["Owner"]["ID"]
    s3.put_bucket_acl(Bucket=lists, GrantWrite=f"id={grantee}")
    assert refusal(lambda: theirs.put_object(Bucket=lists, Key="k", Body=b"!", WriteOffsetBytes=1)) == "AccessDenied"
    assert refusal(lambda: theirs.put_object(Bucket=lists, Key="k", Body=b"!", WriteOffsetBytes=9)) == "AccessDenied"
    assert s3.get_object(Bucket=lists, Key="k")["Body"].read() == b"x"
    theirs.put_object(Bucket=lists, Key="own", Body=b"a")
    theirs.put_object(Bucket=lists, Key="own", Body=b"b", WriteOffsetBytes=1)
    assert theirs.get_object(Bucket=lists, Key="own")["Body"].read() == b"ab"


def test_a_policy_for_whoever_signs_nothing_is_public(s3: Any, bucket: str, nobody: Any) -> None:
    """a public access block keeps everybody out, by whatever name a policy calls them"""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    condition = {"StringEquals": {"aws:userid": "anonymous"}}
    document = policy(bucket, "Allow", "s3:GetObject", Condition=condition)
    assert refusal(lambda: s3.put_bucket_policy(Bucket=bucket, Policy=document)) == "AccessDenied"
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=OPEN | {"RestrictPublicBuckets": True})
    s3.put_bucket_policy(Bucket=bucket, Policy=document)
    assert refusal(lambda: nobody.get_object(Bucket=bucket, Key="k")) == "AccessDenied"


def test_a_bucket_may_want_a_precondition_of_whatever_makes_an_object(server: Server, s3: Any, bucket: str) -> None:
    """a condition that is taken is asked: without it no object comes to be, in one request or by an upload"""
    condition = {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(bucket, "Deny", "s3:PutObject", Condition=condition))
    assert refusal(lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"x")) == "AccessDenied"
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", IfNoneMatch="*")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=1, Body=b"x")
    chosen = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}

    def complete(**more: str) -> Any:
        return s3.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=upload, MultipartUpload=chosen, **more)

    assert refusal(complete) == "AccessDenied"
    for target in (f"/{bucket}/m?uploadId={upload}&partNumber=1", f"/{bucket}?partNumber=1"):
        assert server.raw().call("POST", target, b"<CompleteMultipartUpload/>").status == 400
    complete(IfNoneMatch="*")
