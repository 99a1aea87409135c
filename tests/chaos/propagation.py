"""How soon an acknowledged change is in force everywhere: `python -m tests.chaos.propagation [--changes N] [--one]`.

A user's key is switched off and on at the admin face, again and again. From each acknowledgement on, connections to
every worker of two gateways (`--one`: of a server of one machine with four workers) ask for the user's buckets until
the answer is the new one. The time of a change is that of the slowest connection; every worker has one at least.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from app.cli.admin_client import AdminClient, Identity
from tests.integration.server import Server
from tests.integration.test_cluster_command import running
from tests.wire.connection import Connection, RawClient
from tests.wire.signer import Credentials

CONNECTIONS = 24  # to each door: gunicorn's workers share them, so each worker gets some
PROMISED_SECONDS = 1.0
SHAPE = ("--managers", "3", "--gateways", "2", "--hosts", "1", "--devices", "1", "--any-ports")
SHARES = {"p50": 50, "p90": 90, "p99": 99, "p100": 100}


class Doors:
    """The admin face that is asked, the S3 ports that must obey."""

    def __init__(self, admin_port: int, s3_ports: Sequence[int], operator: Credentials) -> None:
        whom = Identity(operator.access_key, operator.secret_key)
        self.admin = AdminClient(f"http://127.0.0.1:{admin_port}", whom, "us-east-1")
        self._s3_ports = s3_ports

    def user(self, name: str) -> Credentials:
        """A new user who may do everything on S3, and its key."""
        self.admin.ask("POST", "/v1/iam/users", {"username": name})
        self.admin.ask("PUT", f"/v1/iam/users/{name}/attached-policies/arn:aws:iam::aws:policy/AmazonS3FullAccess")
        made = self.admin.ask("POST", f"/v1/iam/users/{name}/access-keys")
        return Credentials(made["access_key"], made["secret_key"])

    def opened(self, keys: Credentials) -> list[tuple[RawClient, Connection]]:
        """Connections to every S3 port."""
        clients = [RawClient("127.0.0.1", port, keys) for port in self._s3_ports]
        return [(client, client.connect()) for client in clients for _ in range(CONNECTIONS)]


def measured(doors: Doors, changes: int) -> list[float]:
    """Seconds from each change's acknowledgement to its effect on the last connection."""
    keys = doors.user("moved")
    connections = doors.opened(keys)
    told(connections)
    path = f"/v1/iam/users/moved/access-keys/{keys.access_key}"
    until(connections, 200)
    taken = []
    for number in range(changes):
        active = bool(number % 2)
        doors.admin.ask("PATCH", path, {"active": active})
        taken.append(until(connections, 200 if active else 403))
    return taken


def until(connections: Sequence[tuple[RawClient, Connection]], status: int) -> float:
    """Ask on each until the answer has that status; the seconds this took."""
    begun, waiting = time.monotonic(), list(connections)
    while waiting:
        assert time.monotonic() - begun < 30, f"{len(waiting)} connections never saw {status}"
        waiting = [(client, one) for client, one in waiting if client.on(one, "GET", "/").status != status]
    return time.monotonic() - begun


def told(connections: Sequence[tuple[RawClient, Connection]]) -> None:
    """How many processes serve these connections."""
    for client, one in connections:
        client.on(one, "GET", "/")
    near = {one.sock.getsockname()[1] for _, one in connections}
    inodes = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[2].rpartition(":")[2], 16) in near:
            inodes.add(f"socket:[{fields[9]}]")
    print(f"{len(connections)} connections to {len(set(holders(inodes)))} workers", flush=True)


def holders(inodes: set[str]) -> Iterator[int]:
    """The other processes that have one of these sockets."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if any(os.readlink(fd) in inodes for fd in (entry / "fd").iterdir()):
                    yield int(entry.name)
            except OSError:
                continue  # it has ended, or is not ours


@contextmanager
def gateways(root: Path) -> Iterator[Doors]:
    """Two gateways, three managers."""
    with running(root / "cluster", shape=SHAPE):
        kept = json.loads((root / "cluster" / "cluster.json").read_text())
        ports = [kept["ports"][f"gateway-{number}.s3_bind"] for number in (1, 2)]
        operator = Credentials(kept["access_key"], kept["secret_key"])
        yield Doors(kept["ports"]["manager-1.admin_bind"], ports, operator)


@contextmanager
def one_machine(root: Path) -> Iterator[Doors]:
    """`zapfs server` with four workers."""
    with Server(root / "data", workers=4, dev=True) as server:
        yield Doors(server.admin_port, [server.s3_port], server.credentials)


def main() -> int:
    """0 when the slowest change took no longer than promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=200)
    parser.add_argument("--one", action="store_true", help="one machine with four workers")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as root, (one_machine if given.one else gateways)(Path(root)) as doors:
        taken = sorted(measured(doors, given.changes))
    told_of = {name: taken[min(len(taken) - 1, len(taken) * part // 100)] for name, part in SHARES.items()}
    print("; ".join(f"{name} {seconds:.3f} s" for name, seconds in told_of.items()))
    return 0 if taken[-1] <= PROMISED_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
