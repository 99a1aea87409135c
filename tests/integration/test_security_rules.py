"""The rules of docs/design (S3 surface): each is a mistake some other store shipped; each has its test here or in
test_security_rules_of_access, with the rule as its docstring.
"""

import contextlib
import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.server import Server
from tests.integration.test_bad_input import put
from tests.integration.test_objects import MIB, code_of, noise
from tests.wire import framing
from tests.wire.connection import Answer
from tests.wire.signer import UNSIGNED, Credentials, Signer, escape

FORGED = Signer(Credentials("AKIAIOSFODNN7EXAMPLE", "not-the-secret"))


@pytest.fixture(scope="module")
def stranger(server: Server) -> Credentials:
    """An account that owns nothing."""
    return server.create_account("stranger")


def test_an_unsigned_trailer_payload_still_needs_a_good_signature(server: Server, bucket: str) -> None:
    """`STREAMING-UNSIGNED-PAYLOAD-TRAILER` requests still verify the header or query signature"""
    raw, body = server.raw(), framing.unsigned_frames([b"data"], {"x-amz-checksum-crc32": "rfL0Yw=="})
    headers = {
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": "4",
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    for signer, access_key in ((FORGED, None), (raw.signer, "AKIAIOSFODNN7EXAMPLE"), (FORGED, "")):
        with raw.connect() as connection:
            head = signer.sign(
                "PUT", f"/{bucket}/k", {"host": connection.authority} | headers, framing.UNSIGNED_TRAILER
            )
            if access_key is not None:
                head["authorization"] = "AWS4-HMAC-SHA256 Credential=" + access_key
            connection.send_head("PUT", f"/{bucket}/k", head | {"content-length": str(len(body))})
            connection.send_tolerant(body)
            assert connection.answer("PUT").status in (400, 403)
    with raw.connect() as connection:
        host = {"host": connection.authority}
        target = FORGED.presign("PUT", f"/{bucket}/k", host)
        extra = headers | {"x-amz-content-sha256": framing.UNSIGNED_TRAILER, "content-length": str(len(body))}
        connection.send_head("PUT", target, host | extra)
        connection.send_tolerant(body)
        assert connection.answer("PUT").status == 403
    assert raw.call("GET", f"/{bucket}/k").status == 404


MEANINGFUL = {
    "x-amz-acl": "public-read",
    "x-amz-copy-source": "/other/secret",
    "x-amz-meta-owner": "me",
    "x-amz-storage-class": "STANDARD",
    "x-amz-tagging": "a=b",
    "x-amz-website-redirect-location": "http://evil.test/",
    "x-amz-server-side-encryption": "AES256",
    "x-amz-expected-bucket-owner": "1" * 12,
    "x-amz-bypass-governance-retention": "true",
}


@pytest.mark.parametrize("name", MEANINGFUL)
def test_a_header_that_changes_meaning_must_be_signed(server: Server, bucket: str, name: str) -> None:
    """every `x-amz-*` header that changes meaning must be signed, on presigned URLs too; else 403"""
    raw = server.raw()
    with raw.connect() as connection:
        put(raw, connection, f"/{bucket}/k", change={name: MEANINGFUL[name]})
        assert connection.answer("PUT").status == 403
    with raw.connect() as connection:
        host = {"host": connection.authority}
        target = raw.signer.presign("PUT", f"/{bucket}/k", host)
        connection.send_head("PUT", target, host | {name: MEANINGFUL[name], "content-length": "1"})
        connection.send_tolerant(b"x")
        assert connection.answer("PUT").status == 403
    assert raw.call("GET", f"/{bucket}/k").status == 404


BORNE_BY_A_QUERY = {
    "x-amz-acl=public-read": "AccessControlListNotSupported",
    "x-amz-server-side-encryption=aes:kms": "InvalidArgument",
    "X-Amz-Expected-Bucket-Owner=999999999999": "AccessDenied",
    "x-amz-checksum-crc32=AAAAAA%3D%3D": "BadDigest",
    "X-Amz-Content-Sha256=" + "0" * 64: "XAmzContentSHA256Mismatch",
    "x-amz-copy-source=no-such-bucket%2Fk": "NoSuchBucket",
    "x-amz-meta-a=1%0D%0Ax%3A2": "InvalidArgument",
    "x-amz-meta-a=1": "",
}


@pytest.mark.parametrize("query", BORNE_BY_A_QUERY)
def test_a_header_borne_by_a_presigned_query_means_what_the_header_would(
    server: Server, bucket: str, query: str
) -> None:
    raw, code = server.raw(), BORNE_BY_A_QUERY[query]
    with raw.connect() as connection:
        host = {"host": connection.authority}
        payload = "0" * 64 if query.startswith("X-Amz-Content") else UNSIGNED
        target = raw.signer.presign("PUT", f"/{bucket}/k?{query}", host, payload=payload)
        connection.send_head("PUT", target, host | {"content-length": "1"})
        connection.send_tolerant(b"x")
        assert connection.answer("PUT").code == code
    head = raw.call("HEAD", f"/{bucket}/k")
    assert (head.status, head.headers.get("x-amz-meta-a")) == ((404, None) if code else (200, "1"))


def test_headers_of_other_stores_insides_are_refused_or_mean_nothing(server: Server, bucket: str) -> None:
    """internal, replication and admin headers from clients are refused or ignored; internal routes listen on their own
    port and verify a credential bound to method, path and time"""
    raw = server.raw()
    inner = {
        "x-minio-source-mtime": "2001-01-01T00:00:00Z",
        "x-minio-source-etag": "0" * 32,
        "x-zapfs-internal": "1",
        "x-amz-replication-status": "REPLICA",
        "x-forwarded-user": "root",
    }
    for name, value in inner.items():
        answer = raw.call("PUT", f"/{bucket}/k", b"x", {name: value})
        assert answer.status in (200, 400, 403, 501), (name, answer)
        if answer.status == 200:
            head = raw.call("HEAD", f"/{bucket}/k")
            assert head.headers["etag"] == '"9dd4e461268c8034f5c8564e155c67a6"'
            assert name not in head.headers
            assert "2001" not in head.headers["last-modified"]


def test_no_inner_route_is_reachable_by_the_s3_port(server: Server) -> None:
    for path in (
        "/metrics",
        "/health",
        "/ready",
        "/admin/accounts",
        "/_internal/blobs",
        "/minio/admin/v3/info",
        "/debug",
    ):
        with server.raw().connect() as connection:
            connection.send_head("GET", path, {"host": connection.authority})
            assert connection.answer().code == "NoSuchBucket", path


def test_admin_routes_want_credentials_and_health_does_not(server: Server) -> None:
    assert server.admin_get("/health")[0] == 200
    assert server.admin_get("/ready")[0] == 200
    for path in ("/accounts", "/admin/accounts", "/gc", "/v1/accounts", "/gc/status"):
        status, text = server.admin_get(path)
        assert status in (401, 403, 404), path
        assert "AKIA" not in text


def test_no_file_is_named_after_a_key(server: Server, bucket: str) -> None:
    """keys are opaque bytes (UTF-8, 1..1024): no path is ever built from a key; `..`, `%2e`, NUL and double slashes
    round-trip"""
    raw = server.raw()
    for number, key in enumerate(("../up", "a/../b", "a//b", "/lead", "nul\0", "%2e%2e/x", ".", "é" * 512)):
        assert raw.call("PUT", f"/{bucket}/{escape(key)}", b"%d" % number).status == 200, key
        assert raw.call("GET", f"/{bucket}/{escape(key)}").body == b"%d" % number, key
    for key in ("../../../escape-marker", "escape-marker", "/tmp/escape-marker"):
        assert raw.call("PUT", f"/{bucket}/{escape(key)}", noise(100_000)).status == 200
    assert not list(server.data_dir.parent.rglob("*escape-marker*"))


def refused(call: Callable[[], Any]) -> None:
    """The call ends in AccessDenied."""
    with pytest.raises(ClientError) as error:
        call()
    assert code_of(error)[1] == 403


def test_every_source_and_every_key_is_authorised_for_itself(
    server: Server, s3: Any, bucket: str, stranger: Credentials
) -> None:
    """authorise the real action on the real resource: copy source (and its version), UploadPartCopy source, versionId,
    each key of DeleteObjects"""
    s3.put_object(Bucket=bucket, Key="secret", Body=noise(6 * MIB))
    other = server.client(stranger)
    own = f"{bucket}-of-the-stranger"
    other.create_bucket(Bucket=own)
    source = {"Bucket": bucket, "Key": "secret"}
    upload = other.create_multipart_upload(Bucket=own, Key="m")["UploadId"]
    refused(lambda: other.copy_object(Bucket=own, Key="k", CopySource=source))
    refused(lambda: other.upload_part_copy(Bucket=own, Key="m", UploadId=upload, PartNumber=1, CopySource=source))
    refused(lambda: other.copy_object(Bucket=own, Key="k", CopySource=source | {"VersionId": "null"}))
    refused(lambda: other.get_object(**source))
    refused(lambda: other.get_object(**source, VersionId="null"))
    refused(lambda: other.head_object(**source))
    refused(lambda: other.get_object_attributes(**source, ObjectAttributes=["ETag"]))
    refused(lambda: other.delete_object(**source))
    refused(lambda: other.put_object(**source, Body=b"mine now"))
    refused(lambda: other.create_multipart_upload(**source))
    refused(lambda: other.list_multipart_uploads(Bucket=bucket))
    refused(lambda: other.delete_bucket(Bucket=bucket))
    with contextlib.suppress(ClientError):  # refusing the whole request is right as well
        done = other.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "secret"}]})
        assert [one["Code"] for one in done["Errors"]] == ["AccessDenied"]
    assert s3.head_object(**source)["ContentLength"] == 6 * MIB


