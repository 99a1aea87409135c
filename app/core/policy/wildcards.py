"""Texts with wildcards, matched in time linear in the text: "*" any number of characters, "?" one.

Knows tokens, patterns and ARNs' six segments. Must not know policies. What a variable was replaced by is literal: its
stars match stars. Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from functools import lru_cache
from typing import Final

from app.core import limits


class Wild(Enum):
    """The two wildcards, told apart from the characters they are written as."""

    STAR = "*"
    ONE = "?"


Token = str | Wild
ARN_SEGMENTS: Final = 6


def tokens_of(text: str) -> Iterator[Token]:
    """The tokens of a pattern as it is written."""
    begun = 0
    for position, character in enumerate(text):
        if character in "*?":
            if position > begun:
                yield text[begun:position]
            yield Wild(character)
            begun = position + 1
    if begun < len(text):
        yield text[begun:]


class _Run:
    """What stands between two stars: characters, and places where any one character will do."""

    __slots__ = ("_any", "_goal", "_masks", "_units", "length", "text")

    def __init__(self, units: Sequence[str | None]) -> None:
        self.length = len(units)
        self.text = None if None in units else "".join(unit for unit in units if unit is not None)
        self._units = units
        self._goal = 1 << max(self.length - 1, 0)
        self._any = sum(1 << place for place, unit in enumerate(units) if unit is None)
        self._masks: dict[str, int] = {}
        for place, unit in enumerate(units):
            if unit is not None:
                self._masks[unit] = self._masks.get(unit, self._any) | 1 << place

    def at(self, value: str, start: int) -> bool:
        """Whether it stands at `start`."""
        if self.text is not None:
            return value.startswith(self.text, start)
        if start < 0 or len(value) - start < self.length:
            return False
        return all(unit is None or value[start + place] == unit for place, unit in enumerate(self._units))

    def find(self, value: str, start: int) -> int:
        """Where it stands first from `start` on, -1 for nowhere. One pass: bit n of `state` says that the first n + 1
        units fit the characters just read (Baeza-Yates and Gonnet, 1992)."""
        if self.text is not None:
            return value.find(self.text, start)
        state = 0
        for place in range(start, len(value)):
            state = (state << 1 | 1) & self._masks.get(value[place], self._any)
            if state & self._goal:
                return place + 1 - self.length
        return -1


class Pattern:
    """A text with wildcards, ready to match."""

    __slots__ = ("_literal", "_runs", "fixed")

    def __init__(self, tokens: Iterable[Token]) -> None:
        runs: list[list[str | None]] = [[]]
        self.fixed = True
        for token in tokens:
            if isinstance(token, str):
                runs[-1].extend(token)
                continue
            self.fixed = False
            if token is Wild.ONE:
                runs[-1].append(None)
            elif runs[-1] or len(runs) == 1:
                runs.append([])
        self._runs = tuple(_Run(run) for run in runs)
        self._literal = self._runs[0].text if len(self._runs) == 1 else None

    def matches(self, value: str) -> bool:
        """Whether it fits the whole of `value`."""
        if self._literal is not None:
            return value == self._literal
        first, last = self._runs[0], self._runs[-1]
        if not first.at(value, 0):
            return False
        if len(self._runs) == 1:
            return len(value) == first.length
        end = len(value) - last.length
        position = first.length
        if end < position or not last.at(value, end):
            return False
        for run in self._runs[1:-1]:
            found = run.find(value, position)
            position = found + run.length
            if found < 0 or position > end:
                return False
        return True


@lru_cache(limits.DOCUMENTS_PARSED_MAX)
def pattern(text: str) -> Pattern:
    """The pattern as it is written."""
    return Pattern(tokens_of(text))


class ArnPattern:
    """An ARN with wildcards, none of which reaches beyond its own segment; "*" alone is every ARN."""

    __slots__ = ("_segments",)

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._segments: tuple[Pattern, ...] | None = None
        if tuple(tokens) != (Wild.STAR,):
            self._segments = tuple(Pattern(segment) for segment in _segments(tokens))

    @property
    def whole(self) -> bool:
        """Whether it has every segment of an ARN, or is "*"."""
        return self._segments is None or len(self._segments) == ARN_SEGMENTS

    @property
    def fixed(self) -> bool:
        """Whether it fits one ARN only."""
        return self._segments is not None and all(segment.fixed for segment in self._segments)

    def matches(self, value: str) -> bool:
        """Whether it fits the whole ARN."""
        if self._segments is None:
            return True
        parts = value.split(":", ARN_SEGMENTS - 1)
        if len(parts) != len(self._segments):
            return False
        # From the end: the resource is where ARNs differ.
        return all(self._segments[place].matches(parts[place]) for place in range(len(parts) - 1, -1, -1))


def _segments(tokens: Sequence[Token]) -> list[list[Token]]:
    segments: list[list[Token]] = [[]]
    for token in tokens:
        if not isinstance(token, str):
            segments[-1].append(token)
            continue
        pieces = token.split(":", ARN_SEGMENTS - len(segments))
        segments[-1].append(pieces[0])
        segments.extend([piece] for piece in pieces[1:])
    return segments
