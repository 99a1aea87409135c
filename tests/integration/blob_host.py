"""Real blob workers of a file host on loopback, started as the front door starts them.

Knows the handover and the state file. The keeper is not started: the state it would follow is written here.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from app.adapters.chunks.peer import Identity, Peer
from app.adapters.cluster import snapshot
from app.adapters.cluster.local import STATE_FILE
from app.cli.supervise import GUNICORN
from app.config import Settings
from app.core.cluster import ClusterState
from app.core.errors import StoreError
from roles import data_dir, devices, handover
from roles.data_dir import DataDir
from roles.handover import Handover
from tests.integration.server import ROOT, ServerFailed, clean_environment

CLUSTER = "c" * 32
START_SECONDS_MAX = 30.0


@dataclass(slots=True)
class BlobHost:
    """`roots`: directories of the devices. `device_ids`: in the same order, once started."""

    data: Path
    roots: tuple[Path, ...]
    workers: int = 2
    port: int = 0
    device_ids: tuple[str, ...] = ()
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def settings(self) -> Settings:
        return Settings(
            data_dir=self.data,
            device=tuple(map(str, self.roots)),
            node_id="n1",
            cluster_secret=b"s" * 32,
            workers=self.workers,
            disk_reserve_bytes=0,
            shutdown_seconds=2,
        )

    def start(self) -> "BlobHost":
        directory = DataDir(self.data)
        self.data.mkdir(exist_ok=True)
        data_dir.prepare(directory)
        directory.cluster.mkdir(exist_ok=True)
        snapshot.store(directory.cluster / STATE_FILE, ClusterState(cluster_id=CLUSTER))
        prepared = devices.prepare_devices(self.settings, CLUSTER)
        self.device_ids = tuple(prepared.known[str(root)] for root in self.roots)
        with socket.create_server(("127.0.0.1", self.port), backlog=64) as listener:
            self.port = listener.getsockname()[1]
            told = Handover(handover.HOST, self.settings, (), listener.fileno(), os.getpid(), self.port, 0)
            fd = handover.write(told)
            environment = clean_environment(PROMETHEUS_MULTIPROC_DIR=str(directory.metrics))
            self.process = subprocess.Popen(
                [sys.executable, *GUNICORN],
                cwd=ROOT,
                env=environment | {handover.VARIABLE: str(fd)},
                stdin=subprocess.DEVNULL,
                stderr=(self.data / "log").open("ab"),
                pass_fds=(fd, listener.fileno()),
                start_new_session=True,
            )
            os.close(fd)
        self._wait()
        return self

    def peer(self) -> Peer:
        me = devices.identity(self.settings)
        return Peer(f"127.0.0.1:{self.port}", Identity(me.key, "n2", me.now_ms, time.monotonic))

    def kill(self) -> None:
        """SIGKILL to every process at once."""
        process, self.process = self.process, None
        if process is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)

    def _wait(self) -> None:
        """Until every device is up in a worker."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            try:
                for device_id in self.device_ids:
                    self.peer().call("GET", f"/blob/v1/{device_id}/stats")
            except StoreError:
                time.sleep(0.05)
            else:
                return
        raise ServerFailed((self.data / "log").read_text()[-4000:])
