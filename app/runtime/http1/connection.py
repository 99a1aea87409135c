"""One client's socket: bytes in and out, never blocking the hub, never waiting for ever.

Knows the socket, the loop and the clock of stalls; must not know HTTP beyond "a line ends in CRLF". Every system call
is tried first and waited for only when the kernel says it would block. Between requests a connection holds no buffer.
"""

import os
import socket
import time
from collections.abc import Callable
from typing import Any, Final

import gevent
from gevent.hub import Waiter

from app.core.limits import KIB, MIB
from app.runtime.http1.bounds import WireLimits

RECEIVE_BYTES: Final = 16 * KIB
"""One read of heads, lines and small bodies."""
LOW_WATER_BYTES: Final = 256 * KIB
"""Large bodies wake the worker when this much has arrived (SO_RCVLOWAT), not for every segment."""
TURN_BYTES: Final = 1 * MIB
"""Sent between two yields to the hub."""
BUFFERS_MAX: Final = 64
"""Buffers of one sendmsg, far below the kernel's IOV_MAX."""
SO_RCVLOWAT: Final = 18

READ, WRITE = 1, 2
GIVE_WAY_SECONDS_MAX: Final = 0.05  # should the client read nothing meanwhile
_monotonic = time.monotonic


class Gone(Exception):
    """The client closed or reset the connection. Nothing can be told to it any more."""


class Stalled(Exception):
    """The client moved fewer than `stall_bytes_min` bytes while `stall_seconds_max` were spent waiting for it."""


class _Pace:
    """Waits for one direction of the socket and judges the client's progress by waited time, not by wall time.

    Time the application spends elsewhere is not the client's; a trickle that would reset a plain timeout is caught.
    """

    __slots__ = ("_event", "_moved", "_seconds", "_wait", "_waited")

    def __init__(self, wait: Callable[[int, float], bool], event: int, seconds: float) -> None:
        self._wait = wait
        self._event = event
        self._seconds = seconds
        self._waited = 0.0
        self._moved = 0

    def moved(self, count: int) -> None:
        self._moved += count

    def restart(self) -> None:
        self._waited = 0.0
        self._moved = 0

    def wait(self, bytes_min: int) -> bool:
        """Until the socket is ready (True) or the window has ended with some progress. Raises Stalled without any."""
        begin = _monotonic()
        ready = self._wait(self._event, max(0.001, self._seconds - self._waited))
        self._waited += _monotonic() - begin
        if self._waited >= self._seconds:
            if self._moved < bytes_min:
                raise Stalled
            self.restart()
        return ready


