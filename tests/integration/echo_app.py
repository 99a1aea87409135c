"""A tiny WSGI application for tests of the worker, and the worker with small bounds they run it under.

Every path provokes one behaviour of the wire; the answers hold nothing that differs between workers by right.
"""

import hashlib
import json
import os
import tempfile
import time

from app.core.types import FileSpan
from app.runtime.http1.bounds import WireLimits
from app.runtime.http1.worker import LeanWorker

ECHOED = ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "SERVER_PROTOCOL", "CONTENT_TYPE", "CONTENT_LENGTH")
SPAN_FILE = os.environ.get("ECHO_SPAN_FILE", "")
MARKS = os.environ.get("ECHO_MARKS", tempfile.gettempdir())
BLOCK = bytes(range(256)) * 256


class ImpatientWorker(LeanWorker):
    """The lean worker with bounds a test can wait for."""

    wire_limits = WireLimits(
        head_bytes_max=4096,
        head_fields_max=20,
        target_bytes_max=1024,
        head_seconds_max=0.6,
        idle_seconds_max=1.0,
        stall_seconds_max=0.6,
        stall_bytes_min=64,
        drain_bytes_max=65536,
        drain_seconds_max=0.5,
        chunk_head_bytes_max=64,
        trailer_bytes_max=256,
    )


def read_body(environ):
    body = environ.get("zapfs.body")
    if body is None or "via-input" in environ["QUERY_STRING"]:
        return environ["wsgi.input"].read()
    received = bytearray()
    view = memoryview(bytearray(70_000))
    while count := body.receive(view):
        received += view[:count]
    return bytes(received)


def echo(environ, start_response):
    body = read_body(environ)
    seen = {name: environ[name] for name in ECHOED if name in environ}
    seen["headers"] = {name: value for name, value in sorted(environ.items()) if name.startswith("HTTP_X_")}
    seen["host"] = environ.get("HTTP_HOST")
    seen["body"] = [len(body), hashlib.sha256(body).hexdigest()]
    return whole(start_response, json.dumps(seen, sort_keys=True).encode())


def whole(start_response, body, status="200 OK", headers=()):
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body))), *headers])
    return [body]


def lines(environ, start_response):
    read = [environ["wsgi.input"].readline(), *environ["wsgi.input"]]
    return whole(start_response, json.dumps([line.decode("latin-1") for line in read]).encode())


def stream(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return (b"piece %d\n" % number for number in range(5))


def lazy(environ, start_response):
    """A generator application: start_response comes with the first piece."""
    start_response("200 OK", [("Content-Length", "3")])
    yield b"a"
    yield b""
    yield b"bc"


def write(environ, start_response):
    start_response("200 OK", [("Content-Length", "6")])(b"abc")
    return [b"def"]


def span(environ, start_response):
    size = os.path.getsize(SPAN_FILE)
    start_response("200 OK", [("Content-Length", str(size + 5))])
    if not environ.get("zapfs.spans"):
        with open(SPAN_FILE, "rb") as file:
            return [b"head:", file.read()]

    def pieces():
        fd = os.open(SPAN_FILE, os.O_RDONLY)
        try:
            yield b"head:"
            yield FileSpan(fd, 0, size // 2)
            yield FileSpan(fd, size // 2, size - size // 2)
        finally:
            os.close(fd)

    return pieces()


def span_first(environ, start_response):
    size = os.path.getsize(SPAN_FILE)
    fd = os.open(SPAN_FILE, os.O_RDONLY)
    start_response("200 OK", [("Content-Length", str(size))])
    return Owned([FileSpan(fd, 0, size)], lambda: os.close(fd))


def span_too_long(environ, start_response):
    size = os.path.getsize(SPAN_FILE)
    fd = os.open(SPAN_FILE, os.O_RDONLY)
    start_response("200 OK", [("Content-Length", str(size + 10))])
    return Owned([FileSpan(fd, 0, size + 10)], lambda: os.close(fd))


class Owned(list):
    def __init__(self, pieces, close):
        super().__init__(pieces)
        self.close = close


def big(environ, start_response):
    count = int(environ["QUERY_STRING"] or "64")
    start_response("200 OK", [("Content-Length", str(count * len(BLOCK)))])
    return Owned([BLOCK] * count, lambda: mark("closed"))


def mark(name):
    with open(os.path.join(MARKS, name), "a") as file:
        file.write(f"{os.getpid()}\n")


def short(environ, start_response):
    start_response("200 OK", [("Content-Length", "10")])
    return iter([b"four"])


def long(environ, start_response):
    start_response("200 OK", [("Content-Length", "4")])
    return iter([b"four", b"GET /smuggled HTTP/1.1\r\n\r\n"])


def long_at_once(environ, start_response):
    start_response("200 OK", [("Content-Length", "2")])
    return [b"four"]


def fail(environ, start_response):
    raise RuntimeError("the application fails before it answers")


def fail_late(environ, start_response):
    start_response("200 OK", [("Content-Length", "100")])

    def pieces():
        yield b"some"
        raise RuntimeError("the application fails in the middle")

    return pieces()


def fail_stream(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])

    def pieces():
        yield b"some"
        raise RuntimeError("the application fails in the middle of a stream")

    return pieces()


def fail_close(environ, start_response):
    def close():
        mark("close-failed")
        raise RuntimeError("closing fails")

    start_response("200 OK", [("Content-Length", "4")])
    return Owned([b"fine"], close)


def slow(environ, start_response):
    time.sleep(float(environ["QUERY_STRING"]))
    return whole(start_response, b"slept")


def spoiled(environ, start_response):
    return whole(start_response, b"x", headers=[("X-Value", "a\r\nSet-Cookie: stolen")])


def no_start(environ, start_response):
    return [b"body"]


ROUTES = {
    "/echo": echo,
    "/lines": lines,
    "/stream": stream,
    "/lazy": lazy,
    "/write": write,
    "/span": span,
    "/span-first": span_first,
    "/span-too-long": span_too_long,
    "/big": big,
    "/short": short,
    "/long": long,
    "/long-at-once": long_at_once,
    "/fail": fail,
    "/fail-late": fail_late,
    "/fail-stream": fail_stream,
    "/fail-close": fail_close,
    "/slow": slow,
    "/spoiled": spoiled,
    "/no-start": no_start,
    "/ignore": lambda environ, start_response: whole(start_response, b"ignored"),
    "/pid": lambda environ, start_response: whole(start_response, str(os.getpid()).encode()),
    "/address": lambda environ, start_response: whole(
        start_response, f"{environ['REMOTE_ADDR']} {environ['wsgi.url_scheme']}".encode()
    ),
    "/none": lambda environ, start_response: start_response("204 No Content", []) and [],
    "/not-modified": lambda environ, start_response: start_response("304 Not Modified", [("ETag", '"e"')]) and [],
    "/close": lambda environ, start_response: whole(start_response, b"bye", headers=[("Connection", "close")]),
    "/reset-broken": lambda environ, start_response: whole(
        start_response, b"x", headers=[("Transfer-Encoding", "gzip")]
    ),
}


def app(environ, start_response):
    route = ROUTES.get(environ["PATH_INFO"])
    if route is None:
        return whole(start_response, b"no such path", "404 Not Found")
    return route(environ, start_response)
