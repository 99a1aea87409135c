"""Kill -9 under load, restart, read everything back: `python -m tests.chaos.crash [--seeds N] [--first SEED]`.

Each round kills every process of the server at a random moment, or a random single one, while writers keep ledgers.
After the restart every key must be in a state its ledger allows, every listed object must be whole, and at the end
`zapfs fsck` must find nothing unreadable. A failing seed is printed and can be run again alone.
"""

import argparse
import contextlib
import multiprocessing
import os
import random
import re
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.chaos.ledger import ABSENT, STACKS, Model, lines_of
from tests.chaos.stacker import STACKED, work
from tests.chaos.writer import Assignment, md5
from tests.integration.server import Server, temporary_directory
from tests.integration.test_keys import keys_of
from tests.wire.connection import Connection, RawClient
from tests.wire.signer import escape

BUCKET = "crash"
VERSION = re.compile(r"<Version>.*?<Key>([^<]+)</Key>.*?<VersionId>([^<]+)</VersionId>", re.DOTALL)
NEXT = re.compile(r"<NextKeyMarker>([^<]+)</NextKeyMarker>.*?<NextVersionIdMarker>([^<]+)</NextVersionIdMarker>")
WRITERS = 4
ROUNDS = 3
ROUND_SECONDS = (0.4, 2.5)
SINGLE_KILL_RATIO = 0.3
UNTIL_STOPPED_SECONDS_MAX = 40.0


class Violation(AssertionError):
    """The store broke its promise."""


@dataclass(slots=True)
class Crash:
    """One seeded run in a directory of its own."""

    seed: int
    root: Path
    rounds: int = ROUNDS
    writers: int = WRITERS
    model: Model = field(default_factory=Model)
    kills: int = 0

    def run(self) -> str:
        """All rounds and the final check; a line of what was done. Raises Violation."""
        dice = random.Random(self.seed)
        server = Server(
            self.root / "data", workers=2, dev=True, environment={"ZAPFS_GC_GRACE_S": "1", "ZAPFS_GC_INTERVAL_S": "1"}
        )
        try:
            server.start()
            locked = {"x-amz-bucket-object-lock-enabled": "true"}
            for bucket, headers in ((BUCKET, {}), (STACKED, locked)):
                answer = server.raw().call("PUT", f"/{bucket}", b"", headers)
                assert answer.status == 200, answer.body
            for number in range(self.rounds):
                self._round(server, dice, number)
                server.start()
                self._check(server)
            server.stop()
            self._fsck(server)
        finally:
            server.close()
        done = f"{self.kills} kills, {self.model.acknowledged} acknowledged changes, {len(self.model.keys)} keys"
        return f"seed {self.seed}: {done}, all as allowed"

    def _round(self, server: Server, dice: random.Random, number: int) -> None:
        """Writers at work until the whole server is dead."""
        with self._writers(server, number) as paths:
            time.sleep(dice.uniform(*ROUND_SECONDS))
            if dice.random() < SINGLE_KILL_RATIO and (pids := server.worker_pids()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(dice.choice(pids), signal.SIGKILL)
                self.kills += 1
                time.sleep(dice.uniform(*ROUND_SECONDS))
            server.kill()
            self.kills += 1
        for path in paths:
            self.model.replay(lines_of(path))

    @contextlib.contextmanager
    def _writers(self, server: Server, number: int) -> Iterator[list[Path]]:
        context = multiprocessing.get_context("fork")
        paths = [self.root / f"ledger-{number}-{who}" for who in range(self.writers)]
        crew: list[BaseProcess] = [
            context.Process(
                target=work,
                args=(Assignment(server.s3_port, server.credentials, BUCKET, who, self.seed * 100 + number, path),),
            )
            for who, path in enumerate(paths)
        ]
        for writer in crew:
            writer.start()
        try:
            yield paths
            for writer in crew:
                writer.terminate()
            for writer in crew:
                writer.join(UNTIL_STOPPED_SECONDS_MAX)
                if writer.exitcode != 0:
                    raise Violation(f"seed {self.seed}: a writer ended with {writer.exitcode}; its output says why")
        finally:
            for writer in crew:
                writer.kill()
                writer.join()

    def _check(self, server: Server) -> None:
        """Every key is in an allowed state, and the listing agrees with what reads find."""
        raw, present = server.raw(), set()
        with raw.connect(30) as connection:
            versions = self._versions(raw, connection)
            for key in sorted(self.model.keys):
                if key.startswith(STACKS):
                    self._settle(key, key.rpartition("#")[2] if key in versions else ABSENT)
                    continue
                answer = raw.on(connection, "GET", f"/{BUCKET}/{escape(key)}")
                if answer.status not in (200, 404):
                    raise Violation(f"seed {self.seed}: {key} answers {answer.status} {answer.body!r}")
                state = md5(answer.body) if answer.status == 200 else ABSENT
                self._settle(key, state)
                if state != ABSENT:
                    present.add(key.encode())
            listing = raw.on(connection, "GET", f"/{BUCKET}?encoding-type=url&list-type=2")
        if set(keys_of(listing.body)) != present:
            raise Violation(f"seed {self.seed}: listed and read differ: {set(keys_of(listing.body)) ^ present}")

    def _settle(self, key: str, state: str) -> None:
        allowed = self.model.keys[key]
        if state not in allowed.states():
            raise Violation(f"seed {self.seed}: {key} is {state or 'absent'}, allowed {allowed}")
        self.model.found(key, state)

    def _versions(self, raw: RawClient, connection: Connection) -> set[str]:
        """Every version there is by its name in the ledger; each is read, and is one that somebody wrote."""
        names, query = set(), "?versions"
        while True:
            page = raw.on(connection, "GET", f"/{STACKED}{query}").body.decode()
            for key, version_id in VERSION.findall(page):
                body = raw.on(connection, "GET", f"/{STACKED}/{escape(key)}?versionId={version_id}").body
                names.add(f"{STACKS}{key}#{md5(body)}")
            following = NEXT.search(page)
            if following is None:
                break
            query = f"?key-marker={escape(following[1], slash=True)}&version-id-marker={following[2]}&versions"
        if strange := names - self.model.keys.keys():
            raise Violation(f"seed {self.seed}: nobody wrote {strange}")
        return names

    def _fsck(self, server: Server) -> None:
        done = server.fsck()
        if done.returncode != 0:
            raise Violation(f"seed {self.seed}: fsck {done.returncode}\n{done.stdout}{done.stderr}")


def main(arguments: list[str] | None = None) -> int:
    """Run the seeds; 1 at the first violation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args(arguments)
    for seed in range(options.first, options.first + options.seeds):
        with temporary_directory() as root:
            begun = time.monotonic()
            try:
                line = Crash(seed, root, options.rounds).run()
            except AssertionError as violation:
                print(violation, file=sys.stderr)
                return 1
            print(f"{line} ({time.monotonic() - begun:.1f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
