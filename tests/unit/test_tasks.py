"""Background tasks: their rhythm, their failures and their end."""

import gevent
import pytest

from app.runtime.tasks import Periodic


def ignore(name, error):
    raise AssertionError(f"{name}: {error!r}")


def test_a_task_is_called_again_and_again_until_it_is_stopped():
    calls = []
    task = Periodic("sweep", 0.01, lambda: calls.append(1), ignore)
    task.start()
    task.start()
    gevent.sleep(0.1)
    task.stop()
    seen = len(calls)
    assert seen >= 3
    gevent.sleep(0.05)
    assert len(calls) == seen


def test_a_failure_is_reported_and_the_next_turn_comes_all_the_same():
    failures = []

    def fail():
        raise OSError("disk")

    task = Periodic("sweep", 0.01, fail, lambda name, error: failures.append((name, str(error))))
    task.start()
    gevent.sleep(0.1)
    task.stop()
    assert len(failures) >= 2
    assert failures[0] == ("sweep", "disk")


def test_a_report_that_fails_too_does_not_end_the_task():
    calls = []

    def fails():
        calls.append(1)
        raise OSError("the disk is gone")

    def reports(name, error):
        raise error

    task = Periodic("sweep", 0.01, fails, reports)
    task.start()
    gevent.sleep(0.1)
    task.stop()
    assert len(calls) > 1


def test_the_first_call_waits_one_interval():
    calls = []
    task = Periodic("sweep", 10, lambda: calls.append(1), ignore)
    task.start()
    gevent.sleep(0.02)
    task.stop()
    assert calls == []


def test_a_poke_brings_the_next_call_forward():
    calls = []
    task = Periodic("sweep", 10, lambda: calls.append(1), ignore)
    task.start()
    task.poke()
    gevent.sleep(0.02)
    task.stop()
    assert calls == [1]


def test_stop_waits_for_the_call_in_progress():
    ended = []
    task = Periodic("sweep", 10, lambda: (gevent.sleep(0.05), ended.append(1)), ignore)
    task.start()
    task.poke()
    gevent.sleep(0.01)
    task.stop()
    assert ended == [1]


def test_stop_kills_a_call_that_does_not_end():
    task = Periodic("sweep", 10, lambda: gevent.sleep(60), ignore)
    task.start()
    task.poke()
    gevent.sleep(0.01)
    with gevent.Timeout(2):
        task.stop(timeout_s=0.01)


def test_a_stopped_task_may_start_again():
    calls = []
    task = Periodic("sweep", 0.01, lambda: calls.append(1), ignore)
    task.start()
    task.stop()
    calls.clear()
    task.start()
    gevent.sleep(0.05)
    task.stop()
    assert calls


def test_an_interval_of_nothing_is_refused():
    with pytest.raises(ValueError, match="positive"):
        Periodic("sweep", 0, lambda: None, ignore)
