"""The control state as the replicated log drives it, and the recent commands its followers are sent.

Knows entries (commands' documents) and `core.cluster.apply`. Must not know how entries are agreed on, or who follows.
Only the log's thread changes it; every other thread sees whole values.
"""

import json
import threading
from collections import deque
from collections.abc import Callable
from typing import Final, NoReturn

from app.adapters.cluster import command_codec, snapshot
from app.core.cluster import ClusterState, Outcome, apply
from app.core.cluster_limits import CONTROL_DELTAS_KEPT
from app.core.errors import Corrupt

Delta = tuple[int, bytes]
"""A version and the document of the command that made it."""
_EMPTY: Final = ClusterState()


class ControlMachine:
    """See ports.consensus.Machine. A repeated command makes no version and no delta."""

    def __init__(self, halt: Callable[[str], NoReturn]) -> None:
        """`halt` ends the process: an entry this release cannot read was agreed on by managers of a later one, and
        going on without it would make another state of the same log."""
        self._halt = halt
        self._state = _EMPTY
        self._deltas: deque[Delta] = deque(maxlen=CONTROL_DELTAS_KEPT)
        self._turn = threading.Lock()
        self._drawing = threading.Lock()  # its own, so that the log need not wait while a document is made
        self._documents = snapshot.Codec()
        self._document: tuple[int, bytes] = (-1, b"")
        self._watchers: tuple[Callable[[], None], ...] = ()

    # --- the log's side

    def apply(self, entry: bytes) -> bytes:
        """Version and outcome, for `result`."""
        try:
            command = command_codec.decode(entry)
        except Corrupt as error:
            self._halt(f"the log holds what this release cannot apply ({error}): start the release that wrote it")
        state, outcome = apply(self._state, command)
        if state.version != self._state.version:
            with self._turn:
                if state.version != self._state.version + 1:  # restored: nobody's state is the one this follows from
                    self._deltas.clear()
                else:
                    self._deltas.append((state.version, entry))
                self._state = state
            self._tell()
        return json.dumps([state.version, outcome.error, outcome.message]).encode()

    def snapshot(self) -> bytes:
        """The state's document."""
        return self.document()[1]

    def restore(self, document: bytes) -> None:
        """Raises Corrupt."""
        state = snapshot.Codec().decode(document)
        with self._turn:
            self._state = state
            self._deltas.clear()
        self._tell()

    # --- everybody else's

    def state(self) -> ClusterState:
        """As of the newest entry applied here."""
        return self._state

    def document(self) -> Delta:
        """Version and document of the state, made once for each version asked for."""
        with self._drawing:
            state = self._state
            if self._document[0] != state.version:
                self._document = state.version, self._documents.encode(state)
            return self._document

    def since(self, version: int) -> list[Delta] | None:
        """What came after a version, in order; None when that is not kept any more, or the version is not ours."""
        with self._turn:
            missing = self._state.version - version
            if missing == 0:
                return []
            if not version or missing < 0 or missing > len(self._deltas):
                return None
            return list(self._deltas)[-missing:]

    def watch(self, changed: Callable[[], None]) -> None:
        """Have `changed` called, in the log's thread, after every change. It must return at once."""
        self._watchers = (*self._watchers, changed)

    def _tell(self) -> None:
        for changed in self._watchers:
            changed()


def result(answer: bytes) -> tuple[int, Outcome]:
    """Version and outcome of what `apply` gave. Raises Corrupt."""
    try:
        version, error, message = json.loads(answer)
    except (ValueError, TypeError) as failure:
        raise Corrupt(f"not an answer of the control state: {failure!r}") from failure
    return int(version), Outcome(error, message)
