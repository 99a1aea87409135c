"""A caller that waits for the tick thread, and may give up at any moment.

Knows that giving up and answering can meet: the answer is dropped then, and the tick thread minds nothing.
"""

from concurrent.futures import Future, InvalidStateError
from typing import Any

from app.adapters.cluster.raft.contract import RaftError

Waiter = Future[Any]


def answer(waiter: Waiter, value: Any) -> None:
    """Give a waiter its result; one that gave up does not mind."""
    try:
        waiter.set_result(value)
    except InvalidStateError:
        return


def fail(waiter: Waiter, error: RaftError) -> None:
    """Give a waiter its refusal."""
    try:
        waiter.set_exception(error)
    except InvalidStateError:
        return