class Connection:
    """A connected, non-blocking stream socket, owned by one greenlet.

    `pending`: bytes received and not yet consumed, at most one read's worth beyond what was asked for.
    """

    __slots__ = ("_hub", "_inward", "_limits", "_low_water", "_outward", "_raw", "_watchers", "pending", "sent")

    def __init__(self, raw: socket.socket, limits: WireLimits) -> None:
        raw.setblocking(False)
        if raw.family != socket.AF_UNIX:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._raw = raw
        self._limits = limits
        self._hub = gevent.get_hub()
        self._watchers: list[Any] = [None, None]
        self._inward = _Pace(self.wait, READ, limits.stall_seconds_max)
        self._outward = _Pace(self.wait, WRITE, limits.stall_seconds_max)
        self._low_water = 1
        self.pending = b""
        self.sent = 0

    # ------------------------------------------------------------------ waiting and closing

    def wait(self, event: int, seconds: float) -> bool:
        """Until the socket is ready for `event` (READ or WRITE), or False after `seconds`."""
        watcher = self._watchers[event - 1]
        if watcher is None:
            watcher = self._watchers[event - 1] = self._hub.loop.io(self._raw.fileno(), event)
        timer = self._hub.loop.timer(seconds)
        waiter = Waiter(self._hub)
        watcher.start(waiter.switch, True)
        timer.start(waiter.switch, False)
        try:
            return bool(waiter.get())
        finally:
            watcher.stop()
            timer.stop()
            timer.close()

    def give_way(self) -> None:
        """Let every connection that has something to do go first.

        gevent.sleep(0) would come back before the loop has looked at any socket. Our own is writable nearly always, so
        waiting for that is one look at all of them.
        """
        self.wait(WRITE, GIVE_WAY_SECONDS_MAX)

    def begin_exchange(self) -> None:
        """A new request: the clocks of stalls start anew, the count of bytes sent too."""
        self._inward.restart()
        self._outward.restart()
        self.sent = 0

    def close(self, *, reset: bool = False) -> None:
        """Free the socket. `reset`: by RST, so that what was sent cannot be taken for a whole answer."""
        for watcher in self._watchers:
            if watcher is not None:
                watcher.stop()
                watcher.close()
        self._watchers = [None, None]
        if reset:
            self._raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self._raw.close()

    def end_input(self) -> None:
        """Wake the greenlet that waits for the next request with an end of stream; bytes already here still count."""
        try:
            self._raw.shutdown(socket.SHUT_RD)
        except OSError:
            return  # It is closing by itself.

    def linger(self) -> None:
        """Close so that the last answer arrives: unread input would turn the close into a reset that overtakes it.

        Ends our direction, then swallows what still comes, within the bounds of a drain (RFC 9112 section 9.6).
        """
        try:
            self._raw.shutdown(socket.SHUT_WR)
        except OSError:
            return
        deadline = _monotonic() + self._limits.drain_seconds_max
        left = self._limits.drain_bytes_max
        while left > 0:
            try:
                data = self._raw.recv(RECEIVE_BYTES)
            except BlockingIOError:
                seconds = deadline - _monotonic()
                if seconds <= 0 or not self.wait(READ, seconds):
                    return
                continue
            except OSError:
                return
            if not data:
                return
            left -= len(data)

    # ------------------------------------------------------------------ in

    def receive(self) -> bytes | None:
        """What is there, b"" at the end of the stream, None if waiting is needed. Raises Gone."""
        try:
            return self._raw.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return None
        except OSError as error:
            raise Gone from error

    def fill(self, view: memoryview) -> None:
        """Receive exactly len(view) bytes. Raises Gone, also when the stream ends before that; Stalled."""
        got = since_yield = 0
        if self.pending:
            got = min(len(self.pending), len(view))
            view[:got] = self.pending[:got]
            self.pending = self.pending[got:]
        size = len(view)
        while got < size:
            try:
                count = self._raw.recv_into(view[got:])
            except BlockingIOError:
                self._await_input(size - got)
                since_yield = 0
                continue
            except OSError as error:
                raise Gone from error
            if not count:
                raise Gone
            got += count
            self._inward.moved(count)
            since_yield = self._maybe_yield(since_yield + count)
        if self._low_water != 1:
            self._set_low_water(1)

    def read_line(self, bytes_max: int) -> bytes | None:
        """The next line without its CRLF; None if it ends in a bare LF or is longer than `bytes_max`.

        Raises Gone, Stalled.
        """
        while True:
            end = self.pending.find(b"\n")
            if end >= 0:
                line = self.pending[: end + 1]
                self.pending = self.pending[end + 1 :]
                return line[:-2] if line.endswith(b"\r\n") and len(line) <= bytes_max + 2 else None
            if len(self.pending) > bytes_max and self.pending[bytes_max:] != b"\r":
                return None
            data = self.receive()
            if data is None:
                self._await_input(1)
            elif not data:
                raise Gone
            else:
                self._inward.moved(len(data))
                self.pending += data
                self.give_way()  # a read of tiny chunks costs milliseconds to take apart

    def _await_input(self, wanted: int) -> None:
        low_water = min(LOW_WATER_BYTES, wanted) if wanted >= 4 * RECEIVE_BYTES else 1
        if low_water != self._low_water:
            self._set_low_water(low_water)
        try:
            ready = self._inward.wait(self._limits.stall_bytes_min)
        except Stalled:
            # Below the low water mark the kernel wakes nobody: what a slow client did send is still in its buffer.
            if self._low_water == 1 or self._unread() < self._limits.stall_bytes_min:
                raise
            self._inward.restart()
            ready = False
        if not ready and self._low_water != 1:
            self._set_low_water(1)

    def _unread(self) -> int:
        """Bytes the kernel holds for us, counted up to `stall_bytes_min`."""
        try:
            return len(self._raw.recv(self._limits.stall_bytes_min, socket.MSG_PEEK))
        except BlockingIOError:
            return 0
        except OSError as error:
            raise Gone from error

    def _set_low_water(self, count: int) -> None:
        self._raw.setsockopt(socket.SOL_SOCKET, SO_RCVLOWAT, count)
        self._low_water = count

    # ------------------------------------------------------------------ out

    def send(self, buffers: list[bytes | memoryview], *, more: bool = False) -> None:
        """Send all bytes of `buffers` in order. `more`: hold back an incomplete segment, a file follows.

        Raises Gone, Stalled.
        """
        flags = socket.MSG_MORE if more else 0
        since_yield = 0
        while buffers:
            try:
                count = self._raw.sendmsg(buffers[:BUFFERS_MAX], (), flags)
            except BlockingIOError:
                self._outward.wait(self._limits.stall_bytes_min)
                since_yield = 0
                continue
            except OSError as error:
                raise Gone from error
            self.sent += count
            self._outward.moved(count)
            buffers = _after(buffers, count)
            since_yield = self._maybe_yield(since_yield + count)

    def send_file(self, fd: int, offset: int, length: int) -> None:
        """Send bytes [offset, offset + length) of `fd` without copying them.

        Raises Gone, Stalled, and EOFError if the file is shorter.
        """
        out = self._raw.fileno()
        end = offset + length
        since_yield = 0
        while offset < end:
            try:
                count = os.sendfile(out, fd, offset, min(TURN_BYTES, end - offset))
            except BlockingIOError:
                self._outward.wait(self._limits.stall_bytes_min)
                since_yield = 0
                continue
            except (ConnectionError, TimeoutError) as error:  # The client's; any other is the file's.
                raise Gone from error
            if not count:
                raise EOFError(f"the file ends at {offset}, before the span does at {end}")
            offset += count
            self.sent += count
            self._outward.moved(count)
            since_yield = self._maybe_yield(since_yield + count)

    def _maybe_yield(self, since_yield: int) -> int:
        if since_yield < TURN_BYTES:
            return since_yield
        self.give_way()
        return 0


def _after(buffers: list[bytes | memoryview], count: int) -> list[bytes | memoryview]:
    """What is left of `buffers` once `count` bytes of them are sent."""
    for index, buffer in enumerate(buffers):
        if count < len(buffer):
            rest: list[bytes | memoryview] = [memoryview(buffer)[count:]] if count else [buffer]
            return rest + buffers[index + 1 :]
        count -= len(buffer)
    return []
