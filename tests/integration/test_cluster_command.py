"""`zapfs cluster`: one command makes a cluster that serves, keeps what was stored, and stops when asked."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.processes import eventually
from tests.integration.server import ROOT, clean_environment, pids_of_group
from tests.wire.connection import RawClient
from tests.wire.signer import Credentials

SMALL = ("--managers", "1", "--gateways", "1", "--hosts", "1", "--devices", "1", "--sqlite", "--any-ports")
READY_SECONDS_MAX = 60.0


@contextmanager
def running(root: Path, *options: str, shape: Sequence[str] = SMALL) -> Iterator["subprocess.Popen[bytes]"]:
    """The command, ready; killed at the end if it still runs. `options`: beyond those of its shape."""
    with (root.parent / "out").open("ab") as out:
        start = out.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "cluster", "--dir", str(root), *shape, *options],
            cwd=ROOT,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            process_group=0,
        )
    try:
        told = lambda: (root.parent / "out").read_bytes()[start:].decode()  # noqa: E731
        assert eventually(lambda: "is ready after" in told() or process.poll() is not None, READY_SECONDS_MAX), told()
        assert process.poll() is None, told()
        yield process
    finally:
        process.kill()
        process.wait(10)


def client(root: Path) -> RawClient:
    kept = json.loads((root / "cluster.json").read_text())
    return RawClient(
        "127.0.0.1", kept["ports"]["gateway-1.s3_bind"], Credentials(kept["access_key"], kept["secret_key"])
    )


def members(root: Path) -> list[int]:
    """The front doors of a cluster's members."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if f"{root}/".encode() in line and b"--config" in line:
                found.append(int(entry.name))
    return found


@pytest.mark.slow
def test_a_cluster_serves_stops_when_asked_and_has_everything_when_started_again(tmp_path: Path) -> None:
    root, body = tmp_path / "cluster", os.urandom(300_000)
    with running(root) as process:
        assert client(root).call("PUT", "/kept").status == 200
        assert client(root).call("PUT", "/kept/object", body).status == 200
        groups = members(root)
        assert len(groups) == 3
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert [pid for group in groups for pid in pids_of_group(group)] == []
    with running(root) as process:
        assert client(root).call("GET", "/kept/object").body == body
        host = next(pid for pid in members(root) if b"file" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"))
        os.kill(host, signal.SIGKILL)
        assert eventually(lambda: b"file-1 ended with code -9" in (tmp_path / "out").read_bytes())
        assert f"zapfs file --config {root}/file-1.toml" in (tmp_path / "out").read_text()
        assert process.poll() is None, "one member's end is not the cluster's"
        process.kill()
        assert eventually(lambda: not members(root)), "members outlive a killed launcher"
