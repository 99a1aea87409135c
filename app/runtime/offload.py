"""Native threads for hashing and disk, awaited by green threads.

Knows how a function leaves the hub's thread and how its result comes back: one native queue in, one deque and one
async watcher out, so that a burst of completions costs one wake-up of the loop. Must not know what the functions do.
Built after the fork, used from greenlets of the thread that built it. Functions must not touch gevent: they run where
there is no hub.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar, cast

import gevent
from gevent import monkey
from gevent.hub import Waiter

P = ParamSpec("P")
T = TypeVar("T")

# gevent replaces both by green versions, which would block the one thread this room exists to keep free.
_start_native_thread: Callable[[Callable[..., object], tuple[Any, ...]], int] = monkey.get_original(
    "_thread", "start_new_thread"
)
_NativeQueue = monkey.get_original("queue", "SimpleQueue")


class Job(Generic[T]):
    """One function on its way through a native thread. At most one greenlet waits for it."""

    __slots__ = ("_args", "_done", "_error", "_function", "_result", "_waiter")

    def __init__(self, function: Callable[..., T] | None, args: tuple[Any, ...]) -> None:
        self._function = function
        self._args = args
        self._result: T | None = None
        self._error: BaseException | None = None
        self._done = False
        self._waiter: Any = None

    @property
    def done(self) -> bool:
        """True once the loop has seen the completion; `wait` then returns at once."""
        return self._done

    def wait(self) -> T:
        """The function's result, or its exception raised here.

        Anything thrown into the waiting greenlet (a gevent.Timeout, a kill) is held back until the function has
        returned, because it may still be reading or writing the greenlet's buffers. A greenlet that submitted a job
        and fails before waiting for it must wait all the same, for the same reason.
        """
        thrown: BaseException | None = None
        while not self._done:
            self._waiter = Waiter()
            try:
                self._waiter.get()
            except BaseException as error:  # noqa: BLE001 - raised again below, once the buffers are out of use
                thrown = error
        if thrown is not None:
            raise thrown
        if self._error is not None:
            raise self._error
        return cast("T", self._result)

    def _run(self) -> None:
        """Run in a native thread."""
        function = self._function
        if function is None:
            return
        try:
            self._result = function(*self._args)
        except BaseException as error:  # noqa: BLE001 - it belongs to the waiting greenlet, whatever it is
            self._error = error
        self._function = None
        self._args = ()

    def _finish(self) -> None:
        """Run in the hub."""
        self._done = True
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.switch(None)


class Offload:
    """`threads` native threads behind one queue.

    The queue is bounded by its users: a greenlet has at most a handful of jobs in it, and greenlets are bounded by the
    worker's connections.
    """

    def __init__(self, threads: int) -> None:
        if threads < 1:
            raise ValueError(f"an offload needs at least one thread, not {threads}")
        self._threads = threads
        self._queue = _NativeQueue()
        self._finished: deque[Job[Any]] = deque()
        self._watcher = gevent.get_hub().loop.async_()
        self._watcher.start(self._drain)
        self._closed = False
        for _ in range(threads):
            _start_native_thread(self._serve, ())

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function(*args)` in a native thread while the calling greenlet waits; its result or exception.

        Keyword arguments are not carried: the hot path has none, and a lambda carries them where needed.
        """
        if kwargs:
            raise TypeError("offloaded functions take positional arguments only")
        return self._enqueue(function, args).wait()

    def submit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Job[T]:
        """Start `function(*args)` and return its job. The caller must wait for it, also when it fails meanwhile."""
        if kwargs:
            raise TypeError("offloaded functions take positional arguments only")
        return self._enqueue(function, args)

    def close(self) -> None:
        """Let every job that was submitted finish, end the threads and free the watcher. Idempotent."""
        if self._closed:
            return
        self._closed = True
        leaving: list[Job[None]] = [Job(None, ()) for _ in range(self._threads)]
        for job in leaving:
            self._queue.put(job)
        for job in leaving:
            job.wait()
        self._watcher.stop()
        self._watcher.close()

    def _enqueue(self, function: Callable[..., T], args: tuple[Any, ...]) -> Job[T]:
        if self._closed:
            raise RuntimeError("the offload is closed")
        job = Job(function, args)
        self._queue.put(job)
        return job

    def _serve(self) -> None:
        """Body of a native thread: one job after the other until one without a function says to leave."""
        get, finished, send = self._queue.get, self._finished, self._watcher.send
        while True:
            job = get()
            leave = job._function is None
            job._run()
            finished.append(job)
            send()
            if leave:
                return
            del job  # an idle thread must not keep the last buffers alive

    def _drain(self) -> None:
        """Run in the hub. Only what has finished by now: jobs its own wake-ups finish get the next turn."""
        finished = self._finished
        for _ in range(len(finished)):
            finished.popleft()._finish()
