"""The lean worker under a real gunicorn: flows, slow clients, failures of the application, and the end."""

import collections
import contextlib
import hashlib
import json
import os
import signal
import socket
import time

import pytest

from tests.integration.wire import IMPATIENT, PATIENT, Gunicorn, hear, request


@pytest.fixture(scope="module")
def gunicorn(tmp_path_factory):
    served = Gunicorn(tmp_path_factory.mktemp("lean"), IMPATIENT)
    yield served
    served.close()


def echoed(answer):
    return json.loads(answer.body)


def put(target="/echo", size=0, *, headers=b"", body=b""):
    return request(target, "PUT", b"Content-Length: %d\r\n%s" % (size, headers), body)


class TestKeepAlive:
    def test_pipelined_requests_are_answered_in_order(self, gunicorn):
        raw = b"".join(request(f"/echo?n={number}") for number in range(50))
        answers = gunicorn.ask(raw, answers=50).answers
        assert [echoed(answer)["QUERY_STRING"] for answer in answers] == [f"n={number}" for number in range(50)]

    def test_a_pipelining_client_does_not_keep_others_waiting(self, gunicorn):
        with gunicorn.connect() as busy, gunicorn.connect() as other:
            busy.sendall(request("/ignore") * 3000)
            begin = time.monotonic()
            other.sendall(request("/ignore"))
            assert hear(other, answers=1).statuses == [200]
            assert time.monotonic() - begin < 1
            assert hear(busy, answers=3000).statuses == [200] * 3000

    def test_an_idle_connection_is_closed_without_a_word(self, gunicorn):
        with gunicorn.connect() as client:
            client.sendall(request("/ignore"))
            hear(client, answers=1)
            begin = time.monotonic()
            heard = hear(client)
            assert (heard.closed, heard.answers) == (True, [])
            assert 0.5 < time.monotonic() - begin < 3

    def test_head_has_no_body_and_the_next_request_is_served(self, gunicorn):
        heard = gunicorn.ask(request("/ignore", "HEAD") + request("/ignore"), methods=("HEAD", "GET"), answers=2)
        assert heard.statuses == [200, 200]
        assert heard.answers[0].headers["content-length"] == heard.answers[1].headers["content-length"] == "7"

    @pytest.mark.parametrize(("target", "status"), [("/none", 204), ("/not-modified", 304)])
    def test_statuses_without_body_have_none(self, gunicorn, target, status):
        heard = gunicorn.ask(request(target) + request("/ignore"), answers=2)
        assert heard.statuses == [status, 200]
        assert "content-length" not in heard.answers[0].headers
        assert "transfer-encoding" not in heard.answers[0].headers


