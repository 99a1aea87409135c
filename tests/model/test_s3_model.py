"""The use cases against a dictionary, the same steps every time; `python -m tests.model --of s3` takes more."""

import os

from hypothesis import HealthCheck, settings

from tests.model.s3_machine import S3Machine

STEPS_PER_EXAMPLE = 40
MORE = int(os.environ.get("ZAPFS_MODEL_STEPS", "0"))  # set by tests/model/__main__.py, with a seed

TestS3Machine = S3Machine.TestCase
TestS3Machine.settings = settings(
    max_examples=MORE // STEPS_PER_EXAMPLE or 15,
    stateful_step_count=STEPS_PER_EXAMPLE,
    derandomize=not MORE,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
