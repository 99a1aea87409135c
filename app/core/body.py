"""The promise of a request body: bytes pulled on demand into the caller's buffer.

Implemented by the worker's connection (app/runtime/http1), by the aws-chunked decoder (app/core/auth/stream) on top
of it, and by tests.
"""

from typing import Protocol


class Body(Protocol):
    """Pulled once, in order. Nothing is read from the client before the first `receive` (100-continue included)."""

    @property
    def length(self) -> int | None:
        """Bytes still to come when known."""
        ...

    def receive(self, view: memoryview) -> int:
        """Fill `view` from its start as far as the body goes; fewer than len(view) bytes, or 0, only at the end.

        Raises S3Error IncompleteBody when the client went away or lied, RequestTimeout when it stalled.
        """
        ...
