"""What a cluster on one machine consists of: its directory, its secrets, its addresses, and a settings file per member.

Knows settings and loopback addresses. Must not know processes (cluster.py). A directory planned once keeps its secrets
and ports, so that the cluster in it starts again as it was; more members may be planned into it, never fewer.
"""

import base64
import fcntl
import json
import os
import random
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from roles import credentials
from roles.data_dir import Refusal, write_durably

HOST: Final = "127.0.0.1"
KEPT: Final = "cluster.json"
_PORTS: Final = range(12_000, 32_000)  # below those the system gives to outgoing connections
_PORT_TRIES: Final = 1_000

MANAGER: Final = "manager"
GATEWAY: Final = "metadata"
FILE_HOST: Final = "file"
_CALLED: Final[Mapping[str, str]] = {MANAGER: "manager", FILE_HOST: "file", GATEWAY: "gateway"}
_BINDS: Final[Mapping[str, tuple[str, ...]]] = {
    MANAGER: ("grpc_bind", "raft_bind", "admin_bind"),
    FILE_HOST: ("blob_bind", "ops_bind"),
    GATEWAY: ("s3_bind", "ops_bind"),
}
"""By kind; the first is where others reach it."""
_FIRST: Final[Mapping[str, int]] = {
    "grpc_bind": 8050,
    "raft_bind": 8051,
    "admin_bind": 8060,
    "s3_bind": 8082,
    "ops_bind": 8085,
    "blob_bind": 8081,
    "database": 8306,
}
"""The default port of each bind, of the first member of a kind; the next ones lie a hundred higher each."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How many there are: members of each kind, devices of a file host, workers of a gateway or file host."""

    managers: int = 3
    gateways: int = 2
    hosts: int = 6
    devices: int = 2
    workers: int = 1

    def names(self) -> list[tuple[str, str]]:
        """(kind, node id) of every member, in the order they are started."""
        counts = {MANAGER: self.managers, FILE_HOST: self.hosts, GATEWAY: self.gateways}
        return [(kind, f"{_CALLED[kind]}-{number}") for kind, count in counts.items() for number in range(1, count + 1)]


@dataclass(frozen=True, slots=True)
class Member:
    """One member. `kind`: the zapfs command that runs it. `settings`: everything it is told, secrets included; they lie
    in `config`."""

    kind: str
    node_id: str
    config: Path
    settings: Mapping[str, Any] = field(repr=False)

    def bind(self, name: str) -> tuple[str, int]:
        """Host and port of one of its binds."""
        host, _, port = str(self.settings[name]).rpartition(":")
        return host, int(port)

    @property
    def ready_at(self) -> tuple[str, int]:
        """Where /ready is asked."""
        return self.bind("admin_bind" if self.kind == MANAGER else "ops_bind")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What may differ. `extra`: kind -> settings added. `advertised`: the loopback address others are told instead of
    the one bound, where something that cuts links stands between. `usual_ports`: take the documented ones where they
    are free. `database`: whether there is a database server."""

    database: bool
    extra: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    advertised: str = HOST
    usual_ports: bool = True


@dataclass(slots=True)
class Plan:
    """A cluster in its directory."""

    root: Path
    shape: Shape
    wishes: Wishes
    kept: dict[str, Any] = field(repr=False)
    members: list[Member] = field(default_factory=list)

    @property
    def logs(self) -> Path:
        """What members write to their standard outputs."""
        return self.root / "logs"

    @property
    def access_key(self) -> str:
        """Of root."""
        return str(self.kept["access_key"])

    @property
    def secret_key(self) -> str:
        """Of root."""
        return str(self.kept["secret_key"])

    def port(self, name: str, usual: int) -> int:
        """The port kept under a name; chosen now when there is none."""
        ports: dict[str, int] = self.kept["ports"]
        if name not in ports:
            taken = set(ports.values())
            usable = self.wishes.usual_ports and usual not in taken and _free(usual)
            ports[name] = usual if usable else _any_free(taken)
        return ports[name]

    def of_kind(self, kind: str) -> list[Member]:
        """Members of a kind, in order."""
        return [member for member in self.members if member.kind == kind]


def claim(root: Path) -> int:
    """Make the directory, for this user only, and hold it; the descriptor holds it. Raises Refusal."""
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        strangers = [path.name for path in root.iterdir() if path.name != "lock"] if not (root / KEPT).exists() else []
        if strangers:
            raise Refusal(f"{root} is not empty and no cluster's: it holds {min(strangers)} and no {KEPT}")
        fd = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Refusal(f"{root} is in use by another cluster") from error
    except OSError as error:
        raise Refusal(f"{root} cannot be used: {error.strerror}") from error
    return fd


def planned(root: Path, shape: Shape, wishes: Wishes) -> Plan:
    """The plan of a directory that was claimed, its files written. Raises Refusal, OSError."""
    if not wishes.database and shape.gateways > 1:
        raise Refusal("several gateways need one database: without mariadbd there can be one gateway, on SQLite")
    plan = Plan(root, shape, wishes, _kept(root))
    plan.logs.mkdir(exist_ok=True)
    managers = [
        f"{wishes.advertised}:{_port(plan, node_id, 'grpc_bind')}" for kind, node_id in shape.names() if kind == MANAGER
    ]
    for kind, node_id in shape.names():
        settings = {**_settings(plan, kind, node_id, managers), **wishes.extra.get(kind, {})}
        member = Member(kind, node_id, root / f"{node_id}.toml", settings)
        write_durably(member.config, _toml(settings), 0o600)
        plan.members.append(member)
    write_durably(root / KEPT, json.dumps(plan.kept, indent=1).encode() + b"\n", 0o600)
    return plan


def _kept(root: Path) -> dict[str, Any]:
    """What an earlier plan chose, or fresh secrets."""
    path = root / KEPT
    if path.exists():
        kept: dict[str, Any] = json.loads(path.read_bytes())
        return kept
    return {
        "cluster_secret": base64.b64encode(os.urandom(32)).decode(),
        "iam_master_key": base64.b64encode(os.urandom(32)).decode(),
        "access_key": credentials.new_access_key(),
        "secret_key": credentials.new_secret_key(),
        "database_password": os.urandom(16).hex(),
        "ports": {},
    }


def _port(plan: Plan, node_id: str, bind: str) -> int:
    number = int(node_id.rpartition("-")[2]) - 1
    usual = _FIRST[bind] + 100 * number + (1 if node_id.startswith("file") and bind == "ops_bind" else 0)
    return plan.port(f"{node_id}.{bind}", usual)


def database_port(plan: Plan) -> int:
    """The database server's."""
    return plan.port("database", _FIRST["database"])


