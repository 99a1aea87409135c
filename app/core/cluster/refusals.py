"""How a command is refused, and the small steps every transition is made of.

Knows AWS's names for refusals. `Refused` never leaves `transitions.apply`.
"""

from collections.abc import Mapping
from typing import TypeVar

from app.core.cluster.state import Outcome

V = TypeVar("V")


class Refused(Exception):
    """A command does not take effect; the state stays as it was."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.outcome = Outcome(error, message)


def with_entry(mapping: Mapping[str, V], name: str, value: V) -> dict[str, V]:
    """A copy with one entry more or replaced."""
    return {**mapping, name: value}


def without_entries(mapping: Mapping[str, V], *names: str) -> dict[str, V]:
    """A copy without some entries."""
    copy = dict(mapping)
    for name in names:
        copy.pop(name, None)
    return copy


def check_limit(count: int, most: int, what: str) -> None:
    """Raises Refused LimitExceeded when `count`, that of the state to be, is above `most`."""
    if count > most:
        raise Refused("LimitExceeded", f"Cannot exceed quota for {what}: {most}")


def no_such(kind: str, name: str) -> Refused:
    """NoSuchEntity, as IAM words it."""
    return Refused("NoSuchEntity", f"The {kind} with name {name} cannot be found.")
