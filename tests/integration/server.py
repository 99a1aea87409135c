"""A real `zapfs server` on loopback, as a test drives it: start, stop, kill, restart, look inside.

Knows the command line, its process group and its data directory. Must not import app/: what a test learns of the
server it learns as a user would.
"""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

from tests.wire.connection import RawClient
from tests.wire.signer import Credentials

ROOT = Path(__file__).resolve().parents[2]
DEVELOPMENT = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
START_SECONDS_MAX = 40.0
STOP_SECONDS_MAX = 40.0
PORT_ATTEMPTS = 5


class ServerFailed(AssertionError):
    """The server did not do what was asked in time; carries the end of its log."""


def free_port() -> int:
    """A loopback port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment(**settings: str) -> dict[str, str]:
    """This process's environment without anybody's settings of ZapFS or AWS, plus `settings`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ZAPFS_", "AWS_", "S3_"))}
    return kept | {"AWS_EC2_METADATA_DISABLED": "true"} | settings


def pids_of_group(group: int) -> list[int]:
    """The live (not zombie) processes of a process group, by /proc."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[2]) == group and fields[0] != "Z":
                    found.append(int(entry.name))
    return found


def parents_of(pids: Sequence[int]) -> dict[int, int]:
    """pid -> parent pid of those still there."""
    found = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            found[pid] = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return found


@dataclass(slots=True)
class Server:
    """One server and its data directory. `dev` gives it the development credentials, else `credentials` are root's."""

    data_dir: Path
    workers: int = 2
    dev: bool = False
    credentials: Credentials = DEVELOPMENT
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    s3_port: int = 0
    admin_port: int = 0
    process: subprocess.Popen[bytes] | None = None

    # --- life

    def start(self) -> "Server":
        """Start and wait until /ready answers 200. A port lost to somebody else is chosen anew."""
        for _ in range(PORT_ATTEMPTS):
            self.s3_port, self.admin_port = free_port(), free_port()
            self._launch()
            if self._wait_ready():
                return self
            if b"in use" not in self.log_path.read_bytes()[-4096:]:
                break
        raise ServerFailed(f"the server did not become ready:\n{self.log_tail()}")

    def launch_raw(self, arguments: Sequence[str], timeout_s: float = 30.0) -> "subprocess.CompletedProcess[str]":
        """Run `zapfs ...` to its end, both outputs as text."""
        return subprocess.run(
            [sys.executable, "-m", "app.cli", *arguments],
            cwd=ROOT,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def stop(self) -> None:
        """SIGTERM; the server must drain and exit 0, leaving no process."""
        process = self._running()
        group = process.pid
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerFailed(f"SIGTERM did not end the server:\n{self.log_tail()}") from None
        self.process = None
        left = pids_of_group(group)
        if status != 0 or left:
            self._kill_group(group)
            raise ServerFailed(f"exit status {status}, processes left: {left}\n{self.log_tail()}")

    def kill(self) -> None:
        """SIGKILL to every process of the group at once, and wait until none is left."""
        if self.process is not None:
            process, self.process = self.process, None
            self._kill_group(process.pid)
            process.wait(10)

    def close(self) -> None:
        """End the server however it is; never raises for one that is dead already."""
        self.kill()

    def __enter__(self) -> "Server":
        return self.start() if self.process is None else self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- looking inside

    @property
    def log_path(self) -> Path:
        """Everything the server wrote to its standard outputs, beside the data directory."""
        return self.data_dir.parent / f"{self.data_dir.name}.log"

    def log_tail(self, lines: int = 60) -> str:
        """The end of the log, without its lines on single requests."""
        told = self.log_path.read_text(errors="replace").splitlines()
        return "\n".join([line for line in told if '"event":"request"' not in line][-lines:])

    def pids(self) -> list[int]:
        """Every process of the server."""
        return pids_of_group(self._running().pid)

    def worker_pids(self) -> list[int]:
        """The leaves of the process tree: gunicorn's workers, of S3 and admin."""
        parents = parents_of(self.pids())
        return [pid for pid in parents if pid not in parents.values()]

    def alive(self) -> bool:
        """Whether the front door still runs."""
        return self.process is not None and self.process.poll() is None

    def admin_get(self, path: str) -> tuple[int, str]:
        """GET on the admin bind: status and text."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    # --- using it

    @property
    def endpoint(self) -> str:
        """The S3 endpoint's URL."""
        return f"http://127.0.0.1:{self.s3_port}"

    def client(self, credentials: Credentials | None = None, **options: Any) -> Any:
        """A boto3 client with default settings, but for what the caller asks."""
        keys = credentials or self.credentials
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=keys.access_key,
            aws_secret_access_key=keys.secret_key,
            **options,
        )

    def raw(self, credentials: Credentials | None = None) -> RawClient:
        """A client of hand-made requests."""
        return RawClient("127.0.0.1", self.s3_port, credentials or self.credentials)

    def admin(self, *arguments: str) -> str:
        """`zapfs admin ...` against this server; its output. Fails the test on another exit status than 0."""
        whom = ["--endpoint", f"http://127.0.0.1:{self.admin_port}", "--data-dir", str(self.data_dir)]
        done = self.launch_raw(["admin", *arguments, *whom, *(["--dev"] if self.dev else [])])
        if done.returncode != 0:
            raise ServerFailed(f"zapfs admin {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def create_account(self, name: str, *options: str) -> Credentials:
        """A new account with keys made from its name, effective in every worker when this returns."""
        keys = Credentials(f"AK{name.upper()}"[:20].ljust(16, "0"), f"secret-of-{name}-0123456789abcdef0123456789")
        self.admin(
            "account", "create", name, "--access-key", keys.access_key, "--secret-key", keys.secret_key, *options
        )
        time.sleep(1.1)  # the promise is "within a second" in every worker
        return keys

    def fsck(self) -> "subprocess.CompletedProcess[str]":
        """`zapfs fsck` on the data directory of a stopped server."""
        return self.launch_raw(["fsck", "--data-dir", str(self.data_dir)], timeout_s=110.0)

    # --- within

    def _environment(self) -> dict[str, str]:
        settings = {
            "ZAPFS_DATA_DIR": str(self.data_dir),
            "ZAPFS_S3_BIND": f"127.0.0.1:{self.s3_port}",
            "ZAPFS_ADMIN_BIND": f"127.0.0.1:{self.admin_port}",
        }
        if not self.dev:
            settings["ZAPFS_ROOT_ACCESS_KEY"] = self.credentials.access_key
            settings["ZAPFS_ROOT_SECRET_KEY"] = self.credentials.secret_key
        return clean_environment(**settings, **self.environment)

    def command(self) -> list[str]:
        """The command line this server is started with."""
        return [
            sys.executable,
            "-m",
            "app.cli",
            "server",
            "--data-dir",
            str(self.data_dir),
            "--s3-bind",
            f"127.0.0.1:{self.s3_port}",
            "--admin-bind",
            f"127.0.0.1:{self.admin_port}",
            "--workers",
            str(self.workers),
            *(["--dev"] if self.dev else []),
            *self.arguments,
        ]

    def _launch(self) -> None:
        if self.process is not None:
            self.kill()
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=ROOT,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )

    def _wait_ready(self) -> bool:
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline and self.alive():
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.admin_get("/ready")[0] == 200:
                    return True
            time.sleep(0.05)
        return False

    def _running(self) -> subprocess.Popen[bytes]:
        if self.process is None:
            raise ServerFailed("the server was not started")
        return self.process

    @staticmethod
    def _kill_group(group: int) -> None:
        deadline = time.monotonic() + 10
        while pids_of_group(group) and time.monotonic() < deadline:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
            time.sleep(0.02)


@contextlib.contextmanager
def temporary_directory(where: str | None = None) -> Any:
    """A directory of this machine's disk that goes away with the context."""
    with tempfile.TemporaryDirectory(prefix="zapfs-test-", dir=where) as name:
        yield Path(name)
