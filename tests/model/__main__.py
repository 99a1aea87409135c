"""The model of the store for as many steps as wanted, from a seed.

python -m tests.model [--steps 10000] [--seed N, random when not given]
"""

import argparse
import os
import random
import sys

import pytest


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    options = parser.parse_args()
    os.environ["ZAPFS_MODEL_STEPS"] = str(options.steps)
    print(f"seed {options.seed}", flush=True)
    failed = pytest.main(
        ["-q", "-p", "no:cacheprovider", f"--hypothesis-seed={options.seed}", "tests/model/test_store_model.py"]
    )
    from tests.model.store_machine import StoreMachine

    print(f"{StoreMachine.steps} steps checked")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