def test_an_upload_belongs_to_its_bucket_and_key(s3: Any, bucket: str, server: Server, stranger: Credentials) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="mine")["UploadId"]
    with pytest.raises(ClientError) as error:
        s3.upload_part(Bucket=bucket, Key="other", UploadId=upload, PartNumber=1, Body=b"x")
    assert code_of(error) == ("NoSuchUpload", 404)
    other = server.client(stranger)
    own = f"{bucket}-strangers-too"
    other.create_bucket(Bucket=own)
    with pytest.raises(ClientError) as error:
        other.upload_part(Bucket=own, Key="mine", UploadId=upload, PartNumber=1, Body=b"x")
    assert code_of(error) == ("NoSuchUpload", 404)
    refused(lambda: other.abort_multipart_upload(Bucket=bucket, Key="mine", UploadId=upload))


def test_the_expected_owner_is_compared(s3: Any, bucket: str) -> None:
    with pytest.raises(ClientError) as error:
        s3.list_objects_v2(Bucket=bucket, ExpectedBucketOwner="123456789012")
    assert code_of(error) == ("AccessDenied", 403)
    with pytest.raises(ClientError) as error:
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}]}, ExpectedBucketOwner="123456789012")
    assert code_of(error) == ("AccessDenied", 403)


def test_a_forwarded_address_is_not_believed(server: Server, bucket: str) -> None:
    """client address for conditions comes from the socket, or from a configured trusted proxy; nothing from
    X-Forwarded-For otherwise"""
    raw = server.raw()
    told = {"x-forwarded-for": "203.0.113.9", "x-real-ip": "203.0.113.9", "forwarded": "for=203.0.113.9"}
    assert raw.call("PUT", f"/{bucket}/k", b"x", told).status == 200
    time.sleep(1)
    assert "203.0.113.9" not in server.log_path.read_text(errors="replace")


