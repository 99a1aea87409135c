"""The first few of several ways to the same thing. Knows greenlets, failures and lateness; not what is fetched."""

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

import gevent
from gevent.queue import Empty, Queue

from app.core.errors import StoreError

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


def first(
    wanted: int,
    ways: Iterable[tuple[K, Callable[[], T]]],
    hedge_s: float,
    failures: dict[K, StoreError],
    late: Callable[[K], None],
) -> dict[K, T]:
    """The results of the first `wanted` ways that succeed, by key; fewer when the ways end before.

    As many ways at a time as are still needed, in their order; the next one when one fails, and one more whenever
    `hedge_s` passes without an answer, when `late` is told who is under way. Why others failed is noted in `failures`.
    Late ones run on to their own end and what they bring is dropped. Exceptions that are no StoreError are raised here.
    """
    found: dict[K, T] = {}
    answers: Queue[gevent.Greenlet[..., T | StoreError]] = Queue()
    under_way: dict[gevent.Greenlet[..., T | StoreError], K] = {}
    left = iter(ways)

    def start() -> bool:
        way = next(left, None)
        if way is None:
            return False
        greenlet: gevent.Greenlet[..., T | StoreError] = gevent.spawn(outcome_of, way[1])
        under_way[greenlet] = way[0]
        greenlet.link(answers.put)
        return True

    while len(found) < wanted:
        while len(found) + len(under_way) < wanted and start():
            pass
        if not under_way:
            break
        answer = _next(answers, hedge_s)
        if answer is None:
            for key in under_way.values():
                late(key)
            if not start():
                hedge_s = float("inf")
            continue
        key, outcome = under_way.pop(answer), answer.get()
        if isinstance(outcome, StoreError):
            failures[key] = outcome
        else:
            found[key] = outcome
    return found


def outcome_of(way: Callable[[], T]) -> T | StoreError:
    """What comes of it: a failure is a result like another, for a greenlet that nobody may ever wait for."""
    try:
        return way()
    except StoreError as error:
        return error


def _next(answers: "Queue[gevent.Greenlet[..., T]]", seconds: float) -> "gevent.Greenlet[..., T] | None":
    try:
        return answers.get(timeout=None if seconds == float("inf") else seconds)
    except Empty:
        return None
