"""A model for as many steps as wanted, from a seed: of the metadata store, or of the use cases on it.

python -m tests.model [--of store|s3] [--on sqlite|mariadb, of store] [--steps 10000] [--seed N, random when not given]
"""

import argparse
import os
import random
import sys
from importlib import import_module

import pytest

MACHINES = {"store": ("store_machine", "StoreMachine"), "s3": ("s3_machine", "S3Machine")}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--of", choices=list(MACHINES), default="store")
    parser.add_argument("--on", choices=["sqlite", "mariadb"], default="sqlite")
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    options = parser.parse_args()
    os.environ["ZAPFS_MODEL_ON"] = options.on
    os.environ["ZAPFS_MODEL_STEPS"] = str(options.steps)
    print(f"seed {options.seed}", flush=True)
    page = f"tests/model/test_{options.of}_model.py"
    failed = pytest.main(["-q", "--timeout=0", "-p", "no:cacheprovider", f"--hypothesis-seed={options.seed}", page])
    module, machine = MACHINES[options.of]
    print(f"{getattr(import_module(f'tests.model.{module}'), machine).steps} steps checked")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
