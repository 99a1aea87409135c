"""Guessing credentials is slowed where it comes from, and nowhere else."""

import pytest

from app.core.limits import (
    ADMIN_ADDRESSES_MAX,
    ADMIN_FAILURES_FREE,
    ADMIN_FAILURES_KEPT_SECONDS,
    ADMIN_WAIT_SECONDS_MAX,
)
from app.services.gate.slowing import Slowing, TooManyFailures

HERE, THERE = "192.0.2.1", "192.0.2.2"


class Clock:
    now = 1_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def slowing(clock: Clock) -> Slowing:
    return Slowing(clock)


def waits(slowing: Slowing, address: str, access_key: str = "AKROOT") -> int:
    """Seconds an address is told to wait."""
    try:
        slowing.check(address, access_key)
    except TooManyFailures as error:
        return int(error.headers["Retry-After"]) if error.status == 429 else -1
    return 0


def fail(slowing: Slowing, address: str, access_key: str = "AKROOT") -> None:
    for _ in range(ADMIN_FAILURES_FREE + 1):
        slowing.failed(address, access_key)


def test_a_few_mistakes_cost_nothing_and_each_further_one_twice_as_long(slowing: Slowing, clock: Clock) -> None:
    seen = []
    for _ in range(ADMIN_FAILURES_FREE + 9):
        slowing.failed(HERE, "AKROOT")
        seen.append(waits(slowing, HERE))
        clock.now += 1000 * seen[-1]
        assert waits(slowing, HERE) == 0
    assert seen[:ADMIN_FAILURES_FREE] == [0] * ADMIN_FAILURES_FREE
    assert seen[ADMIN_FAILURES_FREE:] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert max(seen) == ADMIN_WAIT_SECONDS_MAX


def test_the_holder_of_a_key_that_is_guessed_elsewhere_waits_for_nothing(slowing: Slowing) -> None:
    fail(slowing, HERE)
    assert waits(slowing, HERE) == 1
    assert waits(slowing, THERE) == 0


def test_trying_many_keys_is_slowed_as_trying_one(slowing: Slowing) -> None:
    for number in range(ADMIN_FAILURES_FREE + 1):
        slowing.failed(HERE, f"AK{number}")
    assert waits(slowing, HERE, "AKNEW") == 1


def test_a_key_believed_from_an_address_waits_for_none_of_its_neighbours_mistakes(slowing: Slowing) -> None:
    slowing.believed(HERE, "AKROOT")
    fail(slowing, HERE, "AKOTHER")
    assert waits(slowing, HERE, "AKROOT") == 0
    assert waits(slowing, HERE, "AKOTHER") == 1
    fail(slowing, HERE, "AKROOT")
    assert waits(slowing, HERE, "AKROOT") == 1


def test_whoever_has_a_key_cannot_pay_for_guesses_at_others_with_it(slowing: Slowing) -> None:
    for number in range(ADMIN_FAILURES_FREE + 1):
        slowing.failed(HERE, f"AK{number}")
        slowing.believed(HERE, "AKMINE")
    assert waits(slowing, HERE, "AKNEW") == 1


def test_mistakes_are_forgotten(slowing: Slowing, clock: Clock) -> None:
    fail(slowing, HERE)
    clock.now += ADMIN_FAILURES_KEPT_SECONDS * 1000 + 1
    slowing.failed(HERE, "AKROOT")
    assert waits(slowing, HERE) == 0


def test_all_addresses_of_one_ipv6_network_are_one_guesser(slowing: Slowing) -> None:
    for number in range(ADMIN_FAILURES_FREE + 1):
        slowing.failed(f"2001:db8::{number:x}", "AKROOT")
    assert waits(slowing, "2001:db8::ffff") == 1
    assert waits(slowing, "2001:db8:0:1::1") == 0
    fail(slowing, "::ffff:192.0.2.1")
    assert waits(slowing, HERE) == 1


def test_what_is_remembered_is_bounded_and_nobody_pushes_their_own_count_out(slowing: Slowing) -> None:
    fail(slowing, THERE)
    for number in range(ADMIN_ADDRESSES_MAX + 10):
        slowing.failed(HERE, f"AK{number}")
    assert waits(slowing, HERE, "AKNEW") > 0
    assert waits(slowing, THERE) == 0
