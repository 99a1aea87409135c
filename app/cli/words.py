"""What a word of `zapfs admin` is. Knows shapes; admin_words.py has the words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

Content = Mapping[str, Any]
Given = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Word:
    """One verb. `path`: with {argument} in it, escaped when filled; or made of what is given. `names`: positional
    arguments, "NAME?" one that may be missing, "NAME*" any number. `options`: long options without
    dashes, "tag*" one that repeats, "now!" one without
    a value. `content`: of the body; ValueError for what cannot be meant. `shown`: the answer for people, line by line;
    None takes the form all answers have."""

    text: str
    method: str
    path: str | Callable[[Given], str]
    names: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    content: Callable[[Given], Content] | None = None
    shown: Callable[[Any], list[str]] | None = None

    def target(self, given: Given) -> str:
        """The path of the request, and its query."""
        named = {name: quote(str(value), ":") for name, value in given.items() if value and isinstance(value, str)}
        path = self.path if isinstance(self.path, str) else self.path(given)
        return path.format(**named)
