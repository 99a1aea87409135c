"""What a word of `zapfs admin` is. Knows shapes; the modules named after subjects have the words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

Content = Mapping[str, Any]
Given = Mapping[str, Any]
Settled = Callable[[Any], tuple[float, str] | None]
"""Answer of GET /v1/cluster -> share done (0..1) and what is left for people; None when nothing is."""


class _Filled(dict[str, str]):
    """What goes into a path. An argument that may be missing stands at its end, and leaves nothing."""

    def __missing__(self, _: str) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class Word:
    """One verb. `path`: with {argument} in it, escaped when filled. `names`: positional arguments, "NAME?" one that may
    be missing, "NAME*" any number. `options`: long options without dashes, "tag*" one that repeats, "now!" one without
    a value. `account`: whether the operator may ask it of another account. `query`: options that go into the query.
    `content`: of the body; ValueError for what cannot be meant, OSError for a file. `sends`, `saves`: the argument that
    names the file whose bytes are the body, or which is to hold the answer. `columns`: of a list, for people; () for
    all. `shown`: the answer for people, line by line; None takes the form all answers have. `settled`: how far the work
    is that goes on after the answer, for --wait. `check`: raises ValueError for arguments that do not go together.
    """

    text: str
    method: str
    path: str
    names: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    content: Callable[[Given], Content] | None = None
    shown: Callable[[Any], list[str]] | None = None
    account: bool = False
    query: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    sends: str = ""
    saves: str = ""
    settled: Settled | None = None
    check: Callable[[Given], object] = lambda _: None

    def target(self, given: Given) -> str:
        """The path of the request, and its query."""
        named = {name: quote(str(value), ":") for name, value in given.items() if value and isinstance(value, str)}
        asked = {name: given.get(name) for name in (*(("account",) if self.account else ()), *self.query)}
        query = "&".join(f"{name}={quote(str(value), '')}" for name, value in asked.items() if value)
        path = self.path.format_map(_Filled(named)).rstrip("/")
        return path + (f"?{query}" if query else "")


def chosen(*names: str) -> Callable[[Given], Content]:
    """The arguments of these names that were given."""
    return lambda given: {name: given[name] for name in names if given.get(name)}


def fixed(**content: Any) -> Callable[[Given], Content]:
    """The same body always."""
    return lambda _: content


def number(given: Given, option: str, field: str) -> Content:
    """The option as a number under the field's name, nothing when it was not given. Raises ValueError."""
    text = given.get(option)
    if not text:
        return {}
    if not (str(text).isascii() and str(text).isdigit()):
        raise ValueError(f"--{option.replace('_', '-')} must be a whole number")
    return {field: int(text)}
