"""The shipped reference protocol is safe in every interleaving, and the checker would notice if it were not."""

import pytest

from tests.model.reference_protocol import Mutant, Protocol, check


@pytest.mark.parametrize(
    ("pinned", "unpinned", "deletes"), [(1, 0, 1), (0, 1, 1), (2, 0, 1), (1, 1, 1), (0, 2, 1), (0, 2, 2)]
)
def test_no_interleaving_of_the_shipped_protocol_loses_or_leaks(pinned: int, unpinned: int, deletes: int) -> None:
    verdict = check(Protocol(pinned, unpinned, deletes=deletes))
    print(f"{pinned} pinned, {unpinned} unpinned, {deletes} deletes: {verdict.states} states")
    assert verdict.broken is None, (verdict.broken, verdict.trace)
    assert verdict.leaks == 0
    assert verdict.states > 50


MUTANTS: list[tuple[Mutant, int, int]] = [
    ("check then reference", 1, 0),
    ("content-named blobs", 2, 0),
    ("publish without own reference", 2, 0),
    ("no fence", 1, 0),
    ("collector without lock", 1, 0),
    ("counters", 2, 0),
    ("orphan scrub by owner only", 2, 0),
    ("orphan scrub by owner only", 0, 1),
    ("unpinned without age rule", 0, 1),
    ("unpinned trusts its hint", 0, 1),
]


@pytest.mark.parametrize(("mutant", "pinned", "unpinned"), MUTANTS)
def test_the_checker_finds_what_each_mutant_breaks(mutant: Mutant, pinned: int, unpinned: int) -> None:
    verdict = check(Protocol(pinned, unpinned, mutant))
    print(f"{mutant}: {verdict.broken} after {' > '.join(verdict.trace)} ({verdict.states} states)")
    assert verdict.broken is not None
