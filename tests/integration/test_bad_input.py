"""What bad input gets: the exact S3 error, a connection safe for the next request, nothing stored, no worker stuck.

Every case is sent over a raw socket. After each one the same connection either serves a good request or is closed
cleanly, the key it aimed at does not exist, and every worker still answers.
"""

import hashlib
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.integration.server import Server
from tests.wire import framing
from tests.wire.connection import Answer, Closed, Connection, RawClient
from tests.wire.signer import EMPTY_SHA256, UNSIGNED, Credentials, Signer, escape

BODY = b"twenty bytes of body"
FRAMED = b"twenty bytes of body" * 500  # frames but the last must have 8 KiB
KEY = "bad-key"


@dataclass(frozen=True)
class Case:
    """One wrong request: what is sent, and the status and code S3 answers."""

    name: str
    send: Callable[[RawClient, str, Connection], None]
    status: int
    code: str
    method: str = "PUT"


def put(
    raw: RawClient, connection: Connection, target: str, *, sign: dict[str, str] | None = None, **how: object
) -> None:
    """PUT with signed headers `sign`; `payload`, `body`, `change` (headers after signing; None removes) may differ."""
    body = how.get("body", BODY)
    assert isinstance(body, bytes)
    signer, payload, now_s = how.get("signer", raw.signer), how.get("payload", UNSIGNED), how.get("now_s")
    assert isinstance(signer, Signer)
    assert now_s is None or isinstance(now_s, float)
    head = signer.sign("PUT", target, {"host": connection.authority} | (sign or {}), str(payload), now_s)
    head["content-length"] = str(len(body))
    changes = how.get("change", {})
    assert isinstance(changes, dict)
    head = {name: value for name, value in (head | changes).items() if value is not None}
    connection.send_head("PUT", target, head)
    connection.send_tolerant(body)


def signed_with(**how: object) -> Callable[[RawClient, str, Connection], None]:
    """A PUT of the case's key that differs as `how` says."""
    return lambda raw, bucket, connection: put(raw, connection, f"/{bucket}/{KEY}", **how)  # type: ignore[arg-type]


def aimed_at(tail: str, **how: object) -> Callable[[RawClient, str, Connection], None]:
    """A PUT of another key or with a query."""
    return lambda raw, bucket, connection: put(raw, connection, f"/{bucket}/{tail}", **how)  # type: ignore[arg-type]


def request(method: str, tail: str, body: bytes = b"", **headers: str) -> Callable[[RawClient, str, Connection], None]:
    """A well-signed request of any method below the bucket."""

    def send(raw: RawClient, bucket: str, connection: Connection) -> None:
        extra = {name.replace("_", "-"): value for name, value in headers.items()}
        extra["content-length"] = str(len(body))
        if method == "POST" and body:
            extra["content-md5"] = b64encode(hashlib.md5(body).digest()).decode()
        target = f"/{bucket}{tail}"
        connection.send_head(method, target, raw.head(method, target, extra, UNSIGNED if body else EMPTY_SHA256))
        connection.send_tolerant(body)

    return send


def broken_frames(
    change: Callable[[bytes], bytes], name: str = framing.SIGNED
) -> Callable[[RawClient, str, Connection], None]:
    """An aws-chunked PUT whose framed body was changed after signing; Content-Length is that of what is sent."""

    def send(raw: RawClient, bucket: str, connection: Connection) -> None:
        headers = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(len(FRAMED))}
        trailers = {"x-amz-checksum-crc32": "AAAAAA=="} if name == framing.UNSIGNED_TRAILER else None
        if trailers:
            headers["x-amz-trailer"] = "x-amz-checksum-crc32"
        target = f"/{bucket}/{KEY}"
        head = raw.head("PUT", target, headers, name)
        pieces = [FRAMED[:8192], FRAMED[8192:]]
        framed = (
            framing.unsigned_frames(pieces, trailers) if trailers else framing.signed_frames(raw.signer, head, pieces)
        )
        sent = change(framed)
        connection.send_head("PUT", target, head | {"content-length": str(len(sent))})
        connection.send_tolerant(sent)

    return send


DTD = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e "k">]><Delete><Object><Key>&e;</Key></Object></Delete>'
BOMB = (
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    b"<Delete><Object><Key>&b;</Key></Object></Delete>"
)
DEEP = b"<Delete>" + b"<Object>" * 5_000 + b"</Object>" * 5_000 + b"</Delete>"

