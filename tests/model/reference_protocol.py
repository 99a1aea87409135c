"""A model checker of the reference protocol of docs/design/write-order.md: every interleaving, every crash.

The world: one chunk of content, attempts that store it (pinned or unpinned), one object already there, one delete, the
janitor, the outbox worker, the collector, the scrubs, and file removals that may happen any number of times. A step of
the real store that is one transaction is one transition here. Safety is checked in every state reached; leaks in every
state where nothing but crashes and repetitions can still happen.

Mutants are named deviations; each is a mistake one could make, and the checker must find what it breaks.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

Mutant = Literal[
    "check then reference",
    "content-named blobs",
    "publish without own reference",
    "no fence",
    "collector without lock",
    "counters",
    "orphan scrub by owner only",
    "unpinned without age rule",
    "unpinned trusts its hint",
]


class Blob(NamedTuple):
    """A file on a device: unique number, and the attempt that wrote it."""

    number: int
    owner: str


class Attempt(NamedTuple):
    """One PUT. `at`: where it stands; `blob`: what it uploaded or means to use; `old`: past ATTEMPT_SECONDS_MAX."""

    at: str = "start"
    blob: Blob | None = None
    old: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """Everything durable, and how far each attempt is. `row`: the chunk row, live blob or None ("wanted" = no blob)."""

    row: Blob | Literal["wanted"] | None
    marked: bool
    references: frozenset[str]
    count: int
    files: frozenset[Blob]
    intents: frozenset[tuple[str, str]]
    visible: tuple[str | None, ...]
    outbox: frozenset[str]
    released: frozenset[str]
    waiting: frozenset[Blob]
    removals: frozenset[Blob]
    attempts: tuple[Attempt, ...]
    deletes: int
    blobs: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """`broken` is None when every reachable state is safe; `trace` is a shortest way to the first that is not."""

    states: int
    broken: str | None
    trace: tuple[str, ...]
    leaks: int


Step = tuple[str, State]
FINAL = ("done", "failed", "crashed")


class Protocol:
    """The transitions. `pinned` and `unpinned` say how many attempts of each kind run."""

    def __init__(self, pinned: int, unpinned: int, mutant: Mutant | None = None, deletes: int = 1) -> None:
        self.kinds = ("pinned",) * pinned + ("unpinned",) * unpinned
        self.mutant = mutant
        self.deletes = deletes

    def start(self) -> State:
        """One object, "r0", holds the chunk; every attempt is about to begin."""
        blob = Blob(0, "r0")
        attempts = tuple(Attempt() for _ in self.kinds)
        none: frozenset[str] = frozenset()
        return State(
            blob, False, frozenset({"r0"}), 1, frozenset({blob}), frozenset(), ("r0", None), none, none,
            frozenset(), frozenset(), attempts, self.deletes, 1,
        )  # fmt: skip

    def steps(self, state: State) -> Iterator[Step]:
        """Everything that may happen next."""
        for index, attempt in enumerate(state.attempts):
            if attempt.at in FINAL:
                continue
            yield f"crash {index}", _moved(state, index, replace_attempt(attempt, at="crashed", blob=None))
            if self.kinds[index] == "pinned":
                yield from self._pinned(state, index, attempt)
            else:
                yield from self._unpinned(state, index, attempt)
        yield from self._delete(state)
        yield from self._janitor(state)
        yield from self._outbox(state)
        yield from self._collector(state)
        yield from self._scrubs(state)
        yield from self._removals(state)

    # --- attempts
    def _pinned(self, state: State, index: int, attempt: Attempt) -> Iterator[Step]:
        ref = f"p{index}"
        match attempt.at:
            case "start":
                opened = replace(state, intents=state.intents | {(ref, "open")})
                yield f"P0 intent {ref}", _moved(opened, index, Attempt("intent"))
            case "intent":
                yield from self._pin(state, index, ref)
            case "looked":  # the second half of "check then reference"
                late = self._referenced(state, ref)
                yield f"late reference {ref}", _moved(late, index, Attempt("ready", attempt.blob))
            case "pinned":
                yield f"P2 upload {ref}", self._uploaded(state, index, ref)
            case "uploaded":
                yield from self._publish(state, index, attempt, ref)
            case "ready":
                yield from self._commit(state, index, ref)

    def _pin(self, state: State, index: int, ref: str) -> Iterator[Step]:
        if self.mutant == "check then reference" and isinstance(state.row, Blob):
            yield f"look {ref}", _moved(state, index, Attempt("looked", state.row))
            return
        if (ref, "open") not in state.intents:  # pinning is refused to a dead attempt
            yield f"P1 refused {ref}", _moved(state, index, Attempt("failed"))
            return
        pinned = self._referenced(state, ref)
        if isinstance(state.row, Blob):
            yield f"P1 hit {ref}", _moved(pinned, index, Attempt("ready", state.row))
        else:
            wanted = replace(pinned, row="wanted")
            yield f"P1 pin {ref}", _moved(wanted, index, Attempt("pinned"))

    def _publish(self, state: State, index: int, attempt: Attempt, ref: str) -> Iterator[Step]:
        mine = attempt.blob
        assert mine is not None
        if ref not in state.references and self.mutant != "publish without own reference":
            queued = replace(state, waiting=state.waiting | {mine})
            yield f"P3 lost {ref}", _moved(queued, index, Attempt("failed"))
        else:
            published = self._published(state, mine)
            yield f"P3 publish {ref}", _moved(published, index, Attempt("ready", mine))

    def _commit(self, state: State, index: int, ref: str) -> Iterator[Step]:
        if (ref, "open") not in state.intents and self.mutant != "no fence":
            yield f"P4 fenced {ref}", _moved(state, index, Attempt("failed"))
            return
        closed = replace(state, intents=frozenset(one for one in state.intents if one[0] != ref))
        yield f"P4 commit {ref}", _moved(_shown(closed, index % 2, ref), index, Attempt("done"))

    def _unpinned(self, state: State, index: int, attempt: Attempt) -> Iterator[Step]:
        """Look (a hint), upload unless it is there, then publish + reference + version in one transaction."""
        ref = f"u{index}"
        match attempt.at:
            case "start":
                if isinstance(state.row, Blob):
                    yield f"U0 hint {ref}", _moved(state, index, Attempt("hinted", state.row))
                yield f"U1 upload {ref}", self._uploaded(state, index, ref)
            case "hinted":
                yield from self._unpinned_hit(state, index, attempt, ref)
            case "uploaded":
                if not attempt.old:
                    aged = replace_attempt(attempt, at="uploaded", blob=attempt.blob, old=True)
                    yield f"time passes for {ref}", _moved(state, index, aged)
                elif self.mutant != "unpinned without age rule":
                    yield f"U2 too old {ref}", _moved(state, index, Attempt("failed"))
                    return
                yield f"U2 commit {ref}", self._unpinned_commit(state, index, attempt, ref)

    def _unpinned_hit(self, state: State, index: int, attempt: Attempt, ref: str) -> Iterator[Step]:
        if isinstance(state.row, Blob) or self.mutant == "unpinned trusts its hint":
            referenced = self._referenced(state, ref)
            yield f"U2 commit {ref}", _moved(_shown(referenced, index % 2, ref), index, Attempt("done"))
        else:
            yield f"U2 hint was stale {ref}", _moved(state, index, Attempt("start"))

    def _unpinned_commit(self, state: State, index: int, attempt: Attempt, ref: str) -> State:
        assert attempt.blob is not None
        settled = self._referenced(self._published(state, attempt.blob), ref)
        return _moved(_shown(settled, index % 2, ref), index, Attempt("done"))

    def _referenced(self, state: State, ref: str) -> State:
        return replace(state, references=state.references | {ref}, count=state.count + 1)

    def _uploaded(self, state: State, index: int, ref: str) -> State:
        if self.mutant == "content-named blobs":
            blob, made = Blob(0, "r0"), state.blobs
        else:
            blob, made = Blob(state.blobs, ref), state.blobs + 1
        return _moved(replace(state, files=state.files | {blob}, blobs=made), index, Attempt("uploaded", blob))

    def _published(self, state: State, mine: Blob) -> State:
        if not isinstance(state.row, Blob):
            return replace(state, row=mine)
        return state if state.row == mine else replace(state, waiting=state.waiting | {mine})

    # --- everybody else
    def _delete(self, state: State) -> Iterator[Step]:
        ref = state.visible[0]
        if state.deletes and ref is not None:
            gone = replace(state, visible=(None, *state.visible[1:]), deletes=state.deletes - 1)
            yield f"delete {ref}", replace(gone, outbox=gone.outbox | {ref})

    def _janitor(self, state: State) -> Iterator[Step]:
        for ref, phase in state.intents:
            if phase == "open":
                aborted = (state.intents - {(ref, "open")}) | {(ref, "aborted")}
                yield f"expire {ref}", replace(state, intents=aborted, outbox=state.outbox | {ref})

    def _outbox(self, state: State) -> Iterator[Step]:
        """At least once: a release whose outbox row is gone may still be carried out again."""
        for ref in state.outbox:
            done = replace(state, outbox=state.outbox - {ref}, released=state.released | {ref})
            yield f"release {ref}", self._dereferenced(done, ref)
        for ref in state.released:
            again = self._dereferenced(state, ref)
            if self.mutant == "counters":
                again = replace(again, released=again.released - {ref})
            if again != state:
                yield f"again release {ref}", again

    def _dereferenced(self, state: State, ref: str) -> State:
        return replace(state, references=state.references - {ref}, count=max(0, state.count - 1))

    def _collector(self, state: State) -> Iterator[Step]:
        free = state.count == 0 if self.mutant == "counters" else not state.references
        if self.mutant == "collector without lock":
            if isinstance(state.row, Blob) and free and not state.marked:
                yield "collector marks", replace(state, marked=True)
            if isinstance(state.row, Blob) and state.marked:
                yield "collector drops", self._collected(replace(state, marked=False))
        elif state.row is not None and free:
            yield "collect", self._collected(state)

    def _collected(self, state: State) -> State:
        waiting = state.waiting | {state.row} if isinstance(state.row, Blob) else state.waiting
        return replace(state, row=None, waiting=waiting)

    def _scrubs(self, state: State) -> Iterator[Step]:
        if self.mutant == "counters":
            return
        for ref in state.references:
            if self._dead(state, ref):
                yield f"scrub reference {ref}", replace(state, references=state.references - {ref})
        for blob in state.files - state.waiting:
            if blob != state.row and self._orphan(state, blob):
                yield f"scrub blob {blob.number}", replace(state, waiting=state.waiting | {blob})

    def _orphan(self, state: State, blob: Blob) -> bool:
        if self.mutant == "orphan scrub by owner only":
            return (blob.owner, "open") not in state.intents and blob.owner not in state.visible
        return blob.owner not in state.references and not self._young(state, blob)

    def _young(self, state: State, blob: Blob) -> bool:
        """Blobs younger than ORPHAN_SECONDS_MIN are not offered: a running attempt that is not old may still come."""
        for attempt, kind in zip(state.attempts, self.kinds, strict=True):
            if kind == "unpinned" and attempt.blob == blob and attempt.at == "uploaded":
                return not attempt.old
        return False

    def _dead(self, state: State, ref: str) -> bool:
        return (ref, "open") not in state.intents and ref not in state.visible and ref not in state.outbox

    def _removals(self, state: State) -> Iterator[Step]:
        for blob in state.waiting:
            gone = replace(state, waiting=state.waiting - {blob}, removals=state.removals | {blob})
            yield f"remove {blob.number}", replace(gone, files=gone.files - {blob})
        for blob in state.removals & state.files:
            yield f"again remove {blob.number}", replace(state, files=state.files - {blob})

    # --- what must hold
    def broken(self, state: State) -> str | None:
        """Why the state is unsafe, None when it is safe."""
        for ref in state.visible:
            if ref is None:
                continue
            if self.mutant != "counters" and ref not in state.references:
                return f"{ref} is visible without a reference"
            if not isinstance(state.row, Blob):
                return f"{ref} is visible and its chunk is not live"
            if state.row not in state.files:
                return f"data loss: {ref} is visible and blob {state.row.number} is gone"
        return None

    def leaks(self, state: State) -> bool:
        """In a state where nothing is left to do: files, references or rows nobody needs."""
        visible = {ref for ref in state.visible if ref is not None}
        return bool(state.references - visible) or (not visible and bool(state.files or state.row))


def replace_attempt(attempt: Attempt, *, at: str, blob: Blob | None, old: bool | None = None) -> Attempt:
    return Attempt(at, blob, attempt.old if old is None else old)


def _moved(state: State, index: int, attempt: Attempt) -> State:
    attempts = (*state.attempts[:index], attempt, *state.attempts[index + 1 :])
    return replace(state, attempts=attempts)


def _shown(state: State, key: int, ref: str) -> State:
    """The version becomes visible; what it replaces goes to the outbox in the same transaction."""
    replaced = state.visible[key]
    visible = (*state.visible[:key], ref, *state.visible[key + 1 :])
    return replace(state, visible=visible, outbox=state.outbox | ({replaced} if replaced else set()))


def check(protocol: Protocol, states_max: int = 2_000_000) -> Verdict:
    """Breadth first over every reachable state; stops at the first unsafe one."""
    first = protocol.start()
    came: dict[State, tuple[State, str] | None] = {first: None}
    queue = deque([first])
    leaks = 0
    while queue:
        state = queue.popleft()
        broken = protocol.broken(state)
        if broken is not None:
            return Verdict(len(came), broken, _trace(came, state), leaks)
        working = False
        for name, following in protocol.steps(state):
            working = working or (not name.startswith(("crash", "again")) and following != state)
            if following not in came:
                came[following] = (state, name)
                queue.append(following)
        if not working and protocol.leaks(state):
            leaks += 1
        if len(came) > states_max:
            raise AssertionError(f"more than {states_max} states: the model is no longer small")
    return Verdict(len(came), None, (), leaks)


def _trace(came: dict[State, tuple[State, str] | None], state: State) -> tuple[str, ...]:
    names = []
    step = came[state]
    while step is not None:
        names.append(step[1])
        step = came[step[0]]
    return tuple(reversed(names))