class TestBodies:
    @pytest.mark.parametrize("target", ["/echo", "/echo?via-input"])
    @pytest.mark.parametrize("chunked", [False, True])
    def test_a_large_body_arrives_whole(self, gunicorn, target, chunked):
        body = os.urandom(2_000_003)
        if chunked:
            cut = [body[start : start + 65_537] for start in range(0, len(body), 65_537)]
            framed = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in cut) + b"0\r\n\r\n"
            raw = request(target, "PUT", b"Transfer-Encoding: chunked\r\n", framed)
        else:
            raw = put(target, len(body), body=body)
        answer = gunicorn.ask(raw, answers=1).answers[0]
        assert echoed(answer)["body"] == [len(body), hashlib.sha256(body).hexdigest()]

    def test_the_input_file_reads_lines(self, gunicorn):
        body = b"one\ntwo\nthree"
        answer = gunicorn.ask(put("/lines", len(body), body=body), answers=1).answers[0]
        assert json.loads(answer.body) == ["one\n", "two\n", "three"]

    def test_100_continue_comes_when_the_body_is_pulled(self, gunicorn):
        with gunicorn.connect() as client:
            client.sendall(put(size=5, headers=b"Expect: 100-Continue\r\n"))
            assert hear(client, answers=1).statuses == [100]
            client.sendall(b"hello" + request("/ignore"))
            assert hear(client, answers=2).statuses == [200, 200]

    def test_no_100_continue_comes_for_a_body_nobody_wants(self, gunicorn):
        with gunicorn.connect() as client:
            client.sendall(put("/ignore", 5, headers=b"Expect: 100-continue\r\n"))
            heard = hear(client)
            assert heard.statuses == [200]
            assert heard.answers[0].headers["connection"] == "close"

    def test_no_100_continue_comes_without_a_body_or_to_http_1_0(self, gunicorn):
        assert gunicorn.ask(put(headers=b"Expect: 100-continue\r\n"), answers=1).statuses == [200]
        old = b"PUT /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello"
        assert gunicorn.ask(old).statuses == [200]

    def test_a_client_that_goes_away_in_the_body_harms_nobody(self, gunicorn):
        with gunicorn.connect() as client:
            client.sendall(put(size=1000, body=b"half"))
        assert gunicorn.ask(request("/ignore"), answers=1).statuses == [200]

    def test_a_client_that_ends_its_half_in_the_body_hears_why(self, gunicorn):
        with gunicorn.connect() as client:
            client.sendall(put(size=1000, body=b"half"))
            client.shutdown(socket.SHUT_WR)
            heard = hear(client)
        assert heard.statuses == [400]
        assert b"<Code>IncompleteBody</Code>" in heard.answers[0].body


