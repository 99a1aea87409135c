"""The first few of several ways to the same thing. Knows greenlets, failures and lateness; not what is fetched."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import gevent
from gevent.queue import Empty, Queue

from app.core.errors import StoreError

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
Ways = Iterable[tuple[K, Callable[[], T]]]


@dataclass(frozen=True, slots=True)
class Patience(Generic[K]):
    """How long to wait before another way is tried besides: `hedge_s`, if `may_hedge` then; `late` is told who let one
    wait, `failed` who failed."""

    hedge_s: float
    may_hedge: Callable[[], bool]
    late: Callable[[K], None]
    failed: Callable[[K, StoreError], None]


def first(wanted: int, ways: Ways[K, T], otherwise: Ways[K, T], patience: Patience[K]) -> dict[K, T]:
    """The results of the first `wanted` ways that succeed, by key; fewer when all ways end before.

    As many `ways` at a time as are still needed, in their order; the next one when one fails, and one more when one
    lets wait. Ways of `otherwise` are for when all others failed: lateness alone is no reason to look everywhere. Late
    ones run on to their own end and what they bring is dropped. What is no StoreError is raised here.
    """
    found: dict[K, T] = {}
    answers: Queue[gevent.Greenlet[..., T | StoreError]] = Queue()
    under_way: dict[gevent.Greenlet[..., T | StoreError], K] = {}
    left, rest = iter(ways), iter(otherwise)
    widened = False

    def start() -> bool:
        nonlocal widened
        way = next(left, None)
        if way is None and (widened or not under_way):
            widened = True
            way = next(rest, None)
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
        answer = _next(answers, patience.hedge_s)
        if answer is None:
            for key in under_way.values():
                patience.late(key)
            if patience.may_hedge():
                start()
            continue
        key, outcome = under_way.pop(answer), answer.get()
        if isinstance(outcome, StoreError):
            patience.failed(key, outcome)
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
        return answers.get(timeout=seconds)
    except Empty:
        return None