def test_a_form_upload_is_refused_until_its_policy_is_enforced(server: Server, bucket: str) -> None:
    form = b'--x\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n--x\r\n' + (
        b'Content-Disposition: form-data; name="file"; filename="f"\r\n\r\nbody\r\n--x--\r\n'
    )
    raw = server.raw()
    with raw.connect() as connection:
        head = {"host": connection.authority, "content-type": "multipart/form-data; boundary=x"}
        connection.send_head("POST", f"/{bucket}", head | {"content-length": str(len(form))})
        connection.send_tolerant(form)
        assert connection.answer("POST").status in (403, 405, 501)
    assert raw.call("GET", f"/{bucket}/k").status == 404


def test_no_secret_and_no_signature_reaches_log_or_answer(server: Server, bucket: str) -> None:
    """secrets never in logs, errors, listings or traces"""
    raw = server.raw()
    keys = server.create_account("whisperer")
    target = raw.signer.presign("GET", f"/{bucket}/k", {"host": f"{raw.host}:{raw.port}"})
    signature = target.rpartition("X-Amz-Signature=")[2]
    answers: list[Answer] = []
    with raw.connect() as connection:
        connection.send_head("GET", target, {"host": connection.authority})
        answers.append(connection.answer())
    with raw.connect() as connection:
        put(raw, connection, f"/{bucket}/k", signer=FORGED)
        answers.append(connection.answer("PUT"))
    listed = server.admin("account", "list")
    time.sleep(1)
    shown = server.log_path.read_text(errors="replace").split("is ready", 1)[1]
    secrets = (keys.secret_key, signature, FORGED.credentials.secret_key)
    for secret in secrets:
        assert secret not in shown
        assert secret not in listed
        assert not any(secret.encode() in answer.body for answer in answers)
    for path in server.data_dir.rglob("*"):
        if path.is_file():
            assert keys.secret_key.encode() not in path.read_bytes(), path


