"""The buffer pool: size classes, the budget, its queue and its reserve."""

import ctypes
import mmap

import gevent
import pytest

from app.core.errors import Unavailable
from app.core.limits import CHUNK_BYTES_MAX, KIB, MIB
from app.runtime.buffers import SIZE_CLASSES, BufferPool


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (0, 64 * KIB),
        (1, 64 * KIB),
        (64 * KIB, 64 * KIB),
        (64 * KIB + 1, 256 * KIB),
        (1 * MIB, 1 * MIB),
        (1 * MIB + 1, CHUNK_BYTES_MAX),
        (CHUNK_BYTES_MAX, CHUNK_BYTES_MAX),
        (CHUNK_BYTES_MAX + 1, 2 * CHUNK_BYTES_MAX),
    ],
)
def test_a_buffer_has_the_smallest_class_that_holds_the_size(asked, given):
    with BufferPool(64 * MIB).take(asked) as buffer:
        assert len(buffer.view) == given


def test_a_buffer_is_writable_and_page_aligned():
    with BufferPool(64 * MIB).take(1) as buffer:
        buffer.view[:3] = b"abc"
        assert ctypes.addressof(ctypes.c_char.from_buffer(buffer.view)) % mmap.PAGESIZE == 0


def test_a_size_beyond_the_largest_class_is_refused():
    with pytest.raises(ValueError, match="no buffer is larger"):
        BufferPool(64 * MIB).take(2 * CHUNK_BYTES_MAX + 1)


def test_a_size_no_budget_can_hold_is_refused_at_once():
    with pytest.raises(ValueError, match="never fits"):
        BufferPool(1 * MIB).take(2 * MIB)


def test_the_count_of_lent_bytes_returns_to_zero():
    pool = BufferPool(64 * MIB)
    with pool.take(1), pool.take(MIB):
        assert pool.lent_bytes == 64 * KIB + MIB
    assert pool.lent_bytes == 0


def test_giving_back_twice_counts_once():
    pool = BufferPool(64 * MIB)
    buffer = pool.take(1)
    buffer.give_back()
    buffer.give_back()
    assert pool.lent_bytes == 0
    assert len(buffer.view) == 0


def test_a_buffer_is_used_again_while_the_reserve_lasts():
    pool = BufferPool(64 * MIB, idle_bytes_max=64 * KIB)
    first, second = pool.take(1), pool.take(1)
    first.give_back()
    second.give_back()
    assert pool.idle_bytes == 64 * KIB
    with pool.take(1):
        assert pool.idle_bytes == 0


def test_trim_unmaps_what_is_idle():
    pool = BufferPool(64 * MIB)
    pool.take(1).give_back()
    pool.trim()
    assert pool.idle_bytes == 0


def test_idle_buffers_make_room_within_the_budget():
    pool = BufferPool(2 * MIB, idle_bytes_max=16 * MIB)
    held = [pool.take(64 * KIB) for _ in range(20)]
    for buffer in held:
        buffer.give_back()
    with pool.take(MIB):
        assert pool.lent_bytes + pool.idle_bytes <= 2 * MIB


def test_a_spent_budget_makes_the_next_wait_until_a_buffer_comes_back():
    pool = BufferPool(MIB, wait_seconds_max=5)
    held = pool.take(MIB)
    waiting = gevent.spawn(pool.take, 1)
    gevent.sleep(0.01)
    assert not waiting.ready()
    held.give_back()
    waiting.join(1)
    assert pool.lent_bytes == 64 * KIB
    waiting.value.give_back()


def test_waiting_longer_than_the_bound_is_unavailable_and_leaves_nothing_behind():
    pool = BufferPool(MIB, wait_seconds_max=0.02)
    with pool.take(MIB):
        with pytest.raises(Unavailable):
            pool.take(1)
        assert pool.lent_bytes == MIB
    pool.take(MIB).give_back()


def test_a_large_request_is_not_overtaken_by_later_small_ones():
    pool = BufferPool(MIB, wait_seconds_max=5)
    order = []

    def use(name, size):
        with pool.take(size):
            order.append(name)

    held = pool.take(64 * KIB)
    large = gevent.spawn(use, "large", MIB)
    gevent.sleep(0)
    small = gevent.spawn(use, "small", 1)
    gevent.sleep(0.01)
    assert order == []
    held.give_back()
    gevent.joinall([large, small], timeout=2, raise_error=True)
    assert order == ["large", "small"]


def test_a_greenlet_killed_while_waiting_lets_the_next_in_line_go_on():
    pool = BufferPool(MIB, wait_seconds_max=5)
    held = pool.take(64 * KIB)
    large = gevent.spawn(pool.take, MIB)
    gevent.sleep(0)
    small = gevent.spawn(pool.take, 1)
    gevent.sleep(0)
    large.kill()
    small.join(1)
    assert small.successful()
    small.value.give_back()
    held.give_back()
    assert pool.lent_bytes == 0


def test_a_greenlet_killed_in_the_turn_of_its_grant_gives_the_bytes_back():
    pool = BufferPool(MIB, wait_seconds_max=5)
    held = pool.take(MIB)
    waiting = gevent.spawn(pool.take, MIB)
    gevent.sleep(0)
    held.give_back()
    waiting.kill()
    if waiting.value is not None and not isinstance(waiting.value, gevent.GreenletExit):
        waiting.value.give_back()
    assert pool.lent_bytes == 0


def test_the_classes_are_those_of_the_data_path():
    assert SIZE_CLASSES == (64 * KIB, 256 * KIB, MIB, 8 * MIB, 16 * MIB)


def test_memory_the_system_refuses_is_not_counted_as_lent(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: int) -> None:
        raise OSError(12, "Cannot allocate memory")

    pool = BufferPool(MIB)
    monkeypatch.setattr("app.runtime.buffers.mmap", refused)
    with pytest.raises(Unavailable):
        pool.take(MIB)
    monkeypatch.undo()
    with pool.take(MIB):
        assert pool.lent_bytes == MIB
