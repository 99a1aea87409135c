"""`python -m tests.chaos.cluster [--seed N] [--seeds COUNT] [--seconds S]`: chaos on whole clusters, seed by seed.

A seed chooses faults and what clients do; when things happen is the machine's, so a seed that failed may need several
tries to fail again. A failed seed's directory is kept and named.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from app.cli.cluster_plan import Shape
from tests.chaos.cluster.checks import Violation
from tests.chaos.cluster.run import Run, run_fresh
from tests.integration.server import ServerFailed


def main() -> int:
    """Run the seeds; 1 when one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--seconds", type=float, default=20.0, help="of faults, each seed")
    parser.add_argument("--managers", type=int, default=3)
    parser.add_argument("--gateways", type=int, default=2)
    parser.add_argument("--hosts", type=int, default=6)
    parser.add_argument("--devices", type=int, default=2)
    parser.add_argument("--only", action="append", default=[], help="a kind of fault, see faults.py; may be repeated")
    options = parser.parse_args()
    shape = Shape(options.managers, options.gateways, options.hosts, options.devices)
    failed = []
    for seed in range(options.seed, options.seed + options.seeds):
        root = Path(tempfile.mkdtemp(prefix=f"zapfs-chaos-{seed}-"))
        began = time.monotonic()
        try:
            print(run_fresh(Run(seed, options.seconds, tuple(options.only)), root, shape), flush=True)
        except (Violation, ServerFailed) as error:
            failed.append(seed)
            print(f"{error}\nseed {seed} FAILED after {time.monotonic() - began:.0f} s, see {root}", flush=True)
        else:
            shutil.rmtree(root)
    print(f"{options.seeds - len(failed)} of {options.seeds} seeds clean" + (f", failed: {failed}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
