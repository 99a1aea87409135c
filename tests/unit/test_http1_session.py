"""Whole connections over a real socket: whatever the bytes and however they are split, the same requests are served."""

import contextlib
import itertools
import logging
import re
import socket

import gevent
import pytest
from gevent import monkey
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import S3Error
from app.runtime.http1.bounds import WireLimits
from app.runtime.http1.connection import Connection
from app.runtime.http1.session import House, Session

LIMITS = WireLimits(
    head_bytes_max=1024,
    head_fields_max=8,
    target_bytes_max=256,
    head_seconds_max=0.3,
    idle_seconds_max=0.3,
    stall_seconds_max=0.3,
    stall_bytes_min=8,
    drain_bytes_max=256,
    drain_seconds_max=0.3,
    chunk_head_bytes_max=32,
    trailer_bytes_max=64,
)
SILENT = logging.getLogger("http1.session.test")
SILENT.setLevel(logging.CRITICAL)


class Visit:
    """One connection served to its end. `served`: (method, target, body or the code it failed with) in order."""

    def __init__(self, pieces, *, read=True, house=None):
        self.served = []
        self._read = read
        ours, theirs = monkey.get_original("socket", "socketpair")()
        theirs.setblocking(False)
        self.house = house or House(self._application, LIMITS, SILENT, lambda: None, 100)
        session = Session(self.house, Connection(ours, LIMITS), {"REMOTE_ADDR": ""})
        greenlet = gevent.spawn(session.run)
        with theirs:
            for piece in pieces:
                with contextlib.suppress(OSError):
                    theirs.send(piece)
                gevent.sleep(0)
            with contextlib.suppress(OSError):
                theirs.shutdown(socket.SHUT_WR)
            greenlet.join(5)
            self.ended = greenlet.successful()
            self.heard = b""
            with contextlib.suppress(OSError):
                while fresh := theirs.recv(1 << 20):
                    self.heard += fresh

    def _application(self, environ, start_response):
        body = b""
        if self._read:
            body = self._receive(environ["zapfs.body"])
        self.served.append((environ["REQUEST_METHOD"], environ["RAW_URI"], body))
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    def _receive(self, body):
        received, view = bytearray(), memoryview(bytearray(13))
        try:
            while count := body.receive(view):
                received += view[:count]
        except S3Error as error:
            return error.code
        return bytes(received)


WORDS = st.sampled_from(
    [
        *(
            b"GET /a HTTP/1.1\r\n",
            b"PUT /b HTTP/1.1\r\n",
            b"HEAD /c HTTP/1.1\r\n",
            b"POST /d HTTP/1.0\r\n",
            b"Host: h\r\n",
        ),
        *(
            b"\r\n",
            b"\r\n",
            b"\n",
            b"\r",
            b"Content-Length: 5\r\n",
            b"Content-Length: 0\r\n",
            b"Content-Length: 300\r\n",
        ),
        *(b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"X: y\r\n"),
        *(
            b"Expect: 100-continue\r\n",
            b"hello",
            b"5\r\n",
            b"0\r\n\r\n",
            b"0\r\n",
            b"5\r\nhello\r\n0\r\n\r\n",
            b"\0",
            b" ",
        ),
        *(b"GET /e HTTP/1.1\r\nHost: h\r\n\r\n", b"PUT /f HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"),
        b"PUT /g HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
    ]
)
SOUP = st.lists(WORDS, max_size=16).map(b"".join)
CUTS = st.lists(st.integers(min_value=0, max_value=2000), max_size=10)


def split(raw, cuts):
    places = [0, *sorted({cut % (len(raw) + 1) for cut in cuts}), len(raw)]
    return [raw[start:end] for start, end in itertools.pairwise(places) if start < end]


@settings(deadline=None, max_examples=150)
@given(SOUP, CUTS, st.booleans())
def test_the_requests_served_do_not_depend_on_how_the_bytes_are_split(raw, cuts, read):
    whole, parts = Visit([raw], read=read), Visit(split(raw, cuts), read=read)
    assert whole.ended
    assert parts.ended
    assert whole.served == parts.served
    statuses = [status for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", whole.heard) if status != b"100"]
    assert statuses[: len(whole.served)] == [b"200"] * len(whole.served)
    assert len(statuses) <= len(whole.served) + 1


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=300))
def test_any_bytes_end_in_an_answer_or_the_end_of_the_connection(raw):
    visit = Visit([raw])
    assert visit.ended
    assert visit.heard == b"" or visit.heard.startswith(b"HTTP/1.1 ")


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=200), st.booleans(), st.booleans())
def test_a_body_of_any_bytes_is_a_body_and_the_next_request_the_next(payload, chunked, read):
    if chunked:
        framing = b"Transfer-Encoding: chunked\r\n\r\n"
        framed = b"%x\r\n%s\r\n" % (len(payload), payload) if payload else b""
        framed += b"0\r\n\r\n"
    else:
        framing, framed = b"Content-Length: %d\r\n\r\n" % len(payload), payload
    visit = Visit(
        [b"PUT /x HTTP/1.1\r\nHost: h\r\n" + framing + framed + b"GET /next HTTP/1.1\r\nHost: h\r\n\r\n"], read=read
    )
    assert visit.served == [("PUT", "/x", payload if read else b""), ("GET", "/next", b"")]


def test_every_connection_gives_its_seat_back():
    visit = Visit([b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"])
    assert (visit.house.taken, visit.house.idle) == (0, {})


@pytest.mark.parametrize("raw", [b"", b"\r\n", b"GET / HT", b"GET / HTTP/1.1\r\nHost: h\r\n"])
def test_a_connection_that_ends_before_its_request_does_is_told_nothing(raw):
    visit = Visit([raw])
    assert (visit.ended, visit.heard, visit.served) == (True, b"", [])


def test_a_stopping_worker_serves_what_is_here_and_says_close():
    house = House(
        lambda environ, start: start("200 OK", [("Content-Length", "0")]) and [], LIMITS, SILENT, lambda: None, 9
    )
    house.alive = False
    visit = Visit([b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n" * 2], house=house)
    assert visit.heard.count(b"HTTP/1.1 200 OK") == visit.heard.count(b"Connection: close\r\n") == 1