class TestSlowClients:
    def test_a_head_byte_by_byte_has_its_time(self, gunicorn):
        with gunicorn.connect() as client:
            for byte in request("/ignore"):
                client.sendall(bytes([byte]))
            assert hear(client, answers=1).statuses == [200]

    def test_a_head_that_trickles_is_refused_in_time(self, gunicorn):
        with gunicorn.connect() as client:
            begin = time.monotonic()
            client.sendall(b"GET /echo HTTP/1.1\r\n")
            with contextlib.suppress(ConnectionError):
                while time.monotonic() - begin < 1.5:
                    client.sendall(b"X: y\r\n")
                    time.sleep(0.15)
            assert hear(client).statuses in ([408], [])
            assert time.monotonic() - begin < 3

    def test_half_a_head_gets_a_timeout_and_the_end(self, gunicorn):
        with gunicorn.connect() as client:
            client.sendall(b"GET /echo HTTP/1.1\r\nHost: h\r\n")
            heard = hear(client)
        assert heard.statuses == [408]
        assert b"<Code>RequestTimeout</Code>" in heard.answers[0].body

    @pytest.mark.parametrize("size", [1000, 1_000_000])
    def test_a_stalled_body_gets_a_timeout_and_the_end(self, gunicorn, size):
        with gunicorn.connect() as client:
            begin = time.monotonic()
            client.sendall(put(size=size, body=b"half"))
            heard = hear(client)
        assert heard.statuses == [400]
        assert b"<Code>RequestTimeout</Code>" in heard.answers[0].body
        assert 0.4 < time.monotonic() - begin < 4

    def test_a_body_that_trickles_is_given_up_all_the_same(self, gunicorn):
        with gunicorn.connect() as client:
            begin = time.monotonic()
            client.sendall(put(size=1000))
            with contextlib.suppress(ConnectionError):
                while time.monotonic() - begin < 1.5:
                    client.sendall(b"x")
                    time.sleep(0.1)
            assert hear(client).statuses in ([400], [])

    def test_a_slow_but_steady_large_body_is_taken(self, gunicorn):
        with gunicorn.connect() as client:
            size = 200_000
            client.sendall(put(size=size))
            for _ in range(10):
                client.sendall(b"x" * (size // 10))
                time.sleep(0.15)
            assert hear(client, answers=1).statuses == [200]

    @pytest.mark.parametrize("target", ["/big?256", "/span"])
    def test_a_client_that_does_not_read_is_dropped(self, gunicorn, target):
        with gunicorn.connect(receive_buffer=4096) as client:
            client.sendall(request(target))
            time.sleep(2)
            heard = hear(client)
        assert heard.reset
        assert not any(answer.whole for answer in heard.answers)
        assert gunicorn.ask(request("/ignore"), answers=1).statuses == [200]


class TestAnswers:
    @pytest.mark.parametrize("target", ["/span", "/span-first"])
    def test_spans_of_a_file_arrive_whole(self, gunicorn, target):
        answer = gunicorn.ask(request(target), answers=1).answers[0]
        content = gunicorn.span.read_bytes()
        assert answer.body == (b"head:" + content if target == "/span" else content)

    def test_an_answer_without_length_is_chunked_or_ends_with_the_connection(self, gunicorn):
        expected = b"".join(b"piece %d\n" % number for number in range(5))
        assert gunicorn.ask(request("/stream"), answers=1).answers[0].body == expected
        old = gunicorn.ask(b"GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert (old.closed, old.reset, old.answers[0].body) == (True, False, expected)

    @pytest.mark.parametrize("target", ["/fail", "/spoiled", "/no-start", "/long-at-once", "/reset-broken"])
    def test_a_failure_before_the_first_byte_is_a_500(self, gunicorn, target):
        heard = gunicorn.ask(request(target))
        assert heard.statuses == [500]
        assert b"<Code>InternalError</Code>" in heard.answers[0].body
        assert "set-cookie" not in heard.answers[0].headers

    @pytest.mark.parametrize("target", ["/fail-late", "/fail-stream", "/short", "/span-too-long"])
    def test_an_answer_that_breaks_in_the_middle_never_looks_whole(self, gunicorn, target):
        heard = gunicorn.ask(request(target))
        assert heard.closed
        assert not any(answer.whole for answer in heard.answers)

    def test_more_than_the_promised_length_is_never_sent(self, gunicorn):
        heard = gunicorn.ask(request("/long"))
        assert heard.closed
        assert [answer.body for answer in heard.answers] in ([b"four"], [])

    def test_a_failing_close_does_not_spoil_a_whole_answer(self, gunicorn):
        heard = gunicorn.ask(request("/fail-close"))
        assert [answer.body for answer in heard.answers] == [b"fine"]
        assert (gunicorn.directory / "close-failed").exists()

    def test_close_is_called_when_the_client_is_gone(self, gunicorn):
        with gunicorn.connect() as client:
            client.sendall(request("/big?2048"))
            client.recv(1000)
        deadline = time.monotonic() + 3
        while not (gunicorn.directory / "closed").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert (gunicorn.directory / "closed").exists()

    def test_each_failure_of_the_application_is_logged_once(self, gunicorn):
        before = gunicorn.log.read_text().count("RuntimeError: the application fails before it answers")
        gunicorn.ask(request("/fail?X-Amz-Signature=secret"))
        assert "Error handling request /fail\n" in gunicorn.log.read_text()
        assert "secret" not in gunicorn.log.read_text()
        assert gunicorn.log.read_text().count("RuntimeError: the application fails before it answers") == before + 1

    def test_the_client_s_address_is_the_socket_s_whatever_headers_say(self, gunicorn):
        spoofed = request("/address", headers=b"X-Forwarded-For: 10.1.1.1\r\nForwarded: for=10.1.1.1\r\n")
        assert gunicorn.ask(spoofed, answers=1).answers[0].body == b"127.0.0.1 http"


class TestSiblings:
    def test_connections_are_shared_by_the_workers(self, tmp_path):
        gunicorn = Gunicorn(tmp_path, PATIENT, "-w", "3")
        try:
            with contextlib.ExitStack() as stack:
                up, deadline = set[bytes](), time.monotonic() + 20
                while len(up) < 3 and time.monotonic() < deadline:  # all have to be up for a fair share
                    with gunicorn.connect() as probe:
                        probe.sendall(request("/pid"))
                        up.add(hear(probe, answers=1).answers[0].body)
                guests = []
                for _ in range(24):
                    guests.append(stack.enter_context(gunicorn.connect()))
                    time.sleep(0.005)
                for guest in guests:
                    guest.sendall(request("/pid"))
                shares = collections.Counter(hear(guest, answers=1).answers[0].body for guest in guests)
            assert len(shares) == 3
            assert min(shares.values()) >= 3
        finally:
            gunicorn.close()


class TestTheEnd:
    def test_a_stop_finishes_the_request_in_flight_and_closes_idle_connections_at_once(self, tmp_path):
        gunicorn = Gunicorn(tmp_path, PATIENT)
        try:
            with gunicorn.connect() as idle, gunicorn.connect() as sending, gunicorn.connect() as waiting:
                idle.sendall(request("/ignore"))
                hear(idle, answers=1)
                sending.sendall(put(size=10, body=b"hello"))
                waiting.sendall(request("/slow?0.8"))
                time.sleep(0.2)
                begin = time.monotonic()
                gunicorn.terminate()
                assert hear(idle).closed
                assert time.monotonic() - begin < 1
                sending.sendall(b"world")
                finished = hear(sending)
                assert finished.statuses == [200]
                assert finished.answers[0].headers["connection"] == "close"
                assert hear(waiting).statuses == [200]
            assert gunicorn.process.wait(5) == 0
            assert time.monotonic() - begin < 4
        finally:
            gunicorn.close()

    def test_a_stop_does_not_wait_for_ever(self, tmp_path):
        gunicorn = Gunicorn(tmp_path, PATIENT, "--graceful-timeout", "1")
        try:
            with gunicorn.connect(10) as client:
                client.sendall(put(size=10, body=b"hello"))
                time.sleep(0.2)
                gunicorn.terminate()
                assert gunicorn.process.wait(8) == 0
                assert not any(answer.status == 200 for answer in hear(client).answers)
        finally:
            gunicorn.close()

    def test_a_worker_is_replaced_after_its_last_request(self, tmp_path):
        gunicorn = Gunicorn(tmp_path, PATIENT, "--max-requests", "3")
        try:
            answers = [gunicorn.ask(request("/pid"), answers=1).answers[0] for _ in range(3)]
            assert len({answer.body for answer in answers}) == 1
            assert answers[2].headers["connection"] == "close"
            assert gunicorn.ask(request("/pid"), answers=1).answers[0].body != answers[0].body
        finally:
            gunicorn.close()

    def test_a_killed_worker_is_replaced(self, tmp_path):
        gunicorn = Gunicorn(tmp_path, PATIENT)
        try:
            first = gunicorn.ask(request("/pid"), answers=1).answers[0].body
            os.kill(int(first), signal.SIGKILL)
            assert gunicorn.ask(request("/pid"), answers=1).answers[0].body != first
        finally:
            gunicorn.close()

    def test_a_full_house_sheds_its_oldest_idle_guest(self, tmp_path):
        gunicorn = Gunicorn(tmp_path, PATIENT, "--worker-connections", "3")
        try:
            with contextlib.ExitStack() as stack:
                for _ in range(7):
                    guest = stack.enter_context(gunicorn.connect())
                    guest.sendall(request("/ignore"))
                    assert hear(guest, answers=1).statuses == [200]
        finally:
            gunicorn.close()

    def test_the_last_seat_is_for_a_newcomer_even_if_it_is_slow_to_ask(self, tmp_path):
        gunicorn = Gunicorn(tmp_path, PATIENT, "--worker-connections", "3")
        try:
            with gunicorn.connect() as one, gunicorn.connect() as two, gunicorn.connect() as newcomer:
                one.sendall(request("/slow?0.6"))
                two.sendall(request("/slow?0.6"))
                time.sleep(0.3)
                newcomer.sendall(request("/ignore"))
                assert hear(newcomer, answers=1).statuses == [200]
                assert hear(one, answers=1).statuses == hear(two, answers=1).statuses == [200]
        finally:
            gunicorn.close()