def _settings(plan: Plan, kind: str, node_id: str, managers: list[str]) -> dict[str, Any]:
    """What a member is told. One that is advertised elsewhere keeps its ports there."""
    told: dict[str, Any] = {
        "node_id": node_id,
        "data_dir": str(plan.root / node_id),
        "cluster_secret": plan.kept["cluster_secret"],
        **{name: f"{HOST}:{_port(plan, node_id, name)}" for name in _BINDS[kind]},
    }
    if kind != FILE_HOST:
        told["iam_master_key"] = plan.kept["iam_master_key"]
    if kind == MANAGER:
        told |= _of_manager(plan, node_id, managers)
    else:
        told |= {"managers": managers, "workers": plan.shape.workers}
    if kind == GATEWAY and plan.wishes.database:
        told["metadata_url"] = f"mysql://zapfs:{plan.kept['database_password']}@{HOST}:{database_port(plan)}/zapfs"
    if kind == FILE_HOST:
        told["device"] = [str(path) for path in devices(plan, node_id)]
    if plan.wishes.advertised != HOST:
        told["advertise"] = f"{plan.wishes.advertised}:{_port(plan, node_id, _BINDS[kind][0])}"
    return told


def _of_manager(plan: Plan, node_id: str, managers: list[str]) -> dict[str, Any]:
    """The first begins the cluster, the others join it; with a log there both words mean nothing any more."""
    first = f"{MANAGER}-1"
    return {
        "raft_dir": str(plan.root / node_id / "raft"),
        "root_access_key": plan.access_key,
        "root_secret_key": plan.secret_key,
        **({"bootstrap": True} if node_id == first else {"join": managers[0]}),
    }


def devices(plan: Plan, node_id: str) -> list[Path]:
    """The directories of a file host's devices."""
    return [plan.root / "devices" / f"{node_id}-{number}" for number in range(1, plan.shape.devices + 1)]


def _toml(settings: Mapping[str, Any]) -> bytes:
    """JSON's texts, numbers, booleans and lists of texts are TOML's."""
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()).encode()


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 -- asked only: another address of this machine may be meant later
        except OSError:
            return False
    return True


def _any_free(taken: set[int]) -> int:
    dice = random.SystemRandom()
    for _ in range(_PORT_TRIES):
        port = dice.choice(_PORTS)
        if port not in taken and _free(port):
            return port
    raise Refusal("no free port was found")