CASES = [
    Case(
        "wrong signature",
        signed_with(signer=Signer(Credentials("AKIAIOSFODNN7EXAMPLE", "wrong"))),
        403,
        "SignatureDoesNotMatch",
    ),
    Case(
        "unknown access key",
        signed_with(signer=Signer(Credentials("AKIANOBODYKNOWSTHIS1", "x"))),
        403,
        "InvalidAccessKeyId",
    ),
    Case("clock an hour behind", signed_with(now_s=time.time() - 3600), 403, "RequestTimeTooSkewed"),
    Case("clock an hour ahead", signed_with(now_s=time.time() + 3600), 403, "RequestTimeTooSkewed"),
    Case(
        "garbage in Authorization",
        signed_with(change={"authorization": "AWS4-HMAC-SHA256 rubbish"}),
        400,
        "AuthorizationHeaderMalformed",
    ),
    Case("no signature at all", signed_with(change={"authorization": None}), 403, "AccessDenied"),
    Case("no date", signed_with(change={"x-amz-date": None}), 403, "AccessDenied"),
    Case(
        "no region in the scope",
        signed_with(signer=Signer(Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), "")),
        400,
        "AuthorizationHeaderMalformed",
    ),
    Case(
        "payload hash of other bytes",
        signed_with(payload=hashlib.sha256(b"other").hexdigest()),
        400,
        "XAmzContentSHA256Mismatch",
    ),
    Case("payload hash that is none", signed_with(payload="not-a-hash"), 400, "InvalidArgument"),
    Case("no payload hash", signed_with(change={"x-amz-content-sha256": None}), 400, "InvalidRequest"),
    Case("Content-MD5 of other bytes", signed_with(sign={"content-md5": "1B2M2Y8AsgTpgAmY7PhCfg=="}), 400, "BadDigest"),
    Case("Content-MD5 that is none", signed_with(sign={"content-md5": "rubbish"}), 400, "InvalidDigest"),
    Case("checksum of other bytes", signed_with(sign={"x-amz-checksum-crc32": "AAAAAA=="}), 400, "BadDigest"),
    Case("checksum that is none", signed_with(sign={"x-amz-checksum-crc32": "rubbish"}), 400, "InvalidRequest"),
    Case(
        "two checksums",
        signed_with(sign={"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-crc32c": "AAAAAA=="}),
        400,
        "InvalidRequest",
    ),
    Case("no length", signed_with(change={"content-length": None}, body=b""), 411, "MissingContentLength"),
    Case("negative length", signed_with(change={"content-length": "-1"}, body=b""), 400, ""),
    Case("length that is no number", signed_with(change={"content-length": "2O"}, body=b""), 400, ""),
    Case("length with a plus", signed_with(change={"content-length": "+20"}), 400, ""),
    Case("length and chunked at once", signed_with(change={"transfer-encoding": "chunked"}), 400, ""),
    Case("unknown transfer coding", signed_with(change={"transfer-encoding": "gzip", "content-length": None}), 501, ""),
    Case(
        "longer than any PUT may be", signed_with(change={"content-length": str(5 * 2**30 + 1)}), 400, "EntityTooLarge"
    ),
    Case("over-long key", aimed_at("k" * 1025), 400, "KeyTooLongError"),
    Case("over-long key in bytes", aimed_at(escape("ü" * 513)), 400, "KeyTooLongError"),
    Case("key that is not UTF-8", aimed_at("%ff%fe"), 400, "InvalidURI"),
    Case("broken percent escape", aimed_at("%zz"), 400, "InvalidURI"),
    Case("unknown sub-resource", aimed_at(KEY + "?no-such-thing"), 501, "NotImplemented"),
    Case("sub-resource of a later release", aimed_at(KEY + "?annotation"), 501, "NotImplemented"),
    Case("part number without upload", aimed_at(KEY + "?partNumber=1"), 400, "InvalidArgument"),
    Case("part number that is none", aimed_at(KEY + "?partNumber=x&uploadId=00"), 400, "InvalidArgument"),
    Case("upload nobody began", aimed_at(KEY + "?partNumber=1&uploadId=nobody"), 404, "NoSuchUpload"),
    Case("too much metadata", signed_with(sign={"x-amz-meta-big": "m" * 2_100}), 400, "MetadataTooLarge"),
    Case("unknown storage class", signed_with(sign={"x-amz-storage-class": "VELVET"}), 400, "InvalidStorageClass"),
    Case(
        "encryption nobody knows",
        signed_with(sign={"x-amz-server-side-encryption": "aes:kms"}),
        400,
        "InvalidArgument",
    ),
    Case(
        "a signed frame changed",
        broken_frames(lambda framed: framed.replace(b"twenty", b"TWENTY", 1)),
        403,
        "SignatureDoesNotMatch",
    ),
    Case(
        "a frame signature changed",
        broken_frames(lambda framed: framed.replace(b"chunk-signature=", b"chunk-signature=0", 1)),
        400,
        "",
    ),
    Case(
        "frames cut at a border",
        broken_frames(lambda framed: framed[: framed.rindex(b"0;chunk")]),
        400,
        "IncompleteBody",
    ),
    Case("frames cut inside", broken_frames(lambda framed: framed[:5000]), 400, "IncompleteBody"),
    Case("a frame size that is no number", broken_frames(lambda framed: b"zz" + framed[1:]), 400, ""),
    Case("a frame size beyond all", broken_frames(lambda framed: b"ffffffffffffffffff" + framed[1:]), 400, ""),
    Case("a trailer that is wrong", broken_frames(lambda framed: framed, framing.UNSIGNED_TRAILER), 400, "BadDigest"),
    Case(
        "a trailer that is missing",
        broken_frames(lambda framed: framed[: framed.index(b"x-amz-checksum")] + b"\r\n", framing.UNSIGNED_TRAILER),
        400,
        "",
    ),
    Case(
        "a small frame before the last",
        broken_frames(lambda framed: b"4;chunk-signature=" + b"0" * 64 + b"\r\nabcd\r\n" + framed),
        403,
        "",
    ),
    Case(
        "more bytes than declared",
        broken_frames(lambda framed: framed.replace(b"2000\r\n", b"2001\r\nx", 1), framing.UNSIGNED_TRAILER),
        400,
        "",
    ),
    Case("a DTD", request("POST", "?delete", DTD), 400, "MalformedXML", "POST"),
    Case("entities", request("POST", "?delete", BOMB), 400, "MalformedXML", "POST"),
    Case("XML too deep", request("POST", "?delete", DEEP), 400, "MalformedXML", "POST"),
    Case("XML cut short", request("POST", "?delete", b"<Delete><Object>"), 400, "MalformedXML", "POST"),
    Case("no XML", request("POST", "?delete", b"\x00\xff{}"), 400, "MalformedXML", "POST"),
    Case("another document", request("POST", "?delete", b"<Tagging/>"), 400, "MalformedXML", "POST"),
    Case("no document", request("POST", "?delete"), 400, "", "POST"),
    Case("a method without meaning", request("PATCH", f"/{KEY}"), 405, "MethodNotAllowed", "PATCH"),
    Case("unknown bucket sub-resource", request("GET", "?no-such-thing"), 501, "NotImplemented", "GET"),
    Case(
        "a bucket name S3 forbids",
        lambda raw, bucket, connection: put(raw, connection, "/UPPER_case", body=b""),
        400,
        "InvalidBucketName",
    ),
    Case(
        "a bucket that is not there",
        lambda raw, bucket, connection: put(raw, connection, "/not-there/k"),
        404,
        "NoSuchBucket",
    ),
]


