"""Two of six file hosts die under load: `python -m tests.chaos.cluster.two_hosts [--seconds S]`.

Six hosts of two devices, erasure coding 4+2. Twice two hosts are killed while clients write and read: no read may fail,
writes must go on. The first time the hosts come back, the second time they are removed for good; each time redundancy
must be full again, verified, and every key must read as its history says.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from app.cli.cluster_plan import FILE_HOST, Shape
from tests.chaos.cluster import checks
from tests.chaos.cluster.checks import Violation
from tests.chaos.cluster.history import Kind, Operation, Outcome
from tests.chaos.cluster.run import make_bucket
from tests.chaos.cluster.storage import stored
from tests.chaos.cluster.under_test import ClusterUnderTest
from tests.chaos.cluster.workload import Scene, Workload

SETTLING_SECONDS = 3.0
"""Writes under way when the hosts die may fail with 503; later ones go to other devices."""

HEALED_SECONDS_MAX = 300.0
CLIENTS = 4


@dataclass(slots=True)
class TwoHosts:
    """The scenario on a started cluster."""

    cluster: ClusterUnderTest
    seconds: float

    def run(self) -> list[str]:
        """Lines of what was seen. Raises Violation, ServerFailed."""
        self.cluster.ask("PUT", "/v1/cluster/profiles/STANDARD", {"data": 4, "parity": 2})
        first, second = self.cluster.names(FILE_HOST)[:2], self.cluster.names(FILE_HOST)[2:4]
        lines = self._killed("return", first, self._return)
        lines += self._killed("removal", second, self._remove)
        forgotten = self.cluster.ask("POST", "/v1/cluster/remove", {"nodes": second})["removed"]
        widths = checks.scrubbed(self.cluster)
        checks.readable(self.cluster)
        live = stored(self.cluster).live
        self.cluster.stop()
        left = [name for name in self.cluster.names(FILE_HOST) if name not in second]
        checks.sound(self.cluster, left, live, widths)
        return [
            *lines,
            f"devices {forgotten} forgotten; {len(live)} blobs, of each every fragment right on {len(left)} hosts",
        ]

    def _return(self, names: list[str]) -> None:
        for name in names:
            self.cluster.restart(name)
        self.cluster.wait_ready(*names)

    def _remove(self, names: list[str]) -> None:
        """Out first; forgotten when the layout without them is complete."""
        self.cluster.ask("POST", "/v1/cluster/remove", {"nodes": names, "lost": True})

    def _killed(self, how: str, names: list[str], mend: object) -> list[str]:
        assert callable(mend)
        cluster = self.cluster
        scene = Scene(cluster.gateways(), cluster.credentials, f"two-hosts-{how}")
        make_bucket(cluster, scene.bucket)
        workload = Workload.of(scene, CLIENTS, 1)
        workload.start()
        try:
            time.sleep(self.seconds / 2)
            killed = time.monotonic()
            for name in names:
                cluster.kill(name)
            time.sleep(self.seconds)
            mended = time.monotonic()
            mend(names)
            cluster.wait_healed(HEALED_SECONDS_MAX)
            healed = time.monotonic()
        finally:
            statuses = workload.stop()
        seen = checks.read_everything(scene)
        checks.explained(scene)
        checks.listing_agrees(cluster, scene, seen)
        operations = scene.history.operations
        failed = [one for one in operations if one.outcome in (Outcome.FAILED, Outcome.UNKNOWN)]
        self._judge(operations, failed, killed)
        writes = [one for one in operations if one.kind is not Kind.READ and one.called > killed]
        slowest = max((one.returned - one.called for one in operations if one not in failed), default=0.0)
        return [
            f"killed {' and '.join(names)}, {how}: {len(operations)} operations, answers {statuses}",
            f"  failed reads 0, writes since then {len(writes)} of which {len(_of_changes(failed))} without success",
            f"  slowest answer {slowest:.2f} s; healed {healed - mended:.1f} s after {how} began",
        ]

    @staticmethod
    def _judge(operations: list[Operation], failed: list[Operation], killed: float) -> None:
        reads = [one for one in failed if one.kind is Kind.READ and not one.note.endswith("416 InvalidRange")]
        late = [one for one in _of_changes(failed) if one.called > killed + SETTLING_SECONDS]
        written = [one for one in operations if one.kind is Kind.WRITE and one.outcome is Outcome.OK]
        wrong = [*reads, *late]
        if wrong:
            raise Violation("\n".join(f"{one.key}: {one.told()}, {one.called - killed:.1f} s after" for one in wrong))
        if not any(one.called > killed + SETTLING_SECONDS for one in written):
            raise Violation("nothing was written after two hosts had died")


def _of_changes(operations: list[Operation]) -> list[Operation]:
    return [one for one in operations if one.kind is not Kind.READ]


def main() -> int:
    """Run it on a cluster of its own and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0, help="without the two hosts, each time")
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="zapfs-two-hosts-"))
    cluster = ClusterUnderTest(root, Shape())
    try:
        cluster.start()
        for line in TwoHosts(cluster, options.seconds).run():
            print(line)
        return 0
    except AssertionError as error:
        print(f"{cluster.tails()}\n{error}\nFAILED, see {root}")
        return 1
    finally:
        cluster.close()


if __name__ == "__main__":
    sys.exit(main())
