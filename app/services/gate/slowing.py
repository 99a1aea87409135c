"""Slowing down who guesses: after some failures, each further one makes the next try wait twice as long.

Knows addresses, access keys and the time it is told. Must not know wires. Failures count by address, and by address and
access key; never by access key alone, with which strangers could lock its holder out from wherever they are. For the
same reason a key that was believed from an address waits for its own failures only, not for its neighbours'.
"""

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final, NamedTuple

from app.core.errors import S3Error
from app.core.limits import (
    ADMIN_ADDRESSES_MAX,
    ADMIN_FAILURES_FREE,
    ADMIN_FAILURES_KEPT_SECONDS,
    ADMIN_KEY_CHARS_COUNTED,
    ADMIN_WAIT_SECONDS_MAX,
)

_EVERY_KEY: Final = ""
_DOUBLINGS_MAX: Final = 16  # far beyond the longest wait


class TooManyFailures(S3Error):
    """Nobody is asked who this is before the seconds of Retry-After are over."""

    def __init__(self, retry_after_s: int) -> None:
        message = "Too many wrong credentials came from this address: wait before the next try."
        super().__init__("SlowDown", message, headers={"Retry-After": str(retry_after_s)})
        self.status = 429


class _Failures(NamedTuple):
    tries: int
    last_ms: int

    def free_at_ms(self) -> int:
        """When the next try is heard."""
        over = min(self.tries - ADMIN_FAILURES_FREE - 1, _DOUBLINGS_MAX)
        return 0 if over < 0 else self.last_ms + 1000 * min(ADMIN_WAIT_SECONDS_MAX, 1 << over)


class Slowing:
    """One per process. At most ADMIN_ADDRESSES_MAX pairs of address and key are remembered, those that failed last."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._failed: OrderedDict[tuple[str, str], _Failures] = OrderedDict()
        self._believed: OrderedDict[tuple[str, str], int] = OrderedDict()

    def check(self, address: str, access_key: str) -> None:
        """Raises TooManyFailures while this address, or this key from it, has to wait."""
        now_ms, near = self._now_ms(), _near(address)
        pair = (near, access_key[:ADMIN_KEY_CHARS_COUNTED])
        counted = [pair] if self._trusted(pair, now_ms) else [pair, (near, _EVERY_KEY)]
        left_ms = max(self._of(one, now_ms).free_at_ms() for one in counted) - now_ms
        if left_ms > 0:
            raise TooManyFailures(-(-left_ms // 1000))

    def failed(self, address: str, access_key: str) -> None:
        """Somebody was not believed."""
        now_ms, near = self._now_ms(), _near(address)
        # The address last: who tries many keys does not push their own count out.
        for one in dict.fromkeys([(near, access_key[:ADMIN_KEY_CHARS_COUNTED]), (near, _EVERY_KEY)]):
            self._failed[one] = _Failures(self._of(one, now_ms).tries + 1, now_ms)
            self._failed.move_to_end(one)
        while len(self._failed) > ADMIN_ADDRESSES_MAX:
            self._failed.popitem(last=False)

    def believed(self, address: str, access_key: str) -> None:
        """Somebody was. Their key is forgiven; their address is not, or who has one key could guess others."""
        pair = (_near(address), access_key[:ADMIN_KEY_CHARS_COUNTED])
        self._failed.pop(pair, None)
        self._believed[pair] = self._now_ms()
        self._believed.move_to_end(pair)
        while len(self._believed) > ADMIN_ADDRESSES_MAX:
            self._believed.popitem(last=False)

    def _of(self, one: tuple[str, str], now_ms: int) -> _Failures:
        found = self._failed.get(one)
        if found is None or now_ms - found.last_ms > ADMIN_FAILURES_KEPT_SECONDS * 1000:
            return _Failures(0, 0)
        return found

    def _trusted(self, pair: tuple[str, str], now_ms: int) -> bool:
        last_ms = self._believed.get(pair)
        return last_ms is not None and now_ms - last_ms <= ADMIN_FAILURES_KEPT_SECONDS * 1000


def _near(address: str) -> str:
    """An address as one guesser has it: of IPv6 a customer has a /64 at least (RFC 6177)."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    return str(parsed.ipv4_mapped or ip_network((parsed, 64), strict=False))
