"""The lean worker against requests made to be read twice."""

import pytest

from tests.integration.smuggling_corpus import NEXT, REFUSED, SAFE
from tests.integration.wire import IMPATIENT, Gunicorn, hear


@pytest.fixture(scope="module")
def gunicorn(tmp_path_factory):
    served = Gunicorn(tmp_path_factory.mktemp("lean"), IMPATIENT)
    yield served
    served.close()


@pytest.mark.parametrize(("status", "raw"), [pytest.param(*case[1:], id=case[0]) for case in REFUSED])
def test_an_ambiguous_request_gets_one_refusal_and_the_end_of_the_connection(gunicorn, status, raw):
    heard = gunicorn.ask(raw)
    assert heard.statuses == [status]
    assert heard.closed
    assert not heard.reset
    refusal = heard.answers[0]
    assert refusal.whole
    assert refusal.headers["connection"] == "close"
    assert refusal.headers["date"].endswith("GMT")
    assert len(refusal.headers["x-amz-request-id"]) == 16
    assert f"<HostId>{refusal.headers['x-amz-id-2']}</HostId>".encode() in refusal.body
    assert refusal.body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>')


@pytest.mark.parametrize(("statuses", "raw"), [pytest.param(*case[1:], id=case[0]) for case in SAFE])
def test_no_byte_of_a_body_is_ever_taken_for_a_request(gunicorn, statuses, raw):
    with gunicorn.connect() as client:
        client.sendall(raw)
        if raw.endswith(NEXT):
            heard = hear(client, answers=len(statuses))
            client.sendall(NEXT)
            follower = hear(client, answers=1)
            assert follower.statuses == [200]
        else:
            heard = hear(client)
            assert heard.closed
    assert heard.statuses == statuses
    assert all(b"no such path" not in answer.body for answer in heard.answers)


@pytest.mark.parametrize("size", [1, 7])
def test_the_verdict_does_not_depend_on_how_the_bytes_are_split(gunicorn, size):
    for _, status, raw in REFUSED[1:60:6]:
        with gunicorn.connect() as client:
            try:
                for start in range(0, len(raw), size):
                    client.sendall(raw[start : start + size])
            except ConnectionError:
                pass  # Refused already; the answer is in our buffer or was overtaken by the reset we caused.
            assert hear(client).statuses == [status]


def test_a_server_that_refused_a_hundred_requests_still_serves(gunicorn):
    assert gunicorn.ask(NEXT, answers=1).statuses == [200]
