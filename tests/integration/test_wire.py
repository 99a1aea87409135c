"""What travels: presigned URLs, virtual hosts, every payload framing, 100-continue, keep-alive and pipelining."""

import base64
import dataclasses
import hashlib
import subprocess
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.server import Server, clean_environment
from tests.integration.test_objects import noise
from tests.wire import framing
from tests.wire.connection import Answer, RawClient
from tests.wire.signer import EMPTY_SHA256


def curl(*arguments: str) -> "subprocess.CompletedProcess[bytes]":
    """curl with its answer's body as output."""
    return subprocess.run(
        ["curl", "-sS", "--max-time", "30", *arguments], capture_output=True, check=True, env=clean_environment()
    )


def crc32(data: bytes) -> str:
    """The value of x-amz-checksum-crc32."""
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def send_framed(raw: RawClient, target: str, data: bytes, framing_name: str, pieces: list[bytes]) -> Answer:
    """PUT `data` in one of the framings, split into `pieces`; with a CRC32 trailer where the framing has one."""
    headers = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(len(data))}
    trailers = None if framing_name == framing.SIGNED else {"x-amz-checksum-crc32": crc32(data)}
    if trailers:
        headers["x-amz-trailer"] = "x-amz-checksum-crc32"
    head = raw.head("PUT", target, headers, framing_name)
    if framing_name == framing.UNSIGNED_TRAILER:
        body = framing.unsigned_frames(pieces, trailers or {})
    else:
        body = framing.signed_frames(raw.signer, head, pieces, trailers)
    with raw.connect() as connection:
        connection.send_head("PUT", target, head | {"content-length": str(len(body))})
        connection.send_tolerant(body)
        return connection.answer("PUT")


@pytest.mark.parametrize("name", [framing.SIGNED, framing.SIGNED_TRAILER, framing.UNSIGNED_TRAILER])
@pytest.mark.parametrize("size", [0, 5, 100_000, 9_000_000])
def test_every_aws_chunked_framing_stores_exactly_the_decoded_bytes(
    server: Server, bucket: str, name: str, size: int
) -> None:
    data, raw = noise(size), server.raw()
    frame = 8192 if size <= 100_000 else 65_536 * 3 + 1
    pieces = [data[at : at + frame] for at in range(0, size, frame)]
    answer = send_framed(raw, f"/{bucket}/k", data, name, pieces)
    assert answer.status == 200, answer.body
    assert answer.headers["etag"] == f'"{hashlib.md5(data).hexdigest()}"'
    got = raw.call("GET", f"/{bucket}/k", headers={"x-amz-checksum-mode": "ENABLED"})
    assert got.body == data
    assert "aws-chunked" not in got.headers.get("content-encoding", "")
    if name != framing.SIGNED:
        assert got.headers["x-amz-checksum-crc32"] == crc32(data)


def test_a_body_that_trickles_in_is_still_the_same_object(server: Server, bucket: str) -> None:
    raw, data = server.raw(), noise(8192 * 2 + 100)
    headers = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(len(data))}
    head = raw.head("PUT", f"/{bucket}/k", headers, framing.SIGNED)
    body = framing.signed_frames(raw.signer, head, [data[:8192], data[8192:16_384], data[16_384:]])
    with raw.connect() as connection:
        connection.send_head("PUT", f"/{bucket}/k", head | {"content-length": str(len(body))})
        for at in range(0, len(body), 13):
            connection.send(body[at : at + 13])
        assert connection.answer("PUT").status == 200
    assert raw.call("GET", f"/{bucket}/k").body == data


def test_a_signed_plain_payload_is_verified(server: Server, bucket: str) -> None:
    raw, data = server.raw(), noise(70_000)
    head = raw.head("PUT", f"/{bucket}/k", {"content-length": str(len(data))}, hashlib.sha256(data).hexdigest())
    with raw.connect() as connection:
        connection.send_head("PUT", f"/{bucket}/k", head)
        connection.send(data)
        assert connection.answer("PUT").status == 200
    assert raw.call("GET", f"/{bucket}/k").body == data


