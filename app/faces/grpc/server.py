"""A gRPC server for the Control service. Knows bounds of messages, streams and connections; must not know the calls."""

from typing import Any, Final

import grpc

from app.core.cluster_limits import (
    CONTROL_CONNECTIONS_MAX,
    CONTROL_HELLO_SECONDS_MAX,
    CONTROL_KEEPALIVE_LOST_SECONDS,
    CONTROL_KEEPALIVE_SECONDS,
    CONTROL_MESSAGE_BYTES_MAX,
    CONTROL_STREAMS_MAX,
)
from app.faces.grpc.control import ControlService

_OPTIONS: Final = (
    ("grpc.so_reuseport", 0),  # two managers at one port is a mistake, and must be one
    ("grpc.max_receive_message_length", CONTROL_MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", CONTROL_MESSAGE_BYTES_MAX),
    ("grpc.max_concurrent_streams", CONTROL_STREAMS_MAX),
    # Whoever only connects proves nothing and costs a descriptor: the log's files need some of them too.
    ("grpc.max_allowed_incoming_connections", CONTROL_CONNECTIONS_MAX),
    ("grpc.server_handshake_timeout_ms", int(CONTROL_HELLO_SECONDS_MAX * 1000)),
    ("grpc.keepalive_time_ms", CONTROL_KEEPALIVE_SECONDS * 1000),
    ("grpc.keepalive_timeout_ms", CONTROL_KEEPALIVE_LOST_SECONDS * 1000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 1000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 1000),
    ("grpc.http2.max_ping_strikes", 0),
)


async def listening(service: ControlService, address: str, credentials: grpc.ServerCredentials) -> tuple[Any, int]:
    """A started server and its port. Raises RuntimeError when the address cannot be used."""
    server = grpc.aio.server(options=_OPTIONS, maximum_concurrent_rpcs=CONTROL_STREAMS_MAX)
    server.add_generic_rpc_handlers((service.handlers(),))
    port = server.add_secure_port(address, credentials)
    await server.start()
    return server, port
