"""A private MariaDB server for a cluster on one machine: in the cluster's directory, on loopback.

Knows mariadbd's command line. Must not know SQL beyond making one user and one database, nor what is kept in them.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from roles.data_dir import Refusal, write_durably

_INSTALL: Final = "mariadb-install-db"
_SERVER: Final = "mariadbd"
_INSTALL_SECONDS_MAX: Final = 120


def present() -> bool:
    """Whether this machine has one."""
    return all(_found(name) for name in (_INSTALL, _SERVER))


def command(root: Path, port: int, password: str) -> list[str]:
    """Install it in `root` if it is not there yet, and the command that runs it. Raises Refusal, OSError."""
    fresh = not (root / "data" / "mysql").exists()
    if fresh:
        root.mkdir(parents=True, exist_ok=True)
        install = [_found(_INSTALL), *_common(root), "--auth-root-authentication-method=normal", "--skip-test-db"]
        done = subprocess.run(  # noqa: S603 -- found on this machine, arguments our own
            install, capture_output=True, text=True, timeout=_INSTALL_SECONDS_MAX, check=False
        )
        if done.returncode != 0:
            raise Refusal(f"{_INSTALL} failed: {(done.stderr or done.stdout).strip().splitlines()[-1:]}")
    users = (
        "CREATE DATABASE IF NOT EXISTS zapfs;\n"
        f"CREATE OR REPLACE USER zapfs@'127.0.0.1' IDENTIFIED BY '{password}';\n"
        "GRANT ALL ON zapfs.* TO zapfs@'127.0.0.1';\n"
        f"ALTER USER root@localhost IDENTIFIED BY '{password}';\n"
    )
    write_durably(root / "users.sql", users.encode(), 0o600)
    return [
        _found(_SERVER),
        *_common(root),
        "--bind-address=127.0.0.1",
        f"--port={port}",
        f"--socket={root / 'socket'}",
        f"--pid-file={root / 'pid'}",
        f"--init-file={root / 'users.sql'}",
        "--skip-name-resolve",
        "--innodb-buffer-pool-size=64M",
        "--innodb-log-file-size=32M",
        "--max-connections=500",
    ]


def _common(root: Path) -> list[str]:
    # Only as root it has to be told that it may run as root; it drops to nobody otherwise, who cannot read our files.
    return ["--no-defaults", f"--datadir={root / 'data'}", *(["--user=root"] if os.geteuid() == 0 else [])]


def _found(name: str) -> str:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/local/bin") or ""
