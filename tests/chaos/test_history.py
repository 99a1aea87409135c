"""The checker of histories is right: it takes what a register could have shown, and nothing else."""

import itertools
import random
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chaos.cluster.history import ABSENT, TORN, History, Kind, Operation, Outcome, loaded
from tests.chaos.cluster.linear import check, check_key

KEY = "k"


def op(kind: Kind, value: str, called: float, returned: float, expected: str = ABSENT, **more: object) -> Operation:
    outcome = more.get("outcome", Outcome.UNKNOWN if returned == inf else Outcome.OK)
    assert isinstance(outcome, Outcome)
    return Operation(KEY, kind, value, outcome, called, returned, expected)


def write(value: str, called: float, returned: float) -> Operation:
    return op(Kind.WRITE, value, called, returned)


def read(value: str, called: float, returned: float) -> Operation:
    return op(Kind.READ, value, called, returned)


def delete(called: float, returned: float) -> Operation:
    return op(Kind.DELETE, ABSENT, called, returned)


RIGHT = {
    "nothing at all": [],
    "a read of nothing": [read(ABSENT, 0, 1)],
    "a read of what was written before": [write("a", 0, 1), read("a", 2, 3)],
    "a read during a write sees either": [write("a", 0, 9), read(ABSENT, 1, 2), read("a", 3, 4)],
    "concurrent writes in the order the reads tell": [write("a", 0, 9), write("b", 0, 9), read("b", 10, 11)],
    "an unknown write that was seen": [write("a", 0, inf), read("a", 50, 51)],
    "an unknown write that never happened": [write("a", 0, inf), read(ABSENT, 50, 51)],
    "an unknown write that happens late": [write("a", 0, inf), write("b", 1, 2), read("b", 3, 4), read("a", 5, 6)],
    "an unknown delete that happens late": [write("a", 0, 1), delete(2, inf), read("a", 3, 4), read(ABSENT, 5, 6)],
    "a delete during a write, read absent after": [delete(0, 9), write("a", 1, 5), read(ABSENT, 10, 11)],
    "one of two creators wins": [
        op(Kind.CREATE, "a", 0, 9),
        op(Kind.CREATE, "b", 0, 9, outcome=Outcome.REFUSED),
        read("a", 10, 11),
    ],
    "a refused creator explained by a write nobody saw": [
        write("a", 0, inf),
        op(Kind.CREATE, "b", 2, 3, outcome=Outcome.REFUSED),
        delete(4, 5),
        read(ABSENT, 6, 7),
    ],
    "a failed write is nowhere": [op(Kind.WRITE, "a", 0, 1, outcome=Outcome.FAILED), read(ABSENT, 2, 3)],
    "a replacement of what was there": [write("a", 0, 1), op(Kind.REPLACE, "b", 2, 3, "a"), read("b", 4, 5)],
}

