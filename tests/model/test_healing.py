"""Healing's model, some seeds of it: `python -m tests.model.healing` runs as many as wanted."""

import pytest

from tests.model.healing import run


@pytest.mark.parametrize("seed", range(24))
def test_whatever_happens_to_a_cluster_what_was_promised_is_whole_afterwards(seed):
    run(seed, steps=100)
