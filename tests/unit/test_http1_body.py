"""Request bodies over a real socket: framing, bounds, failures, and the file on top."""

import contextlib
import itertools
import re
import socket

import gevent
import pytest
from gevent import monkey
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import S3Error
from app.runtime.http1.body import ChunkedBody, InputFile, LengthBody
from app.runtime.http1.bounds import WireLimits
from app.runtime.http1.chunked import BadFraming, chunk_size, trailer_field
from app.runtime.http1.connection import Connection

LIMITS = WireLimits(stall_seconds_max=0.2, stall_bytes_min=8, chunk_head_bytes_max=64, trailer_bytes_max=128)
CLOSE = object()


class Pair:
    """A connection whose other end sends `pieces`, one per turn of the loop."""

    def __init__(self, *pieces, end=True):
        ours, self.theirs = monkey.get_original("socket", "socketpair")()
        self.connection = Connection(ours, LIMITS)
        self.theirs.setblocking(False)
        self.sender = gevent.spawn(self._send, pieces, end)

    def _send(self, pieces, end):
        for piece in pieces:
            self.theirs.send(piece)
            gevent.sleep(0)
        if end:
            self.theirs.shutdown(socket.SHUT_WR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sender.kill()
        self.connection.close()
        self.theirs.close()


def read_all(body, size=7):
    received = bytearray()
    view = memoryview(bytearray(size))
    while count := body.receive(view):
        received += view[:count]
    return bytes(received)


def split(raw, cuts):
    places = [0, *sorted({cut % (len(raw) + 1) for cut in cuts}), len(raw)]
    return [raw[start:end] for start, end in itertools.pairwise(places) if start < end]


CUTS = st.lists(st.integers(min_value=0, max_value=10_000), max_size=12)


class TestLengthBodies:
    @settings(deadline=None, max_examples=60)
    @given(st.binary(max_size=200), CUTS, st.integers(min_value=1, max_value=50))
    def test_exactly_the_announced_bytes_are_taken(self, payload, cuts, size):
        with Pair(*split(payload + b"NEXT", cuts)) as pair:
            body = LengthBody(pair.connection, len(payload), expects=False)
            assert read_all(body, size) == payload
            assert body.ended
            rest = bytearray(4)
            pair.connection.fill(memoryview(rest))
            assert rest == b"NEXT"

    def test_every_call_fills_the_view_until_the_end(self):
        with Pair(b"ab", b"cd", b"efg") as pair:
            body = LengthBody(pair.connection, 7, expects=False)
            view = memoryview(bytearray(5))
            assert [body.receive(view), bytes(view), body.length] == [5, b"abcde", 2]
            assert [body.receive(view), bytes(view[:2]), body.receive(view)] == [2, b"fg", 0]

    def test_a_client_that_goes_away_is_an_incomplete_body_for_good(self):
        with Pair(b"ab") as pair:
            body = LengthBody(pair.connection, 7, expects=False)
            for _ in range(2):
                with pytest.raises(S3Error) as caught:
                    body.receive(memoryview(bytearray(5)))
                assert caught.value.code == "IncompleteBody"
            assert not body.ended
            assert body.failure is caught.value

    def test_a_client_that_stalls_is_a_timeout(self):
        with Pair(b"ab", end=False) as pair:
            body = LengthBody(pair.connection, 7, expects=False)
            with pytest.raises(S3Error) as caught:
                body.receive(memoryview(bytearray(7)))
            assert caught.value.code == "RequestTimeout"

    def test_100_continue_is_sent_once_and_only_by_a_read(self):
        with Pair(b"abcdef", end=False) as pair:
            body = LengthBody(pair.connection, 6, expects=True)
            gevent.sleep(0.01)
            with pytest.raises(BlockingIOError):
                pair.theirs.recv(100)
            assert read_all(body, 2) == b"abcdef"
            assert pair.theirs.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"

    def test_a_view_of_nothing_takes_nothing(self):
        with Pair(b"ab", end=False) as pair:
            body = LengthBody(pair.connection, 2, expects=True)
            assert body.receive(memoryview(b"")) == 0
            assert body.expects


def framed(pieces, trailers=b""):
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n" + trailers + b"\r\n"


def decode(raw):
    """A plain decoder of whole chunked bodies to compare with: (payload, bytes consumed), or None."""
    payload, place = b"", 0
    while True:
        match = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?\r\n").match(raw, place)
        if match is None or match.end() - match.start() - 2 > 64:
            return None
        size, place = int(match[1], 16), match.end()
        if size == 0:
            return (payload, place + 2) if raw[place : place + 2] == b"\r\n" else None
        if raw[place + size : place + size + 2] != b"\r\n":
            return None
        payload, place = payload + raw[place : place + size], place + size + 2


class TestChunkedBodies:
    @settings(deadline=None, max_examples=80)
    @given(st.lists(st.binary(min_size=1, max_size=60), max_size=8), CUTS, st.integers(min_value=1, max_value=80))
    def test_the_payload_does_not_depend_on_how_the_bytes_are_split(self, pieces, cuts, size):
        with Pair(*split(framed(pieces, b"X-T: 1\r\n") + b"NEXT", cuts)) as pair:
            body = ChunkedBody(pair.connection, LIMITS, expects=False)
            assert read_all(body, size) == b"".join(pieces)
            assert (body.ended, body.trailers) == (True, {"x-t": "1"})
            rest = bytearray(4)
            pair.connection.fill(memoryview(rest))
            assert rest == b"NEXT"

    SOUP = st.lists(
        st.sampled_from(
            [b"0", b"5", b"a", b"hello", b"\r\n", b"\r\n\r\n", b"\n", b"\r", b";x", b" ", b"-", b"+", b"0x", b"\0"]
        )
        | st.binary(max_size=5),
        max_size=14,
    ).map(b"".join)

    @settings(deadline=None, max_examples=150)
    @given(SOUP, CUTS)
    def test_any_bytes_decode_as_a_plain_decoder_says_or_fail(self, raw, cuts):
        expected = decode(raw)
        with Pair(*split(raw, cuts)) as pair:
            body = ChunkedBody(pair.connection, LIMITS, expects=False)
            payload = None
            with contextlib.suppress(S3Error):
                payload = read_all(body, 3)
            if expected is not None:
                assert payload == expected[0]
            elif payload is None:
                assert body.failure.code == "IncompleteBody"
            assert body.ended == (payload is not None)  # With trailers, which the plain decoder does not know, or none.

    def test_the_end_is_told_only_once_the_trailers_are_sound(self):
        with Pair(b"5\r\nhello\r\n0\r\nbad trailer\r\n\r\n") as pair:
            body = ChunkedBody(pair.connection, LIMITS, expects=False)
            view = memoryview(bytearray(5))
            assert body.receive(view) == 5
            with pytest.raises(S3Error):
                body.receive(view)
            assert not body.ended

    def test_trailers_are_bounded(self):
        with Pair(b"0\r\n" + b"".join(b"A%d: 0123456789\r\n" % number for number in range(20))) as pair:
            with pytest.raises(S3Error) as caught:
                read_all(ChunkedBody(pair.connection, LIMITS, expects=False))
            assert caught.value.reason == "the trailers are too long"

    def test_a_body_of_tiny_chunks_lets_other_greenlets_run(self):
        ticks = []
        ticker = gevent.spawn(lambda: [ticks.append(gevent.sleep(0)) for _ in range(1000)])
        with Pair(*[b"1\r\nx\r\n" * 2700] * 8, b"0\r\n\r\n") as pair:
            read_all(ChunkedBody(pair.connection, LIMITS, expects=False), 100_000)
            assert len(ticks) >= 8
        ticker.kill()


class TestLines:
    @pytest.mark.parametrize(("line", "size"), [(b"0", 0), (b"00a", 10), (b"F;x", 15), (b"1 ;a=b", 1), (b"1\t;", 1)])
    def test_a_chunk_head_says_its_size(self, line, size):
        assert chunk_size(line) == size

    @given(st.binary(max_size=20))
    def test_any_other_line_is_no_chunk_head(self, line):
        if re.fullmatch(rb"[0-9A-Fa-f]{1,15}([ \t]*;.*)?", line) is None:
            with pytest.raises(BadFraming):
                chunk_size(line)

    def test_a_trailer_field_has_a_lower_case_name_and_no_blanks_around_its_value(self):
        assert trailer_field(b"X-Amz-Checksum-CRC32:  AAAAAA== \t") == ("x-amz-checksum-crc32", "AAAAAA==")

    @pytest.mark.parametrize(
        "line", [b"x", b": y", b"a b: c", b"a : b", b" a: b", b"a: \0", b"a: b\r", b"Host: h", b"TE: x"]
    )
    def test_malformed_and_forbidden_trailers_are_refused(self, line):
        with pytest.raises(BadFraming):
            trailer_field(line)


class TestInputFiles:
    def file(self, pair, size):
        return InputFile(LengthBody(pair.connection, size, expects=False))

    def test_read_takes_all_or_as_much_as_asked(self):
        with Pair(b"hello world") as pair:
            file = self.file(pair, 11)
            assert [file.read(5), file.read(0), file.read(), file.read(), file.read(3)] == [
                b"hello",
                b"",
                b" world",
                b"",
                b"",
            ]

    def test_lines_end_with_their_line_end_or_the_body(self):
        with Pair(b"a\nbc\n\nd") as pair:
            file = self.file(pair, 7)
            assert [file.readline(), file.readline(1), *file] == [b"a\n", b"b", b"c\n", b"\n", b"d"]

    def test_readinto_fills_what_is_given(self):
        with Pair(b"hello") as pair:
            file, into = self.file(pair, 5), bytearray(8)
            assert (file.readinto(into), into[:5]) == (5, b"hello")

    def test_readlines_reads_all_of_them(self):
        with Pair(b"a\nb\n") as pair:
            assert self.file(pair, 4).readlines() == [b"a\n", b"b\n"]

    def test_a_failure_of_the_body_is_the_failure_of_the_read(self):
        with Pair(b"he") as pair, pytest.raises(S3Error):
            self.file(pair, 5).read()
