"""Log lines: their form, their bounds, and that nothing ever waits for a reader."""

import json
import logging
import os
from types import SimpleNamespace

import pytest

from app.core.limits import LOG_LINE_BYTES_MAX
from app.runtime.telemetry.log import FIELDS, JsonFormatter, Log, library_logging

NOW_MS = 1_700_000_000_123


@pytest.fixture
def pipe():
    read, write = os.pipe()
    os.set_blocking(read, False)
    yield read, write
    os.close(read)
    os.close(write)


def written(read: int) -> list[dict]:
    try:
        return [json.loads(line) for line in os.read(read, 1 << 20).splitlines()]
    except BlockingIOError:
        return []


def test_a_record_is_one_line_of_json_with_time_level_event_and_its_fields(pipe):
    log = Log("info", lambda: NOW_MS, pipe[1])
    log.write("info", "request", request_id="AB", status=200, seconds=0.0012345678, stages={"list": 0.5}, code="")
    log.flush()
    [record] = written(pipe[0])
    assert record == {
        "time": NOW_MS / 1000,
        "level": "info",
        "event": "request",
        "request_id": "AB",
        "status": 200,
        "seconds": 0.001235,
        "stages": {"list": 0.5},
    }


def test_a_request_is_told_in_the_same_form(pipe):
    log = Log("info", lambda: NOW_MS, pipe[1])
    log.request("info", answered(bucket='a"b', stages={"list": 0.5}))
    log.request("debug", answered())
    log.flush()
    [record] = written(pipe[0])
    assert record["time"] == NOW_MS / 1000
    assert (record["event"], record["operation"], record["bucket"]) == ("request", "GetObject", 'a"b')
    assert record["stages"] == {"list": 0.5}


def test_a_request_with_overlong_texts_still_leaves_its_line(pipe):
    log = Log("info", lambda: NOW_MS, pipe[1])
    log.request("info", answered(bucket="ß" * 10_000, reason="ß" * 10_000))
    log.flush()
    assert written(pipe[0])[0]["request_id"] == "AB"


def answered(**changes):
    fields = dict.fromkeys(("code", "reason", "bucket", "remote"), "") | {
        "request_id": "AB",
        "operation": "GetObject",
        "method": "GET",
        "status": 200,
        "access_key_id": "AKIA",
        "bytes_in": 0,
        "bytes_out": 4096,
        "seconds": 0.001,
        "stages": {},
    }
    return SimpleNamespace(**(fields | changes))


def test_records_below_the_level_are_not_written(pipe):
    log = Log("warning", lambda: NOW_MS, pipe[1])
    log.write("info", "request", status=200)
    log.write("error", "request", status=500)
    log.flush()
    assert [record["status"] for record in written(pipe[0])] == [500]
    assert not log.wants("info")


def test_a_field_nobody_agreed_on_is_a_bug(pipe):
    with pytest.raises(ValueError, match="secret_key"):
        Log("info", lambda: NOW_MS, pipe[1]).write("info", "request", secret_key="x")


@pytest.mark.parametrize("text", ["\n", "\u2028", "\x00", '"', "ß" * 9_000, "\U0001f600" * 9_000, "x" * 9_000])
def test_any_text_stays_one_line_below_the_bound_and_is_json(pipe, text):
    log = Log("info", lambda: NOW_MS, pipe[1])
    for name in sorted(FIELDS):
        log.write("info", text, **{name: text})
    log.write("info", text, **dict.fromkeys(FIELDS, text))
    data = b""
    for _ in range(len(FIELDS) + 1):
        log.flush()
        data += os.read(pipe[0], 1 << 20)
        if data.count(b"\n") > len(FIELDS):
            break
    lines = data.splitlines()
    assert len(lines) == len(FIELDS) + 1
    for line in lines:
        assert len(line) < LOG_LINE_BYTES_MAX
        json.loads(line)


def test_a_reader_that_stopped_costs_lines_which_are_counted_and_never_blocks(pipe, monkeypatch):
    monkeypatch.setattr("app.runtime.telemetry.log.LOG_BUFFER_LINES_MAX", 1_000)
    log = Log("info", lambda: NOW_MS, pipe[1])
    for number in range(5_000):
        log.write("info", "request", status=number)
        log.flush()
    seen = []
    for _ in range(200):
        seen += written(pipe[0])
        log.flush()
    dropped = sum(record["count"] for record in seen if "count" in record)
    assert dropped > 0
    assert len([record for record in seen if "status" in record]) + dropped == 5_000


def test_a_failure_carries_the_end_of_its_traceback(pipe):
    log = Log("info", lambda: NOW_MS, pipe[1])
    try:
        raise RuntimeError("broken" + "!" * 5_000)
    except RuntimeError as error:
        log.failure("task failed", error, task="gc")
    log.flush()
    [record] = written(pipe[0])
    assert record["task"] == "gc"
    assert record["reason"]
    assert record["trace"].endswith("!\n")


def test_records_of_libraries_have_the_same_form():
    record = logging.LogRecord("gunicorn.error", logging.WARNING, "", 0, "late by %s\n", ("1 s",), None)
    assert json.loads(JsonFormatter().format(record))["event"] == "late by 1 s\n"


def test_libraries_are_never_chattier_than_warnings():
    configured = library_logging("debug")
    assert configured["root"]["level"] == "WARNING"
    assert library_logging("error")["root"]["level"] == "ERROR"
