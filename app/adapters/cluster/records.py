"""Frozen dataclasses as JSON values and back, by their annotations.

Knows str, int, bool, bytes (as base64), tuples of one kind, named tuples, mappings from str, and dataclasses of these.
A field that is missing takes its default, so that a document of an earlier release reads; an unknown one is refused, so
that a document of a later release is never half read.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any, get_args, get_origin, get_type_hints

Read = Callable[[Any], Any]


def plain(value: Any) -> Any:
    """The JSON form of a value."""
    if isinstance(value, str | int):
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    return {one.name: plain(getattr(value, one.name)) for one in fields(value)}


@lru_cache(maxsize=256)  # as many as there are kinds of fields, which the annotations bound
def reader(kind: Any) -> Read:
    """A function from the JSON form to a value of `kind`; it raises KeyError, TypeError or ValueError."""
    if kind is bytes:
        return lambda value: base64.b64decode(value, validate=True)
    if kind in (str, int, bool):
        return lambda value: _checked(value, kind)
    if is_dataclass(kind):
        return _record_reader(kind)
    if hasattr(kind, "_fields"):
        return _named_reader(kind)
    one = reader(get_args(kind)[0 if get_origin(kind) is tuple else 1])
    if get_origin(kind) is tuple:
        return lambda value: tuple([one(piece) for piece in value])
    return lambda value: {name: one(piece) for name, piece in value.items()}


def _checked(value: Any, kind: Any) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{type(value).__name__} where {kind.__name__} belongs")
    return value


def _named_reader(kind: Any) -> Read:
    readers = [reader(hint) for hint in get_type_hints(kind).values()]
    return lambda value: kind(*(read(piece) for read, piece in zip(readers, value, strict=True)))


def _record_reader(kind: Any) -> Read:
    hints = get_type_hints(kind)
    readers = {one.name: reader(hints[one.name]) for one in fields(kind)}

    def read(value: Any) -> Any:
        return kind(**{name: readers[name](piece) for name, piece in value.items()})

    return read
