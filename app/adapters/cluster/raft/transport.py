"""Who is connected with whom: every member sends on a connection it dialed, and receives on those it accepted.

Knows addresses, hellos and certificates. Must not know what messages mean. Only a node with the cluster's secret gets
as far as a hello, and only under the name in its certificate; a member is heard only from the directory it is known by.
"""

import errno
import functools
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from app.adapters.cluster.raft import codec
from app.adapters.cluster.raft.connection import Connection
from app.adapters.cluster.raft.incarnations import Incarnations
from app.adapters.cluster.raft.innards import LibraryTransport, Peer, now
from app.core import cluster_limits, limits

_CONGESTED_BYTES = 1 * limits.MIB
_BACKLOG = 32
_SILENT_MS = 5_000


@dataclass(frozen=True, slots=True)
class Door:
    """How to listen and to dial; contexts are None without a secret."""

    node_id: str
    address: str
    bind: str
    listening: ssl.SSLContext | None
    dialing: ssl.SSLContext | None
    incarnations: Incarnations


class Transport(LibraryTransport):  # type: ignore[misc]
    """One listening socket, and at most one connection dialed to each peer. Of the tick thread, but for resolving."""

    ready = True

    def __init__(
        self, door: Door, retry_s: float, log_error: Callable[[str], None], die: Callable[[str], NoReturn]
    ) -> None:
        super().__init__(None, None, [])
        self._door = door
        self._incarnations = door.incarnations
        self._retry_s = retry_s
        self._log_error = log_error
        self._die = die
        self._disbelieved: set[str] = set()
        self._poller: Any = None
        self._addresses: dict[str, str] = {}
        self._strangers: dict[str, tuple[str, str]] = {}  # address and incarnation
        self._resolved: dict[str, tuple[Any, Any]] = {}
        self._resolving: set[str] = set()
        self._unresolved: dict[str, str] = {}
        self._dialed: dict[str, Connection] = {}
        self._dial_at: dict[str, float] = {}
        self._accepted: dict[Connection, float | None] = {}
        self._socket = _listening(door.bind)

    @property
    def port(self) -> int:
        """The port that was bound."""
        return int(self._socket.getsockname()[1])

    def attach(self, poller: Any) -> None:
        """Begin to accept."""
        self._poller = poller
        poller.subscribe(self._socket.fileno(), self._accept, 1)

    # --- sending

    def send(self, peer: Any, message: codec.Message) -> None:
        """Send if connected; nobody is told when not, for a message may be lost later just as well."""
        connection = self._dialed.get(peer.id)
        if connection is not None and connection.ready:
            connection.send(codec.encode(message))

    def congested(self, peer: Any) -> bool:
        """Whether a peer reads more slowly than it is sent to."""
        connection = self._dialed.get(peer.id)
        return connection is not None and connection.unsent() > _CONGESTED_BYTES

    def know(self, addresses: dict[str, str]) -> None:
        """The members, and whoever joins: all of them are dialed, and kept."""
        for node_id, address in self._addresses.items():
            if addresses.get(node_id) != address and node_id in self._dialed:
                self._dialed[node_id].close()
        self._addresses = dict(addresses)
        for node_id in addresses.keys() & self._strangers.keys():
            self._learn(node_id, self._strangers.pop(node_id)[1])

    def tick(self) -> None:
        """Dial whoever should be connected and is not; let go of those that connected and never said who they are."""
        strangers = {node_id: address for node_id, (address, _) in self._strangers.items()}
        for node_id, address in {**strangers, **self._addresses}.items():
            if node_id not in self._dialed and self._dial_at.get(node_id, 0.0) <= now():
                self._dial_at[node_id] = now() + self._retry_s
                self._dial(node_id, address)
        for connection, until in list(self._accepted.items()):
            if until is not None and until < now():
                connection.close()

    def destroy(self) -> None:
        """Close everything."""
        self._poller.unsubscribe(self._socket.fileno())
        self._socket.close()
        for connection in [*self._dialed.values(), *self._accepted]:
            connection.close()

    def _dial(self, node_id: str, address: str) -> None:
        target = self._resolved.pop(address, None)
        if target is None:
            # Names are looked up elsewhere: a name server that is slow must not cost an election, nor a thread a try.
            if address not in self._resolving:
                self._resolving.add(address)
                threading.Thread(target=self._resolve, args=(address,), daemon=True, name="raft-resolve").start()
            self._dial_at[node_id] = now() + self._retry_s / 4
            return
        sock = socket.socket(target[0], socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        _tune(sock)
        if sock.connect_ex(target[1]) not in (0, errno.EINPROGRESS):
            sock.close()
            return
        connection = Connection(self._poller, sock, self._door.dialing, server=False)
        connection.on_ready = functools.partial(self._dialed_ready, node_id, connection)
        connection.on_close = functools.partial(self._dialed_closed, node_id)
        self._dialed[node_id] = connection

    def _resolve(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        try:
            family, _, _, _, target = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
        except (OSError, ValueError, OverflowError) as error:
            self._log_unresolved(address, str(error))
        else:
            self._resolved[address] = (family, target)
            self._unresolved.pop(address, None)
        self._resolving.discard(address)

    def _log_unresolved(self, address: str, reason: str) -> None:
        """Once for as long as it stays so: it is tried several times a second."""
        if self._unresolved.get(address) != reason:
            if len(self._unresolved) >= cluster_limits.RAFT_STRANGERS_MAX:
                self._unresolved.clear()
            self._unresolved[address] = reason
            self._log_error(f"the member's address {address[:255]!a} does not resolve: {reason}")

    def _dialed_ready(self, node_id: str, connection: Connection) -> None:
        if connection.peer_name() not in (None, node_id):
            self._log_error(f"at the address of {node_id} answers {connection.peer_name()}")
            connection.close()
            return
        known = self._incarnations
        hello = {"type": "hello", "id": self._door.node_id, "address": self._door.address, "incarnation": known.own}
        connection.send(codec.encode({**hello, "yours": known.of(node_id)}))
        self._onNodeConnected(Peer(node_id))

    def _dialed_closed(self, node_id: str) -> None:
        del self._dialed[node_id]
        self._onNodeDisconnected(Peer(node_id))

    # --- receiving

    def _accept(self, *_: Any) -> None:
        try:
            sock, _address = self._socket.accept()
        except OSError:
            return
        _tune(sock)
        unknown = [one for one, until in self._accepted.items() if until is not None]
        if len(unknown) >= cluster_limits.RAFT_STRANGERS_MAX:
            unknown[0].close()
        connection = Connection(self._poller, sock, self._door.listening, server=True)
        connection.on_frame = functools.partial(self._hello, connection)
        connection.on_close = functools.partial(self._accepted_closed, connection)
        self._accepted[connection] = now() + _SILENT_MS / 1000

    def _accepted_closed(self, connection: Connection) -> None:
        self._accepted.pop(connection, None)

    def _hello(self, connection: Connection, frame: bytes) -> None:
        message = self._decoded(connection, frame)
        if message is None:
            return
        node_id = message.get("id", "")
        named = 0 < len(node_id) <= cluster_limits.RAFT_NODE_ID_CHARS_MAX
        if message["type"] != "hello" or not named or connection.peer_name() not in (None, node_id):
            connection.close()
            return
        if not self._recognized(node_id, message):
            connection.close()
            return
        if node_id in self._addresses:
            self._learn(node_id, message["incarnation"])
        else:
            if len(self._strangers) >= cluster_limits.RAFT_STRANGERS_MAX:
                self._strangers.pop(next(iter(self._strangers)))
            self._strangers[node_id] = message["address"], message["incarnation"]
        self._accepted[connection] = None
        connection.frame_bytes_max = cluster_limits.RAFT_FRAME_BYTES_MAX
        connection.on_frame = functools.partial(self._received, connection, Peer(node_id))

    def _recognized(self, node_id: str, hello: codec.Message) -> bool:
        """Whether one who bears the name is the one known by it. Ends this node when it is the one that is not."""
        if hello["yours"] not in ("", self._incarnations.own):
            self._die(
                f"{node_id} knows {self._door.node_id} by another directory than this one, which may have voted under "
                "that name: remove the member, and join under a NEW node id"
            )
        if not self._incarnations.believes(node_id, hello["incarnation"]):
            if node_id not in self._disbelieved:
                self._disbelieved.add(node_id)
                self._log_error(f"{node_id} came back with another directory and is not heard: its disk was lost?")
            return False
        return True

    def _learn(self, node_id: str, incarnation: str) -> None:
        try:
            self._incarnations.learn(node_id, incarnation)
        except OSError as error:
            self._log_error(f"the directory of {node_id} is not noted: {error}")

    def _received(self, connection: Connection, peer: Any, frame: bytes) -> None:
        message = self._decoded(connection, frame)
        if message is not None and message["type"] != "hello":
            self._onMessageReceived(peer, message)

    def _decoded(self, connection: Connection, frame: bytes) -> codec.Message | None:
        try:
            return codec.decode(frame)
        except codec.BadMessage as error:
            self._log_error(f"a connection was cut: {error}")
            connection.close()
            return None


def _listening(bind: str) -> socket.socket:
    host, _, port = bind.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host.strip("[]"), int(port)))
    sock.listen(_BACKLOG)
    sock.setblocking(False)
    return sock


def _tune(sock: socket.socket) -> None:
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 5)
    # A peer that vanished without a word is noticed by what it does not acknowledge.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENT_MS)
