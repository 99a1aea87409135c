"""The condition operators of policies, compiled once and asked of a context.

Knows operators, their set forms and what an absent key means: negated operators hold, ForAllValues holds, IfExists
holds, the others do not. Must not know which keys there are.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from app.core.policy import comparisons
from app.core.policy.comparisons import Test
from app.core.policy.context import Context
from app.core.policy.variables import constant, filled, parts_of
from app.core.policy.wildcards import ArnPattern, Pattern, Token

ALL: Final = "ForAllValues:"
ANY: Final = "ForAnyValue:"
_IF_EXISTS: Final = "IfExists"


class _Family(NamedTuple):
    """`compile`: a policy's text to a test of a request's text. `template`: instead, tokens to a test, for operators
    whose values may hold variables; `wild`: with wildcards in them. `negated`: true where no value passes."""

    compile: Callable[[str], Test] | None
    template: Callable[[tuple[Token, ...]], Test] | None
    wild: bool
    negated: bool


def _plain(compile_: Callable[[str], Test], negated: bool = False) -> _Family:
    return _Family(compile_, None, False, negated)


def _texts(template: Callable[[tuple[Token, ...]], Test], wild: bool, negated: bool) -> _Family:
    return _Family(None, template, wild, negated)


def _joined(tokens: tuple[Token, ...]) -> str:
    return "".join(token if isinstance(token, str) else token.value for token in tokens)


def _equals(tokens: tuple[Token, ...]) -> Test:
    return _joined(tokens).__eq__


def _equals_folded(tokens: tuple[Token, ...]) -> Test:
    wanted = _joined(tokens).lower()
    return lambda value: value.lower() == wanted


def _like(tokens: tuple[Token, ...]) -> Test:
    return Pattern(tokens).matches


def _arn(tokens: tuple[Token, ...]) -> Test:
    return ArnPattern(tokens).matches


_OPERATORS: Final[dict[str, _Family]] = {
    "StringEquals": _texts(_equals, False, False),
    "StringNotEquals": _texts(_equals, False, True),
    "StringEqualsIgnoreCase": _texts(_equals_folded, False, False),
    "StringNotEqualsIgnoreCase": _texts(_equals_folded, False, True),
    "StringLike": _texts(_like, True, False),
    "StringNotLike": _texts(_like, True, True),
    "ArnEquals": _texts(_arn, True, False),
    "ArnLike": _texts(_arn, True, False),
    "ArnNotEquals": _texts(_arn, True, True),
    "ArnNotLike": _texts(_arn, True, True),
    "NumericEquals": _plain(comparisons.numeric_equals),
    "NumericNotEquals": _plain(comparisons.numeric_equals, True),
    "NumericLessThan": _plain(comparisons.numeric_less),
    "NumericLessThanEquals": _plain(comparisons.numeric_at_most),
    "NumericGreaterThan": _plain(comparisons.numeric_greater),
    "NumericGreaterThanEquals": _plain(comparisons.numeric_at_least),
    "DateEquals": _plain(comparisons.date_equals),
    "DateNotEquals": _plain(comparisons.date_equals, True),
    "DateLessThan": _plain(comparisons.date_less),
    "DateLessThanEquals": _plain(comparisons.date_at_most),
    "DateGreaterThan": _plain(comparisons.date_greater),
    "DateGreaterThanEquals": _plain(comparisons.date_at_least),
    "Bool": _plain(comparisons.boolean),
    "BinaryEquals": _plain(comparisons.binary),
    "IpAddress": _plain(comparisons.address),
    "NotIpAddress": _plain(comparisons.address, True),
}
_BY_FOLDED_NAME: Final = {name.lower(): name for name in (*_OPERATORS, "Null")}


class Operator(NamedTuple):
    """`name`: as in AWS's list. `qualifier`: ALL, ANY or "". `if_exists`: an absent key passes."""

    name: str
    qualifier: str = ""
    if_exists: bool = False


def operator_named(text: str) -> Operator:
    """`ForAnyValue:StringLikeIfExists` taken apart; names know no case. Raises ValueError."""
    qualifier, rest = "", text
    for known in (ALL, ANY):
        if text.lower().startswith(known.lower()):
            qualifier, rest = known, text[len(known) :]
    folded = rest.lower()
    if_exists = folded.endswith(_IF_EXISTS.lower())
    name = _BY_FOLDED_NAME.get(folded[: -len(_IF_EXISTS)] if if_exists else folded)
    if name is None or (name == "Null" and (if_exists or qualifier)):
        raise ValueError("no such condition operator")
    return Operator(name, qualifier, if_exists)


class Condition:
    """One operator, one key, its values: any of them will do. `values` are as written, for who reads the policy."""

    __slots__ = ("_family", "_fixed", "_templates", "key", "operator", "values")

    def __init__(self, operator: Operator, key: str, values: tuple[str, ...], variables: bool) -> None:
        """`variables`: the policy's version has them. Raises ValueError for a value the operator cannot compare."""
        self.operator = operator
        self.key = key
        self.values = values
        self._family = _OPERATORS.get(operator.name)
        self._fixed: list[Test] = []
        self._templates = []
        if self._family is None:
            if len(values) != 1 or values[0].lower() not in ("true", "false"):
                raise ValueError("Null compares with true or false")
            return
        compiler, template = self._family.compile, self._family.template
        for value in values:
            if compiler is not None:
                self._fixed.append(compiler(value))
                continue
            parts = parts_of(value, variables, self._family.wild)
            tokens = constant(parts)
            if tokens is None:
                self._templates.append(parts)
            elif template is not None:
                self._fixed.append(template(tokens))

    @property
    def negated(self) -> bool:
        """Whether it holds for what its values are not."""
        return self._family is not None and self._family.negated

    @property
    def variable_keys(self) -> tuple[str, ...]:
        """Keys its values are filled from."""
        return tuple(part.key for parts in self._templates for part in parts if isinstance(part, tuple))

    def holds(self, context: Context) -> bool:
        """Whether the request meets it."""
        found = context.get(self.key)
        family = self._family
        if family is None:
            return (not found) == (self.values[0].lower() == "true")
        qualifier = self.operator.qualifier
        if not found:
            if self.operator.if_exists or qualifier == ALL:
                return True
            return family.negated and qualifier != ANY
        tests = self._tests(context, family) if self._templates else self._fixed
        negated = family.negated
        if qualifier == ALL:
            return all(_passes(value, tests) is not negated for value in found)
        if qualifier == ANY:
            return any(_passes(value, tests) is not negated for value in found)
        return any(_passes(value, tests) for value in found) is not negated

    def _tests(self, context: Context, family: _Family) -> list[Test]:
        tests = list(self._fixed)
        for parts in self._templates:
            tokens = filled(parts, context)
            if tokens is not None and family.template is not None:
                tests.append(family.template(tokens))
        return tests


def _passes(value: str, tests: list[Test]) -> bool:
    return any(test(value) for test in tests)
