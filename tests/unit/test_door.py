"""The S3 door: authentication first, one answer for every outcome, one record for every answer."""

from dataclasses import dataclass, field

import pytest

from app.core.cluster import AccessKey, Account, assembled
from app.core.errors import Conflict, Corrupt, Full, Missing, S3Error, Unavailable
from app.faces.http.app import S3Door
from app.faces.http.exchange import Surface
from app.faces.http.wire import InputBody, Response
from app.runtime.offload import Offload
from app.services.call import NOBODY, Sources
from app.services.gate.access import Access
from app.services.gate.callers import Callers
from tests.unit import signing


class OneAccount:
    """A cluster state that never changes."""

    def state(self):
        keys = (AccessKey(signing.ACCESS_KEY, b""),)
        account = Account("1" * 12, "c" * 64, "root", "", 0, keys, root=True)
        return assembled(1, [account], (), {})


@dataclass
class Seen:
    """What left the door: the answer, the record of it, the bugs reported."""

    status: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    records: list = field(default_factory=list)
    bugs: list = field(default_factory=list)


@pytest.fixture
def ask():
    """Send a request through a door whose handlers all are `handler`."""
    offload = Offload(1)
    access = Access(Callers(OneAccount(), lambda access_key, sealed: signing.SECRET), offload)

    def send(handler, method="GET", target="/bucket/key", sign=True, spans=True):
        seen = Seen()
        sources = Sources(lambda: int(signing.NOW * 1000), lambda: bytes(range(16)))
        names = ("GetObject", "HeadObject", "PutObject", "ListObjects")
        bugs = seen.bugs
        door = S3Door(
            Surface(dict.fromkeys(names, handler)),
            access,
            sources,
            seen.records.append,
            lambda i, e: bugs.append((i, e)),
        )
        headers = signing.signed(method, target).headers if sign else {"host": signing.HOST}
        environ = {
            "REQUEST_METHOD": method,
            "RAW_URI": target,
            "REMOTE_ADDR": "192.0.2.1",
            "zapfs.headers": headers,
            "zapfs.body": InputBody(None, 0),
        } | ({"zapfs.spans": True} if spans else {})

        def start_response(status, headers):
            seen.status, seen.headers = status, dict(headers)

        pieces = door(environ, start_response)
        try:
            seen.body = b"".join(bytes(piece) for piece in pieces)
        finally:
            if hasattr(pieces, "close"):
                pieces.close()
        return seen

    yield send
    offload.close()


def failing(error):
    def handler(exchange):
        raise error

    return handler


def test_an_answer_bears_ids_and_a_record_holds_no_secret(ask):
    seen = ask(lambda exchange: Response(200, [("ETag", "x")], (b"body",), 4))
    assert (seen.status, seen.body) == ("200 OK", b"body")
    assert seen.headers["x-amz-request-id"] == "08090A0B0C0D0E0F"
    assert seen.headers["x-amz-id-2"]
    assert (seen.headers["Server"], seen.headers["Content-Length"]) == ("ZapFS", "4")
    (record,) = seen.records
    assert (record.operation, record.bucket, record.status, record.bytes_out) == ("GetObject", "bucket", 200, 4)
    assert (record.access_key_id, record.remote) == (signing.ACCESS_KEY, "192.0.2.1")
    assert record.key == b"key"  # for who may see traces; no line of the log has it
    assert signing.SECRET not in repr(record)


def test_a_request_without_a_signature_is_nobodys(ask):
    def handler(exchange):
        assert exchange.call.caller is NOBODY
        raise S3Error("AccessDenied", reason="nobody")

    seen = ask(handler, sign=False)
    assert (seen.status, seen.records[0].reason, seen.records[0].access_key_id) == ("403 Forbidden", "nobody", "")
    assert seen.bugs == []


