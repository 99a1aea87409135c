"""Numbers, dates, booleans, bytes and addresses of policies: each maker takes a policy's text and gives a test.

Knows how such texts are written. A maker raises ValueError for a text of the policy that cannot be compared; a value of
the request's that cannot be compared equals nothing.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

import operator
import re
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from app.core import limits

Test = Callable[[str], bool]
Compare = Callable[[float, float], bool]

_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?", re.ASCII)
_EPOCH: Final = re.compile(r"-?[0-9]{1,13}(\.[0-9]{1,9})?", re.ASCII)


def number(text: str) -> float:
    """A decimal number. Raises ValueError."""
    if not _NUMBER.fullmatch(text):
        raise ValueError("not a number")
    return float(text) if "." in text else int(text)


@lru_cache(limits.TIMESTAMPS_KEPT_MAX)
def seconds(text: str) -> float:
    """A date of ISO 8601 (no offset means UTC) or seconds since the epoch, as seconds. Raises ValueError."""
    if _EPOCH.fullmatch(text) and len(text) != len("2026"):
        return float(text)
    try:
        moment = datetime.fromisoformat(f"{text}-01-01" if len(text) == len("2026") else text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except OverflowError:
        raise ValueError("a date beyond the calendar") from None


def _comparing(read: Callable[[str], float], compare: Compare) -> Callable[[str], Test]:
    def make(wanted_text: str) -> Test:
        wanted = read(wanted_text)

        def test(value: str) -> bool:
            try:
                return compare(read(value), wanted)
            except ValueError:
                return False

        return test

    return make


numeric_equals: Final = _comparing(number, operator.eq)
numeric_less: Final = _comparing(number, operator.lt)
numeric_at_most: Final = _comparing(number, operator.le)
numeric_greater: Final = _comparing(number, operator.gt)
numeric_at_least: Final = _comparing(number, operator.ge)
date_equals: Final = _comparing(seconds, operator.eq)
date_less: Final = _comparing(seconds, operator.lt)
date_at_most: Final = _comparing(seconds, operator.le)
date_greater: Final = _comparing(seconds, operator.gt)
date_at_least: Final = _comparing(seconds, operator.ge)


def boolean(text: str) -> Test:
    """True or false, in any case."""
    wanted = text.lower()
    if wanted not in ("true", "false"):
        raise ValueError("not a boolean")
    return lambda value: value.lower() == wanted


def binary(text: str) -> Test:
    """Bytes in base64."""
    wanted = b64decode(text, validate=True)

    def test(value: str) -> bool:
        try:
            return b64decode(value, validate=True) == wanted
        except ValueError:
            return False

    return test


def network(text: str) -> IPv4Network | IPv6Network:
    """An address or a CIDR block. Raises ValueError."""
    return ip_network(text, strict=False)


@lru_cache(limits.CALLERS_KEPT_MAX)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    # A socket that listens on both families shows IPv4 peers as ::ffff:a.b.c.d.
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def address(text: str) -> Test:
    """An address within a block, of either family."""
    block = network(text)

    def test(value: str) -> bool:
        found = _address(value)
        return found is not None and found in block

    return test
