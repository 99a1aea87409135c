"""The offload: results, failures and interruptions of functions run in native threads."""

import _thread
import threading
import time

import gevent
import pytest

from app.runtime.offload import Offload


@pytest.fixture
def offload():
    made = Offload(2)
    yield made
    made.close()


def test_a_call_returns_the_function_s_result(offload):
    assert offload.call(pow, 2, 10) == 1024


def test_a_call_raises_the_function_s_exception(offload):
    with pytest.raises(ZeroDivisionError):
        offload.call(divmod, 1, 0)


def test_a_call_runs_outside_the_hub_s_thread(offload):
    assert offload.call(threading.get_ident) != threading.get_ident()


def test_other_greenlets_run_while_one_waits(offload):
    ticks = []
    ticker = gevent.spawn(lambda: [ticks.append(gevent.sleep(0.005)) for _ in range(8)])
    offload.call(time.sleep, 0.1)
    assert len(ticks) == 8
    ticker.join()


def test_jobs_of_one_greenlet_run_side_by_side(offload):
    together = threading.Barrier(2, timeout=5)
    first, second = offload.submit(together.wait), offload.submit(together.wait)
    assert sorted((first.wait(), second.wait())) == [0, 1]


def test_a_job_may_be_waited_for_again(offload):
    job = offload.submit(pow, 3, 3)
    assert (job.wait(), job.wait(), job.done) == (27, 27, True)


def test_a_job_that_finished_before_the_wait_costs_no_switch(offload):
    job = offload.submit(pow, 2, 3)
    while not job.done:
        gevent.sleep(0.001)
    assert job.wait() == 8


def test_a_timeout_is_held_back_until_the_function_no_longer_uses_the_buffers(offload):
    ended = []

    def slow():
        time.sleep(0.1)
        ended.append(True)

    with pytest.raises(gevent.Timeout), gevent.Timeout(0.01):
        offload.call(slow)
    assert ended == [True]


def test_a_killed_greenlet_dies_only_after_its_function_returned(offload):
    ended = []

    def slow():
        time.sleep(0.1)
        ended.append(True)

    victim = gevent.spawn(offload.call, slow)
    gevent.sleep(0.01)
    victim.kill()
    assert ended == [True]
    assert isinstance(victim.value, gevent.GreenletExit)


def test_a_thousand_calls_from_a_hundred_greenlets_each_get_their_own_answer(offload):
    def ask(number):
        return [offload.call(pow, number, 2) for _ in range(10)]

    greenlets = [gevent.spawn(ask, number) for number in range(100)]
    gevent.joinall(greenlets, raise_error=True)
    assert [greenlet.value for greenlet in greenlets] == [[number**2] * 10 for number in range(100)]


def test_close_lets_submitted_jobs_finish_and_refuses_new_ones():
    offload = Offload(1)
    ended = []
    job = offload.submit(lambda: (time.sleep(0.05), ended.append(True)))
    offload.close()
    offload.close()
    assert ended == [True]
    assert job.done
    with pytest.raises(RuntimeError):
        offload.call(int)


def test_the_threads_end_with_the_offload():
    before = _thread._count()
    offload = Offload(4)
    together = threading.Barrier(4, timeout=5)
    for job in [offload.submit(together.wait) for _ in range(4)]:
        job.wait()
    assert _thread._count() == before + 4
    offload.close()
    deadline = time.monotonic() + 5
    while _thread._count() > before and time.monotonic() < deadline:
        gevent.sleep(0.01)
    assert _thread._count() == before


def test_keyword_arguments_are_refused_rather_than_lost(offload):
    with pytest.raises(TypeError):
        offload.call(int, base=2)


def test_an_offload_without_threads_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        Offload(0)
