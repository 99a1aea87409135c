"""Run many seeds: `python -m tests.raft --seeds 2000 --first 0`; one seed again: `--first N --seeds 1 --profile P`."""

import argparse
import logging
import multiprocessing
import sys
import time
import traceback

from tests.raft.judge import Violation
from tests.raft.schedule import PROFILES, run


def _one(job):
    seed, profile = job
    try:
        world = run(seed, profile)
    except (Exception, Violation) as error:  # noqa: BLE001 - a run that ends by a bug is a finding too
        return seed, profile, f"{error.__class__.__name__}: {error}", traceback.format_exc(), (0,) * 6
    judge = world.judge
    figures = (len(judge.acknowledged), world.issued, judge.reads, world.crashes, world.changes, world.refusals)
    return seed, profile, "", "", figures


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.raft", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--profile", choices=PROFILES)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    jobs = [(seed, given.profile) for seed in range(given.first, given.first + given.seeds)]
    began = time.monotonic()
    totals, bad = [0] * 6, 0
    with multiprocessing.Pool(given.workers) as pool:
        for seed, profile, wrong, trace, figures in pool.imap_unordered(_one, jobs, chunksize=4):
            totals = [total + figure for total, figure in zip(totals, figures, strict=True)]
            if wrong:
                bad += 1
                print(f"seed {seed} ({profile or PROFILES[seed % len(PROFILES)]}): {wrong}")
                if given.seeds == 1 or wrong[:9] != "Violation":
                    print(trace)
    names = ("acknowledged", "proposed", "reads", "crashes of the disk", "member changes", "refusals of rot")
    print(f"{given.seeds} seeds, {bad} bad, {time.monotonic() - began:.0f} s;", end=" ")
    print(", ".join(f"{total} {name}" for total, name in zip(totals, names, strict=True)))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
