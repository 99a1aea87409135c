"""Hashing a stream beside receiving it: every hasher in a native thread of its own, in order.

Knows that hashing big slices frees the interpreter and that a slice must not change while a hasher reads it.
Measured facts: design page DATA_PATH.md, sections 2 and 4.
"""

from collections.abc import Iterable

from app.core import limits
from app.core.checksums import Hasher, hasher
from app.runtime.offload import Job, Offload

CHUNK_NAME = "BLAKE3"


class Digesting:
    """The digests of one body, and the content name of the chunk being filled."""

    def __init__(self, offload: Offload, algorithms: Iterable[str]) -> None:
        self._offload = offload
        self._hashers: dict[str, Hasher] = {name: hasher(name) for name in algorithms}
        self._chunk: Hasher | None = None
        self._jobs: list[Job[object]] = []
        self._chunk_job: Job[object] | None = None

    def update(self, view: memoryview, in_chunk: bool) -> None:
        """Feed the next slice. Returns when the slice *before* is done with; this one may still be being read.

        `in_chunk`: the slice belongs to the chunk being named (false for inline bytes, which need no name).
        """
        self.wait()
        if len(view) < limits.OFFLOAD_BYTES_MIN:
            for each in self._hashers.values():
                each.update(view)
            if in_chunk:
                self._naming().update(view)
            return
        submit = self._offload.submit
        self._chunk_job = submit(self._naming().update, view) if in_chunk else None
        self._jobs = [submit(each.update, view) for each in self._hashers.values()]

    def name(self, view: memoryview) -> None:
        """Feed the chunk being named alone, after an `update` that was not: the bytes stored are not those that came.

        This slice, too, may still be being read until the next `update`, `chunk_id` or `wait` returns.
        """
        if len(view) < limits.OFFLOAD_BYTES_MIN:
            self._naming().update(view)
        else:
            self._chunk_job = self._offload.submit(self._naming().update, view)

    def chunk_id(self) -> bytes:
        """The name of the chunk fed since the last call; the other digests may still be running."""
        if self._chunk_job is not None:
            self._chunk_job.wait()
            self._chunk_job = None
        named, self._chunk = self._naming(), None
        return named.digest()

    def _naming(self) -> Hasher:
        if self._chunk is None:
            self._chunk = hasher(CHUNK_NAME)
        return self._chunk

    def wait(self) -> None:
        """Return when no hasher reads any slice any more."""
        if self._chunk_job is not None:
            self._chunk_job.wait()
            self._chunk_job = None
        jobs, self._jobs = self._jobs, []
        for job in jobs:
            job.wait()

    def finish(self) -> dict[str, bytes]:
        """Every digest by algorithm."""
        self.wait()
        return {name: each.digest() for name, each in self._hashers.items()}
