"""A manager's gRPC face in the test's own process, over a log of one that agrees with itself."""

import asyncio
import itertools
import threading
import time

from app.adapters.cluster import command_codec, machine, tls
from app.adapters.cluster.machine import ControlMachine
from app.adapters.cluster.remote import Door, RemoteCluster
from app.faces.grpc.control import ControlService, Desk
from app.faces.grpc.server import listening
from app.ports.consensus import LogStatus, NotLeader, Undecided
from app.services.control.authority import Authority, Entries
from app.services.control.heartbeats import Heartbeats

SECRET = bytes(range(32))
ENTRIES = Entries(command_codec.encode, command_codec.decode, machine.result)


def no_halt(reason: str) -> None:
    raise AssertionError(reason)


class OwnLog:
    """A replicated log of one member, in memory. `lost`: the next so many answers are lost after they took effect."""

    def __init__(self, node_id: str, book: ControlMachine) -> None:
        self.node_id = node_id
        self.leader = node_id
        self.lost = 0
        self.members = {node_id: "127.0.0.1:1"}
        self._book = book
        self._turn = threading.Lock()

    def propose(self, entry: bytes, timeout_s: float) -> bytes:
        if self.leader != self.node_id:
            raise NotLeader(self.leader)
        with self._turn:
            answer = self._book.apply(entry)
        if self.lost:
            self.lost -= 1
            raise Undecided("the answer was lost")
        return answer

    def read_barrier(self, timeout_s: float) -> None:
        if self.leader != self.node_id:
            raise NotLeader(self.leader)

    def status(self) -> LogStatus:
        return LogStatus(self.leader, 1, 0, dict(self.members))

    def add_member(self, node_id: str, address: str, timeout_s: float) -> None:
        self.members[node_id] = address

    def remove_member(self, node_id: str, timeout_s: float) -> None:
        self.members.pop(node_id, None)

    def close(self) -> None: ...


class Manager:
    """One manager's face on a port of the system's choosing, served by a thread of its own."""

    def __init__(self, node_id: str = "manager-1", secret: bytes = SECRET, book: ControlMachine | None = None) -> None:
        self.book = book or ControlMachine(no_halt)
        self.log = OwnLog(node_id, self.book)
        numbers = itertools.count(1)
        self.authority = Authority(self.log, self.book, ENTRIES, lambda: next(numbers).to_bytes(16, "big"))
        self.heartbeats = Heartbeats(lambda: time.time_ns() // 1_000_000, time.monotonic)
        self.desk = Desk(node_id, self.authority, self.heartbeats, self.book)
        self._secret = secret
        self._port = 0
        self.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Serve, at the port it had before if there was one."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._begin(), self._loop).result(10)

    def stop(self) -> None:
        """Every stream and call ends; the state stays."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _begin(self) -> None:
        self.service = ControlService(self.desk)
        unwatch = self.service.changed
        self.book.watch(lambda: unwatch() if not self._loop.is_closed() else None)
        credentials = tls.server_credentials(tls.identity(self._secret, self.desk.node_id))
        self._server, self._port = await listening(self.service, self.address, credentials)

    async def _end(self) -> None:
        await self._server.stop(0)
        self.service.close()


def follower(*managers: Manager | str, secret: bytes = SECRET, cluster_id: str = "", node_id: str = "node-1"):
    """A client that is not started yet."""
    addresses = [one if isinstance(one, str) else one.address for one in managers]
    return RemoteCluster(Door(addresses, node_id, secret, cluster_id), time.monotonic)
