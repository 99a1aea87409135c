"""A MariaDB server of the tests' own: in a temporary directory, on a unix socket, for any user, root too."""

import atexit
import os
import signal
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import gevent

from app.adapters.sql.mysql import server
from app.adapters.sql.mysql.address import address_of
from app.adapters.sql.mysql.server import Connection
from app.core.errors import Unavailable
from migrations.on_mysql import migrate

KEPT = ("schema_migration", "key_lock")  # between two tests; the slots of locks say nothing
START_SECONDS_MAX = 30


class Mariadb:
    """Installed when made; `start` and `kill` as often as wanted."""

    def __init__(self, *options: str) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="zapfs-mariadb-")
        self.root = Path(self._directory.name)
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        install = ["mariadb-install-db", *self._of_all(), "--auth-root-authentication-method=normal", "--skip-test-db"]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def _of_all(self) -> list[str]:
        """A tmpdir of its own too: the names of temporary tables hold little more than a process id."""
        own = ["--no-defaults", f"--datadir={self.root / 'data'}", f"--tmpdir={self.root}"]
        return [*own, *(["--user=root"] if os.geteuid() == 0 else [])]

    def start(self, *options: str) -> None:
        """Returns when it answers."""
        command = [
            "mariadbd",
            *self._of_all(),
            f"--socket={self.root / 's'}",
            "--skip-networking",
            "--skip-name-resolve",
        ]
        command += ["--innodb-buffer-pool-size=64M", "--innodb-log-file-size=32M", "--max-connections=500"]
        command += [f"--pid-file={self.root / 'pid'}", *self._options, *options]
        with (self.root / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        with gevent.Timeout(START_SECONDS_MAX):
            while not self._answers():
                gevent.sleep(0.05)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.root / "log").read_text()[-2000:]
        try:
            server.drop(server.connect(address_of(self.url("mysql"))))
        except Unavailable:
            return False
        return True

    def kill(self, how: int = signal.SIGKILL) -> None:
        """As a crash would; returns when it is gone."""
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait()
        self._process = None

    def url(self, database: str = "zapfs") -> str:
        return f"mysql://root@localhost/{database}?socket={self.root / 's'}"

    def connect(self, database: str = "zapfs") -> Connection:
        return server.connect(address_of(self.url(database)))

    def make(self, database: str = "zapfs") -> str:
        """A migrated database; its URL."""
        connection = self.connect("mysql")
        connection.cursor().execute(f"CREATE DATABASE {database}")
        server.drop(connection)
        connection = self.connect(database)
        migrate(connection.cursor())
        server.drop(connection)
        return self.url(database)

    def wipe(self, database: str = "zapfs") -> None:
        """Every row goes."""
        connection = self.connect(database)
        cursor = connection.cursor()
        cursor.execute("SHOW TABLES")
        tables = [name for (name,) in cursor.fetchall() if name not in KEPT]
        cursor.execute(";".join(f"DELETE FROM {name}" for name in tables))
        while cursor.nextset():
            pass
        server.drop(connection)

    def end(self) -> None:
        if self._process is not None:
            self.kill()
        self._directory.cleanup()


@cache
def shared(*options: str) -> Mariadb:
    """One of this process, with one migrated database; gone when the process ends."""
    made = Mariadb(*options)
    atexit.register(made.end)
    made.start()
    made.make()
    return made