def test_a_bad_signature_is_answered_before_anything_else(ask):
    for target in ("/bucket/key", "/bucket?no-such", "/bucket/%zz", "/bucket?session", "//x"):
        query = "&" if "?" in target else "?"
        target += query + "AWSAccessKeyId=AKIDNOBODY&Signature=AAAA&Expires=99999999999"
        seen = ask(failing(AssertionError("no handler may run")), "GET", target, sign=False)
        assert seen.records[0].code in ("InvalidAccessKeyId", "AccessDenied"), target


def test_a_known_caller_is_told_what_is_wrong(ask):
    seen = ask(failing(AssertionError("no handler may run")), "GET", "/bucket?session")
    assert seen.records[0].code == "NotImplemented"
    assert b"CreateSession" in seen.body


def test_policies_are_told_the_facts_of_a_request(ask):
    facts = []

    def handler(exchange):
        facts.append(exchange.call.facts)
        raise S3Error("AccessDenied")

    ask(handler, target="/bucket/key?versionId=null")
    ask(handler, sign=False)
    signed, unsigned = facts
    assert (signed.remote, signed.secure) == ("192.0.2.1", False)
    assert (signed.auth_type, signed.signature_version) == ("REST-HEADER", "AWS4-HMAC-SHA256")
    assert signed.parameters["versionId"] == "null"
    assert (unsigned.auth_type, unsigned.signature_version, unsigned.signature_age_ms) == ("", "", None)


def test_the_details_of_a_request_bear_no_signature(ask):
    target = "/bucket/key?versionId=null&X-Amz-Signature=abc&x-amz-security-token=def&Signature=ghi"
    seen = ask(failing(AssertionError("no handler may run")), target=target, sign=False)
    details = seen.records[0].details()
    assert not any(secret in details.target for secret in ("abc", "def", "ghi"))


@pytest.mark.parametrize(
    ("error", "status", "code", "is_bug"),
    [
        (S3Error("NoSuchKey", fields={"Key": "k"}), 404, "NoSuchKey", False),
        (Unavailable("busy"), 503, "SlowDown", False),
        (Conflict("changed"), 409, "OperationAborted", False),
        (Full("disk"), 507, "InsufficientStorage", False),
        (Corrupt("bad"), 503, "ServiceUnavailable", True),
        (Missing("gone"), 500, "InternalError", True),
        (ZeroDivisionError("secret detail"), 500, "InternalError", True),
    ],
)
def test_every_failure_has_its_answer_and_only_bugs_are_reported(ask, error, status, code, is_bug):
    seen = ask(failing(error))
    assert (int(seen.status[:3]), seen.records[0].code) == (status, code)
    assert f"<Code>{code}</Code>".encode() in seen.body
    assert b"<RequestId>08090A0B0C0D0E0F</RequestId>" in seen.body
    assert b"secret detail" not in seen.body
    assert [found for _, found in seen.bugs] == ([error] if is_bug else [])
    assert ("Retry-After" in seen.headers) == (status == 503)


def test_a_refusal_of_head_and_not_modified_have_no_body(ask):
    seen = ask(failing(S3Error("NoSuchKey")), "HEAD")
    assert (seen.status, seen.body) == ("404 Not Found", b"")
    seen = ask(failing(S3Error("NotModified", headers={"ETag": '"e"'})))
    assert (seen.status, seen.body, seen.headers["ETag"]) == ("304 Not Modified", b"", '"e"')
    assert "Content-Length" not in seen.headers


@pytest.mark.parametrize("spans", [True, False])
def test_a_streamed_answer_is_counted_and_closed_once(ask, spans):
    closed = []
    pieces = iter([b"ab", memoryview(b"cde")])
    seen = ask(lambda exchange: Response(200, [], pieces, 5, lambda: closed.append(1)), spans=spans)
    assert (seen.body, closed) == (b"abcde", [1])
    assert [record.bytes_out for record in seen.records] == [5]


def test_a_stream_that_breaks_is_cut_closed_and_reported(ask):
    closed, records = [], []

    def pieces():
        yield b"ab"
        raise Corrupt("a block is bad")

    def handler(exchange):
        return Response(200, [], pieces(), 5, lambda: closed.append(1))

    with pytest.raises(Corrupt):
        records.append(ask(handler))
    assert closed == [1]
