"""WSGI to values and back, by the lean worker and by the stock one."""

import io
import os
import typing

import pytest

from app.core.errors import S3Error, Unavailable
from app.core.s3 import operations_table
from app.core.types import FileSpan
from app.faces.http import wire
from app.faces.http.s3.acting import Acting
from app.faces.http.s3.table import UseCases, handlers
from app.faces.http.wire import InputBody, Response


def stock_environ(**extra):
    return {
        "REQUEST_METHOD": "PUT",
        "RAW_URI": "/b/a%2Fb?x=y",
        "PATH_INFO": "/b/a/b",
        "HTTP_HOST": "h",
        "HTTP_X_AMZ_META_A": "1,2",
        "CONTENT_LENGTH": "5",
        "CONTENT_TYPE": "a/b",
        "REMOTE_ADDR": "192.0.2.1",
        "wsgi.input": io.BytesIO(b"12345"),
    } | extra


def test_the_stock_worker_gives_the_same_request_the_slow_way():
    request = wire.read_request(stock_environ())
    assert (request.method, request.target, request.remote, request.spans) == (
        "PUT",
        "/b/a%2Fb?x=y",
        "192.0.2.1",
        False,
    )
    assert request.headers == {"host": "h", "x-amz-meta-a": "1,2", "content-length": "5", "content-type": "a/b"}
    view = memoryview(bytearray(9))
    assert request.body.length == 5
    assert (request.body.receive(view), bytes(view[:5])) == (5, b"12345")
    assert (request.body.receive(view), request.body.length) == (0, 0)


def test_the_lean_workers_headers_and_body_are_taken_as_they_are():
    headers, body = {"host": "h"}, InputBody(io.BytesIO(b""), 0)
    environ = {
        "REQUEST_METHOD": "GET",
        "RAW_URI": "/",
        "zapfs.headers": headers,
        "zapfs.body": body,
        "zapfs.spans": True,
    }
    request = wire.read_request(environ)
    assert request.headers is headers
    assert request.body is body
    assert request.spans


def test_a_body_is_filled_in_pieces_of_the_callers_size_and_never_read_past_its_length():
    source = io.BytesIO(b"abcdefgh-next request")
    body = InputBody(source, 8)
    view = memoryview(bytearray(3))
    taken = b""
    while count := body.receive(view):
        taken += bytes(view[:count])
    assert taken == b"abcdefgh"
    assert source.read() == b"-next request"


def test_a_body_that_ends_early_is_incomplete():
    with pytest.raises(S3Error) as caught:
        InputBody(io.BytesIO(b"abc"), 4).receive(memoryview(bytearray(4)))
    assert caught.value.code == "IncompleteBody"


def test_a_chunked_body_has_no_length_and_ends_with_its_source():
    environ = stock_environ(HTTP_TRANSFER_ENCODING="chunked")
    del environ["CONTENT_LENGTH"]
    body = wire.read_request(environ).body
    view = memoryview(bytearray(9))
    assert body.length is None
    assert (body.receive(view), body.receive(view)) == (5, 0)


def test_a_body_without_a_length_is_held_up_to_a_bound():
    found = wire.held(InputBody(io.BytesIO(b"12345"), None), 5)
    view = memoryview(bytearray(3))
    assert found.length == 5
    assert [bytes(view[: found.receive(view)]) for _ in range(3)] == [b"123", b"45", b""]
    assert wire.held(InputBody(io.BytesIO(b"123456"), None), 5) is None


def test_a_broken_source_is_an_incomplete_body():
    class Broken:
        def read(self, size, /):
            raise OSError("reset")

    with pytest.raises(S3Error) as caught:
        InputBody(Broken(), 4).receive(memoryview(bytearray(4)))
    assert caught.value.code == "IncompleteBody"


@pytest.mark.parametrize(("status", "line", "told"), [(200, "200 OK", True), (204, "204 No Content", False)])
def test_content_length_is_told_wherever_the_status_allows_one(status, line, told):
    seen = []
    wire.begin(Response(status, [("A", "b")], (b"xy",), 2), lambda *answer: seen.append(answer))
    assert seen == [(line, [("A", "b"), *([("Content-Length", "2")] if told else [])])]


def test_a_span_is_read_for_workers_that_cannot_send_one(tmp_path):
    (tmp_path / "f").write_bytes(b"0123456789")
    fd = os.open(tmp_path / "f", os.O_RDONLY)
    try:
        assert b"".join(wire.as_bytes(FileSpan(fd, 2, 5))) == b"23456"
        with pytest.raises(Unavailable):
            list(wire.as_bytes(FileSpan(fd, 8, 5)))
    finally:
        os.close(fd)
    assert list(wire.as_bytes(memoryview(b"ab"))) == [b"ab"]


def test_every_operation_that_works_has_a_handler():
    # Nothing is called, so the use cases need not be able to do anything.
    kinds = typing.get_type_hints(UseCases)
    services = {name: object.__new__(kinds[name]) for name in kinds if name not in ("acting", "region", "regions")}
    table = handlers(UseCases(**services, acting=Acting(None, (), (), None)))
    assert set(table) == operations_table.WORKS
