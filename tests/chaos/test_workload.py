"""What clients take an answer for, and how they know a value again."""

import pytest

from tests.chaos.cluster.history import ABSENT, TORN, Kind, Outcome
from tests.chaos.cluster.values import Etags, bytes_of, parts_of, value_of
from tests.chaos.cluster.workload import Ask, judged
from tests.wire.connection import Answer

WRITE, CREATE = Ask("k", Kind.WRITE, "v"), Ask("k", Kind.CREATE, "v")
REPLACE, DELETE = Ask("k", Kind.REPLACE, "v", "u"), Ask("k", Kind.DELETE)


def answer(status: int, code: str = "") -> Answer:
    return Answer(status, {}, f"<Error><Code>{code}</Code></Error>".encode() if code else b"")


@pytest.mark.parametrize("length", [40, 60, 4_000, 300_001])
def test_a_value_is_known_from_its_bytes_and_no_other(length: int) -> None:
    value = f"c1.7.{length}"
    data = bytes_of(value)
    assert len(data) == length
    assert value_of(data) == value
    for wrong in (data[:-1], data + b"x", b"c2" + data[2:], data[:-1] + bytes([data[-1] ^ 1]), b"", b"\xff" * length):
        assert value_of(wrong) == TORN


def test_an_etag_tells_the_value_it_was_noted_for() -> None:
    etags, value = Etags(), "c1.1.5242881"
    assert etags.value('"nothing"') == TORN
    assert etags.value(f'"{etags.note(value)}"') == value
    assert etags.value(etags.note(value, parts=True)) == value
    assert b"".join(parts_of(value)) == bytes_of(value)


@pytest.mark.parametrize(
    ("ask", "got", "outcome"),
    [
        (WRITE, answer(200), Outcome.OK),
        (DELETE, answer(204), Outcome.OK),
        (WRITE, answer(200, "InternalError"), Outcome.UNKNOWN),  # a completion may fail behind its 200
        (WRITE, answer(503, "SlowDown"), Outcome.UNKNOWN),
        (WRITE, answer(500, "InternalError"), Outcome.UNKNOWN),
        (WRITE, None, Outcome.UNKNOWN),
        (WRITE, answer(507, "InsufficientStorage"), Outcome.FAILED),
        (CREATE, answer(409, "ConditionalRequestConflict"), Outcome.FAILED),
        (CREATE, answer(412, "PreconditionFailed"), Outcome.REFUSED),
        (REPLACE, answer(412, "PreconditionFailed"), Outcome.REFUSED),
        (REPLACE, answer(404, "NoSuchKey"), Outcome.REFUSED),
        (WRITE, answer(404, "NoSuchUpload"), Outcome.UNKNOWN),
    ],
)
def test_an_answer_promises_no_more_than_it_says(ask: Ask, got: Answer | None, outcome: Outcome) -> None:
    assert judged(ask, got) is outcome


def test_a_deletion_leaves_nothing() -> None:
    assert DELETE.value == ABSENT
