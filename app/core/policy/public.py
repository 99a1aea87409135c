"""Is a bucket policy public: does it allow something to whoever comes, wherever from.

Knows AWS's rule: a policy is public unless each of its allowances is for fixed principals, or under a condition that
fixes who or whence by values without wildcards. Must not know the public access block, which acts on the answer.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
"""

from typing import Final

from app.core.policy import comparisons
from app.core.policy.conditions import ALL, Condition
from app.core.policy.principal import NOBODYS_ID
from app.core.policy.statement import Policy, Statement
from app.core.policy.wildcards import ArnPattern, pattern, tokens_of

_FIXING_KEYS: Final = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceorgid",
        "aws:sourceowner",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "aws:username",
        "s3:dataaccesspointaccount",
        "s3:dataaccesspointarn",
    }
)
"""AWS counts the header that names a KMS key among them. There who sends it needs a permission of the key's; here it
is a text that anybody sends along."""
_USER_ID: Final = "aws:userid"
_ACCESS_POINT_ARN: Final = "s3:dataaccesspointarn"
_EQUALS: Final = frozenset({"StringEquals", "StringEqualsIgnoreCase"})
_LIKE: Final = frozenset({"StringLike"})
_ARNS: Final = frozenset({"ArnEquals", "ArnLike"})
_BROADEST_PREFIX: Final = {4: 8, 6: 32}
"""Bits of the broadest block that counts as fixed: RFC 4632's shortest assignments, as AWS has it."""


def is_public(policy: Policy) -> bool:
    """Whether any statement is."""
    return any(_opens(statement) for statement in policy.statements)


def _opens(statement: Statement) -> bool:
    if not statement.allows or statement.audience is None:
        return False
    if not statement.audience.everybody and not statement.negation.principal:
        return False
    return not any(_fixes(condition) for condition in statement.conditions)


def _fixes(condition: Condition) -> bool:
    """Whether only few can meet it. What an absent key meets fixes nothing, nor does what is filled in."""
    operator = condition.operator
    if operator.if_exists or operator.qualifier == ALL or condition.variable_keys:
        return False
    if condition.key == "aws:sourceip":
        return operator.name == "IpAddress" and all(_is_narrow(value) for value in condition.values)
    if condition.key not in _FIXING_KEYS or (condition.key == _USER_ID and _lets_nobody_in(condition)):
        return False
    if operator.name in _EQUALS:
        return True
    if operator.name in _LIKE:
        return all(_names_account(condition.key, value) or pattern(value).fixed for value in condition.values)
    if operator.name in _ARNS:
        return all(
            _names_account(condition.key, value) or ArnPattern(tuple(tokens_of(value))).fixed
            for value in condition.values
        )
    return False


def _lets_nobody_in(condition: Condition) -> bool:
    """Whether a user's id may be the one of all who sign nothing, whom it fixes no more than "*" does."""
    return any(value.lower() == NOBODYS_ID for value in condition.values)


def _names_account(key: str, value: str) -> bool:
    """An access point's ARN may leave the point open, as long as the account is fixed."""
    parts = value.split(":")
    return key == _ACCESS_POINT_ARN and len(parts) >= 5 and pattern(parts[4]).fixed and bool(parts[4])


def _is_narrow(value: str) -> bool:
    block = comparisons.network(value)
    return block.prefixlen >= _BROADEST_PREFIX[block.version]
