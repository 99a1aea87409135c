"""One statement of a policy, ready to be asked: does it speak of this request.

Knows its elements as values. Must not know JSON (grammar) nor what follows from an answer (evaluation).
"""

from dataclasses import dataclass
from typing import NamedTuple

from app.core.policy.actions import Actions
from app.core.policy.audience import Audience, Named
from app.core.policy.conditions import Condition
from app.core.policy.context import Context, NoContext
from app.core.policy.keys import asks_object_tags
from app.core.policy.principal import Principal
from app.core.policy.variables import Part, Variable, constant, filled
from app.core.policy.wildcards import ArnPattern

_NOTHING: Context = NoContext()
_ADMIN = "admin:"


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be decided. `principal`: who calls, with its policies; `canonical_id`: of its account.

    `action`: "s3:GetObject". `resource`: its ARN; "arn:aws:s3:::*" for what is done to no bucket (ListBuckets).
    `resource_account`: id of the account whose word counts for the resource. `context`: condition keys.
    """

    principal: Principal
    action: str
    resource: str
    resource_account: str
    context: Context = _NOTHING
    canonical_id: str = ""


class Resource:
    """One pattern of Resource or NotResource. `text`: as written."""

    __slots__ = ("_parts", "_pattern", "text")

    def __init__(self, text: str, parts: tuple[Part, ...]) -> None:
        self.text = text
        self._parts = parts
        tokens = constant(parts)
        self._pattern = None if tokens is None else ArnPattern(tokens)

    def matches(self, arn: str, context: Context) -> bool:
        """Whether it fits the resource, its variables filled from the request."""
        if self._pattern is not None:
            return self._pattern.matches(arn)
        tokens = filled(self._parts, context)
        return tokens is not None and ArnPattern(tokens).matches(arn)

    @property
    def variable_keys(self) -> tuple[str, ...]:
        """Keys it is filled from."""
        return tuple(part.key for part in self._parts if isinstance(part, Variable))


class Negation(NamedTuple):
    """Which of the elements were written as NotPrincipal, NotAction, NotResource."""

    principal: bool = False
    action: bool = False
    resource: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """`sid`: "" when it has none; `index` counts from 0. `audience`: None in identity policies. `resources`: None in
    trust policies, which are about the role they belong to."""

    sid: str
    index: int
    allows: bool
    audience: Audience | None
    actions: Actions
    resources: tuple[Resource, ...] | None
    conditions: tuple[Condition, ...]
    negation: Negation

    @property
    def asks_object_tags(self) -> bool:
        """Whether the object must be read before the statement can be asked."""
        keys = [condition.key for condition in self.conditions]
        keys += [key for condition in self.conditions for key in condition.variable_keys]
        keys += [key for resource in self.resources or () for key in resource.variable_keys]
        return any(asks_object_tags(key) for key in keys)

    def speaks_of(self, request: Request, action: str) -> Named:
        """How nearly it names who calls, NOT when it does not speak of this request; `action` in lower case.

        Identity policies name their holder.
        """
        if self._names(action) is self.negation.action:
            return Named.NOT
        named = Named.SELF
        if self.audience is not None:
            named = self.audience.names(request.principal, request.canonical_id)
            if self.negation.principal:
                named = self._unless(named)
        if named is Named.NOT:
            return named
        if self.resources is not None and self._is_about(request) is self.negation.resource:
            return Named.NOT
        if self.conditions and not all(condition.holds(request.context) for condition in self.conditions):
            return Named.NOT
        return named

    def _names(self, action: str) -> bool:
        """Whether the action is among those written. The admin face does what IAM does: whoever is denied `iam:X`, or
        given everything but that, is not to have it by its other name."""
        if self.actions.have(action):
            return True
        withholds = self.allows is self.negation.action
        return withholds and action.startswith(_ADMIN) and self.actions.have("iam:" + action[len(_ADMIN) :])

    def _is_about(self, request: Request) -> bool:
        return any(one.matches(request.resource, request.context) for one in self.resources or ())

    def _unless(self, named: Named) -> Named:
        """NotPrincipal. Naming an account does not take its users out of a denial: they must be named themselves. Of
        what is allowed to all others, it does."""
        spared = Named.ACCOUNT if self.allows else Named.ROLE
        return Named.NOT if named >= spared else Named.SELF


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy read. `kind`: bucket, identity or trust. `asks_object_tags`: a decision by it may need the object."""

    kind: str
    version: str
    policy_id: str
    statements: tuple[Statement, ...]
    asks_object_tags: bool
