"""Traces of requests: what a line says, that files are bounded, and that what is recent is found."""

import os
from types import SimpleNamespace

import pytest

from app.core.errors import Unavailable
from app.core.limits import TRACE_FILE_BYTES, TRACE_FILES_MAX
from app.core.policy.evaluation import Decision, Effect
from app.runtime.telemetry.traces import Traces, find
from app.services.call import NOBODY, OWNERS, Caller, Stages

NOW_MS = 1_700_000_000_123


def record(request_id="A" * 16, caller=NOBODY, decision=None, key=b"key"):
    marks = Stages()
    marks.decision = decision
    marks.chunks = 3
    marks.add("receive", 0.25)
    return SimpleNamespace(
        request_id=request_id, operation="GetObject", method="GET", bucket="b", key=key, status=200, code="",
        reason='of "words"', access_key_id=caller.access_key_id, remote="127.0.0.1", bytes_in=1, bytes_out=2,
        seconds=0.5, stages=marks.seconds, caller=caller, marks=marks,
    )  # fmt: skip


def test_what_is_written_is_found_again_with_all_that_is_known(tmp_path):
    traces = Traces(tmp_path / "traces", "node-1")
    decision = Decision(Effect.EXPLICIT_DENY, "boundary", "b\n", "Never", 0)
    traces.add(record(caller=Caller("1" * 12, "c", "d", "AK"), decision=decision, key='k\n"ä'.encode()), NOW_MS)
    assert find(tmp_path / "traces", "A" * 16) is None
    traces.flush()
    found = find(tmp_path / "traces", "A" * 16)
    assert found is not None
    assert (found["key"], found["reason"], found["stages"]) == ('k\n"ä', 'of "words"', {"receive": 0.25})
    assert (found["decision"], found["why"]) == ("explicit deny", decision.reason)
    assert (found["arn"], found["chunks"], found["node"]) == (f"arn:aws:iam::{'1' * 12}:root", 3, "node-1")
    assert (found["time_ms"], found["worker"]) == (NOW_MS, os.getpid())
    assert find(tmp_path / "traces", "B" * 16) is None
    assert find(tmp_path / "traces", '"key":"k') is None


def test_nobody_has_no_arn_and_no_decision_is_none(tmp_path):
    traces = Traces(tmp_path, "")
    traces.add(record(), NOW_MS)
    traces.add(record("C" * 16, decision=OWNERS), NOW_MS)
    traces.flush()
    nobody, owners = find(tmp_path, "A" * 16), find(tmp_path, "C" * 16)
    assert nobody is not None
    assert owners is not None
    assert (nobody["arn"], nobody["decision"], nobody["why"]) == ("", "", "")
    assert owners["why"].startswith("allow: root keys of the bucket's owner")


def test_a_key_that_looks_like_another_trace_is_not_taken_for_it(tmp_path):
    traces = Traces(tmp_path, "")
    traces.add(record("D" * 16, key=b'\n["EEEEEEEEEEEEEEEE",'), NOW_MS)
    traces.flush()
    assert find(tmp_path, "E" * 16) is None


def test_two_files_of_a_bounded_size_take_turns(tmp_path):
    traces = Traces(tmp_path, "")
    number = 0
    while not tmp_path.joinpath(f"{os.getpid()}.1").exists():
        for _ in range(1_000):
            number += 1
            traces.add(record(f"{number:016X}", key=b"k" * 900), NOW_MS)
        traces.flush()
    traces.add(record("F" * 16), NOW_MS)
    traces.flush()
    assert len(list(tmp_path.iterdir())) == 2
    assert all(path.stat().st_size <= TRACE_FILE_BYTES for path in tmp_path.iterdir())
    assert find(tmp_path, "F" * 16) is not None
    assert find(tmp_path, f"{number:016X}") is not None


def test_files_of_workers_that_are_gone_make_room(tmp_path):
    for number in range(TRACE_FILES_MAX + 5):
        path = tmp_path / f"{10_000_000 + number}"
        path.write_text("[]\n")
        os.utime(path, (number, number))
    traces = Traces(tmp_path, "")
    traces.add(record(), NOW_MS)
    traces.flush()
    assert len(list(tmp_path.iterdir())) == TRACE_FILES_MAX
    assert find(tmp_path, "A" * 16) is not None


def test_traces_that_cannot_be_written_are_forgotten_and_no_bug(tmp_path):
    (tmp_path / "file").touch()
    traces = Traces(tmp_path / "file", "")
    traces.add(record(), 1)
    with pytest.raises(Unavailable):
        traces.flush()
    traces.flush()