WRONG = {
    "an acknowledged write is lost": [write("a", 0, 1), read(ABSENT, 2, 3)],
    "an acknowledged write is lost under an older one": [write("a", 0, 1), write("b", 2, 3), read("a", 4, 5)],
    "a stale read after a fresh one": [write("a", 0, 1), write("b", 2, 9), read("b", 3, 4), read("a", 5, 6)],
    "a deleted object comes back": [write("a", 0, 1), delete(2, 3), read("a", 4, 5)],
    "a failed write is visible": [op(Kind.WRITE, "a", 0, 1, outcome=Outcome.FAILED), read("a", 2, 3)],
    "a read before the write was asked for": [read("a", 0, 1), write("a", 2, 3)],
    "two creators win": [op(Kind.CREATE, "a", 0, 9), op(Kind.CREATE, "b", 0, 9)],
    "a replacement over something else": [write("a", 0, 1), write("b", 2, 3), op(Kind.REPLACE, "c", 4, 5, "a")],
    "two replacements of one value": [
        write("a", 0, 1),
        op(Kind.REPLACE, "b", 2, 9, "a"),
        op(Kind.REPLACE, "c", 2, 9, "a"),
    ],
    "a creator refused where nothing ever was": [op(Kind.CREATE, "a", 0, 1, outcome=Outcome.REFUSED)],
    "an unknown write that comes and goes": [write("a", 0, inf), read("a", 1, 2), read(ABSENT, 3, 4)],
    "an unknown write that happens twice": [
        write("a", 0, inf),
        read("a", 1, 2),
        write("b", 3, 4),
        read("b", 5, 6),
        read("a", 7, 8),
    ],
    "bytes that nobody wrote": [write("a", 0, 1), read(TORN, 2, 3)],
    "readers that disagree on the order of two writes": [
        write("a", 0, 9),
        write("b", 0, 9),
        read("a", 10, 11),
        read("b", 12, 13),
    ],
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_history_with_an_explanation_is_taken(name: str) -> None:
    assert check_key(KEY, RIGHT[name]) is None


@pytest.mark.parametrize("name", WRONG)
def test_a_history_without_one_is_refused_and_shown(name: str) -> None:
    broken = check_key(KEY, WRONG[name])
    assert broken is not None
    assert KEY in broken.told()


def register(dice: random.Random, length: int, clients: int) -> list[Operation]:
    """What clients of a perfect register see, some of whose answers get lost."""
    value, made = ABSENT, []
    free = [0.0] * clients
    for number in range(length):
        client = min(range(clients), key=lambda each: free[each])
        called = free[client] + dice.random()
        effect = called + dice.random() * 3
        returned = effect + dice.random() * 3
        free[client] = returned
        kind = dice.choices(list(Kind), [6, 5, 2, 2, 2])[0]
        made.append((effect, called, returned, kind, f"v{number}", f"c{client}"))
    history = []
    for _, called, returned, kind, written, client in sorted(made):
        expected = value if dice.random() < 0.5 else "v0"
        after, operation = taken(kind, value, written, expected)
        operation = replace(operation, called=called, returned=returned, client=client)
        chance = dice.random()
        if chance < 0.08:
            operation = replace(operation, outcome=Outcome.UNKNOWN, returned=inf)
            after = after if dice.random() < 0.5 else value
        history.append(operation)
        value = after
    return history


def taken(kind: Kind, value: str, written: str, expected: str) -> tuple[str, Operation]:
    """One operation on a register: the value after it, and what the client saw."""
    base = Operation(KEY, kind, written, Outcome.OK, 0, 0, expected if kind is Kind.REPLACE else ABSENT)
    if kind is Kind.READ:
        return value, replace(base, value=value)
    if kind is Kind.DELETE:
        return ABSENT, replace(base, value=ABSENT)
    if kind is Kind.WRITE or value == base.expected:
        return written, base
    return value, replace(base, outcome=Outcome.REFUSED)


@pytest.mark.parametrize("seed", range(20))
def test_what_clients_of_a_register_saw_is_taken(seed: int) -> None:
    assert check_key(KEY, register(random.Random(seed), 300, 5)) is None


def lose(history: list[Operation], dice: random.Random) -> list[Operation]:
    """An acknowledged write vanishes: the final read sees nothing, and no delete without an answer explains it."""
    end = max(one.returned for one in history if one.returned != inf)
    kept = [one for one in history if one.kind is not Kind.DELETE or one.outcome is not Outcome.UNKNOWN]
    return [*kept, write("last", end + 1, end + 2), read(ABSENT, end + 3, end + 4)]


def revive(history: list[Operation], dice: random.Random) -> list[Operation]:
    """A read long after sees a value that had been replaced."""
    end = max(one.returned for one in history if one.returned != inf)
    old = dice.choice([one for one in history if one.kind is Kind.WRITE and one.outcome is Outcome.OK])
    return [*history, write("last", end + 1, end + 2), read(old.value, end + 3, end + 4)]


def jump(history: list[Operation], dice: random.Random) -> list[Operation]:
    """A read saw a value before it was written."""
    late = [one for one in history if one.kind is Kind.WRITE and one.outcome is Outcome.OK][-1]
    return [*history, read(late.value, late.called - 2, late.called - 1)]


def show(history: list[Operation], dice: random.Random) -> list[Operation]:
    """A write that was said to have failed is read."""
    end = max(one.returned for one in history if one.returned != inf)
    failed = op(Kind.WRITE, "never", end + 1, end + 2, outcome=Outcome.FAILED)
    return [*history, failed, read("never", end + 3, end + 4)]


@pytest.mark.parametrize("mutant", [lose, revive, jump, show])
@pytest.mark.parametrize("seed", range(5))
def test_what_clients_of_a_broken_store_saw_is_refused(mutant: object, seed: int) -> None:
    dice = random.Random(seed)
    assert callable(mutant)
    broken = check_key(KEY, mutant(register(dice, 200, 4), dice))
    assert broken is not None
    assert "undecided" not in broken.why


@st.composite
def small_histories(draw: st.DrawFn) -> list[Operation]:
    """Up to six operations with any answers, right or wrong."""
    made = []
    for number in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(Kind))
        called = draw(st.integers(0, 12))
        returned = called + draw(st.integers(1, 8))
        seen = draw(st.sampled_from([ABSENT, "v0", "v1", "v2"]))
        outcomes = [Outcome.OK, Outcome.OK, Outcome.UNKNOWN]
        if kind in (Kind.CREATE, Kind.REPLACE):
            outcomes.append(Outcome.REFUSED)
        outcome = draw(st.sampled_from(outcomes))
        value = {Kind.READ: seen, Kind.DELETE: ABSENT}.get(kind, f"v{number}")
        expected = seen if kind is Kind.REPLACE else ABSENT
        end = inf if outcome is Outcome.UNKNOWN else float(returned)
        made.append(Operation(KEY, kind, value, outcome, float(called), end, expected))
    return made