def workers_answer(server: Server, bucket: str) -> None:
    """Enough fresh connections that every worker takes some, each answered promptly."""
    raw = server.raw()
    for _ in range(8):
        with raw.connect(5) as connection:
            assert raw.on(connection, "HEAD", f"/{bucket}").status == 200


def nothing_stored(server: Server, bucket: str) -> None:
    """The bucket lists no key and no upload."""
    raw = server.raw()
    assert b"<Key>" not in raw.call("GET", f"/{bucket}?list-type=2").body
    assert b"<UploadId>" not in raw.call("GET", f"/{bucket}?uploads").body


def follow_up(raw: RawClient, connection: Connection, bucket: str, answer: Answer) -> None:
    """The connection is closed as announced, or serves a good request as if nothing had been."""
    if answer.headers.get("connection", "").lower() == "close":
        assert connection.ended(10), "the server said close and did not"
        return
    try:
        again = raw.on(connection, "HEAD", f"/{bucket}")
    except Closed:
        pytest.fail("the connection was closed without a word")
    assert again.status == 200


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_bad_input_gets_the_exact_error_and_harms_nothing(server: Server, bucket: str, case: Case) -> None:
    raw = server.raw()
    with raw.connect() as connection:
        case.send(raw, bucket, connection)
        answer = connection.answer(case.method)
        assert (answer.status, answer.code if case.code else "") == (case.status, case.code), answer.body
        assert answer.status < 500 or answer.status == 501
        follow_up(raw, connection, bucket, answer)
    nothing_stored(server, bucket)
    workers_answer(server, bucket)


