"""Policies read: JSON texts, hostile until parsed, to statements ready to be asked.

Knows the elements, their forms and bounds, and AWS's words for what is wrong. Must not know what a policy decides.
Nothing unknown is skipped: an element, operator or key that is not understood refuses the policy.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from app.core import limits
from app.core.errors import S3Error
from app.core.policy.actions import Actions
from app.core.policy.audience import Audience
from app.core.policy.conditions import Condition, operator_named
from app.core.policy.keys import canonical_key, is_known
from app.core.policy.statement import Negation, Policy, Resource, Statement
from app.core.policy.variables import parts_of
from app.core.policy.wildcards import ArnPattern, pattern

BUCKET: Final = "bucket"
IDENTITY: Final = "identity"
TRUST: Final = "trust"

LATEST: Final = "2012-10-17"
_VERSIONS: Final = (LATEST, "2008-10-17")
_POLICY_ELEMENTS: Final = frozenset({"Version", "Id", "Statement"})
_STATEMENT_ELEMENTS: Final = frozenset(
    {
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    }
)
_PRINCIPAL_KINDS: Final = frozenset({"AWS", "CanonicalUser", "Federated", "Service"})
_S3_ARNS: Final = "arn:aws:s3:::"
_Object = Mapping[str, object]


def malformed(message: str) -> S3Error:
    """MalformedPolicy, in AWS's words."""
    return S3Error("MalformedPolicy", message)


def check_size(text: str, chars_max: int) -> None:
    """The bound on an identity or trust policy, in characters, blanks not counted. Raises MalformedPolicy."""
    if sum(len(piece) for piece in text.split()) > chars_max:
        raise malformed(f"Policy size exceeds {chars_max} characters")


@lru_cache(limits.POLICIES_PARSED_MAX)
def parse(text: str, kind: str) -> Policy:
    """The policy of a text. `kind`: BUCKET (at most 20 KiB of UTF-8, names principals), IDENTITY (names none; also
    boundaries and session policies) or TRUST (names principals, no resources). Raises MalformedPolicy, nothing else.
    """
    root = _json(text, limits.BUCKET_POLICY_BYTES_MAX if kind == BUCKET else limits.POLICY_BYTES_MAX)
    if unknown := root.keys() - _POLICY_ELEMENTS:
        raise malformed(f"Policy has an unknown field {_shown(min(unknown))}")
    version = root.get("Version", _VERSIONS[1])
    if version not in _VERSIONS:
        raise malformed("The policy must contain a valid version string")
    if "Statement" not in root:
        raise malformed("Missing required field Statement")
    found = root["Statement"]
    entries = found if isinstance(found, list) else [found]
    if not entries and kind == BUCKET:
        raise malformed("Could not parse the policy: Statement is empty!")
    statements = tuple(_statement(entry, index, kind, version == LATEST) for index, entry in enumerate(entries))
    sids = [statement.sid for statement in statements if statement.sid]
    if len(set(sids)) != len(sids):
        raise malformed("Statement IDs (SID) in a single policy must be unique.")
    asks = any(statement.asks_object_tags for statement in statements)
    return Policy(kind, str(version), _text(root, "Id"), statements, asks)


def check_bucket_policy(policy: Policy, bucket: str) -> None:
    """What a policy put on `bucket` must obey beside its grammar: it speaks of that bucket and its objects, and of S3's
    own actions and keys. Raises MalformedPolicy."""
    for statement in policy.statements:
        if not statement.actions.are_s3s:
            raise malformed("Policy has invalid action")
        if statement.negation.principal and statement.allows:
            raise malformed("Allow with NotPrincipal is not allowed.")
        if not all(is_known(condition.key) for condition in statement.conditions):
            raise malformed("Policy has an invalid condition key")
        if not all(_is_of_bucket(resource.text, bucket) for resource in statement.resources or ()):
            raise malformed("Policy has invalid resource")


def _is_of_bucket(text: str, bucket: str) -> bool:
    if text == "*":
        return True
    name, _, _ = text.removeprefix(_S3_ARNS).partition("/")
    return text.startswith(_S3_ARNS) and pattern(name).matches(bucket)


# --- JSON


