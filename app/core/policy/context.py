"""What a policy may ask of a request: a mapping from condition keys to values, looked at key by key.

Knows the promise only; app/core/policy/s3_context keeps it for S3.
"""

from typing import Protocol


class Context(Protocol):
    """Values are made when they are asked for: most requests meet no condition."""

    def get(self, key: str, /) -> tuple[str, ...] | None:
        """The values of a canonical key (keys.canonical_key), None when the request has none."""


class NoContext:
    """Of a request nothing is known about."""

    def get(self, key: str, /) -> tuple[str, ...] | None:
        """Nothing."""
        return None
