"""One connection between members: frames over TLS over TCP, without ever waiting.

Knows frames and their bounds. Must not know what is in them. A frame is its length (4 bytes, little endian) and as many
bytes. Before the other end has shown who it is, no frame may be longer than RAFT_HELLO_BYTES_MAX.
"""

import socket
import ssl
from collections.abc import Callable
from typing import Any

from pysyncobj.poller import POLL_EVENT_TYPE

from app.core import cluster_limits, limits

_RECEIVE_BYTES = 256 * limits.KIB
_READ, _WRITE, _ERROR = POLL_EVENT_TYPE.READ, POLL_EVENT_TYPE.WRITE, POLL_EVENT_TYPE.ERROR


class Connection:
    """Owns its socket. `on_ready` once, when the other end is proved; `on_frame` for each frame; `on_close` once."""

    def __init__(self, poller: Any, sock: socket.socket, context: ssl.SSLContext | None, *, server: bool) -> None:
        self.on_ready: Callable[[], None] = _nothing
        self.on_frame: Callable[[bytes], None] = _nothing
        self.on_close: Callable[[], None] = _nothing
        self.frame_bytes_max = cluster_limits.RAFT_HELLO_BYTES_MAX
        self.open = True
        self.ready = False
        self._poller = poller
        self._socket = sock
        self._fd = sock.fileno()
        self._connecting = not server
        self._received = bytearray()
        self._unsent = bytearray()
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=server) if context else None
        self._watch()

    def peer_name(self) -> str | None:
        """The node id in the other end's certificate; None without TLS."""
        if self._tls is None:
            return None
        subject: Any = (self._tls.getpeercert() or {}).get("subject", ())
        return next((value for part in subject for name, value in part if name == "commonName"), "")

    def unsent(self) -> int:
        """Bytes that wait for the other end to read."""
        return len(self._unsent)

    def send(self, data: bytes) -> None:
        """Send a frame once the connection is ready; a peer that does not read is cut off at RAFT_UNSENT_BYTES_MAX."""
        frame = len(data).to_bytes(4, "little") + data
        if self._tls is not None:
            self._tls.write(frame)
            self._unsent += self._out.read()
        else:
            self._unsent += frame
        if len(self._unsent) > cluster_limits.RAFT_UNSENT_BYTES_MAX:
            self.close()
        else:
            self._flush()

    def close(self) -> None:
        """At once; what was not sent is lost."""
        if self.open:
            self.open = False
            self._poller.unsubscribe(self._fd)
            self._socket.close()
            self.on_close()

    # --- events

    def _watch(self) -> None:
        wanted = _READ | _ERROR | (_WRITE if self._unsent or self._connecting else 0)
        self._poller.subscribe(self._fd, self._event, wanted)

    def _event(self, _: int, event: int) -> None:
        if not self.open:
            return
        if self._connecting:
            if self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self.close()
                return
            self._connecting = False
            self._progress()
        if self.open and event & (_READ | _ERROR):
            self._receive()
        if self.open:
            self._flush()

    def _flush(self) -> None:
        if self._connecting:
            return
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        self._watch()

    def _receive(self) -> None:
        try:
            data = self._socket.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        if self._tls is None:
            self._received += data
        else:
            self._in.write(data)
        self._progress()

    def _progress(self) -> None:
        try:
            if not self.ready:
                if self._tls is not None:
                    self._tls.do_handshake()
                self.ready = True
                self.on_ready()
            self._decrypt()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self.close()
            return
        self._unsent += self._out.read()
        self._take_frames()

    def _decrypt(self) -> None:
        # Ends by SSLWantReadError: what the library holds decrypted already no event would announce.
        while self.open and self._tls is not None:
            data = self._tls.read(_RECEIVE_BYTES)
            if not data:
                self.close()
            self._received += data

    def _take_frames(self) -> None:
        while self.open and len(self._received) >= 4:
            size = int.from_bytes(self._received[:4], "little")
            if size > self.frame_bytes_max:
                self.close()
                return
            if len(self._received) < 4 + size:
                return
            frame = bytes(self._received[4 : 4 + size])
            del self._received[: 4 + size]
            self.on_frame(frame)


def _nothing(*_: Any) -> None:
    """What nobody asked to be told."""
