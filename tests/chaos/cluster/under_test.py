"""A cluster that a test starts, breaks and mends: the one `zapfs cluster` runs, with links between its members.

Knows processes, sessions, ports and the admin face. Must not know what is right or wrong (checks.py).
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from app.cli import cluster_database, cluster_processes
from app.cli.admin_client import Refused
from app.cli.cluster import Cluster
from app.cli.cluster_plan import FILE_HOST, GATEWAY, MANAGER, Member, Shape, Wishes, claim, planned
from app.cli.cluster_processes import Process
from roles.data_dir import Refusal
from tests.chaos.cluster.clocks import Clocks
from tests.chaos.cluster.links import Links
from tests.chaos.cluster.switchboard import OUTER
from tests.integration.server import ROOT, ServerFailed, clean_environment, pids_of_group
from tests.wire.connection import RawClient
from tests.wire.signer import Credentials

DATABASE = "mariadb"
STEP_SECONDS = 0.1
HEALED_SECONDS_MAX = 300.0
GRACE_SECONDS = 2
QUICK: Mapping[str, Mapping[str, Any]] = {
    MANAGER: {"log_level": "info"},
    GATEWAY: {"gc_grace_s": GRACE_SECONDS, "gc_interval_s": 1},
    FILE_HOST: {},
}
"""Settings under which what takes hours takes seconds."""


class ClusterUnderTest:
    """Names are node ids, and DATABASE."""

    def __init__(self, root: Path, shape: Shape, extra: Mapping[str, Mapping[str, Any]] = QUICK) -> None:
        """Plan it in `root`; nothing runs yet. With one gateway metadata is in SQLite."""
        database = shape.gateways > 1 and cluster_database.present()
        self.root = root
        self._lock = claim(root)
        wishes = Wishes(database, extra, advertised=OUTER, usual_ports=False)
        self.cluster = Cluster(planned(root, shape, wishes))
        self.links = Links(self._ports())
        self.clocks = Clocks(root / "clocks")
        self.held: set[str] = set()
        self.altered: set[str] = set()

    # --- life

    def start(self) -> "ClusterUnderTest":
        """Everything, until every gateway is ready. Raises ServerFailed with the ends of logs."""
        self.links.start()
        self.clocks.open()
        try:
            self.cluster.start(self._pause)
        except Refusal as refusal:
            raise ServerFailed(f"{refusal}\n{self.tails()}") from refusal
        self._know()
        return self

    def stop(self) -> None:
        """Drain all that run, in order; each must end by itself, with 0."""
        living = self.alive()
        killed = self.cluster.stop()
        self.links.close()
        wrong = {name: code for name in living if (code := self.processes[name].ended()) != 0}
        if killed or wrong:
            raise ServerFailed(f"killed: {killed}, exit codes: {wrong}\n{self.tails()}")

    def close(self) -> None:
        """End whatever is left, however it is."""
        for name in self.processes:
            self.kill(name)
        self.links.close()
        self.clocks.close()
        with suppress(OSError):
            os.close(self._lock)

    def __enter__(self) -> "ClusterUnderTest":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- who there is

    @property
    def processes(self) -> dict[str, Process]:
        """By name."""
        found = dict(self.cluster.processes)
        return found | ({DATABASE: self.cluster.database} if self.cluster.database else {})

    def names(self, kind: str) -> list[str]:
        """Node ids of MANAGER, GATEWAY or FILE_HOST, in order."""
        return [member.node_id for member in self.cluster.plan.of_kind(kind)]

    def member(self, name: str) -> Member:
        """Its settings and addresses."""
        return self.cluster.members[name]

    def alive(self) -> list[str]:
        """Those that run and are not paused."""
        return [name for name, process in self.processes.items() if process.alive() and name not in self.held]

    def devices(self, name: str) -> list[Path]:
        """The directories of a file host's devices."""
        return [Path(path) for path in self.member(name).settings["device"]]

    # --- breaking and mending

    def kill(self, name: str) -> None:
        """SIGKILL to every process of a member at once; returns when none is left."""
        process = self.processes[name]
        self.held.discard(name)
        if process.pid is None:
            return
        deadline = time.monotonic() + 10
        while pids_of_group(process.pid) and time.monotonic() < deadline:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            time.sleep(0.01)
        process.wait(10)

    def kill_process(self, pid: int) -> None:
        """SIGKILL to one process."""
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def pids(self, name: str) -> list[int]:
        """Every process of a member."""
        pid = self.processes[name].pid
        return [] if pid is None else sorted(pids_of_group(pid))

    def hold(self, name: str) -> None:
        """SIGSTOP to every process of a member."""
        self.held.add(name)
        self._signal(name, signal.SIGSTOP)

    def go_on(self, name: str) -> None:
        """SIGCONT to every process of a member."""
        self._signal(name, signal.SIGCONT)
        self.held.discard(name)

    def step_clock(self, name: str, seconds: float) -> None:
        """Set the date of every process of a member wrong by so much, 0 for right. It ends with the member."""
        pid = self.processes[name].pid
        if pid is not None:
            self.clocks.step(pid, seconds)

    def restart(self, name: str, *arguments: str) -> None:
        """Start a member again that has ended, or is ended now, with `arguments` added to its command this time. Does
        not wait until it is ready."""
        self.kill(name)
        if name == DATABASE:
            self.processes[name].start()
            return
        process = cluster_processes.of_member(self.member(name), self.cluster.plan.logs)
        process.command += arguments
        (self.altered.add if arguments else self.altered.discard)(name)
        self.cluster.processes[name] = process
        process.start()
        self._know()

    def recover(self) -> None:
        """Mend links and clocks, let everybody go on, start what has ended, and wait until all are ready."""
        self.links.mend()
        self.clocks.mend()
        for name in list(self.held):
            self.go_on(name)
        for name, process in self.processes.items():
            if not process.alive() or name in self.altered:
                self.restart(name)
        self.wait_ready(*self.cluster.members)
        self.eventually(self._all_in, "not every device is in the layout", 30)

    def wait_ready(self, *names: str) -> None:
        """Until these say that they are ready; one that ends meanwhile is started again."""
        for name in names:
            self.eventually(lambda name=name: self._ready(name), f"{name} is not ready", 90)  # type: ignore[misc]

    def _all_in(self) -> bool:
        """Whether every device takes its share, after asking for it."""
        with suppress(Refused):
            states = {one["state"] for one in self.ask("GET", "/v1/cluster/devices")["devices"]}
            if states != {"in"}:
                self.ask("POST", "/v1/cluster/add", {"nodes": self.names(FILE_HOST)})
            return states == {"in"}
        return False

    def _ready(self, name: str) -> bool:
        if not self.processes[name].alive():
            self.restart(name)
        return cluster_processes.ready(self.member(name).ready_at)

    # --- asking

    @property
    def credentials(self) -> Credentials:
        """Root's."""
        return Credentials(self.cluster.plan.access_key, self.cluster.plan.secret_key)

    def gateways(self) -> list[tuple[str, int]]:
        """S3 addresses."""
        return [self.member(name).bind("s3_bind") for name in self.names(GATEWAY)]

    def raw(self, number: int = 0) -> RawClient:
        """A client of hand-made requests to one gateway."""
        return RawClient(*self.gateways()[number], self.credentials)

    def ask(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> Any:
        """The admin face of the first manager that answers. Raises Refused when none does."""
        refused = Refused("no manager")
        for name in self.names(MANAGER):
            try:
                return self.cluster.admin(self.member(name)).ask(method, path, content)
            except Refused as error:
                refused = error
        raise refused

    def zapfs(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run `zapfs ...` to its end, both outputs as text."""
        command = [sys.executable, "-m", "app.cli", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, timeout=120, check=False
        )

    def status(self) -> dict[str, Any]:
        """GET /v1/cluster; {} while no manager answers."""
        try:
            return dict(self.ask("GET", "/v1/cluster"))
        except Refused:
            return {}

    def leader(self) -> str:
        """The manager that leads, as the first that answers has it; "" when none does."""
        try:
            return str(self.ask("GET", "/v1/cluster/managers").get("leader", ""))
        except Refused:
            return ""

    def wait_healed(self, seconds: float = HEALED_SECONDS_MAX) -> dict[str, Any]:
        """The status once it says healed. Raises ServerFailed with what speaks against it."""
        status: dict[str, Any] = {}

        def healed() -> bool:
            nonlocal status
            status = self.status()
            return bool(status.get("healed"))

        with suppress(ServerFailed):
            self.eventually(healed, "", seconds)
        if not status.get("healed"):
            against = status.get("not_healed_because", "no manager answers")
            raise ServerFailed(f"not healed after {seconds:.0f} s: {against}\n{self.tails()}")
        return status

    def eventually(self, done: Callable[[], bool], what: str, seconds: float) -> None:
        """Wait for something. Raises ServerFailed."""
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                raise ServerFailed(f"{what} after {seconds:.0f} s\n{self.tails()}")
            time.sleep(STEP_SECONDS)

    def tails(self, lines: int = 8) -> str:
        """The ends of all logs, without single requests."""
        told = []
        for name, process in self.processes.items():
            text = process.log.read_text(errors="replace").splitlines() if process.log.exists() else []
            kept = [line[:600] for line in text if '"event":"request"' not in line][-lines:]
            state = "held" if name in self.held else "alive" if process.alive() else f"ended {process.ended()}"
            told += [f"--- {name} ({state})", *kept]
        return "\n".join(told)

    # --- within

    def _ports(self) -> dict[int, str]:
        binds = {MANAGER: ("grpc_bind", "raft_bind"), FILE_HOST: ("blob_bind",), GATEWAY: ()}
        return {one.bind(bind)[1]: one.node_id for one in self.cluster.plan.members for bind in binds[one.kind]}

    def _pause(self) -> None:
        self._know()
        time.sleep(STEP_SECONDS)

    def _know(self) -> None:
        self.links.know({one.pid: name for name, one in self.processes.items() if one.pid is not None})

    def _signal(self, name: str, number: signal.Signals) -> None:
        pid = self.processes[name].pid
        if pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(pid, number)