def test_a_body_of_http_chunked_coding_with_decoded_length_is_accepted(server: Server, bucket: str) -> None:
    raw, data = server.raw(), noise(50_000)
    trailers = {"x-amz-checksum-crc32": crc32(data)}
    headers = {
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": str(len(data)),
        "x-amz-trailer": "x-amz-checksum-crc32",
        "transfer-encoding": "chunked",
    }
    inner = framing.unsigned_frames([data[:30_000], data[30_000:]], trailers)
    with raw.connect() as connection:
        connection.send_head("PUT", f"/{bucket}/k", raw.head("PUT", f"/{bucket}/k", headers, framing.UNSIGNED_TRAILER))
        for at in range(0, len(inner), 7_001):
            piece = inner[at : at + 7_001]
            connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        connection.send(b"0\r\n\r\n")
        assert connection.answer("PUT").status == 200
    assert raw.call("GET", f"/{bucket}/k").body == data


def test_presigned_urls_work_in_curl(s3: Any, bucket: str, tmp_path: Path) -> None:
    data = noise(200_000)
    (tmp_path / "up").write_bytes(data)
    for key in ("plain", "dir/ü +&.bin"):
        where = {"Bucket": bucket, "Key": key}
        curl("-f", "-T", str(tmp_path / "up"), s3.generate_presigned_url("put_object", Params=where))
        url = s3.generate_presigned_url("get_object", Params=where)
        assert curl("-f", url).stdout == data
        assert curl("-f", "-r", "5-9", url).stdout == data[5:10]
        curl("-f", "-X", "DELETE", s3.generate_presigned_url("delete_object", Params=where))
        assert b"NoSuchKey" in curl(url).stdout


def test_a_presigned_url_expires_and_cannot_be_changed(server: Server, bucket: str) -> None:
    raw = server.raw()
    assert raw.call("PUT", f"/{bucket}/k", b"x").status == 200
    host = {"host": f"{raw.host}:{raw.port}"}

    def fetch(target: str, **headers: str) -> Answer:
        with raw.connect() as connection:
            connection.send_head("GET", target, host | headers)
            return connection.answer("GET")

    good = raw.signer.presign("GET", f"/{bucket}/k", host)
    assert fetch(good).status == 200
    old = raw.signer.presign("GET", f"/{bucket}/k", host, 60, time.time() - 120)
    assert (fetch(old).status, fetch(old).code) == (403, "AccessDenied")
    assert fetch(good.replace("/k?", "/other?")).code == "SignatureDoesNotMatch"
    assert fetch(good.replace("Expires=300", "Expires=301")).code == "SignatureDoesNotMatch"
    long = raw.signer.presign("GET", f"/{bucket}/k", host, 604_801)
    assert (fetch(long).status, fetch(long).code) == (400, "AuthorizationQueryParametersError")


def test_a_bucket_answers_under_its_virtual_host(server: Server, bucket: str) -> None:
    raw, key = server.raw(), f"/{bucket}"
    host = {"host": f"{bucket}.s3.test:{server.s3_port}"}

    def ask(method: str, target: str, body: bytes = b"") -> Answer:
        extra = host | ({"content-length": str(len(body))} if method == "PUT" else {})
        with raw.connect() as connection:
            connection.send_head(method, target, raw.signer.sign(method, target, extra))
            connection.send(body)
            return connection.answer(method)

    assert ask("PUT", key, b"in the virtual host").status == 200
    assert ask("GET", key).body == b"in the virtual host"
    assert raw.call("GET", f"/{bucket}{key}").body == b"in the virtual host"
    assert f"<Key>{bucket}</Key>".encode() in ask("GET", "/?list-type=2").body
    assert ask("HEAD", "/").status == 200


def test_continue_is_sent_only_after_the_caller_is_known(server: Server, bucket: str) -> None:
    raw = server.raw()
    expect = {"expect": "100-continue", "content-length": "5"}
    with raw.connect() as connection:
        connection.send_head("PUT", f"/{bucket}/k", raw.head("PUT", f"/{bucket}/k", expect))
        assert connection.interim() == 100
        connection.send(b"12345")
        assert connection.answer("PUT").status == 200
    head = raw.head("PUT", f"/{bucket}/no", expect)
    head["authorization"] = head["authorization"][:-4] + "0000"
    with raw.connect() as connection:
        connection.send_head("PUT", f"/{bucket}/no", head)
        assert connection.interim() == 403


