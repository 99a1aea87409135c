"""The Control service: messages <-> use cases, on the one event loop of a manager's core.

Knows control.proto, gRPC's codes and who may speak at all. No rules of the control plane, no log. What blocks (a
proposal, a barrier) runs in threads; streams do not take one each, so that hundreds of them cost little.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import grpc

from app.core.cluster_limits import (
    CONTROL_PIECE_BYTES,
    CONTROL_PROTOCOL,
    CONTROL_PULSE_SECONDS,
    CONTROL_WAITING_MAX,
)
from app.core.errors import Conflict, Corrupt, StoreError
from app.ports.consensus import Book, NotLeader
from app.proto import control_pb2 as pb
from app.proto import service
from app.proto.reports import health_message, report_value
from app.services.control.authority import Authority, Member, Standing
from app.services.control.heartbeats import Heartbeats

Context = Any
"""grpc.aio.ServicerContext; gRPC's stubs name no type for it that mypy could check."""
_NO_PEER: Final = grpc.StatusCode.FAILED_PRECONDITION


@dataclass(frozen=True, slots=True)
class Desk:
    """What the service hands calls to. `node_id`: this manager's name."""

    node_id: str
    authority: Authority
    heartbeats: Heartbeats
    book: Book


class ControlService:
    """To be built on the event loop it serves on."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(CONTROL_WAITING_MAX, "control")
        self._waiting = 0
        self._changed = asyncio.Event()

    def handlers(self) -> grpc.GenericRpcHandler:
        """To be given to a server."""
        calls: Mapping[str, Callable[..., Any]] = {
            service.PROPOSE.name: self._propose,
            service.HEARTBEAT.name: self._heartbeat,
            service.READ_BARRIER.name: self._barrier,
            service.STATUS.name: self._status,
            service.CHANGE_MEMBERS.name: self._change,
        }
        handlers = {name: _handler(service.METHODS[name], call) for name, call in calls.items()}
        handlers[service.WATCH.name] = _handler(service.WATCH, self._watch)
        return grpc.method_handlers_generic_handler(service.SERVICE, handlers)

    def changed(self) -> None:
        """The state has changed: wake the streams. From any thread."""
        self._loop.call_soon_threadsafe(self._wake)

    def close(self) -> None:
        """What still runs in threads is left to its own time limits."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    # --- the calls

    async def _propose(self, request: pb.ProposeRequest, context: Context) -> pb.ProposeReply:
        await self._check(request.header, context)
        version, outcome = await self._blocking(context, self._desk.authority.propose, request.command)
        return pb.ProposeReply(header=self._header(), version=version, error=outcome.error, message=outcome.message)

    async def _heartbeat(self, request: pb.HeartbeatRequest, context: Context) -> pb.HeartbeatReply:
        await self._check(request.header, context)
        desk = self._desk
        if request.HasField("report") and request.report.node_id != request.header.node_id:
            text = f"{request.header.node_id} reports for {request.report.node_id}: a node tells of itself only"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, text)
        if request.HasField("report") and request.report.node_id in desk.book.state().managers:
            text = f"{request.report.node_id} is a manager, so this node needs a node_id of its own"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, text)
        if not desk.authority.leads(desk.node_id):
            await self._refuse(context, NotLeader(desk.authority.standing().leader))
        if request.HasField("report"):
            try:
                desk.heartbeats.beat(report_value(request.report))
            except StoreError as error:
                await self._refuse(context, error)
        return pb.HeartbeatReply(header=self._header(), nodes=map(health_message, desk.heartbeats.health()))

    async def _barrier(self, request: pb.BarrierRequest, context: Context) -> pb.BarrierReply:
        await self._check(request.header, context)
        version = await self._blocking(context, self._desk.authority.barrier)
        return pb.BarrierReply(header=self._header(), version=version)

    async def _status(self, request: pb.StatusRequest, context: Context) -> pb.StatusReply:
        await self._check(request.header, context)
        return _status_reply(self._header(), self._desk.authority.standing())

    async def _change(self, request: pb.ChangeRequest, context: Context) -> pb.StatusReply:
        await self._check(request.header, context)
        authority = self._desk.authority
        if request.HasField("add"):
            added = Member(request.add.node_id, request.add.grpc_address, request.add.raft_address)
            await self._blocking(context, authority.add, added)
        elif request.remove:
            await self._blocking(context, authority.remove, request.remove)
        return _status_reply(self._header(), authority.standing())

    async def _watch(self, request: pb.WatchRequest, context: Context) -> AsyncIterator[pb.WatchEvent]:
        await self._check(request.header, context)
        version = request.version
        while True:
            changed = self._changed  # taken before looking: a change after the look is not missed
            deltas = self._desk.book.since(version)
            if deltas is None and self._desk.book.state().version > version:
                version, document = await self._loop.run_in_executor(None, self._desk.book.document)
                for piece in _pieces(version, document):
                    yield pb.WatchEvent(header=self._header(), piece=piece)
                continue
            for made, command in deltas or ():
                yield pb.WatchEvent(header=self._header(), delta=pb.Delta(version=made, command=command))
                version = made
            if not deltas:
                yield pb.WatchEvent(header=self._header(), pulse=self._pulse())
                await _within(CONTROL_PULSE_SECONDS, changed.wait())

    # --- what they have in common

    def _header(self) -> pb.Header:
        cluster_id = self._desk.book.state().cluster_id
        return pb.Header(protocol=CONTROL_PROTOCOL, cluster_id=cluster_id, node_id=self._desk.node_id)

    def _pulse(self) -> pb.Pulse:
        standing = self._desk.authority.standing()
        return pb.Pulse(version=standing.version, led=bool(standing.leader))

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _check(self, header: pb.Header, context: Context) -> None:
        """Refuse whom this manager must not understand."""
        who = header.node_id or "a node without a name"
        own = self._desk.book.state().cluster_id
        if header.protocol != CONTROL_PROTOCOL:
            text = f"{who} speaks control protocol {header.protocol}, {self._desk.node_id} speaks {CONTROL_PROTOCOL}"
            await context.abort(_NO_PEER, f"{text}: bring both to one release")
        if header.cluster_id and own and header.cluster_id != own:
            await context.abort(
                _NO_PEER, f"{who} belongs to cluster {header.cluster_id}, {self._desk.node_id} to {own}"
            )

    async def _blocking(self, context: Context, function: Callable[..., Any], *args: Any) -> Any:
        """Run a use case in a thread; what it refuses leaves as a status."""
        if self._waiting >= CONTROL_WAITING_MAX:
            await context.abort(
                grpc.StatusCode.UNAVAILABLE, f"{CONTROL_WAITING_MAX} calls wait at this manager already"
            )
        self._waiting += 1
        try:
            return await self._loop.run_in_executor(self._threads, function, *args)
        except StoreError as error:
            return await self._refuse(context, error)
        finally:
            self._waiting -= 1

    async def _refuse(self, context: Context, error: StoreError) -> Any:
        if isinstance(error, NotLeader):
            address = self._desk.authority.addresses().get(error.leader, "")
            await context.abort(
                grpc.StatusCode.UNAVAILABLE, str(error), ((service.LEADER, address),) if address else ()
            )
        await context.abort(_code(error), f"{self._desk.node_id}: {error}")


