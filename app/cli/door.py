"""What every front door does before its children start: sockets, the children's environment, and the way to the end.

Knows listening sockets and how a handover reaches a child. Must not know roles' checks (server.py, cluster_roles.py).
"""

import os
import socket
from pathlib import Path

from app.cli import supervise
from app.cli.command import say
from app.config_values import Bind
from roles import handover
from roles.credentials import RootCredentials
from roles.data_dir import Refusal
from roles.handover import Handover

_GRPC_QUIET = ("GRPC_VERBOSITY", "NONE")  # read when gRPC is imported; else strangers' handshakes would fill the log
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- recognised, not bound


def listen(bind: Bind, backlog: int, what: str) -> socket.socket:
    """A listening socket, so that a port in use is known here and nobody can take it before the workers start. Raises
    Refusal."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(bind.host, bind.port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.listen(backlog)
    except OSError as error:
        raise Refusal(f"{what} address {bind} cannot be used: {error.strerror}") from error
    return listener


def child(told: Handover, listener: socket.socket | None, lock: int, metrics: Path) -> supervise.Child:
    """A process of the handover's role, a gunicorn master. Settings reach it by the handover alone."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ZAPFS_", "GUNICORN_"))}
    fd = handover.write(told)
    environment[handover.VARIABLE] = str(fd)
    environment.setdefault(*_GRPC_QUIET)
    environment["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
    return supervise.Child(
        told.role, environment, descriptors=(fd, lock), listeners=() if listener is None else (listener,)
    )


def say_root(root: RootCredentials) -> None:
    """Show credentials nobody has seen."""
    say("Root credentials, generated now, kept sealed and not shown again:")
    say(f"  AWS_ACCESS_KEY_ID={root.access_key}")
    say(f"  AWS_SECRET_ACCESS_KEY={root.secret_key}")


def reached_at(listener: socket.socket) -> tuple[str, int]:
    """Where a client of this machine reaches the listener."""
    host, port = listener.getsockname()[:2]
    return _ANY.get(host, host), port
