"""gunicorn's worker class `LeanWorker`: gunicorn keeps the processes, this keeps the connections.

Knows gunicorn's worker contract (notify, alive, signals, graceful stop) and the listener; must not know HTTP. The
master, prefork, signals, max_requests and systemd are gunicorn's own. Not offered, said at start or in the page: TLS,
HTTP/2, PROXY protocol, gunicorn's access log and its pre_request/post_request hooks.
"""

import os
import socket
import time
from functools import partial
from typing import Any, ClassVar, Final

import gevent
from gevent import monkey
from gevent.event import Event
from gunicorn.http.wsgi import base_environ
from gunicorn.workers.ggevent import GeventWorker

from app.runtime.http1.bounds import WireLimits
from app.runtime.http1.connection import Connection
from app.runtime.http1.environ import Environ, client_environ, listener_environ
from app.runtime.http1.listener import Listener
from app.runtime.http1.session import House, Session

NOTIFY_SECONDS: Final = 1.0
STOP_POLL_SECONDS: Final = 0.1
_native_socket = monkey.get_original("socket", "socket")
SCRIPT_NAME: Final = os.environ.get("SCRIPT_NAME", "")


class LeanWorker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """Serves WSGI over HTTP/1.1 keep-alive connections. Tests make `wire_limits` small in a subclass."""

    alive: bool
    wire_limits: ClassVar[WireLimits] = WireLimits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.cfg.is_ssl:
            raise RuntimeError("the lean worker speaks no TLS: end it in front, or use gunicorn's gevent worker")

    def init_process(self) -> None:
        """After the fork; runs until the worker ends."""
        self._house: House | None = None
        super().init_process()

    def run(self) -> None:
        """Serve until told to stop, then finish the requests in flight within gunicorn's graceful timeout."""
        self._stopping = Event()
        house = self._house = House(self.wsgi, self.wire_limits, self.log, self._count, self.worker_connections)
        prepared = self._prepare_environ()
        listeners = [self._listen(house, prepared, listener) for listener in self.sockets]
        while self.alive:
            self.notify()
            self._stopping.wait(NOTIFY_SECONDS)
        house.alive = False
        for listener in listeners:
            listener.close()
        for session in list(house.idle):
            session.end_if_idle()
        self._finish(listeners)

    def handle_exit(self, sig: int, frame: object) -> None:
        """SIGTERM: stop gracefully, at once rather than at the next notification."""
        super().handle_exit(sig, frame)
        if self._house is not None:
            self._house.alive = False
            # A signal handler runs anywhere; only this way of waking the loop is safe everywhere.
            gevent.get_hub().loop.run_callback_threadsafe(self._stopping.set)

    def _prepare_environ(self) -> Environ:
        prepared: Environ = base_environ(self.cfg)
        prepared.update(
            {
                "SCRIPT_NAME": SCRIPT_NAME,
                "wsgi.multithread": True,
                "wsgi.url_scheme": "http",
                "zapfs.spans": True,
            }
        )
        return prepared

    def _listen(self, house: House, prepared: Environ, listener: Any) -> Listener:
        local = listener.getsockname()
        raw = _native_socket(fileno=listener.detach())
        raw.setblocking(False)
        return Listener(
            raw,
            partial(self._serve, house, listener_environ(prepared, local)),
            self.log,
            seats=self.worker_connections,
            siblings=self.cfg.workers > 1,
        )

    def _serve(self, house: House, prepared: Environ, client: socket.socket, remote: object) -> None:
        """One connection, in its own greenlet."""
        Session(house, Connection(client, self.wire_limits), client_environ(prepared, remote)).run()

    def _count(self) -> None:
        """One more request; the last of max_requests stops the worker."""
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False
            if self._house is not None:
                self._house.alive = False
            self._stopping.set()

    def _finish(self, listeners: list[Listener]) -> None:
        """Let the requests in flight end, up to gunicorn's graceful timeout; cut what is left then."""
        deadline = time.monotonic() + self.cfg.graceful_timeout
        while any(listener.busy for listener in listeners):
            if time.monotonic() > deadline:
                self.log.warning("Worker graceful timeout (pid:%s)", self.pid)
                break
            self.notify()
            gevent.sleep(STOP_POLL_SECONDS)
        for listener in listeners:
            listener.cut()
