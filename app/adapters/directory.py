"""A directory over LDAP (ldap3): whether a password is somebody's, and in which groups they are.

Knows LDAP: search for the person as the service, bind as the person, search for the groups. Must not know roles. What a
caller typed goes into a filter escaped, and never to a bind without a password, which directories take for a bind as
nobody. Passwords are in no message. Sources: RFC 4511, 4513 section 5.1.2, 4515.
"""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import ldap3
from ldap3.core.exceptions import LDAPException
from ldap3.utils.conv import escape_filter_chars

from app.core import limits
from app.core.errors import Unavailable
from app.ports.federation import Person

_USER: Final = "{user}"
_DN: Final = "{dn}"


@dataclass(frozen=True, slots=True)
class DirectoryPlace:
    """`url`: ldap:// or ldaps://HOST:PORT. `starttls`: before anything is said. `bind_dn`, `bind_password`: as whom is
    searched. Filters have {user} for what was typed, and {dn} for the person's entry; "" for no groups."""

    url: str
    bind_dn: str
    bind_password: str = field(repr=False)
    user_base: str
    user_filter: str = f"(uid={_USER})"
    group_base: str = ""
    group_filter: str = f"(member={_DN})"
    starttls: bool = True


class LdapDirectory:
    """Directories. A connection lives for one login; there are LDAP_AT_ONCE_MAX at most."""

    def __init__(self, place: DirectoryPlace) -> None:
        self._place = place
        self._places = threading.BoundedSemaphore(limits.LDAP_AT_ONCE_MAX)
        parts = urlsplit(place.url)
        secure = parts.scheme == "ldaps"
        tls = ldap3.Tls(validate=ssl.CERT_REQUIRED) if secure or place.starttls else None
        port = parts.port or (636 if secure else 389)
        seconds = limits.LDAP_SECONDS_MAX
        self._server = ldap3.Server(
            parts.hostname or "", port, use_ssl=secure, tls=tls, get_info=ldap3.NONE, connect_timeout=seconds
        )
        self._starttls = place.starttls and not secure

    def person(self, username: str, password: str) -> Person | None:
        """See Directories."""
        if not username or not password:
            return None
        if not self._places.acquire(blocking=False):
            raise Unavailable("too many logins at the directory")
        try:
            return self._found(username, password)
        except LDAPException as error:
            raise Unavailable(f"the directory: {type(error).__name__}") from None
        finally:
            self._places.release()

    def _found(self, username: str, password: str) -> Person | None:
        place = self._place
        with self._connected(place.bind_dn, place.bind_password) as searching:
            if not searching.bind():
                raise Unavailable("the directory does not take the service's own name and password")
            dns = _search(
                searching, place.user_base, place.user_filter.replace(_USER, escape_filter_chars(username)), 2
            )
            if len(dns) != 1:
                return None
            dn = dns[0]
            with self._connected(dn, password) as binding:
                if not binding.bind():
                    return None
            groups: tuple[str, ...] = ()
            if place.group_base:
                wanted = place.group_filter.replace(_DN, escape_filter_chars(dn))
                wanted = wanted.replace(_USER, escape_filter_chars(username))
                groups = _search(searching, place.group_base, wanted, limits.LDAP_GROUPS_MAX)
        return Person(dn, groups)

    @contextmanager
    def _connected(self, dn: str, password: str) -> Iterator[ldap3.Connection]:
        connection = ldap3.Connection(
            self._server,
            dn or None,
            password or None,
            authentication=ldap3.SIMPLE if dn else ldap3.ANONYMOUS,
            auto_referrals=False,
            receive_timeout=limits.LDAP_SECONDS_MAX,
            read_only=True,
        )
        try:
            connection.open()
            if self._starttls and not connection.start_tls(read_server_info=False):
                raise Unavailable("the directory does not speak TLS")
            yield connection
        finally:
            connection.unbind()


def _search(connection: ldap3.Connection, base: str, wanted: str, most: int) -> tuple[str, ...]:
    """DNs of the entries found, `most` at most."""
    connection.search(base, wanted, ldap3.SUBTREE, attributes=ldap3.NO_ATTRIBUTES, size_limit=most)
    return tuple(entry["dn"] for entry in connection.response or () if entry.get("type") == "searchResEntry")
