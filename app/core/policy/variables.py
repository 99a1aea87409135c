"""Policy variables: `${aws:username}`, `${aws:PrincipalTag/team, 'all'}`, and `${*}` `${?}` `${$}` for the characters.

Knows how they are written and filled in. Must not know what a key stands for. Only policies of version 2012-10-17 have
them, in resources and in the text and ARN values of conditions.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from app.core import limits
from app.core.policy.context import Context
from app.core.policy.keys import canonical_key
from app.core.policy.wildcards import Token, tokens_of


class Variable(NamedTuple):
    """A key to be replaced by its value, or by `default`; a text with neither fits nothing."""

    key: str
    default: str | None


Part = Token | Variable

_MARK: Final = re.compile(r"\$\{([^}]*)\}")
_NAMED: Final = re.compile(r"\s*([A-Za-z0-9-]+:[^\s,']{1,256})\s*(?:,\s*'([^']*)'\s*)?")


def parts_of(text: str, variables: bool, wildcards: bool) -> tuple[Part, ...]:
    """A text taken apart. `variables`: the policy's version has them. `wildcards`: stars are not literal.

    Raises ValueError for a variable that is none.
    """
    parts: list[Part] = []
    literal = _pattern if wildcards else _plain
    begun = 0
    for mark in _MARK.finditer(text) if variables else ():
        parts.extend(literal(text[begun : mark.start()]))
        begun = mark.end()
        parts.append(_part(mark[1]))
    rest = text[begun:]
    if variables and "${" in rest:
        raise ValueError("a variable without end")
    parts.extend(literal(rest))
    return _joined(parts)


def filled(parts: Sequence[Part], context: Context) -> tuple[Token, ...] | None:
    """The tokens, with values in the variables' places; None when a variable has no single value, or one so long that
    only who wants to keep the matching busy sends it."""
    tokens: list[Token] = []
    for part in parts:
        if not isinstance(part, Variable):
            tokens.append(part)
            continue
        values = context.get(part.key) or ()
        if len(values) == 1 and len(values[0]) <= limits.POLICY_PATTERN_CHARS_MAX:
            tokens.append(values[0])
        elif part.default is not None and not values:
            tokens.append(part.default)
        else:
            return None
    return tuple(tokens)


def constant(parts: Sequence[Part]) -> tuple[Token, ...] | None:
    """The tokens of a text without variables, else None."""
    return tuple(part for part in parts if not isinstance(part, Variable)) if not has_variables(parts) else None


def has_variables(parts: Sequence[Part]) -> bool:
    """Whether anything is to be filled in."""
    return any(isinstance(part, Variable) for part in parts)


def _part(inner: str) -> Part:
    if inner in ("*", "?", "$"):
        return inner
    named = _NAMED.fullmatch(inner)
    if named is None:
        raise ValueError("no such variable")
    return Variable(canonical_key(named[1]), named[2])


def _pattern(text: str) -> Sequence[Token]:
    return tuple(tokens_of(text))


def _plain(text: str) -> Sequence[Token]:
    return (text,) if text else ()


def _joined(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Neighbouring literals as one, so that an escaped character costs nothing later."""
    joined: list[Part] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    return tuple(joined)
