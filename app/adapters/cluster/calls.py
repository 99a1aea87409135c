"""Unary calls to whichever manager can serve them: leader hints, repetition, one deadline.

Knows addresses and whom to try next. Must not know what is called; a call that may be made twice is its maker's care
(a proposal bears its command's id). One instance serves every thread or greenlet of a process.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import grpc

from app.adapters.cluster.channels import FOREIGN, Channels, final, leader_of, told
from app.core.cluster_limits import (
    CONTROL_CALL_SECONDS_MAX,
    CONTROL_PROTOCOL,
    CONTROL_RETRY_SECONDS_MAX,
    CONTROL_RETRY_SECONDS_MIN,
    CONTROL_TRY_SECONDS_MAX,
)
from app.core.errors import Conflict, Unavailable
from app.proto import control_pb2 as pb
from app.proto.service import Method


@dataclass(frozen=True, slots=True)
class Whoami:
    """How the managers hear of this process. `cluster_id`: of the cluster this node has part in for good, "" before it
    has in any."""

    node_id: str
    cluster_id: str = ""


class Managers:
    """Where the managers are, and how to reach the right one."""

    def __init__(
        self, addresses: Iterable[str], whoami: Whoami, channels: Channels, monotonic: Callable[[], float]
    ) -> None:
        self._addresses = tuple(dict.fromkeys(addresses))
        self._given = self._addresses
        self._whoami = whoami
        self._cluster_id = whoami.cluster_id
        self._bound = bool(whoami.cluster_id)
        self._channels = channels
        self._monotonic = monotonic
        self._leader = ""
        self._closed = threading.Event()

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where managers are, the supposed leader first."""
        return tuple(dict.fromkeys((self._leader, *self._addresses))) if self._leader else self._addresses

    def know(self, addresses: Iterable[str]) -> None:
        """The cluster's own list of its managers; what this process was told at its start stays in reserve."""
        self._addresses = tuple(dict.fromkeys((*addresses, *self._given)))

    def header(self) -> pb.Header:
        """Of a request."""
        cluster_id = self._cluster_id if self._bound else ""
        return pb.Header(protocol=CONTROL_PROTOCOL, cluster_id=cluster_id, node_id=self._whoami.node_id)

    def bind(self, bound: bool) -> None:
        """Whether only the cluster known now is believed from here on. One that is empty may still become another, by
        the restore of a backup."""
        self._bound = bound

    def accept(self, header: pb.Header) -> None:
        """Check an answer's header; the first one says which cluster this is. Raises Unavailable."""
        if header.protocol != CONTROL_PROTOCOL:
            raise Unavailable(f"{header.node_id} speaks control protocol {header.protocol}, not {CONTROL_PROTOCOL}")
        if self._bound and self._cluster_id and header.cluster_id not in ("", self._cluster_id):
            raise Unavailable(f"{header.node_id} manages cluster {header.cluster_id}, not {self._cluster_id}")
        self._cluster_id = header.cluster_id or self._cluster_id

    def call(self, method: Method, request: Any, seconds: float = CONTROL_CALL_SECONDS_MAX) -> Any:
        """The first good answer within the time. Raises Unavailable with the last reason, Conflict."""
        deadline = self._monotonic() + seconds
        reason, pause = "no manager is known", CONTROL_RETRY_SECONDS_MIN
        reasons: list[str] = []  # of the last round
        while not self._closed.is_set():
            waiting = list(self.addresses)
            tried: set[str] = set()
            reasons = []
            while waiting:
                address = waiting.pop(0)
                left = deadline - self._monotonic()
                if address in tried or left <= 0:
                    continue
                tried.add(address)
                try:
                    return self._once(address, method, request, min(left, CONTROL_TRY_SECONDS_MAX))
                except grpc.RpcError as error:
                    reason, hint = self._failed(address, error)
                    reasons.append(reason)
                    waiting[:0] = [hint] if hint else []
            if reasons and all(one.endswith(FOREIGN) for one in reasons):
                break  # nobody's secret changes while we wait
            if deadline - self._monotonic() <= pause:
                break
            self._closed.wait(pause)
            pause = min(2 * pause, CONTROL_RETRY_SECONDS_MAX)
        together = "; ".join(dict.fromkeys(reasons))
        raise Unavailable(f"no quorum of the managers answers: {together}" if len(reasons) > 1 else reason)

    def wait(self, seconds: float) -> bool:
        """Pause; True when this is closed meanwhile."""
        return self._closed.wait(seconds)

    def close(self) -> None:
        """Calls under way end with Unavailable."""
        self._closed.set()
        self._channels.close()

    def _once(self, address: str, method: Method, request: Any, seconds: float) -> Any:
        request.header.CopyFrom(self.header())
        try:
            reply = self._channels.call(address, method, request, seconds)
        except ValueError as error:  # the channel was closed under it
            raise Unavailable(f"{address}: {error}") from error
        self.accept(reply.header)
        self._leader = address
        return reply

    def _failed(self, address: str, error: grpc.RpcError) -> tuple[str, str]:
        """Reason and leader's address. Raises where trying again would not help."""
        reason = told(address, error)
        if error.code() is grpc.StatusCode.ABORTED:
            raise Conflict(reason) from error
        if final(error):
            raise Unavailable(reason) from error
        self._leader = leader_of(error)
        return reason, self._leader
