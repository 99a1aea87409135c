"""Commands of a node's workers, handed to the one process of the node that may submit them: over a socket in its data
directory, which nobody but the server's own user can open.

Knows the socket, the form of an exchange and when a worker has read its own write. Must not know who leads, or HTTP.
An exchange is one frame each way: 4 bytes of length, big-endian, then a command's document (command_codec) one way and
JSON {"error", "message", "version"} the other, or {"away": why} where nobody can tell whether it took effect. Commands
bear their ids, so one that was cut off is sent again.
"""

import json
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from app.adapters.cluster import command_codec
from app.adapters.cluster.local import Follower
from app.core.cluster import ClusterState, Command, Outcome
from app.core.cluster_limits import (
    CONTROL_COMMAND_BYTES_MAX,
    RELAY_CONNECTIONS_MAX,
    RELAY_LOOK_SECONDS,
    RELAY_SECONDS_MAX,
    RELAY_SEEN_SECONDS_MAX,
)
from app.core.errors import Corrupt, StoreError, Unavailable
from app.ports.cluster import Cluster

SOCKET: Final = "commands"
_TRIES: Final = 2
_LENGTH: Final = struct.Struct(">I")


class Relayed:
    """A worker's control plane: follows the state on disk, and hands commands to the node's own submitter."""

    def __init__(self, directory: Path, follower: Follower) -> None:
        """`directory`: where the state lies, and the socket beside it."""
        self._directory = directory
        self._follower = follower
        self._pause = threading.Event()  # never set: waiting for it is a pause that lets others run

    def state(self) -> ClusterState:
        """The newest state known here."""
        return self._follower.state()

    def refresh(self) -> bool:
        """See Follower."""
        return self._follower.refresh()

    def submit(self, command: Command) -> Outcome:
        """See ports.cluster. This process has the change when this returns, unless its disk is slower than
        RELAY_SEEN_SECONDS_MAX; other workers have it at their next look."""
        document = command_codec.encode(command)
        answer = self._asked(document)
        if "away" in answer:
            raise Unavailable(str(answer["away"]))
        self.see(int(answer["version"]))
        return Outcome(str(answer["error"]), str(answer["message"]))

    def close(self) -> None:
        """Nothing is held."""

    def _asked(self, document: bytes) -> dict[str, Any]:
        reason = ""
        for _ in range(_TRIES):
            try:
                with _opened(self._directory) as path, socket.socket(socket.AF_UNIX) as line:
                    line.settimeout(RELAY_SECONDS_MAX)
                    line.connect(path)
                    _send(line, document)
                    found: dict[str, Any] = json.loads(_received(line))
                    return found
            except (OSError, ValueError) as error:
                reason = f"{type(error).__name__}: {error}"
        raise Unavailable(f"this node's own control process does not answer ({reason})")

    def see(self, version: int) -> None:
        """Wait until the state here has that version, RELAY_SEEN_SECONDS_MAX at most."""
        for _ in range(int(RELAY_SEEN_SECONDS_MAX / RELAY_LOOK_SECONDS)):
            if self._follower.state().version >= version:
                return
            if not self._follower.refresh():
                self._pause.wait(RELAY_LOOK_SECONDS)


class Desk:
    """The other end: takes commands from the node's workers and submits them. One per node."""

    def __init__(self, directory: Path, cluster: Cluster, on_error: Callable[[BaseException], object]) -> None:
        """Raises Unavailable where the socket cannot be made. `on_error` is told of bugs."""
        self._cluster = cluster
        self._on_error = on_error
        self._free = threading.BoundedSemaphore(RELAY_CONNECTIONS_MAX)
        self._listener = socket.socket(socket.AF_UNIX)
        try:
            with _opened(directory) as path:
                with suppress(FileNotFoundError):
                    os.unlink(path)
                self._listener.bind(path)
                os.chmod(path, 0o600)
            self._listener.listen(RELAY_CONNECTIONS_MAX)
        except OSError as error:
            self._listener.close()
            raise Unavailable(f"{directory / SOCKET}: {error.strerror}") from error
        threading.Thread(target=self._serve, name="commands", daemon=True).start()

    def close(self) -> None:
        """Take no more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            self._free.acquire()
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._take, args=(line,), name="command", daemon=True).start()

    def _take(self, line: socket.socket) -> None:
        try:
            with line:
                line.settimeout(RELAY_SECONDS_MAX)
                _send(line, json.dumps(self._outcome(_received(line))).encode())
        except OSError:
            return  # whoever asked is gone, and asks again
        finally:
            self._free.release()

    def _outcome(self, document: bytes) -> dict[str, str | int]:
        try:
            outcome = self._cluster.submit(command_codec.decode(document))
        except StoreError as error:
            if isinstance(error, Corrupt):
                self._on_error(error)
            return {"away": str(error)}
        except Exception as error:  # noqa: BLE001 -- the edge of this process: the worker is told, the log has the rest
            self._on_error(error)
            return {"away": "a bug; the log has its traceback"}
        return {"error": outcome.error, "message": outcome.message, "version": self._cluster.state().version}


@contextmanager
def _opened(directory: Path) -> Iterator[str]:
    """The socket's path by way of its directory's descriptor: a path of its own may be longer than sockets' may."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{fd}/{SOCKET}"
    finally:
        os.close(fd)


def _send(line: socket.socket, document: bytes) -> None:
    line.sendall(_LENGTH.pack(len(document)) + document)


def _received(line: socket.socket) -> bytes:
    """One frame. Raises OSError for one that is cut off or too long."""
    (length,) = _LENGTH.unpack(_exactly(line, _LENGTH.size))
    if length > CONTROL_COMMAND_BYTES_MAX:
        raise OSError(f"a frame of {length} bytes")
    return _exactly(line, length)


def _exactly(line: socket.socket, length: int) -> bytes:
    pieces = bytearray()
    while len(pieces) < length:
        piece = line.recv(length - len(pieces))
        if not piece:
            raise OSError("cut off")
        pieces += piece
    return bytes(pieces)
