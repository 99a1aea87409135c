"""A model checker of `chunk_replace`: attempts meet a live chunk whose blob cannot be read, in every interleaving.

The world: one chunk in a blob that is damaged, the contents that refer to it, and attempts with the same bytes in hand;
they replace the blob, or find it replaced, or released. Around them deletes, releases, the orphan sweep, removals that
may happen again, and crashes anywhere. A transaction of the real store is one transition. How chunks are published
otherwise is reference_protocol.py's.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

Mutant = Literal["no rule of ages", "does not look again", "trusts the damaged blob"]
DAMAGED = 0
FINAL = ("done", "failed", "crashed")


class Attempt(NamedTuple):
    """`at`: where it stands; `found`: the blob the row named; `own`: what it uploaded; `old`: past the rule of ages."""

    at: str = "start"
    found: int = -1
    own: int = -1
    old: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """Everything durable, and how far attempts are. `row`: the live blob. `outbox`: contents to be released."""

    row: int | None
    references: frozenset[int]
    visible: frozenset[int]
    attempts: tuple[Attempt, ...]
    outbox: frozenset[int] = frozenset()
    files: frozenset[int] = frozenset({DAMAGED})
    waiting: frozenset[int] = frozenset()
    removals: frozenset[int] = frozenset()
    blobs: int = 1


class Replacing:
    """The transitions; for reference_protocol.check. Contents are numbered: those of attempts first, then two older."""

    def __init__(self, pinned: int, unpinned: int, mutant: Mutant | None = None) -> None:
        self.pinned = pinned
        self.attempts = pinned + unpinned
        self.mutant = mutant

    def start(self) -> State:
        """Two contents refer to the damaged chunk."""
        older = frozenset({self.attempts, self.attempts + 1})
        return State(DAMAGED, older, older, (Attempt(),) * self.attempts)

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        """Everything that may happen next."""
        for ref, attempt in enumerate(state.attempts):
            if attempt.at not in FINAL:
                yield f"crash {ref}", self._ended(state, ref, "crashed")
                yield from self._attempt(state, ref, attempt)
        for ref in state.visible:
            if ref >= self.attempts:
                yield f"delete {ref}", replace(state, visible=state.visible - {ref}, outbox=state.outbox | {ref})
        for ref in state.outbox:
            yield f"release {ref}", self._released(state, ref)
        for blob in state.files - state.waiting - {state.row}:
            if not any(one.own == blob and self._keeps(state, ref, one) for ref, one in enumerate(state.attempts)):
                yield f"scrub blob {blob}", replace(state, waiting=state.waiting | {blob})
        for blob in state.waiting:
            gone = replace(state, waiting=state.waiting - {blob}, removals=state.removals | {blob})
            yield f"remove {blob}", replace(gone, files=gone.files - {blob})
        for blob in state.removals & state.files:
            yield f"again remove {blob}", replace(state, files=state.files - {blob})

    def _attempt(self, state: State, ref: int, attempt: Attempt) -> Iterator[tuple[str, State]]:
        if attempt.at == "start":
            if state.row is None:
                yield f"nothing to replace {ref}", self._ended(state, ref, "failed")
                return
            looked = replace(state, references=state.references | {ref}) if ref < self.pinned else state
            yield f"look {ref}", _at(looked, ref, Attempt("looked", state.row))
        elif attempt.at == "looked":
            if attempt.found != DAMAGED or self.mutant == "trusts the damaged blob":
                yield f"read {ref}", _at(state, ref, attempt._replace(at="held"))
                return
            uploaded = replace(state, files=state.files | {state.blobs}, blobs=state.blobs + 1)
            yield f"upload {ref}", _at(uploaded, ref, attempt._replace(at="uploaded", own=state.blobs))
        elif attempt.at == "uploaded":
            if not attempt.old and ref >= self.pinned:
                yield f"time passes for {ref}", _at(state, ref, attempt._replace(old=True))
            yield f"replace {ref}", self._replaced(state, ref, attempt)
        else:
            yield f"commit {ref}", self._committed(state, ref)

    def _replaced(self, state: State, ref: int, attempt: Attempt) -> State:
        """One transaction. An attempt past the rule of ages gives up; so does one whose blob is queued."""
        if (attempt.old and self.mutant != "no rule of ages") or attempt.own in state.waiting:
            return self._ended(state, ref, "failed")
        held = _at(state, ref, attempt._replace(at="held"))
        if state.row == attempt.found or self.mutant == "does not look again":
            return replace(held, row=attempt.own, waiting=state.waiting | {attempt.found})
        if state.row is None:
            return replace(self._ended(state, ref, "failed"), files=state.files - {attempt.own})
        return replace(held, waiting=state.waiting | {attempt.own})

    def _committed(self, state: State, ref: int) -> State:
        """Unpinned: the chunk must be live still. Pinned: the reference has been there since the look."""
        if state.row is None:
            return self._ended(state, ref, "failed")
        done = replace(state, references=state.references | {ref}, visible=state.visible | {ref})
        return _at(done, ref, Attempt("done"))

    def _ended(self, state: State, ref: int, how: str) -> State:
        """A pinned attempt's references are the janitor's to release."""
        outbox = state.outbox | {ref} if ref in state.references else state.outbox
        return _at(replace(state, outbox=outbox), ref, Attempt(how))

    def _keeps(self, state: State, ref: int, attempt: Attempt) -> bool:
        """Whether the orphan sweep leaves this attempt's blob alone: by its age, or by its reference."""
        return ref in state.references if ref < self.pinned else attempt.at == "uploaded" and not attempt.old

    def _released(self, state: State, ref: int) -> State:
        references, waiting, row = state.references - {ref}, state.waiting, state.row
        if not references and row is not None:
            row, waiting = None, waiting | {row}
        return replace(state, references=references, waiting=waiting, row=row, outbox=state.outbox - {ref})

    def broken(self, state: State) -> str | None:
        """Why the state is unsafe, None when it is safe."""
        for ref in state.visible:
            if ref not in state.references or state.row is None:
                return f"{ref} is visible without a live chunk it refers to"
            if state.row not in state.files and state.row != DAMAGED:
                return f"data loss: {ref} is visible and blob {state.row} is gone"
            if ref < self.attempts and state.row == DAMAGED:
                return f"{ref} was acknowledged on the strength of a damaged blob"
        return None

    def leaks(self, state: State) -> bool:
        """In a state where nothing is left to do: references or files nobody needs."""
        return state.references != state.visible or state.files != ({state.row} if state.visible else set())


def _at(state: State, ref: int, attempt: Attempt) -> State:
    return replace(state, attempts=(*state.attempts[:ref], attempt, *state.attempts[ref + 1 :]))