def _code(error: StoreError) -> grpc.StatusCode:
    if isinstance(error, Corrupt):
        return grpc.StatusCode.INVALID_ARGUMENT
    return grpc.StatusCode.ABORTED if isinstance(error, Conflict) else grpc.StatusCode.UNAVAILABLE


def _handler(method: service.Method, call: Callable[..., Any]) -> grpc.RpcMethodHandler:
    make = grpc.unary_stream_rpc_method_handler if method.streams else grpc.unary_unary_rpc_method_handler
    return make(call, method.request.FromString, method.reply.SerializeToString)


def _pieces(version: int, document: bytes) -> list[pb.Piece]:
    starts = range(0, len(document), CONTROL_PIECE_BYTES)
    return [
        pb.Piece(
            version=version,
            document=document[start : start + CONTROL_PIECE_BYTES],
            last=start + CONTROL_PIECE_BYTES >= len(document),
        )
        for start in starts
    ]


def _status_reply(header: pb.Header, standing: Standing) -> pb.StatusReply:
    members = [
        pb.Member(node_id=one.node_id, grpc_address=one.grpc_address, raft_address=one.raft_address)
        for one in standing.members
    ]
    return pb.StatusReply(
        header=header,
        leader=standing.leader,
        version=standing.version,
        term=standing.term,
        behind=standing.behind,
        members=members,
    )


async def _within(seconds: float, what: Awaitable[object]) -> None:
    try:
        await asyncio.wait_for(what, seconds)
    except TimeoutError:
        return
