"""The same application gives the same answers under the lean worker and under gunicorn's stock gevent worker."""

import hashlib

import pytest

from tests.integration.wire import PATIENT, STOCK, Gunicorn, hear, request

HEADERS_THAT_MATTER = ("content-type", "content-length", "etag")
BODY = bytes(range(256)) * 1000

CHUNKED = b"Transfer-Encoding: chunked\r\n"


def sized(body, more=b""):
    return b"Content-Length: %d\r\n%s" % (len(body), more), body


CORPUS = [
    ("plain", request("/echo")),
    ("query", request("/echo?a=b&c=%20d&e")),
    ("empty query", request("/echo?")),
    ("question mark in the query", request("/echo?a=b?c")),
    ("escapes in the path", request("/echo%2f%20%c3%a4%zz?x=%2F")),
    ("escaped NUL in the path", request("/a%00b")),
    ("two slashes first", request("//echo")),
    ("dots in the path", request("/a/../echo/./b")),
    ("semicolons and plus", request("/echo;v=1+2?q=1+2;3")),
    ("absolute target", b"GET http://h/echo?x=1 HTTP/1.1\r\nHost: h\r\n\r\n"),
    ("absolute target without path", b"GET http://h HTTP/1.1\r\nHost: h\r\n\r\n"),
    ("HTTP/1.0", b"GET /echo HTTP/1.0\r\nHost: h\r\n\r\n"),
    ("HTTP/1.0 without host", b"GET /echo HTTP/1.0\r\n\r\n"),
    ("HTTP/1.0 keep-alive", b"GET /echo HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n"),
    ("close", request("/echo", headers=b"Connection: close\r\n")),
    ("repeated fields", request("/echo", headers=b"X-A: 1\r\nX-B: 2\r\nX-A: 3\r\n")),
    ("blanks around values", request("/echo", headers=b"X-A:  1 \t\r\nX-B:2\r\nX-C:\r\n")),
    ("Latin in values", request("/echo", headers=b"X-A: caf\xe9\r\n")),
    ("names in any case", request("/echo", headers=b"x-lower: 1\r\nX-UPPER: 2\r\ncontent-TYPE: a/b\r\n")),
    ("names with underscores", request("/echo", headers=b"X_A: 1\r\nX-A: 2\r\n")),
    ("host with port", b"GET /echo HTTP/1.1\r\nHost: bucket.s3.test:8082\r\n\r\n"),
    ("host of IPv6", b"GET /echo HTTP/1.1\r\nHost: [::1]:8082\r\n\r\n"),
    ("small body", request("/echo", "POST", *sized(b"hello"))),
    ("empty body", request("/echo", "PUT", *sized(b""))),
    ("large body", request("/echo", "PUT", *sized(BODY))),
    ("body behind GET", request("/echo", "GET", *sized(b"hello"))),
    ("body behind DELETE", request("/echo", "DELETE", *sized(b"hello", b"Content-Type: text/x\r\n"))),
    ("chunked body", request("/echo", "PUT", CHUNKED, b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n")),
    ("chunked body, empty", request("/echo", "PUT", CHUNKED, b"0\r\n\r\n")),
    ("chunked body, large", request("/echo", "PUT", CHUNKED, b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY))),
    ("chunked body with a trailer", request("/echo", "PUT", CHUNKED, b"5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n")),
    ("lines of a body", request("/lines", "PUT", *sized(b"a\nb\n\nc"))),
    ("lines of a chunked body", request("/lines", "PUT", CHUNKED, b"3\r\na\nb\r\n2\r\n\nc\r\n0\r\n\r\n")),
    ("expectation", request("/echo", "PUT", *sized(b"hello", b"Expect: 100-continue\r\n"))),
    ("HEAD", request("/echo", "HEAD")),
    ("HEAD of a stream", request("/stream", "HEAD")),
    ("OPTIONS", request("/echo", "OPTIONS")),
    ("an unknown method", request("/echo", "PROPFIND")),
    ("not found", request("/nowhere")),
    ("204", request("/none")),
    ("304", request("/not-modified")),
    ("a stream", request("/stream")),
    ("a stream to HTTP/1.0", b"GET /stream HTTP/1.0\r\nHost: h\r\n\r\n"),
    ("a generator", request("/lazy")),
    ("write()", request("/write")),
    ("spans", request("/span")),
    ("a large answer", request("/big?100")),
    ("two requests at once", request("/echo?1") + request("/echo?2")),
    ("a body and a request at once", request("/echo", "PUT", *sized(b"hello")) + request("/echo?2")),
]


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    lean = Gunicorn(tmp_path_factory.mktemp("lean"), PATIENT)
    stock = Gunicorn(tmp_path_factory.mktemp("stock"), STOCK)
    stock.span.write_bytes(lean.span.read_bytes())
    yield lean, stock
    lean.close()
    stock.close()


def told(worker, raw):
    """What a client learns: statuses, the headers that matter, bodies; 100 Continue may come sooner or later."""
    last = raw.rfind(b" HTTP/1.")
    start = raw.rfind(b"\n", 0, last) + 1
    method = raw[start:last].split(b" ")[0].decode()
    count = 2 if raw.count(b"GET /echo?2 ") else 1
    methods = ("GET", method) if count == 2 else (method,)
    with worker.connect() as client:
        client.sendall(raw)
        answers = []
        wanted = count
        while len(answers) < count:
            heard = hear(client, methods=methods, answers=wanted)
            answers += [answer for answer in heard.answers if answer.status != 100]
            wanted = count - len(answers)
            if heard.closed:
                break
    return [
        (
            answer.status,
            {name: answer.headers.get(name) for name in HEADERS_THAT_MATTER},
            hashlib.sha256(answer.body).hexdigest() if len(answer.body) > 2000 else answer.body,
            answer.whole,
        )
        for answer in answers
    ]


@pytest.mark.parametrize("raw", [pytest.param(raw, id=name) for name, raw in CORPUS])
def test_both_workers_give_the_same_answer(workers, raw):
    lean, stock = workers
    assert told(lean, raw) == told(stock, raw)
