"""One GET of a small document from a host somebody else chose.

Knows HTTP's client side and addresses. Must not know what is fetched. Bounded in size and time; no redirects, no
proxies, no credentials. The address that was judged is the one connected to, so that a name cannot change its mind.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
from contextlib import suppress
from urllib.parse import urlsplit

from app.core.errors import Unavailable
from app.core.limits import OIDC_DOCUMENT_BYTES_MAX, OIDC_SECONDS_MAX

_PIECE_BYTES = 16_384


class Getter:
    """`own_machine`: addresses of this machine may be asked too, and without TLS: development only."""

    def __init__(self, *, own_machine: bool = False) -> None:
        self._own_machine = own_machine

    def get(self, url: str) -> bytes:
        """The body of a 200. Raises Unavailable for everything else."""
        try:
            parts = urlsplit(url)
            if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.fragment:
                raise Unavailable("not a URL to fetch")
            secure = parts.scheme == "https"
            connection = http.client.HTTPConnection(parts.hostname, parts.port or (443 if secure else 80))
            ends: threading.Timer | None = None
            try:
                connection.sock = self._connected(parts.hostname, connection.port, secure)
                # A timeout is of one read each: who sends a byte a second is cut off by this.
                ends = threading.Timer(OIDC_SECONDS_MAX, _cut_off, [connection.sock])
                ends.daemon = True
                ends.start()
                path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                headers = {"Accept": "application/json", "User-Agent": "ZapFS", "Connection": "close"}
                connection.request("GET", path, headers=headers)
                return self._body(connection.getresponse())
            finally:
                if ends is not None:
                    ends.cancel()
                connection.close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unavailable(f"{type(error).__name__} from an issuer") from None

    def _connected(self, host: str, port: int, secure: bool) -> socket.socket:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        address = next((one[4][0] for one in found if self._may_ask(str(one[4][0]), secure)), None)
        if address is None:
            raise Unavailable("an address that is not asked")
        plain = socket.create_connection((str(address), port), timeout=OIDC_SECONDS_MAX)
        if not secure:
            return plain
        try:
            return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
        except OSError:
            plain.close()
            raise

    def _may_ask(self, text: str, secure: bool) -> bool:
        address = ipaddress.ip_address(text.partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        address = mapped or address
        if address.is_loopback:
            return self._own_machine
        # An operator's issuer often has a private address; that of a machine's own services never is one.
        return secure and not (address.is_link_local or address.is_multicast or address.is_unspecified)

    def _body(self, answer: http.client.HTTPResponse) -> bytes:
        if answer.status != 200:
            raise Unavailable(f"the issuer answered {answer.status}")
        body = b""
        while piece := answer.read1(_PIECE_BYTES):
            body += piece
            if len(body) > OIDC_DOCUMENT_BYTES_MAX:
                raise Unavailable("the issuer's answer is too long")
        return body


def _cut_off(connected: socket.socket) -> None:
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)
