"""One seed: a cluster under load while things go wrong, then mended, then judged."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from app.cli.cluster_plan import FILE_HOST, Shape
from tests.chaos.cluster import checks
from tests.chaos.cluster.faults import Faults
from tests.chaos.cluster.history import Outcome
from tests.chaos.cluster.storage import stored
from tests.chaos.cluster.under_test import ClusterUnderTest
from tests.chaos.cluster.workload import Scene, Workload

WARM_SECONDS = 1.0
CLIENTS = 6


@dataclass(slots=True)
class Run:
    """`only`: kinds of faults, all by default. `patient`: also wait until redundancy is full and collection has come
    round."""

    seed: int
    seconds: float
    only: tuple[str, ...] = ()
    clients: int = CLIENTS
    patient: bool = True
    times: dict[str, float] = field(default_factory=dict)
    _unknown: set[bytes] = field(default_factory=set)

    def on(self, cluster: ClusterUnderTest) -> str:
        """Faults under load on a started cluster, everything mended and judged; a line of what was done. Raises
        Violation with what went wrong, before whom the faults are told."""
        scene = Scene(cluster.gateways(), cluster.credentials, f"chaos-{self.seed}")
        make_bucket(cluster, scene.bucket)
        self._unknown = stored(cluster).unknown()
        workload = Workload.of(scene, self.clients, self.seed)
        faults = Faults(cluster, self.seed, self.only)
        workload.start()
        try:
            time.sleep(WARM_SECONDS)
            faults.run(self.seconds)
            began = time.monotonic()
            cluster.recover()
            self.times["recovered"] = time.monotonic() - began
            time.sleep(WARM_SECONDS)
            statuses = workload.stop()
            self._judge(cluster, scene)
        except AssertionError as error:
            scene.stop.set()
            scene.history.save(cluster.root / f"history-{self.seed}.jsonl")
            told = "\n".join([*faults.told, f"seed {self.seed}: {error}"])
            (cluster.root / f"report-{self.seed}.txt").write_text(f"{told}\n{cluster.tails(40)}\n")
            raise checks.Violation(told.partition("\n--- ")[0]) from error
        history = scene.history
        outcomes = ", ".join(f"{history.count(outcome)} {outcome}" for outcome in Outcome)
        times = ", ".join(f"{name} in {seconds:.1f} s" for name, seconds in self.times.items())
        done = len([line for line in faults.told if "end of" not in line])
        summary = f"seed {self.seed}: {done} faults, {outcomes}; answers {statuses}; {times}: clean"
        return "\n".join([*faults.told, summary])

    def _judge(self, cluster: ClusterUnderTest, scene: Scene) -> None:
        seen = checks.read_everything(scene)
        checks.explained(scene)
        checks.listing_agrees(cluster, scene, seen)
        if not self.patient:
            return
        began = time.monotonic()
        checks.whole(cluster)
        self.times["whole"] = time.monotonic() - began
        checks.collected(cluster, scene, self._unknown)


def make_bucket(cluster: ClusterUnderTest, bucket: str) -> None:
    """Make a bucket, as soon as the cluster takes it."""

    def made() -> bool:
        answer = cluster.raw().call("PUT", f"/{bucket}")
        return answer.status == 200 or answer.code == "BucketAlreadyOwnedByYou"

    cluster.eventually(made, "the bucket cannot be made", 20)


def run_fresh(run: Run, root: Path, shape: Shape) -> str:
    """The same on a cluster of its own, started and stopped."""
    began = time.monotonic()
    cluster = ClusterUnderTest(root, shape)
    try:
        cluster.start()
        run.times["started"] = time.monotonic() - began
        told = run.on(cluster)
        began = time.monotonic()
        widths = checks.scrubbed(cluster)
        scrubbed = time.monotonic() - began
        checks.readable(cluster)
        live = stored(cluster).live
        cluster.stop()
        checks.sound(cluster, cluster.names(FILE_HOST), live, widths)
        return f"{told}, scrubbed in {scrubbed:.1f} s, {len(live)} blobs with every fragment right"
    finally:
        cluster.close()
