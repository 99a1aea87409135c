"""The front door's watch over its children: start, wait until ready, drain, and never leave one behind.

Knows processes, signals and probes. Must not know what the children do. A child that ends by itself ends all.
"""

import http.client
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import app
from app.cli.command import complain
from app.core.limits import READY_SECONDS_MAX

_ROOT = Path(app.__file__).parent.parent
_STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_QUICK_SECONDS = 3.0
_DRAIN_MARGIN_SECONDS = 5.0  # beyond what the children themselves allow their requests
_PROBE_SECONDS = 0.05
Address = tuple[str, int]
GUNICORN: Final = ("-m", "gunicorn", "-c", str(_ROOT / "gunicorn.conf.py"), "wsgi:application")


@dataclass(slots=True)
class Child:
    """One process: its environment, what it inherits, and the sockets it takes over. `arguments`: what the interpreter
    is given, a gunicorn master by default. `needs`: a file that must be there before it is started."""

    role: str
    environment: dict[str, str]
    descriptors: tuple[int, ...]
    listeners: tuple[socket.socket, ...]
    arguments: tuple[str, ...] = GUNICORN
    needs: Path | None = None
    process: "subprocess.Popen[bytes] | None" = field(default=None)

    def start(self) -> bool:
        """Start it in this process group, if what it needs is there; it ignores the terminal's SIGINT, which is for the
        front door. From then on its ports are open exactly as long as its processes live."""
        if self.needs is not None and not self.needs.exists():
            return False
        self.process = subprocess.Popen(  # noqa: S603 -- our own interpreter and files
            [sys.executable, *self.arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            pass_fds=(*self.descriptors, *(listener.fileno() for listener in self.listeners)),
        )
        for listener in self.listeners:
            listener.close()
        return True


@dataclass(frozen=True, slots=True)
class Probe:
    """How it is known that a child serves. `path` must answer 200; "" is content with any answer."""

    address: Address
    path: str = ""

    def reason(self) -> str | None:
        """None when it serves, else why not ("" when it does not say)."""
        status, text = _ask(self.address, self.path or "/")
        return None if status == 200 or (status and not self.path) else text


def first_trouble(probes: Sequence[Probe]) -> str | None:
    """The first reason not to be content; None when all are. Nobody after that one is asked: a worker writes a line for
    each request, and what is waited for may take hours."""
    return next((why for probe in probes if (why := probe.reason()) is not None), None)


class Supervisor:
    """Runs the children from start to end."""

    def __init__(self, children: list[Child], drain_seconds: int, ready_seconds: float = READY_SECONDS_MAX) -> None:
        """`ready_seconds`: how long they may take to serve; infinite where that hangs on other machines."""
        self._children = children
        self._drain_seconds = drain_seconds
        self._ready_seconds = ready_seconds
        self._stops = 0
        self._wake_r, self._wake_w = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self, probes: Sequence[Probe], announce: Callable[[], None]) -> int:
        """`announce` is called once every probe is content. 0 when stopped by a signal and drained, else 1."""
        signal.set_wakeup_fd(self._wake_w, warn_on_full_buffer=False)
        for number in _STOPS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup means what it says
                signal.signal(number, self._stop_asked)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        code = self._serve(probes, announce)
        self._stop_children()
        return code

    def _stop_asked(self, *_: object) -> None:
        self._stops += 1

    def _serve(self, probes: Sequence[Probe], announce: Callable[[], None]) -> int:
        reason = self._wait_ready(probes)
        if reason:
            complain(reason)
            return 1
        if not self._stops:
            announce()
        while not self._stops:
            dead = self._dead()
            if dead:
                complain(f"{dead}; stopping the rest")
                return 1
            self._pause(1.0)
        return 0

    def _wait_ready(self, probes: Sequence[Probe]) -> str:
        """Why they are not ready; "" once all probes are content, or when a stop was asked for. Where there is no limit
        the reason is said from time to time."""
        begun = said = time.monotonic()
        waiting = list(self._children)
        reason = "no answer"
        while not self._stops:
            waiting = [child for child in waiting if not child.start()]
            dead = self._dead()
            if dead:
                return f"{dead} before it was ready"
            trouble = first_trouble(probes)
            if not waiting and trouble is None:
                return ""
            reason = trouble or reason
            now = time.monotonic()
            if now - begun > self._ready_seconds:
                return f"not ready within {self._ready_seconds:.0f} seconds: {reason}"
            if now - said > READY_SECONDS_MAX / 6:
                complain(f"waiting: {reason}")
                said = now
            self._pause(_PROBE_SECONDS)
        return ""

    def _dead(self) -> str:
        """What to say about the first child that ended; "" when all live."""
        for child in self._children:
            if child.process is not None and (code := child.process.poll()) is not None:
                how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
                return f"the {child.role} process {how}"
        return ""

    def _stop_children(self) -> None:
        """Drain; a second request to stop, or too long a drain, makes it quick. Returns when nobody is left."""
        asked = self._stops
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + self._drain_seconds + _DRAIN_MARGIN_SECONDS
        while self._living() and time.monotonic() < deadline and self._stops <= max(asked, 1):
            self._pause(0.1)
        self._signal(signal.SIGQUIT)
        deadline = time.monotonic() + _QUICK_SECONDS
        while self._living() and time.monotonic() < deadline:
            self._pause(0.05)
        self._signal(signal.SIGKILL)
        _reap_all()

    def _living(self) -> list["subprocess.Popen[bytes]"]:
        return [c.process for c in self._children if c.process is not None and c.process.poll() is None]

    def _signal(self, number: signal.Signals) -> None:
        for process in self._living():
            process.send_signal(number)

    def _pause(self, seconds: float) -> None:
        """Sleep, but not through a signal."""
        select.select([self._wake_r], [], [], seconds)
        try:
            os.read(self._wake_r, 4096)
        except BlockingIOError:
            return


def _reap_all() -> None:
    """Wait for every process below this one, workers whose master was killed included: they are killed with it."""
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _ask(address: Address, path: str) -> tuple[int, str]:
    """Status and text of an answer; 0 while there is none."""
    connection = http.client.HTTPConnection(*address, timeout=2.0)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(1_000).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()
