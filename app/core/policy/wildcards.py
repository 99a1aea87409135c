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

    __slots__ = ("_tokens", "length", "text")

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        pieces = [token for token in tokens if isinstance(token, str)]
        self.text = "".join(pieces) if len(pieces) == len(tokens) else None
        self.length = sum(map(len, pieces)) + len(tokens) - len(pieces)

    def at(self, value: str, start: int) -> bool:
        """Whether it stands at `start`."""
        if self.text is not None:
            return value.startswith(self.text, start)
        if start < 0 or len(value) - start < self.length:
            return False
        for token in self._tokens:
            if not isinstance(token, str):
                start += 1
            elif value.startswith(token, start):
                start += len(token)
            else:
                return False
        return True

    def find(self, value: str, start: int) -> int:
        """Where it stands first from `start` on, -1 for nowhere. All places are tried at once: bit n of `places` says
        that it may begin at n, so that a character costs an operation on one number, whatever value and pattern are."""
        if self.text is not None:
            return value.find(self.text, start)
        count = len(value) - start - self.length + 1
        if count <= 0:
            return -1
        places, offset = (1 << count) - 1 << start, 0
        for token in self._tokens:
            for character in token if isinstance(token, str) else ():
                places &= _places(value, character) >> offset
                if not places:
                    return -1
                offset += 1
            if not isinstance(token, str):
                offset += 1
        return (places & -places).bit_length() - 1


@lru_cache(limits.POLICY_PLACES_KEPT_MAX)
def _places(value: str, character: str) -> int:
    """Bit n: the character stands at n."""
    return int("1".join("0" * len(piece) for piece in reversed(value.split(character))) or "0", 2)


class Pattern:
    """A text with wildcards, ready to match."""

    __slots__ = ("_literal", "_runs", "fixed")

    def __init__(self, tokens: Iterable[Token]) -> None:
        runs: list[list[Token]] = [[]]
        self.fixed = True
        for token in tokens:
            if not isinstance(token, str):
                self.fixed = False
            if token is not Wild.STAR:
                runs[-1].append(token)
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

    __slots__ = ("_head", "_segments", "_tail", "fixed", "whole")

    def __init__(self, tokens: Sequence[Token]) -> None:
        """`whole`: it has every segment of an ARN, or is "*". `fixed`: it fits one ARN only."""
        self._segments: tuple[Pattern, ...] = ()
        self._head: str | None = None
        self.whole, self.fixed = True, False
        if tuple(tokens) == (Wild.STAR,):
            return
        segments = _segments(tokens)
        self.whole = len(segments) == ARN_SEGMENTS
        head, self._tail = segments[:-1], Pattern(segments[-1])
        literal = [token for segment in head for token in (*segment, ":") if isinstance(token, str)]
        if len(literal) == sum(len(segment) + 1 for segment in head) and self.whole:
            # Wildcards stand in the resource alone, as a rule: the rest is one comparison.
            self._head = "".join(literal)
            self.fixed = self._tail.fixed
            return
        self._segments = tuple(Pattern(segment) for segment in segments)
        self.fixed = all(segment.fixed for segment in self._segments)

    def matches(self, value: str) -> bool:
        """Whether it fits the whole ARN."""
        if self._head is not None:
            return value.startswith(self._head) and self._tail.matches(value[len(self._head) :])
        if not self._segments:
            return True
        parts = value.split(":", ARN_SEGMENTS - 1)
        return len(parts) == len(self._segments) and all(map(Pattern.matches, self._segments, parts))


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
