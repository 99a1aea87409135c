"""The processes of a cluster on one machine: each started as an operator would, with a log of its own.

Knows command lines, sessions and signals. Must not know what members tell each other.
"""

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import app
from app.cli.cluster_plan import Member

_ROOT = Path(app.__file__).parent.parent


class Process:
    """One member's front door, or the database server: everything below it lives and dies with it."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name = name
        self.command = list(command)
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, at_birth: Callable[[], None] | None = None) -> None:
        """Start it in a session of its own, so that a terminal's Ctrl-C is for whoever started it. `at_birth` runs in
        the child before it is the command. Raises OSError."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ZAPFS_")}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 -- our own interpreter, or a server found on this machine
                self.command,
                cwd=_ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=at_birth,
            )

    @property
    def pid(self) -> int | None:
        """Its process id, also its session's and its group's; None before it was started."""
        return None if self._process is None else self._process.pid

    def ended(self) -> int | None:
        """How it ended; None while it lives, or was never started."""
        return None if self._process is None else self._process.poll()

    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """To the front door alone, which sees to the rest."""
        if self.alive() and self._process is not None:
            self._process.send_signal(number)

    def wait(self, seconds: float) -> bool:
        """Whether it has ended in time."""
        try:
            return self._process is None or self._process.wait(seconds) is not None
        except subprocess.TimeoutExpired:
            return False

    def last_line(self) -> str:
        """Of its log."""
        try:
            lines = self.log.read_text(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return lines[-1] if lines else ""


def of_member(member: Member, logs: Path) -> Process:
    """A member's process, not started yet."""
    command = [sys.executable, "-m", "app.cli", member.kind, "--config", str(member.config)]
    return Process(member.node_id, command, logs / f"{member.node_id}.log")


def migrated(member: Member, logs: Path) -> bool:
    """Whether the database of a gateway could be brought up to date."""
    command = [sys.executable, "-m", "app.cli", "migrate", "--config", str(member.config)]
    with (logs / "migrate.log").open("ab") as log:
        return subprocess.run(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, check=False).returncode == 0  # noqa: S603 -- our own


def ready(address: tuple[str, int]) -> bool:
    """Whether a member says that it is ready."""
    connection = http.client.HTTPConnection(*address, timeout=2.0)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