MALFORMED_HEADS = {
    "no-version": b"GET /\r\n\r\n",
    "old-version": b"GET / HTTP/0.9\r\n\r\n",
    "future-version": b"GET / HTTP/3.7\r\nHost: x\r\n\r\n",
    "space-before-colon": b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    "obs-fold": b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
    "bare-cr": b"GET / HTTP/1.1\r\nHost: x\r\nA: b\rC: d\r\n\r\n",
    "nul-in-header": b"GET / HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n",
    "nul-in-target": b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "two-lengths": b"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length-list": b"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 2\r\n\r\nab",
    "chunked-twice": b"PUT /b/k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked-disguised": b"PUT /b/k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "garbage": bytes(range(128, 256)) * 4 + b"\r\n\r\n",
    "tls-hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n\r\n",
    "too-many-fields": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 400 + b"\r\n",
    "head-too-big": b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 200_000 + b"\r\n\r\n",
    "target-too-long": b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("name", MALFORMED_HEADS)
def test_a_malformed_head_gets_a_refusal_and_the_connection_ends(server: Server, bucket: str, name: str) -> None:
    with server.raw().connect() as connection:
        connection.send_tolerant(MALFORMED_HEADS[name])
        try:
            answer = connection.answer()
        except Closed:
            answer = None
        if answer is not None:
            assert answer.status in {400, 403, 414, 431, 505}, answer
        assert connection.ended(10) or (answer is not None and answer.status == 403)
    workers_answer(server, bucket)


def test_a_request_smuggled_behind_a_length_is_only_a_body(server: Server, bucket: str) -> None:
    raw, inner = server.raw(), f"PUT /{bucket}/smuggled HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode()
    with raw.connect() as connection:
        assert raw.on(connection, "PUT", f"/{bucket}/outer", inner).status == 200
        assert raw.on(connection, "GET", f"/{bucket}/outer").body == inner
        assert raw.on(connection, "GET", f"/{bucket}/smuggled").status == 404


def test_an_unread_body_is_never_taken_for_the_next_request(server: Server, bucket: str) -> None:
    raw, inner = server.raw(), f"DELETE /{bucket} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    for size in (0, 500_000, 3_000_000):
        with raw.connect() as connection:
            put(raw, connection, f"/{bucket}/{KEY}", body=inner + b"x" * size, change={"authorization": None})
            answer = connection.answer("PUT")
            assert answer.status == 403
            follow_up(raw, connection, bucket, answer)


@pytest.mark.parametrize("sent", [0, 10, 100_000, 9_000_000])
def test_a_client_gone_in_the_middle_of_a_put_leaves_no_version(server: Server, bucket: str, sent: int) -> None:
    raw = server.raw()
    raw.call("PUT", f"/{bucket}/old", b"old")
    for key in ("old", "new"):
        with raw.connect() as connection:
            head = raw.head("PUT", f"/{bucket}/{key}", {"content-length": "10000000"})
            connection.send_head("PUT", f"/{bucket}/{key}", head)
            connection.send(b"x" * sent)
    time.sleep(0.2)
    assert raw.call("GET", f"/{bucket}/old").body == b"old"
    assert raw.call("GET", f"/{bucket}/new").status == 404
    workers_answer(server, bucket)


def test_a_half_closed_body_is_answered_incomplete(server: Server, bucket: str) -> None:
    raw = server.raw()
    with raw.connect() as connection:
        connection.send_head("PUT", f"/{bucket}/{KEY}", raw.head("PUT", f"/{bucket}/{KEY}", {"content-length": "100"}))
        connection.send(b"x" * 50)
        connection.sock.shutdown(1)
        try:
            assert connection.answer("PUT").code == "IncompleteBody"
        except Closed:
            assert connection.ended(1)
    nothing_stored(server, bucket)


def test_a_client_gone_in_the_middle_of_a_get_leaves_the_worker_free(server: Server, bucket: str) -> None:
    raw = server.raw()
    assert raw.call("PUT", f"/{bucket}/big", bytes(20_000_000)).status == 200
    for _ in range(10):
        with raw.connect() as connection:
            connection.send_head("GET", f"/{bucket}/big", raw.head("GET", f"/{bucket}/big", {}, EMPTY_SHA256))
            connection.sock.recv(1000)
    workers_answer(server, bucket)
    assert len(raw.call("GET", f"/{bucket}/big").body) == 20_000_000


def test_many_connections_that_say_nothing_keep_nobody_waiting(server: Server, bucket: str) -> None:
    raw = server.raw()
    silent = [raw.connect() for _ in range(200)]
    try:
        for connection in silent[:100]:
            connection.send(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        started = time.monotonic()
        workers_answer(server, bucket)
        assert time.monotonic() - started < 5
    finally:
        for connection in silent:
            connection.close()


def test_a_tampered_retry_on_one_connection_does_not_inherit_the_first_ones_identity(
    server: Server, bucket: str
) -> None:
    raw = server.raw()
    with raw.connect() as connection:
        assert raw.on(connection, "PUT", f"/{bucket}/k", b"x").status == 200
        connection.send_head("GET", f"/{bucket}/k", {"host": connection.authority})
        assert connection.answer().status == 403
