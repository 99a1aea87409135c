"""Replacing a damaged blob is safe in every interleaving, and the checker would notice if it were not."""

from typing import get_args

import pytest

from tests.model.reference_protocol import check
from tests.model.replacing_protocol import Mutant, Replacing


@pytest.mark.parametrize(("pinned", "unpinned"), [(2, 0), (1, 1), (0, 2)])
def test_no_interleaving_of_replacements_loses_or_leaks(pinned: int, unpinned: int) -> None:
    verdict = check(Replacing(pinned, unpinned))
    assert verdict.broken is None, (verdict.broken, verdict.trace)
    assert verdict.leaks == 0
    assert verdict.states > 500


@pytest.mark.parametrize("mutant", get_args(Mutant))
def test_the_checker_finds_what_each_mutant_of_a_replacement_breaks(mutant: Mutant) -> None:
    verdict = check(Replacing(1, 1, mutant))
    assert verdict.broken is not None or verdict.leaks, mutant
