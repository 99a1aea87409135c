"""A model checker of `chunk_move`: two contents that share a chunk are moved to another profile, in every interleaving.

The world: a chunk under its old name and, once somebody moved there, under its new one; a mover for each content, which
may crash or stand still anywhere; the second content's delete, its release, the orphan sweep, and removals that may
happen again. A transaction of the real store is one transition. What is deleted, collected or published otherwise is
reference_protocol.py's.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

Mutant = Literal["no rule of ages", "trusts its hint", "drops a shared chunk", "keeps the old reference"]
OLD, NEW = 0, 1
FINAL = ("done", "failed", "crashed")


class Mover(NamedTuple):
    """`at`: where it stands; `blob`: what it uploaded or found; `old`: past ATTEMPT_SECONDS_MAX since the upload."""

    at: str = "start"
    blob: int = 0
    old: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """Everything durable, and how far movers are. `rows`: the live blob by name. `contents`: by ref, (name, blob)."""

    rows: tuple[int | None, int | None] = (0, None)
    references: frozenset[tuple[int, int]] = frozenset({(OLD, 0), (OLD, 1)})
    contents: tuple[tuple[int, int] | None, ...] = ((OLD, 0), (OLD, 0))
    visible: frozenset[int] = frozenset({0, 1})
    outbox: frozenset[int] = frozenset()
    files: frozenset[int] = frozenset({0})
    waiting: frozenset[int] = frozenset()
    removals: frozenset[int] = frozenset()
    movers: tuple[Mover, ...] = (Mover(), Mover())
    blobs: int = 1


class Moving:
    """The transitions; for reference_protocol.check."""

    def __init__(self, mutant: Mutant | None = None) -> None:
        self.mutant = mutant

    def start(self) -> State:
        """Two visible contents, one chunk, nothing moved."""
        return State()

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        """Everything that may happen next."""
        for ref, mover in enumerate(state.movers):
            if mover.at not in FINAL:
                yield f"crash {ref}", _at(state, ref, Mover("crashed"))
                yield from self._mover(state, ref, mover)
        if 1 in state.visible:
            yield "delete 1", replace(state, visible=state.visible - {1}, outbox=state.outbox | {1})
        for ref in state.outbox:
            yield f"release {ref}", self._released(state, ref)
        for blob in state.files - state.waiting - set(state.rows):
            if not any(mover.at == "uploaded" and mover.blob == blob and not mover.old for mover in state.movers):
                yield f"scrub blob {blob}", replace(state, waiting=state.waiting | {blob})
        for blob in state.waiting:
            gone = replace(state, waiting=state.waiting - {blob}, removals=state.removals | {blob})
            yield f"remove {blob}", replace(gone, files=gone.files - {blob})
        for blob in state.removals & state.files:
            yield f"again remove {blob}", replace(state, files=state.files - {blob})

    def _mover(self, state: State, ref: int, mover: Mover) -> Iterator[tuple[str, State]]:
        live = state.rows[NEW]
        if mover.at == "start":
            if live is not None:
                yield f"hint {ref}", _at(state, ref, Mover("hinted", live))
            uploaded = replace(state, files=state.files | {state.blobs}, blobs=state.blobs + 1)
            yield f"upload {ref}", _at(uploaded, ref, Mover("uploaded", state.blobs))
            return
        if mover.at == "uploaded" and not mover.old:
            yield f"time passes for {ref}", _at(state, ref, mover._replace(old=True))
        yield f"move {ref}", self._moved(state, ref, mover)

    def _moved(self, state: State, ref: int, mover: Mover) -> State:
        """One transaction, or Conflict and nothing of it."""
        failed = _at(state, ref, Mover("failed"))
        content, live = state.contents[ref], state.rows[NEW]
        if content is None or content[0] != OLD:
            return failed
        if mover.at == "uploaded":
            if (mover.old and self.mutant != "no rule of ages") or (live is None and mover.blob in state.waiting):
                return failed
            blob = mover.blob if live is None else live
            waiting = state.waiting if blob == mover.blob else state.waiting | {mover.blob}
            state = replace(state, rows=(state.rows[OLD], blob), waiting=waiting)
        elif live is not None or self.mutant == "trusts its hint":
            blob = mover.blob if live is None else live
        else:
            return failed
        contents = (*state.contents[:ref], (NEW, blob), *state.contents[ref + 1 :])
        state = replace(state, contents=contents, references=state.references | {(NEW, ref)})
        if self.mutant != "keeps the old reference":
            state = self._dropped(state, OLD, ref)
        return _at(state, ref, Mover("done"))

    def _released(self, state: State, ref: int) -> State:
        for name in (OLD, NEW):
            if (name, ref) in state.references:
                state = self._dropped(state, name, ref)
        contents = (*state.contents[:ref], None, *state.contents[ref + 1 :])
        return replace(state, contents=contents, outbox=state.outbox - {ref})

    def _dropped(self, state: State, name: int, ref: int) -> State:
        """A reference goes, and with the last one the chunk's row."""
        references, blob = state.references - {(name, ref)}, state.rows[name]
        shared = any(other == name for other, _ in references) and self.mutant != "drops a shared chunk"
        if blob is None or shared:
            return replace(state, references=references)
        rows = (None, state.rows[NEW]) if name == OLD else (state.rows[OLD], None)
        return replace(state, references=references, rows=rows, waiting=state.waiting | {blob})

    def broken(self, state: State) -> str | None:
        """Why the state is unsafe, None when it is safe."""
        for ref in state.visible:
            content = state.contents[ref]
            assert content is not None
            name, blob = content
            if (name, ref) not in state.references:
                return f"{ref} is visible without a reference"
            if state.rows[name] != blob or blob not in state.files:
                return f"data loss: {ref} is visible and blob {blob} is not live"
        return None

    def leaks(self, state: State) -> bool:
        """In a state where nothing is left to do: references or files nobody needs."""
        named = {content for ref, content in enumerate(state.contents) if ref in state.visible and content is not None}
        wanted = {(content[0], ref) for ref, content in enumerate(state.contents) if content and ref in state.visible}
        return state.references != wanted or state.files != {blob for _, blob in named}


def _at(state: State, ref: int, mover: Mover) -> State:
    return replace(state, movers=(*state.movers[:ref], mover, *state.movers[ref + 1 :]))
