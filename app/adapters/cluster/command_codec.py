"""Commands as bytes: in the replicated log and on the wire.

Knows every command by its class's name, and the form of the document: JSON {"form", "kind", "is", "command"}, where
"is" names the class of a field that may hold one of several. Reading makes values of these classes and nothing else.
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from functools import lru_cache
from types import UnionType
from typing import Any, Final, get_args, get_type_hints

from app.adapters.cluster.records import Read, plain, reader
from app.core.cluster import Command
from app.core.errors import Corrupt

FORM: Final = 1
COMMANDS: Final[Mapping[str, type[Any]]] = {kind.__name__: kind for kind in get_args(Command)}


def encode(command: Command) -> bytes:
    """The document of a command."""
    kind: Any = type(command)
    chosen = {name: type(getattr(command, name)).__name__ for name in _choices(kind)}
    whole = {"form": FORM, "kind": kind.__name__, "is": chosen, "command": plain(command)}
    return json.dumps(whole, separators=(",", ":")).encode()


def decode(document: bytes) -> Command:
    """The command of a document. Raises Corrupt: damaged, or of a later release."""
    try:
        whole = json.loads(document)
        if whole["form"] != FORM:
            raise Corrupt(f"a command of form {whole['form']}; this release knows form {FORM}")
        kind: Any = COMMANDS[whole["kind"]]
        readers = dict(_readers(kind))
        for name, chosen in whole["is"].items():
            readers[name] = _choices(kind)[name][chosen]
        command: Command = kind(**{name: readers[name](piece) for name, piece in whole["command"].items()})
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise Corrupt(f"not a command this release knows: {error!r}") from error
    return command


@lru_cache(maxsize=256)  # as many as there are kinds of commands
def _choices(kind: Any) -> Mapping[str, Mapping[str, Read]]:
    """Fields that hold one of several classes -> the classes' readers by name."""
    hints = get_type_hints(kind)
    return {
        one.name: {choice.__name__: reader(choice) for choice in get_args(hints[one.name])}
        for one in fields(kind)
        if isinstance(hints[one.name], UnionType)
    }


@lru_cache(maxsize=256)  # as many as there are kinds of commands
def _readers(kind: Any) -> Mapping[str, Read]:
    hints = get_type_hints(kind)
    return {one.name: reader(hints[one.name]) for one in fields(kind) if one.name not in _choices(kind)}