def explained(history: list[Operation]) -> bool:
    """By trying every order of every choice of the unknown ones."""
    unknown = [one for one in history if one.outcome is Outcome.UNKNOWN]
    known = [one for one in history if one.outcome is not Outcome.UNKNOWN]
    for count in range(len(unknown) + 1):
        for some in itertools.combinations(unknown, count):
            for order in itertools.permutations([*known, *some]):
                if in_time(order) and fits(order):
                    return True
    return False


def in_time(order: tuple[Operation, ...]) -> bool:
    return all(earlier.called <= later.returned for earlier, later in itertools.combinations(order, 2))


def fits(order: tuple[Operation, ...]) -> bool:
    value = ABSENT
    for one in order:
        if one.kind is Kind.READ:
            if one.outcome is not Outcome.UNKNOWN and one.value != value:
                return False
            continue
        met = value == one.expected
        if one.outcome is Outcome.REFUSED:
            if met:
                return False
        elif one.kind in (Kind.WRITE, Kind.DELETE) or met:
            value = one.value
        elif one.outcome is Outcome.OK:
            return False
    return True


@settings(max_examples=400, deadline=None)
@given(small_histories())
def test_the_search_agrees_with_trying_everything(history: list[Operation]) -> None:
    assert (check_key(KEY, history) is None) == explained(history)


def test_keys_are_judged_each_by_itself_and_a_history_survives_a_file(tmp_path: Path) -> None:
    history = History()
    history.add(write("a", 0, 1))
    history.add(replace(write("b", 0, 1), key="other"))
    history.add(replace(read(ABSENT, 2, 3), key="other"))
    history.add(write("c", 4, inf))
    history.save(tmp_path / "history")
    again = loaded((tmp_path / "history").read_text().splitlines())
    assert again.operations == history.operations
    assert [broken.key for broken in check(again)] == ["other"]
    assert history.count(Outcome.UNKNOWN) == 1
