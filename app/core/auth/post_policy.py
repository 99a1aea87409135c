"""The policy of an HTML form: what its signer allows to be posted, and whose signature it bears.

Knows the policy's grammar, its conditions and both signatures of forms. Pure: secret and time are handed in. Must not
know how a form travels (core/s3/post_form) nor what is done with its fields.

Every condition must hold, and every field of the form must be spoken of by one: a field nobody signed could change what
the signer allowed. Names of fields and operators are compared without case.
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from hmac import compare_digest, digest
from typing import Any, Final, NamedTuple

from app.core.auth import canonical
from app.core.errors import S3Error
from app.core.limits import REGION_CHARS_MAX

_EXEMPT: Final = frozenset({"policy", "signature", "x-amz-signature", "awsaccesskeyid", "file"})
_FREE: Final = ("x-ignore-", "x-amz-checksum-")  # what is ignored, and what can only refuse a file, never admit one
_TIMES: Final = ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ")
_LENGTH: Final = "content-length-range"
_OPERATORS: Final = frozenset({"eq", "starts-with"})
_SIZE_DIGITS_MAX: Final = 15  # far above the largest object


class Condition(NamedTuple):
    """`operator`: eq or starts-with, on the field `name` (lower case). `shown`: as the policy wrote it."""

    operator: str
    name: str
    value: str
    shown: str

    def holds(self, value: str | None) -> bool:
        """Whether a field of this value (None: absent) may be posted."""
        if value is None:
            # "Anything" includes nothing; a form without a key names no object, whatever its policy says.
            return self.operator == "starts-with" and not self.value and self.name != "key"
        if self.operator == "eq":
            return value == self.value
        # Several content types in one field: each must begin so.
        values = [each.strip() for each in value.split(",")] if self.name == "content-type" else [value]
        return all(each.startswith(self.value) for each in values)


class Policy(NamedTuple):
    """`expires_s`: seconds since the epoch. `size`: least and most bytes of the file, None when it says nothing."""

    expires_s: float
    conditions: tuple[Condition, ...]
    size: tuple[int, int] | None


class Claim(NamedTuple):
    """Whose signature a form bears, not yet believed. `policy`: the field's text, which is what is signed.

    `scope`: date, region, service of version 4, None for version 2. `token`: of a session, "" for none; a condition of
    the policy must speak of it, as of every field.
    """

    access_key: str
    policy: str
    signature: str
    scope: tuple[str, str, str] | None
    token: str = ""


def claim_of(fields: Mapping[str, str]) -> Claim | None:
    """The claim of a form (fields by lower-case name), None for an anonymous one.

    Raises InvalidArgument for one that is incomplete or malformed, InvalidToken for an empty token.
    """
    token = fields.get("x-amz-security-token", "")
    if not token and "x-amz-security-token" in fields:
        raise S3Error("InvalidToken")
    new = not fields.keys().isdisjoint({"x-amz-signature", "x-amz-credential", "x-amz-algorithm"})
    if not new and not token and fields.keys().isdisjoint({"policy", "signature", "awsaccesskeyid"}):
        return None
    policy = _needed(fields, "policy")
    if not policy.isascii():
        raise _invalid("not base64.")
    if not new:
        return Claim(_needed(fields, "AWSAccessKeyId"), policy, _needed(fields, "Signature"), None, token)
    if _needed(fields, "X-Amz-Algorithm") != canonical.ALGORITHM:
        raise _argument("X-Amz-Algorithm", f'X-Amz-Algorithm only supports "{canonical.ALGORITHM}"')
    pieces = _needed(fields, "X-Amz-Credential").rsplit("/", 4)
    if len(pieces) != 5 or not all(pieces) or len(pieces[2]) > REGION_CHARS_MAX or pieces[4] != "aws4_request":
        raise _argument("X-Amz-Credential", "The X-Amz-Credential field is mal-formed.")
    date = _needed(fields, "X-Amz-Date")
    if pieces[3] != "s3" or date[:8] != pieces[1] or not date[:8].isdigit():
        raise _argument("X-Amz-Credential", "The X-Amz-Credential field is of another service or day.")
    return Claim(pieces[0], policy, _needed(fields, "X-Amz-Signature"), (pieces[1], pieces[2], pieces[3]), token)


def verify(claim: Claim, secret: str | None) -> None:
    """Believe the claim or raise InvalidAccessKeyId (`secret` is None), SignatureDoesNotMatch."""
    if secret is None:
        raise S3Error("InvalidAccessKeyId", fields={"AWSAccessKeyId": claim.access_key})
    if claim.scope is None:
        expected = b64encode(digest(secret.encode(), claim.policy.encode(), "sha1")).decode("ascii")
    else:
        expected = canonical.sign(canonical.signing_key(secret, *claim.scope), claim.policy)
    if not compare_digest(expected.encode(), claim.signature.encode()):
        fields = {
            "AWSAccessKeyId": claim.access_key,
            "StringToSign": claim.policy,
            "SignatureProvided": claim.signature,
        }
        raise S3Error("SignatureDoesNotMatch", fields=fields)


def parse(encoded: str) -> Policy:
    """A form's policy field: base64 of JSON, as short as the form's fields are. Raises InvalidPolicyDocument."""
    try:
        document = json.loads(b64decode(encoded, validate=False))
    except (ValueError, RecursionError):
        raise _invalid("Invalid JSON.") from None
    if not isinstance(document, dict) or not document.keys() <= {"expiration", "conditions"}:
        raise _invalid("Unexpected element in the policy.")
    if "expiration" not in document:
        raise _invalid("Policy missing expiration.")
    if not isinstance(document.get("conditions"), list):
        raise _invalid("Policy missing conditions.")
    size: tuple[int, int] | None = None
    conditions: list[Condition] = []
    for each in document["conditions"]:
        if isinstance(each, list) and each and str(each[0]).lower() == _LENGTH:
            size = _narrower(size, _size_range(each))
        else:
            conditions.extend(_conditions(each))
    return Policy(_expiration(document["expiration"]), tuple(conditions), size)


def check(policy: Policy, fields: Mapping[str, str], now_s: float) -> None:
    """All of the form's `fields` (lower-case names, `bucket` among them) are as the policy allows, at this time.

    The file's size is the caller's to compare. Raises AccessDenied.
    """
    if now_s >= policy.expires_s:
        raise S3Error("AccessDenied", "Invalid according to Policy: Policy expired.")
    for condition in policy.conditions:
        if not condition.holds(fields.get(condition.name)):
            raise S3Error("AccessDenied", f"Invalid according to Policy: Policy Condition failed: {condition.shown}")
    spoken_of = {condition.name for condition in policy.conditions} | _EXEMPT
    extra = [name for name in fields if name not in spoken_of and not name.startswith(_FREE)]
    if extra:
        raise S3Error("AccessDenied", f"Invalid according to Policy: Extra input fields: {', '.join(sorted(extra))}")


def _conditions(found: Any) -> list[Condition]:
    if isinstance(found, dict) and found:
        if not all(isinstance(value, str) for value in found.values()):
            raise _invalid("Invalid Simple-Condition: value must be a string.")
        return [Condition("eq", name.lower(), value, _shown("eq", f"${name}", value)) for name, value in found.items()]
    if isinstance(found, list) and len(found) == 3 and all(isinstance(each, str) for each in found):
        operator, name, value = found[0].lower(), found[1], found[2]
        if operator in _OPERATORS and name.startswith("$"):
            return [Condition(operator, name[1:].lower(), value, _shown(operator, name, value))]
    raise _invalid("Invalid Condition.")


def _shown(operator: str, name: str, value: str) -> str:
    return f'["{operator}", "{name}", "{value}"]'


def _size_range(found: list[Any]) -> tuple[int, int]:
    numbers = [each for each in map(_size, found[1:]) if each is not None]
    if len(found) != 3 or len(numbers) != 2 or numbers[0] > numbers[1]:
        raise _invalid("Invalid content-length-range: two numbers of bytes are needed.")
    return numbers[0], numbers[1]


def _size(found: Any) -> int | None:
    if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < 10**_SIZE_DIGITS_MAX:
        return found
    if isinstance(found, str) and found.isascii() and found.isdigit() and len(found) <= _SIZE_DIGITS_MAX:
        return int(found)
    return None


def _narrower(one: tuple[int, int] | None, other: tuple[int, int]) -> tuple[int, int]:
    """Both ranges at once: each of them is a condition."""
    return other if one is None else (max(one[0], other[0]), min(one[1], other[1]))


def _expiration(found: Any) -> float:
    for form in _TIMES:
        try:
            return datetime.strptime(found, form).replace(tzinfo=UTC).timestamp()
        except (ValueError, TypeError):
            continue
    raise _invalid(f"Invalid 'expiration' value: '{str(found)[:64]}'")


def _needed(fields: Mapping[str, str], name: str) -> str:
    value = fields.get(name.lower())
    if not value:
        raise missing(name)
    return value


def missing(name: str) -> S3Error:
    """The answer to a form without a field it must have, before its file."""
    advice = "If it is specified, please check the order of the fields."
    return _argument(name, f"Bucket POST must contain a field named '{name}'.  {advice}")


def _argument(name: str, text: str) -> S3Error:
    return S3Error("InvalidArgument", text, fields={"ArgumentName": name, "ArgumentValue": ""})


def _invalid(text: str) -> S3Error:
    return S3Error("InvalidPolicyDocument", f"Invalid Policy: {text}")