def test_whether_a_bucket_exists_is_told_to_no_stranger_to_the_keys(server: Server, bucket: str) -> None:
    """authentication comes before any answer that reveals whether a bucket exists"""
    raw = server.raw()

    def without_instance(answer: Answer, name: str) -> tuple[int, bytes]:
        body = re.sub(
            rb"<(RequestId|HostId|StringToSign\w*|CanonicalRequest\w*|SignatureProvided)>[^<]*", b"", answer.body
        )
        return answer.status, body.replace(name.encode(), b"")

    for method in ("GET", "PUT", "HEAD", "DELETE", "POST"):
        seen = set()
        for name in (bucket, "no-such-bucket"):
            with raw.connect() as connection:
                head = FORGED.sign(method, f"/{name}/k", {"host": connection.authority}, UNSIGNED)
                connection.send_head(method, f"/{name}/k", head | {"content-length": "0"})
                seen.add(without_instance(connection.answer(method), name))
        assert len(seen) == 1, (method, seen)
        assert {status for status, _ in seen} == {403}


def test_space_of_vanished_clients_and_replaced_parts_comes_back(own_server: Callable[..., Server]) -> None:
    """a client that disconnects leaves no version and no leak; a re-uploaded part replaces and frees the old"""
    server = own_server(workers=1, environment={"ZAPFS_GC_GRACE_S": "0", "ZAPFS_GC_INTERVAL_S": "1"})
    s3, raw = server.client(), server.raw()
    s3.create_bucket(Bucket="leak")
    s3.put_object(Bucket="leak", Key="kept", Body=noise(3 * MIB))
    kept = live_bytes(server)
    upload = {"Bucket": "leak", "Key": "m", "UploadId": s3.create_multipart_upload(Bucket="leak", Key="m")["UploadId"]}
    for seed in range(4):
        s3.upload_part(**upload, PartNumber=1, Body=noise(6 * MIB, seed))
    for _ in range(3):
        with raw.connect() as connection:
            head = raw.head("PUT", "/leak/gone", {"content-length": str(30 * MIB)})
            connection.send_head("PUT", "/leak/gone", head)
            connection.send(noise(20 * MIB, 99))
            time.sleep(0.3)
    assert settled(server, lambda size: size <= kept + 6 * MIB + 64 * 1024), server.admin("gc", "status", "--json")
    s3.abort_multipart_upload(**upload)
    assert settled(server, lambda size: size <= kept + 64 * 1024), server.admin("gc", "status", "--json")
    server.stop()
    assert server.fsck().returncode == 0


def live_bytes(server: Server) -> int:
    """Bytes of all stored chunks, as `gc status` tells."""
    found = re.search(r'"bytes_live": ?(\d+)', json.dumps(json.loads(server.admin("gc", "status", "--json"))))
    assert found is not None
    return int(found[1])


def settled(server: Server, right: Callable[[int], bool], within_s: float = 30.0) -> bool:
    """Whether the stored bytes become right within the time, with GC asked to run."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        server.admin("gc", "run")
        if right(live_bytes(server)):
            return True
        time.sleep(0.5)
    return False
