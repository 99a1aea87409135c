"""Three short seeds of chaos on a small cluster in every run of the suite; `make chaos` runs long ones on a large one.

They share one cluster, one after another: what one seed leaves behind is what the next begins with.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli.cluster_plan import Shape
from tests.chaos.cluster.run import Run
from tests.chaos.cluster.under_test import ClusterUnderTest

SHAPE = Shape(managers=3, gateways=1, hosts=3, devices=1)
SECONDS = 3.0
QUICK_FAULTS = (
    "kill",
    "kill one process",
    "hold",
    "part managers",
    "part gateway",
    "part host",
    "slow",
    "flip",
    "clock",
)
"""Those that are mended within seconds: a changed layout takes a minute to be complete."""

SEEDS = (1, 2, 3)
"""After the last one redundancy must be full again, and what was freed be gone: of all three."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterUnderTest]:
    """One for all seeds; it must stop by itself at the end."""
    root: Path = tmp_path_factory.mktemp("cluster") / "all"
    with ClusterUnderTest(root, SHAPE) as cluster:
        yield cluster
        cluster.stop()


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_a_cluster_keeps_its_promises_whatever_breaks(cluster: ClusterUnderTest, seed: int) -> None:
    told = Run(seed, SECONDS, QUICK_FAULTS, clients=3, patient=seed == SEEDS[-1]).on(cluster)
    print(told)
    assert "clean" in told
