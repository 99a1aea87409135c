"""The real store against a dictionary, the same steps every time; `python -m tests.model` takes more and other ones."""

import os

from hypothesis import HealthCheck, settings

from tests.model.store_machine import SweptMachine

STEPS_PER_EXAMPLE = 50
MORE = int(os.environ.get("ZAPFS_MODEL_STEPS", "0"))  # set by tests/model/__main__.py, with a seed

TestStoreMachine = SweptMachine.TestCase
TestStoreMachine.settings = settings(
    max_examples=MORE // STEPS_PER_EXAMPLE or 60,
    stateful_step_count=STEPS_PER_EXAMPLE,
    derandomize=not MORE,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
