"""What the same machine does at best: nginx for files over HTTP, one disk written in order, one core hashing.

Knows nginx's configuration and the two loops. Must not know S3.
"""

import contextlib
import hashlib
import http.client
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.integration.server import free_port

MIB = 1024 * 1024

NGINX = """
worker_processes {workers};
daemon off;
pid {root}/nginx.pid;
error_log {root}/error.log warn;
{user}
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; tcp_nopush on; tcp_nodelay on;
    keepalive_requests 100000000; keepalive_timeout 75s;
    client_max_body_size 0; client_body_temp_path {root}/body; proxy_temp_path {root}/p; fastcgi_temp_path {root}/f;
    uwsgi_temp_path {root}/u; scgi_temp_path {root}/s;
    client_body_buffer_size 1m;
    server {{
        listen 127.0.0.1:{port} reuseport;
        location / {{ root {root}/files; dav_methods PUT DELETE; create_full_put_path on; }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Nginx:
    """A running nginx: static files below `files`, DAV for PUT into the same tree."""

    port: int
    files: Path
    pids: tuple[int, ...]


@contextlib.contextmanager
def nginx(root: Path, workers: int) -> Iterator[Nginx | None]:
    """nginx in the foreground on loopback, ended by its pid; None where nginx is not installed."""
    binary = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if binary is None:
        yield None
        return
    (root / "files").mkdir(parents=True)
    (root / "body").mkdir()
    port, user = free_port(), "user root;" if os.geteuid() == 0 else ""
    (root / "nginx.conf").write_text(NGINX.format(workers=workers, root=root, port=port, user=user))
    master = subprocess.Popen([binary, "-p", str(root), "-e", str(root / "error.log"), "-c", str(root / "nginx.conf")])
    try:
        _wait_for(port)
        children = Path(f"/proc/{master.pid}/task/{master.pid}/children").read_text().split()
        yield Nginx(port, root / "files", (master.pid, *map(int, children)))
    finally:
        master.send_signal(signal.SIGTERM)
        master.wait(10)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/")
            connection.getresponse().read()
            return
        time.sleep(0.05)
    raise RuntimeError("nginx did not start")


def disk_bytes_per_second(root: Path, seconds: float) -> float:
    """One file written in order by 1 MiB, fdatasync after every 64 MiB."""
    block, path, written = os.urandom(MIB), root / "sequential", 0
    fd = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        begun = time.monotonic()
        while (now := time.monotonic()) < begun + seconds:
            for _ in range(64):
                os.write(fd, block)
            os.fdatasync(fd)
            written += 64 * MIB
        now = time.monotonic()
        return written / (now - begun)
    finally:
        os.close(fd)
        path.unlink()


def fdatasync_milliseconds(root: Path, count: int = 200) -> float:
    """Median time of appending 4 KiB and fdatasync."""
    path, times = root / "syncs", []
    fd = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        for _ in range(count):
            begun = time.monotonic()
            os.write(fd, b"x" * 4096)
            os.fdatasync(fd)
            times.append(time.monotonic() - begun)
        return sorted(times)[count // 2] * 1000
    finally:
        os.close(fd)
        path.unlink()


def md5_bytes_per_second(seconds: float) -> float:
    """MD5 of 1 MiB buffers on one core."""
    block, done, digest = os.urandom(MIB), 0, hashlib.md5(usedforsecurity=False)
    begun = time.monotonic()
    while time.monotonic() < begun + seconds:
        digest.update(block)
        done += MIB
    return done / (time.monotonic() - begun)
