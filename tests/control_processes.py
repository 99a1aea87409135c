"""Managers as real processes: cores, and admin faces under gunicorn, on ports of the system's choosing."""

import base64
import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from app.adapters.cluster.remote import Door, RemoteCluster
from app.cli.supervise import GUNICORN
from app.config import resolve
from roles import handover
from roles.handover import Handover
from tests.integration.server import ROOT, free_port

SECRET = bytes(range(32))
MASTER_KEY = bytes(32)
SECONDS_MAX = 60.0


def eventually(what: Callable[[], bool], seconds: float = SECONDS_MAX) -> bool:
    """Whether it becomes true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.05)
    return what()


@dataclass
class Manager:
    """One manager's core and, where asked for, its admin face. It keeps its ports and its directory over starts."""

    root: Path
    node_id: str
    secret: bytes = SECRET
    flags: dict[str, str] = field(default_factory=dict)
    grpc_port: int = field(default_factory=free_port)
    raft_port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None
    face: "subprocess.Popen[bytes] | None" = None
    admin_port: int = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    @property
    def raft_address(self) -> str:
        return f"127.0.0.1:{self.raft_port}"

    @property
    def log_path(self) -> Path:
        return self.root / f"{self.node_id}.log"

    def start(self, **flags: str) -> "Manager":
        """Start the core; it may still be electing when this returns."""
        self.process = self._launch("manager-core", ["-m", "roles.manager_core"], flags, -1)
        return self

    def start_face(self, *managers: str) -> "Manager":
        """Start the admin face."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.admin_port = listener.getsockname()[1]
            flags = {"managers": ",".join(managers)} if managers else {}
            self.face = self._launch(handover.MANAGER_ADMIN, list(GUNICORN), flags, listener.fileno())
        return self

    def kill(self) -> None:
        """SIGKILL the core."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def pause(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self.kill()
        if self.face is not None:
            self.face.terminate()
            self.face.wait(20)

    def ask(self, path: str) -> tuple[int, str]:
        """GET on the admin face; (0, "") while it does not answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=15)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def admin(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """`zapfs admin ...` against the face."""
        endpoint = f"http://127.0.0.1:{self.admin_port}"
        command = [sys.executable, "-m", "app.cli", "admin", *words, "--dev", "--endpoint", endpoint]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    def _launch(
        self, role: str, arguments: list[str], flags: dict[str, str], listener: int
    ) -> "subprocess.Popen[bytes]":
        data = self.root / self.node_id
        metrics = data / "run" / "metrics"
        metrics.mkdir(parents=True, exist_ok=True)
        given = {
            "node_id": self.node_id,
            "grpc_bind": self.address,
            "raft_bind": self.raft_address,
            "raft_dir": str(data / "raft"),
            "data_dir": str(data),
            "dev": "true",
            **self.flags,
            **flags,
        }
        settings = resolve(given, {"ZAPFS_CLUSTER_SECRET": base64.b64encode(self.secret).decode()})
        fd = handover.write(Handover(role, settings, (MASTER_KEY,), listener, os.getpid(), 0, self.admin_port))
        environment = os.environ | {handover.VARIABLE: str(fd), "PROMETHEUS_MULTIPROC_DIR": str(metrics)}
        with self.log_path.open("ab") as log:
            try:
                return subprocess.Popen(
                    [sys.executable, *arguments],
                    cwd=ROOT,
                    env=environment,
                    pass_fds=[one for one in (fd, listener) if one >= 0],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            finally:
                os.close(fd)


class Managers:
    """A cluster's managers, and clients of theirs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.all: dict[str, Manager] = {}
        self._clients: list[RemoteCluster] = []

    def begin(self, count: int) -> "Managers":
        """Bootstrap one, let the others join, and wait until everybody sits."""
        first = self.add("manager-1").start(bootstrap="true")
        client = self.client()
        self._expect(lambda: len(client.state().kms_keys) == 2, "founded")
        for number in range(2, count + 1):
            self.add(f"manager-{number}").start(join=first.address)
        self._expect(lambda: len(client.state().managers) == count, "joined")
        return self

    def add(self, node_id: str) -> Manager:
        """A manager that is not started yet."""
        self.all[node_id] = Manager(self.root, node_id)
        return self.all[node_id]

    def client(self, node_id: str = "client", secret: bytes = SECRET, **options: object) -> RemoteCluster:
        """A started client that knows every manager there is now."""
        client = RemoteCluster(Door([one.address for one in self.all.values()], node_id, secret), time.monotonic)
        client.start(**options)
        self._clients.append(client)
        return client

    def leader(self) -> Manager:
        """The one that leads, as soon as one does."""
        client, found = self._clients[0], ""

        def led() -> bool:
            nonlocal found
            with contextlib.suppress(Exception):
                found = client.managers().leader
            return bool(found) and self.all[found].process is not None

        self._expect(led, "led")
        return self.all[found]

    def close(self) -> None:
        for client in self._clients:
            client.close()
        for manager in self.all.values():
            manager.close()

    def _expect(self, what: Callable[[], bool], name: str) -> None:
        if not eventually(what):
            told = "\n".join(one.log_path.read_text()[-3000:] for one in self.all.values() if one.log_path.exists())
            raise AssertionError(f"the managers were not {name} in time\n{told}")


@contextlib.contextmanager
def managers(root: Path, count: int) -> Iterator[Managers]:
    """As many managers, all sitting."""
    made = Managers(root)
    try:
        yield made.begin(count)
    finally:
        made.close()
