"""gRPC channels to managers, and the words in which a call's failure is told.

Knows TLS, keepalive and message bounds. Must not know what is called. Channels are opened at first use, which must be
after the last fork of the process; in a process gevent has patched, gRPC is told so first.
"""

import os
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

import grpc
from gevent import monkey
from grpc.experimental import gevent as grpc_gevent

from app.adapters.cluster import tls
from app.core.cluster_limits import (
    CONTROL_KEEPALIVE_LOST_SECONDS,
    CONTROL_KEEPALIVE_SECONDS,
    CONTROL_MESSAGE_BYTES_MAX,
    CONTROL_RETRY_SECONDS_MAX,
    CONTROL_RETRY_SECONDS_MIN,
)
from app.proto.service import LEADER, Method

_OPTIONS: Final = (
    *tls.CHANNEL_OPTIONS,
    ("grpc.keepalive_time_ms", CONTROL_KEEPALIVE_SECONDS * 1000),
    ("grpc.keepalive_timeout_ms", CONTROL_KEEPALIVE_LOST_SECONDS * 1000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", int(CONTROL_RETRY_SECONDS_MIN * 1000)),
    ("grpc.min_reconnect_backoff_ms", int(CONTROL_RETRY_SECONDS_MIN * 1000)),
    ("grpc.max_reconnect_backoff_ms", int(CONTROL_RETRY_SECONDS_MAX * 1000)),
    ("grpc.max_receive_message_length", CONTROL_MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", CONTROL_MESSAGE_BYTES_MAX),
    ("grpc.enable_http_proxy", 0),
    # Two clusters' clients in one process must not share a connection by its address.
    ("grpc.use_local_subchannel_pool", 1),
)
QUIET: Final = ("GRPC_VERBOSITY", "NONE")
"""In the environment before gRPC begins: what it would say of lost connections is said by us, once and in our form."""
FOREIGN: Final = "is no manager of this cluster, or this node is none of its: cluster_secret differs"
_prepared = False


def prepare() -> None:
    """Make gRPC wait as gevent does, where gevent has patched this process. Before the first channel."""
    os.environ.setdefault(*QUIET)
    global _prepared  # a fact about the process, of which there is one
    if not _prepared and monkey.is_module_patched("socket"):
        grpc_gevent.init_gevent()
    _prepared = True


class Channels:
    """One channel for each address asked for."""

    def __init__(self, own: tls.Identity) -> None:
        self._own = own
        self._turn = threading.Lock()
        self._open: dict[str, grpc.Channel] = {}

    def call(self, address: str, method: Method, request: Any, timeout_s: float) -> Any:
        """The reply of a unary method. Raises grpc.RpcError."""
        make = self._channel(address).unary_unary
        return self._made(make, method)(request, timeout=timeout_s)

    def stream(self, address: str, method: Method, request: Any, timeout_s: float) -> Any:
        """The replies of a streaming method, to be iterated and cancelled. Raises grpc.RpcError on the way."""
        make = self._channel(address).unary_stream
        return self._made(make, method)(request, timeout=timeout_s)

    def close(self) -> None:
        """Every call under way ends."""
        with self._turn:
            channels, self._open = list(self._open.values()), {}
        for channel in channels:
            channel.close()

    def _channel(self, address: str) -> grpc.Channel:
        with self._turn:
            if address not in self._open:
                prepare()
                credentials = tls.channel_credentials(self._own)
                self._open[address] = grpc.secure_channel(address, credentials, _OPTIONS)
            return self._open[address]

    @staticmethod
    def _made(make: Callable[..., Any], method: Method) -> Any:
        return make(method.path, method.request.SerializeToString, method.reply.FromString)


def leader_of(error: grpc.RpcError) -> str:
    """The leader's address, when the refusal named it; else ""."""
    for name, value in _trailing(error):
        if name == LEADER:
            return str(value)
    return ""


def final(error: grpc.RpcError) -> bool:
    """Whether the same call would fail in the same way everywhere and always."""
    code = error.code()
    return code in (
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.ABORTED,
    )


def told(address: str, error: grpc.RpcError) -> str:
    """One line on a failure, for an operator."""
    text = str(error.details() or error.code().name).splitlines()[0]
    if "CERTIFICATE_VERIFY_FAILED" in text or "handshake failed" in text:
        return f"{address} {FOREIGN}"
    return f"{address}: {text}"


def _trailing(error: grpc.RpcError) -> Iterator[tuple[str, Any]]:
    yield from error.trailing_metadata() or ()
