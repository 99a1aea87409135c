"""The grammar of website configurations.

Knows which documents there are; what they mean is in core/s3/website.
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketWebsite.html
"""

from typing import Final

from app.core import limits
from app.core.errors import S3Error
from app.core.s3.configs.grammar import Choice, Field, Grammar, Node, Record, malformed
from app.core.s3.configs.leaves import text

_RULES_READ_MAX: Final = limits.ROUTING_RULES_MAX * 2  # more than there may be: too many are answered as such


def _refused(message: str) -> S3Error:
    return S3Error("InvalidRequest", message)


def _protocol(found: str) -> str:
    if found not in ("http", "https"):
        message = "Invalid protocol, protocol can be http or https."
        raise _refused(f"{message} If not defined the protocol will be selected automatically.")
    return found


def _redirect_code(found: str) -> str:
    if not (len(found) == 3 and found.isascii() and found.isdigit() and found[0] == "3" and found != "300"):
        raise _refused(f"The provided HTTP redirect code ({found[:8]}) is not valid. Valid codes are 3XX except 300.")
    return found


def _error_code(found: str) -> str:
    if not (len(found) == 3 and found.isascii() and found.isdigit() and found[0] in "45"):
        raise _refused(f"The provided HTTP error code ({found[:8]}) is not valid. Valid codes are 4XX or 5XX.")
    return found


def _host(found: str) -> str:
    if (
        not found
        or len(found) > limits.HOST_CHARS_MAX
        or not found.isascii()
        or not found.isprintable()
        or " " in found
    ):
        raise ValueError("not a host name")
    return found


def _suffix(found: str) -> str:
    if not found or "/" in found:
        fields = {"ArgumentName": "IndexDocument", "ArgumentValue": found[:256]}
        raise S3Error("InvalidArgument", "The IndexDocument Suffix is not well formed", fields=fields)
    return text(1, limits.KEY_BYTES_MAX)(found)


def _not_empty(node: Node) -> None:
    if not node.items:
        raise malformed("an element that says nothing")


def _check(root: Node) -> None:
    if "RedirectAllRequestsTo" in root:
        if len(root.items) > 1:
            raise _refused("RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.")
        return
    if "IndexDocument" not in root:
        message = "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty"
        fields = {"ArgumentName": "IndexDocument", "ArgumentValue": "null"}
        raise S3Error("InvalidArgument", message, fields=fields)
    rules = root.node("RoutingRules")
    count = 0 if rules is None else len(rules.nodes("RoutingRule"))
    if count > limits.ROUTING_RULES_MAX:
        raise _refused(
            f"{count} routing rules provided, the number of routing rules in a website configuration is limited to "
            f"{limits.ROUTING_RULES_MAX}."
        )


_KEY: Final = text(0, limits.KEY_BYTES_MAX)
_CONDITION: Final = Record(
    Field("HttpErrorCodeReturnedEquals", _error_code), Field("KeyPrefixEquals", _KEY), rule=_not_empty
)
_REDIRECT: Final = Record(
    Field("HostName", _host),
    Field("HttpRedirectCode", _redirect_code),
    Field("Protocol", _protocol),
    Field("ReplaceKeyPrefixWith", _KEY),
    Field("ReplaceKeyWith", _KEY),
    choices=(Choice(("ReplaceKeyPrefixWith", "ReplaceKeyWith"), least=0),),
    rule=_not_empty,
)
_ROUTING_RULE: Final = Record(Field("Condition", _CONDITION), Field("Redirect", _REDIRECT, least=1))
GRAMMAR: Final = Grammar(
    "WebsiteConfiguration",
    Record(
        Field("ErrorDocument", Record(Field("Key", text(1, limits.KEY_BYTES_MAX), least=1))),
        Field("IndexDocument", Record(Field("Suffix", _suffix, least=1))),
        Field("RedirectAllRequestsTo", Record(Field("HostName", _host, least=1), Field("Protocol", _protocol))),
        Field("RoutingRules", Record(Field("RoutingRule", _ROUTING_RULE, most=_RULES_READ_MAX))),
        rule=_check,
    ),
)
