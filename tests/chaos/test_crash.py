"""Two seeds of the crash test in every run of the suite; `python -m tests.chaos.crash` runs many."""

from pathlib import Path

import pytest

from tests.chaos.crash import Crash
from tests.chaos.ledger import ABSENT, Model


@pytest.mark.slow
@pytest.mark.parametrize("seed", [20261122, 7])
def test_what_was_acknowledged_survives_killing_every_process(tmp_path: Path, seed: int) -> None:
    assert "all as allowed" in Crash(seed, tmp_path, rounds=2).run()


def test_a_ledger_allows_the_settled_state_or_any_unanswered_intention() -> None:
    model = Model()
    model.replay(
        [
            '{"key": "a", "intend": "1"}',
            '{"key": "a", "happened": true}',
            '{"key": "a", "intend": "2"}',
            '{"key": "a", "intend": "3"}',
            '{"key": "a", "happened": false}',
            '{"key": "b", "intend": "4"}',
        ]
    )
    assert model.keys["a"].states() == {"1", "2"}
    assert model.keys["b"].states() == {ABSENT, "4"}
    assert model.acknowledged == 1
