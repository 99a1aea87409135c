"""Answers over a real socket: framing, promises kept to the byte, and what the client is told about the connection."""

import os
import tempfile

import gevent
import pytest
from gevent import monkey

from app.core.types import FileSpan
from app.runtime.http1.answer import Answer, BrokenAnswer
from app.runtime.http1.bounds import WireLimits
from app.runtime.http1.connection import Connection, Gone, Stalled

LIMITS = WireLimits(stall_seconds_max=0.2, stall_bytes_min=8)


class Wire:
    """A connection, and what its other end has received."""

    def __init__(self):
        ours, self.theirs = monkey.get_original("socket", "socketpair")()
        self.connection = Connection(ours, LIMITS)
        self.theirs.setblocking(False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()
        self.theirs.close()

    def received(self):
        data = b""
        while True:
            try:
                fresh = self.theirs.recv(1 << 20)
            except BlockingIOError:
                return data
            if not fresh:
                return data
            data += fresh

    def send(self, headers, pieces, *, status="200 OK", method="GET", minor_version=1, persist=True):
        answer = Answer(self.connection, method, minor_version, lambda: persist)
        answer.start_response(status, [("Date", "today"), *headers])
        answer.send(pieces)
        return answer


@pytest.fixture
def wire():
    with Wire() as made:
        yield made


@pytest.fixture
def file():
    with tempfile.TemporaryFile() as made:
        made.write(b"0123456789")
        made.flush()
        yield made.fileno()


def length(count):
    return ("Content-Length", str(count))


class TestFraming:
    def test_head_and_body_leave_as_the_application_gave_them(self, wire):
        answer = wire.send([("X-A", "caf\xe9"), length(3)], [b"abc"])
        assert wire.received() == b"HTTP/1.1 200 OK\r\nDate: today\r\nX-A: caf\xe9\r\nContent-Length: 3\r\n\r\nabc"
        assert (answer.complete, answer.persists) == (True, True)

    def test_pieces_may_be_bytes_views_and_spans_of_a_file(self, wire, file):
        wire.send([length(9)], iter([b"ab", memoryview(b"cd"), FileSpan(file, 3, 4), b"", b"e"]))
        assert wire.received().endswith(b"\r\n\r\nabcd3456e")

    def test_a_span_may_come_first(self, wire, file):
        wire.send([length(10)], [FileSpan(file, 0, 10)])
        assert wire.received().endswith(b"\r\n\r\n0123456789")

    def test_a_list_without_length_gets_one(self, wire, file):
        wire.send([], [b"ab", FileSpan(file, 0, 2)])
        assert wire.received().endswith(b"Content-Length: 4\r\n\r\nab01")

    def test_a_stream_without_length_is_chunked(self, wire, file):
        wire.send([], iter([b"ab", b"", FileSpan(file, 0, 10)]))
        assert wire.received().endswith(b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\na\r\n0123456789\r\n0\r\n\r\n")

    def test_an_empty_stream_is_one_last_chunk(self, wire):
        wire.send([], iter([]))
        assert wire.received().endswith(b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")

    def test_a_stream_to_http_1_0_ends_with_the_connection(self, wire):
        answer = wire.send([], iter([b"ab"]), minor_version=0)
        assert wire.received().endswith(b"Connection: close\r\n\r\nab")
        assert not answer.persists

    def test_a_persisting_http_1_0_client_is_told_so(self, wire):
        wire.send([length(0)], [], minor_version=0)
        assert b"Connection: keep-alive\r\n" in wire.received()

    @pytest.mark.parametrize(
        ("status", "method"), [("204 No Content", "GET"), ("304 Not Modified", "GET"), ("200 OK", "HEAD")]
    )
    def test_answers_without_body_send_none(self, wire, status, method):
        wire.send([], [b"body"], status=status, method=method)
        assert wire.received() == f"HTTP/1.1 {status}\r\nDate: today\r\n\r\n".encode()

    def test_head_keeps_the_length_of_what_it_stands_for(self, wire):
        wire.send([length(5)], [], method="HEAD")
        assert wire.received().endswith(b"Content-Length: 5\r\n\r\n")

    def test_204_never_has_a_length(self, wire):
        wire.send([length(0)], [], status="204 No Content")
        assert b"Content-Length" not in wire.received()

    def test_a_large_answer_arrives_whole_through_a_small_buffer(self, wire):
        body = os.urandom(3_000_000)
        sender = gevent.spawn(wire.send, [length(len(body))], [memoryview(body)[:1_000_000], body[1_000_000:]])
        received = b""
        while not sender.ready():
            gevent.sleep(0)
            received += wire.received()
        sender.get()
        assert (received + wire.received()).partition(b"\r\n\r\n")[2] == body

    def test_a_date_is_added_when_the_application_gave_none(self, wire):
        answer = Answer(wire.connection, "GET", 1, lambda: True)
        answer.start_response("200 OK", [length(0)])
        answer.send([])
        assert b"\r\nDate: " in wire.received()


class TestPersistence:
    @pytest.mark.parametrize(("headers", "persist"), [([], False), ([("connection", "Close")], True)])
    def test_either_side_may_end_the_connection(self, wire, headers, persist):
        answer = wire.send([length(0), *headers], [], persist=persist)
        assert wire.received().count(b"Connection: close\r\n") == 1
        assert not answer.persists


class TestBrokenAnswers:
    @pytest.mark.parametrize(
        "headers",
        [
            [("X", "a\r\nY: b")],
            [("X", "a\nb")],
            [("X", "a\rb")],
            [("X", "a\0b")],
            [("X\r\nY", "a")],
            [("Transfer-Encoding", "chunked")],
            [length(1), length(1)],
            [("Content-Length", "+1")],
            [("Content-Length", "")],
        ],
    )
    def test_a_head_that_could_be_read_twice_is_never_sent(self, wire, headers):
        with pytest.raises(BrokenAnswer):
            wire.send(headers, [b"x"])
        assert wire.received() == b""

    def test_a_status_with_a_line_end_is_never_sent(self, wire):
        with pytest.raises(BrokenAnswer):
            wire.send([], [b"x"], status="200 OK\r\nX: y")
        assert wire.received() == b""

    def test_a_header_beyond_latin_is_never_sent(self, wire):
        with pytest.raises(UnicodeEncodeError):
            wire.send([("X", "\u20ac")], [b"x"])
        assert wire.received() == b""

    def test_a_piece_beyond_the_promise_is_not_sent(self, wire):
        with pytest.raises(BrokenAnswer):
            wire.send([length(3)], iter([b"ab", b"cd"]))
        assert wire.received().endswith(b"\r\n\r\nab")

    def test_a_body_short_of_the_promise_is_broken(self, wire):
        with pytest.raises(BrokenAnswer):
            wire.send([length(3)], iter([b"ab"]))

    def test_an_empty_body_short_of_the_promise_is_not_even_begun(self, wire):
        with pytest.raises(BrokenAnswer):
            wire.send([length(3)], [])
        assert wire.received() == b""

    def test_a_file_shorter_than_its_span_is_an_error(self, wire, file):
        with pytest.raises(EOFError):
            wire.send([length(11)], [FileSpan(file, 0, 11)])

    def test_nothing_is_sent_before_start_response(self, wire):
        with pytest.raises(BrokenAnswer):
            Answer(wire.connection, "GET", 1, lambda: True).send([b"x"])
        assert wire.received() == b""

    def test_start_response_may_be_repeated_only_with_an_error_and_before_the_head(self, wire):
        answer = Answer(wire.connection, "GET", 1, lambda: True)
        answer.start_response("200 OK", [])
        with pytest.raises(BrokenAnswer):
            answer.start_response("200 OK", [])
        failure = ValueError("late")
        answer.start_response("500 Failed", [length(0)], (ValueError, failure, None))
        answer.send([])
        assert wire.received().startswith(b"HTTP/1.1 500 Failed")
        with pytest.raises(ValueError, match="late"):
            answer.start_response("500 Failed", [], (ValueError, failure, None))


class TestClients:
    def test_a_client_that_is_gone_is_told_nothing(self, wire):
        wire.theirs.close()
        with pytest.raises(Gone):
            wire.send([length(4)], iter([b"ab", b"cd"]))

    def test_a_client_that_does_not_read_is_given_up(self, wire):
        with pytest.raises(Stalled), gevent.Timeout(5):
            wire.send([length(8_000_000)], [bytes(8_000_000)])

    def test_a_client_that_does_not_read_a_file_is_given_up(self, wire):
        with tempfile.TemporaryFile() as large:
            large.truncate(8_000_000)
            with pytest.raises(Stalled), gevent.Timeout(5):
                wire.send([length(8_000_000)], [FileSpan(large.fileno(), 0, 8_000_000)])
