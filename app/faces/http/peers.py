"""Whose address a request came from, and whether the way was secure: the socket's word, or a trusted proxy's.

Knows X-Forwarded-For and X-Forwarded-Proto, which are believed from the proxies the operator named and from nobody
else: a policy's aws:SourceIp and aws:SecureTransport stand on it.
Source: https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/X-Forwarded-For
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from app.core import limits
from app.faces.http.wire import Request

_Address = IPv4Address | IPv6Address


class Peers:
    """`trusted`: networks of proxies, as CIDRs."""

    def __init__(self, trusted: Sequence[str] = ()) -> None:
        self._trusted: Sequence[IPv4Network | IPv6Network] = [ip_network(network) for network in trusted]

    def origin(self, request: Request) -> tuple[str, bool]:
        """(the client's address, whether it came by TLS). Of the addresses proxies added, the last that is none of
        ours is the client's; what stands before it was written by the client."""
        if not self._trusted or not self._is_ours(_address(request.remote)):
            return request.remote, False
        client = request.remote
        passed = request.headers.get("x-forwarded-for", "").split(",")[-limits.PROXIES_MAX :]
        for text in reversed(passed):
            address = _address(text.strip())
            if address is None:
                break
            client = str(address)
            if not self._is_ours(address):
                break
        secure = request.headers.get("x-forwarded-proto", "").rpartition(",")[2].strip().lower() == "https"
        return client, secure

    def _is_ours(self, address: _Address | None) -> bool:
        return address is not None and any(address in network for network in self._trusted)


def _address(text: str) -> _Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


NO_PROXY: Final = Peers()
