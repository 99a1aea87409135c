"""The control plane under load for as long as wanted: `python -m tests.chaos.control_soak --minutes N [--seed S]`.

Three managers, of which one after the other is killed or paused; an admin face under gunicorn's gevent worker follows
and proposes by HTTP all the while, and a plain client follows beside it. Afterwards: every account that was
acknowledged is in the state of every manager, exactly the same state; no follower went back; what the face grew in
memory, threads and descriptors is told.
"""

import argparse
import os
import random
import tempfile
import threading
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

from app.adapters.cluster.remote import Door, RemoteCluster
from app.cli.admin_client import AdminClient, Identity, Refused
from app.config import DEV_ACCESS_KEY, DEV_SECRET_KEY
from tests.control_processes import SECRET, Manager, Managers, eventually, managers
from tests.integration.server import parents_of

PROPOSERS = 4
CHAOS_SECONDS = (4.0, 10.0)
DOWN_SECONDS = (0.5, 6.0)
SETTLE_SECONDS = 60.0


class Load:
    """Threads that create accounts and look at the face, and what came of it."""

    def __init__(self, face: Manager) -> None:
        self._face = face
        self._stop = threading.Event()
        self.counts: Counter[str] = Counter()
        self.acknowledged: set[str] = set()
        self.slowest_s = 0.0
        self._threads = [threading.Thread(target=self._propose, args=(n,)) for n in range(PROPOSERS)]
        self._threads.append(threading.Thread(target=self._look))

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _propose(self, number: int) -> None:
        root = Identity(DEV_ACCESS_KEY, DEV_SECRET_KEY)
        client = AdminClient(f"http://127.0.0.1:{self._face.admin_port}", root, "us-east-1")
        made = 0
        while not self._stop.wait(0.02):
            name = f"soak-{number}-{made}"
            made += 1
            try:
                client.ask("POST", "/v1/accounts", {"name": name})
                if made % 3 == 0:
                    client.ask("DELETE", f"/v1/accounts/{name}")
                else:
                    self.acknowledged.add(name)
                self.counts["proposed"] += 1
            except Refused as refused:
                known = str(refused).startswith("Unavailable")
                self.counts["unavailable" if known else f"refused: {refused}"] += 1

    def _look(self) -> None:
        while not self._stop.wait(0.1):
            begun = time.monotonic()
            status, _ = self._face.ask("/health")
            self.slowest_s = max(self.slowest_s, time.monotonic() - begun)
            self.counts[f"health {status}"] += 1


def soak(root: Path, minutes: float, seed: int) -> list[str]:
    """What was wrong afterwards; nothing is right."""
    chance = random.Random(seed)
    with managers(root, 3) as crew:
        face = crew.all["manager-1"].start_face(*(one.address for one in crew.all.values()))
        assert eventually(lambda: face.ask("/ready")[0] == 200), face.log_path.read_text()[-3000:]
        versions: list[int] = []
        watcher = crew.client("watcher", on_state=lambda state: versions.append(state.version))
        assert watcher.wait_known(20)
        load = Load(face)
        load.start()
        before = _size(face)
        done = _chaos(crew, chance, time.monotonic() + minutes * 60)
        load.stop()
        wrong = _judged(crew, load, watcher, versions)
        print(
            f"seed {seed}, {minutes} minutes: {dict(done)}; {dict(load.counts)}; {len(load.acknowledged)} accounts kept"
        )
        print(f"slowest /health {load.slowest_s:.2f} s; face (rss MiB, threads, fds) {before} -> {_size(face)}")
    return wrong


def _chaos(crew: Managers, chance: random.Random, end: float) -> Counter[str]:
    """Kill or pause one manager at a time until the end; all run when this returns."""
    done: Counter[str] = Counter()
    while time.monotonic() < end:
        time.sleep(chance.uniform(*CHAOS_SECONDS))
        victim = crew.leader() if chance.random() < 0.6 else chance.choice(list(crew.all.values()))
        down_s = chance.uniform(*DOWN_SECONDS)
        if chance.random() < 0.5:
            victim.kill()
            time.sleep(down_s)
            victim.start()
            done["killed"] += 1
        else:
            victim.pause()
            time.sleep(down_s)
            victim.resume()
            done["paused"] += 1
    return done


def _judged(crew: Managers, load: Load, watcher: RemoteCluster, versions: list[int]) -> list[str]:
    wrong = [text for text in load.counts if text.startswith("refused")]
    if load.counts["proposed"] == 0:
        wrong.append("nothing was proposed")
    watcher.barrier(SETTLE_SECONDS)
    newest = watcher.state()
    if lost := load.acknowledged - set(newest.accounts):
        wrong.append(f"{len(lost)} acknowledged accounts are lost, {sorted(lost)[0]} among them")
    steps = [after - before for before, after in pairwise(versions)]
    if any(step < 1 for step in steps):
        wrong.append("a follower went back")
    load.counts["whole states sent"] = sum(step > 1 for step in steps)  # to a follower too far behind for deltas
    for manager in crew.all.values():
        own = RemoteCluster(Door([manager.address], "judge", SECRET), time.monotonic)
        own.start()
        if not eventually(lambda own=own: own.state() == newest, SETTLE_SECONDS):
            wrong.append(f"{manager.node_id} has another state: version {own.state().version}, not {newest.version}")
        own.close()
    return wrong


def _size(face: Manager) -> tuple[int, int, int]:
    """Of the face's worker: MiB resident, threads, descriptors."""
    assert face.face is not None
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    worker = next(pid for pid, parent in parents_of(pids).items() if parent == face.face.pid)
    status = dict(line.split(":", 1) for line in Path(f"/proc/{worker}/status").read_text().splitlines())
    fds = len(os.listdir(f"/proc/{worker}/fd"))
    return int(status["VmRSS"].split()[0]) // 1024, int(status["Threads"]), fds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zapfs-soak-") as root:
        wrong = soak(Path(root), given.minutes, given.seed)
    for line in wrong:
        print(f"WRONG: {line}")
    print("clean" if not wrong else f"{len(wrong)} findings")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
