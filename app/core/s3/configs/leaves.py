"""The leaves of configuration documents: what a text, a word, a number, a flag or a time may be.

Knows forms only. A leaf takes an element's text and gives its canonical text; ValueError is answered as MalformedXML.
"""

import re
from typing import Final

from app.core import limits
from app.core.s3.configs.grammar import Leaf

_TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:?\d{2})?)?")


def text(least: int = 0, most: int = limits.XML_BYTES_MAX) -> Leaf:
    """Any text of `least`..`most` characters, spaces and all."""

    def leaf(found: str) -> str:
        if not least <= len(found) <= most:
            raise ValueError(f"not {least}..{most} characters")
        return found

    return leaf


def word(*words: str) -> Leaf:
    """One of these, spaces around it taken off."""
    known = frozenset(words)

    def leaf(found: str) -> str:
        found = found.strip()
        if found not in known:
            raise ValueError("not a known word")
        return found

    return leaf


def number(least: int, most: int) -> Leaf:
    """A whole number of `least`..`most`."""

    def leaf(found: str) -> str:
        found = found.strip()
        digits = found.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 19):
            raise ValueError("not a number")
        if not least <= int(found) <= most:
            raise ValueError(f"not within {least}..{most}")
        return str(int(found))

    return leaf


def flag() -> Leaf:
    """True or false, in any case; 1 and 0 as XML Schema has them."""

    def leaf(found: str) -> str:
        value = {"true": "true", "1": "true", "false": "false", "0": "false"}.get(found.strip().lower())
        if value is None:
            raise ValueError("not a boolean")
        return value

    return leaf


def time_text() -> Leaf:
    """A date or time of ISO 8601, as it came; whoever acts on it reads it (core/s3/times)."""

    def leaf(found: str) -> str:
        found = found.strip()
        if not (found.isascii() and _TIME.fullmatch(found)):
            raise ValueError("not a time")
        return found

    return leaf