def _json(text: str, bytes_max: int) -> _Object:
    try:
        if len(text.encode()) > bytes_max:
            raise malformed(f"Policy exceeds the maximum allowed document size of {bytes_max} bytes.")
        if not text.lstrip(" \t\r\n").startswith("{"):
            raise S3Error("MalformedPolicy")
        root = json.loads(text, object_pairs_hook=_members, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        # Text that UTF-8 cannot hold, JSON that is none, numbers of thousands of digits, nesting without end.
        raise malformed("This policy contains invalid Json") from None
    _check_shape(root, 0)
    return _object(root, "Policy")


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise malformed("Duplicate keys are not allowed in a policy")
    return members


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _check_shape(value: object, depth: int) -> None:
    """Nesting within bounds, and texts that can be written again (no lone surrogates)."""
    if depth > limits.POLICY_DEPTH_MAX:
        raise malformed("Policy is nested too deeply")
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise malformed("This policy contains invalid Json") from None
    elif isinstance(value, list):
        for one in value:
            _check_shape(one, depth + 1)
    elif isinstance(value, dict):
        for name, one in value.items():
            _check_shape(name, depth + 1)
            _check_shape(one, depth + 1)


def _object(value: object, what: str) -> _Object:
    if not isinstance(value, dict):
        raise malformed(f"{what} must be a JSON object")
    return value


def _text(element: _Object, name: str) -> str:
    value = element.get(name, "")
    if not isinstance(value, str):
        raise malformed(f"Invalid policy syntax: {name} must be a string")
    return value


def _shown(name: str) -> str:
    return name[:64]


def _texts(value: object, wrong: str) -> tuple[str, ...]:
    """A text, or a list of at least one. Raises MalformedPolicy with the message `wrong`."""
    values = value if isinstance(value, list) else [value]
    if not values or not all(
        isinstance(one, str) and one and len(one) <= limits.POLICY_PATTERN_CHARS_MAX for one in values
    ):
        raise malformed(wrong)
    return tuple(dict.fromkeys(values))


# --- statements


def _statement(entry: object, index: int, kind: str, variables: bool) -> Statement:
    element = _object(entry, "Statement")
    if unknown := element.keys() - _STATEMENT_ELEMENTS:
        raise malformed(f"Policy has an unknown field {_shown(min(unknown))}")
    if "Effect" not in element:
        raise malformed("Missing required field Effect")
    effect = element["Effect"]
    if effect not in ("Allow", "Deny"):
        raise malformed(f"Invalid effect: {_shown(str(effect))}")
    audience = _audience(element, kind)
    action, actions = _one_of(element, "Action")
    resources = _resources(element, kind, variables)
    negation = Negation("NotPrincipal" in element, action == "NotAction", "NotResource" in element)
    conditions = _conditions(element.get("Condition", {}), variables)
    try:
        wanted = Actions(_texts(actions, "Policy has invalid action"))
    except ValueError:
        raise malformed("Policy has invalid action") from None
    return Statement(_text(element, "Sid"), index, effect == "Allow", audience, wanted, resources, conditions, negation)


def _one_of(element: _Object, name: str) -> tuple[str, object]:
    """The element `name` or its negation, of which exactly one must be there."""
    found = [one for one in (name, f"Not{name}") if one in element]
    if not found:
        raise malformed(f"Missing required field {name}")
    if len(found) > 1:
        raise malformed(f"Policy has both {name} and Not{name}")
    return found[0], element[found[0]]


def _audience(element: _Object, kind: str) -> Audience | None:
    if kind == IDENTITY:
        if "Principal" in element or "NotPrincipal" in element:
            raise malformed("Policy document should not specify a principal.")
        return None
    _, value = _one_of(element, "Principal")
    wrong = "Invalid principal in policy"
    if value == "*":
        return Audience([("*", "*")])
    if not isinstance(value, dict) or not value or value.keys() - _PRINCIPAL_KINDS:
        raise malformed(wrong)
    try:
        return Audience((name, text) for name, texts in value.items() for text in _texts(texts, wrong))
    except ValueError:
        raise malformed(wrong) from None


def _resources(element: _Object, kind: str, variables: bool) -> tuple[Resource, ...] | None:
    if kind == TRUST:
        if "Resource" in element or "NotResource" in element:
            raise malformed("Has prohibited field Resource")
        return None
    _, value = _one_of(element, "Resource")
    return tuple(_resource(text, variables) for text in _texts(value, "Policy has invalid resource"))


def _resource(text: str, variables: bool) -> Resource:
    try:
        parts = parts_of(text, variables, wildcards=True)
    except ValueError:
        raise malformed("Policy has invalid resource") from None
    # With something harmless in the variables' places, the ARN must be whole already.
    tokens = tuple("x" if isinstance(part, tuple) else part for part in parts)
    if not ArnPattern(tokens).whole or (text != "*" and not text.startswith("arn:")):
        raise malformed("Policy has invalid resource")
    return Resource(text, parts)


def _conditions(value: object, variables: bool) -> tuple[Condition, ...]:
    conditions: list[Condition] = []
    for name, block in _object(value, "Condition").items():
        try:
            operator = operator_named(name)
        except ValueError:
            raise malformed(f"Invalid Condition type : {_shown(name)}") from None
        for key, values in _object(block, "Condition").items():
            family, colon, rest = key.partition(":")
            if not (family and colon and rest) or len(key) > limits.POLICY_PATTERN_CHARS_MAX:
                raise malformed("Policy has an invalid condition key")
            try:
                conditions.append(Condition(operator, canonical_key(key), _values(values), variables))
            except ValueError:
                raise malformed(f"Policy has an invalid condition value for {_shown(key)}") from None
    return tuple(conditions)


def _values(value: object) -> tuple[str, ...]:
    """Texts, numbers and booleans, as texts. Raises ValueError."""
    values = value if isinstance(value, list) else [value]
    texts: list[str] = []
    for one in values:
        if isinstance(one, bool):
            texts.append("true" if one else "false")
        elif isinstance(one, str | int | float) and len(str(one)) <= limits.POLICY_PATTERN_CHARS_MAX:
            texts.append(str(one))
        else:
            raise ValueError("not a value")
    if not texts:
        raise ValueError("no value")
    return tuple(texts)
