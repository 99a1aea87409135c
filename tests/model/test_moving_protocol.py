"""Moving a chunk to another profile is safe in every interleaving, and the checker would notice if it were not."""

from typing import get_args

import pytest

from tests.model.moving_protocol import Moving, Mutant
from tests.model.reference_protocol import check


def test_no_interleaving_of_moves_loses_or_leaks() -> None:
    verdict = check(Moving())
    assert verdict.broken is None, (verdict.broken, verdict.trace)
    assert verdict.leaks == 0
    assert verdict.states > 500


@pytest.mark.parametrize("mutant", get_args(Mutant))
def test_the_checker_finds_what_each_mutant_of_a_move_breaks(mutant: Mutant) -> None:
    verdict = check(Moving(mutant))
    assert verdict.broken is not None or verdict.leaks, mutant