@pytest.mark.parametrize(
    ("method", "tail", "framing_header"),
    [
        ("POST", "?delete", {"content-length": "5"}),
        ("POST", "/k?uploadId=00", {"content-length": "5"}),
        ("PUT", "/k", {"transfer-encoding": "chunked"}),
        ("PUT", "/k?uploadId=00&partNumber=1", {"transfer-encoding": "chunked"}),
    ],
)
def test_no_body_is_asked_of_a_caller_without_a_right_to_the_bucket(
    server: Server, method: str, tail: str, framing_header: dict[str, str]
) -> None:
    raw, target = server.raw(), f"/no-such-bucket{tail}"
    with raw.connect() as connection:
        connection.send_head(method, target, raw.head(method, target, {"expect": "100-continue"} | framing_header))
        assert connection.interim() == 404


def test_pipelined_requests_are_answered_in_order(server: Server, bucket: str) -> None:
    raw = server.raw()
    for number in range(5):
        raw.call("PUT", f"/{bucket}/{number}", b"%d" % number * 1000)
    with raw.connect() as connection:
        for number in range(5):
            connection.send_head("GET", f"/{bucket}/{number}", raw.head("GET", f"/{bucket}/{number}", {}, EMPTY_SHA256))
        assert [connection.answer("GET").body for _ in range(5)] == [b"%d" % number * 1000 for number in range(5)]


def test_a_head_that_arrives_byte_by_byte_is_understood(server: Server, bucket: str) -> None:
    raw = server.raw()
    head = raw.head("GET", f"/{bucket}?list-type=2", {}, EMPTY_SHA256)
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    with raw.connect() as connection:
        for byte in f"GET /{bucket}?list-type=2 HTTP/1.1\r\n{lines}\r\n".encode():
            connection.send(bytes([byte]))
        assert connection.answer("GET").status == 200


@pytest.mark.parametrize(("worker_class", "status"), [("lean", 200), ("gevent", 400)])
def test_a_header_with_an_underscore_is_kept_as_it_is_or_refused(
    own_server: Callable[..., Server], worker_class: str, status: int
) -> None:
    raw = own_server(workers=1, environment={"ZAPFS_WORKER_CLASS": worker_class}).raw()
    assert raw.call("PUT", "/underscores").status == 200
    told = {"x-amz-meta-a_b": "1", "x-amz-meta-a-b": "2"}
    assert raw.call("PUT", "/underscores/k", b"x", told).status == status
    kept = raw.call("HEAD", "/underscores/k").headers
    assert {name: kept.get(name) for name in told} == (told if status == 200 else dict.fromkeys(told))


def test_a_signature_for_any_region_is_good(server: Server, bucket: str) -> None:
    for region in ("mars-1", "auto", "eu-central-2"):
        assert dataclasses.replace(server.raw(), region=region).call("HEAD", f"/{bucket}").status == 200


def test_every_answer_carries_request_ids(server: Server, bucket: str) -> None:
    raw = server.raw()
    answers = [raw.call("GET", target) for target in ("/", f"/{bucket}", f"/{bucket}/absent", "/no-such-bucket-here")]
    ids = [answer.headers["x-amz-request-id"] for answer in answers]
    assert len(set(ids)) == len(ids)
    assert all("x-amz-id-2" in answer.headers for answer in answers)
    assert f"<RequestId>{ids[2]}</RequestId>".encode() in answers[2].body


def test_accounts_own_their_buckets(own_server: Callable[..., Server]) -> None:
    server = own_server()
    other = server.client(server.create_account("other"))
    server.client().create_bucket(Bucket="mine")
    assert other.list_buckets()["Buckets"] == []
    with pytest.raises(other.exceptions.ClientError, match="AccessDenied"):
        other.list_objects_v2(Bucket="mine")
    with pytest.raises(other.exceptions.BucketAlreadyExists):
        other.create_bucket(Bucket="mine")
    server.admin("account", "delete", "other")
    time.sleep(1.1)
    with pytest.raises(other.exceptions.ClientError, match="InvalidAccessKeyId"):
        other.list_buckets()
