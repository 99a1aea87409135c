"""The replicated log under simulated faults: the library as released fails, ours does not, and mistakes are noticed."""

import subprocess
import sys

import pytest

from tests.raft.judge import Violation
from tests.raft.mutants import MUTANTS, mutated
from tests.raft.schedule import run
from tests.tidy.source import ROOT

SEEDS_THAT_NOTICE = {
    "sync_nothing": 3,
    "cut_always": 3,
    "commit_unverified": 4,
    "read_at_once": 15,
    "apply_twice": 1,
    "believe_rot": 17,
}


def test_the_library_as_released_diverges_on_a_slow_network():
    command = [sys.executable, "-m", "tests.raft.stock", "1", "3", "8"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    assert [line.split()[3] for line in shown.splitlines()] == ["diverges"] * 3


@pytest.mark.parametrize("seed", range(50))
def test_no_acknowledged_command_is_lost_and_no_two_machines_differ(seed):
    world = run(seed)
    assert len(world.judge.acknowledged) > 20


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_simulation_notices_a_hardening_that_is_taken_back(mutant):
    with mutated(mutant), pytest.raises(Violation):
        run(SEEDS_THAT_NOTICE[mutant])


def test_the_same_seed_is_the_same_run():
    first, second = run(5), run(5)
    assert first.judge.history == second.judge.history
    assert first.judge.acknowledged == second.judge.acknowledged
