"""The grammar of CORS configurations.

Knows which documents there are; what they mean is in core/s3/cors.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html
"""

from typing import Final

from app.core import limits
from app.core.errors import S3Error
from app.core.s3.configs.grammar import Field, Grammar, Node, Record, malformed
from app.core.s3.configs.leaves import number, text

_METHODS: Final = frozenset({"GET", "PUT", "POST", "DELETE", "HEAD"})
_VALUES_MAX: Final = 1_000  # of one kind within a rule; the document's bytes bound them before
_SECONDS_MAX: Final = 2**31 - 1


def _method(found: str) -> str:
    found = found.strip()
    if found not in _METHODS:
        raise S3Error("InvalidRequest", f"Found unsupported HTTP method in CORS config. Unsupported method is {found}")
    return found


def _check_rule(rule: Node) -> None:
    for name in ("AllowedOrigin", "AllowedHeader"):
        for value in rule.texts(name):
            if value.count("*") > 1:
                raise S3Error("InvalidRequest", f'{name} "{value}" can not have more than one wildcard.')
    for value in rule.texts("ExposeHeader"):
        if "*" in value:
            message = (
                f'ExposeHeader "{value}" contains wildcard. We currently do not support wildcard for ExposeHeader.'
            )
            raise S3Error("InvalidRequest", message)
        if not value.isprintable() or not value.isascii():
            raise malformed("not a header's name")


def _check_all(root: Node) -> None:
    if len(root.nodes("CORSRule")) > limits.CORS_RULES_MAX:
        message = f"The number of CORS rules should not exceed allowed limit of {limits.CORS_RULES_MAX} rules."
        raise S3Error("InvalidRequest", message)


_RULE: Final = Record(
    Field("ID", text(0, 255)),
    Field("AllowedHeader", text(1, 1024), most=_VALUES_MAX),
    Field("AllowedMethod", _method, least=1, most=_VALUES_MAX),
    Field("AllowedOrigin", text(1, 1024), least=1, most=_VALUES_MAX),
    Field("ExposeHeader", text(1, 1024), most=_VALUES_MAX),
    Field("MaxAgeSeconds", number(0, _SECONDS_MAX)),
    rule=_check_rule,
)
GRAMMAR: Final = Grammar(
    "CORSConfiguration",
    Record(Field("CORSRule", _RULE, least=1, most=limits.CORS_RULES_MAX * 2), rule=_check_all),
    elements_max=4_000,
)
