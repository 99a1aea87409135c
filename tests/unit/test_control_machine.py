"""The state the log drives: deltas for those who were here lately, everything for the others, one outcome a command."""

import pytest

from app.adapters.cluster import command_codec, machine
from app.adapters.cluster.machine import ControlMachine
from app.core.cluster import CreateAccount, Outcome, apply
from app.core.cluster_limits import CONTROL_DELTAS_KEPT
from app.core.errors import Corrupt
from tests.contract.test_cluster import account
from tests.control_room import no_halt


class Halted(Exception): ...


def entry(number: int) -> bytes:
    return command_codec.encode(CreateAccount(f"c{number}", account(number)))


def test_an_entry_gives_the_version_it_made_and_its_outcome():
    made = ControlMachine(no_halt)
    assert machine.result(made.apply(entry(1))) == (1, Outcome())
    version, outcome = machine.result(made.apply(command_codec.encode(CreateAccount("c2", account(1)))))
    assert (version, outcome.error) == (2, "EntityAlreadyExists")


def test_a_repeated_entry_answers_alike_and_makes_neither_version_nor_delta():
    made = ControlMachine(no_halt)
    told: list[int] = []
    made.watch(lambda: told.append(made.state().version))
    assert made.apply(entry(1)) == made.apply(entry(1))
    assert (told, len(made.since(0) or made.document())) == ([1], 2)
    assert made.since(1) == []


def test_deltas_make_of_an_older_state_the_newest():
    made = ControlMachine(no_halt)
    states = []
    for number in range(5):
        made.apply(entry(number))
        states.append(made.state())
    for state in states:
        deltas = made.since(state.version)
        for version, document in deltas:
            state, _ = apply(state, command_codec.decode(document))
            assert state.version == version
        assert state == made.state()


def test_whoever_is_too_far_behind_or_ahead_is_sent_everything():
    made = ControlMachine(no_halt)
    for number in range(CONTROL_DELTAS_KEPT + 2):
        made.apply(entry(number % 3))
    for number in range(10):
        made.apply(entry(100 + number))
    assert made.since(made.state().version + 1) is None
    assert made.since(0) is None
    restored = ControlMachine(no_halt)
    restored.restore(made.snapshot())
    assert restored.state() == made.state()
    assert restored.since(made.state().version - 1) is None  # it has no deltas from before
    assert restored.since(made.state().version) == []


def test_a_restored_machine_goes_on_as_the_one_it_was_taken_from():
    made, restored = ControlMachine(no_halt), ControlMachine(no_halt)
    for number in range(3):
        made.apply(entry(number))
    restored.restore(made.snapshot())
    for number in (1, 3, 4):
        assert made.apply(entry(number)) == restored.apply(entry(number))
    assert restored.state() == made.state()
    with pytest.raises(Corrupt):
        restored.restore(b"rubbish")


def test_an_entry_of_a_later_release_ends_the_process_and_changes_nothing():
    def halt(reason: str) -> None:
        raise Halted(reason)

    made = ControlMachine(halt)
    with pytest.raises(Halted, match="start the release that wrote it"):
        made.apply(b'{"form":9}')
    assert made.state().version == 0
