"""What is asked of those who know people by other names: issuers of web identities (OIDC), and a directory (LDAP).

Knows promises only. Neither grants anything: what somebody may do is said by a role's trust policy.
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol


class IdentityRefused(Exception):
    """Another issuer's token is not believed. `code`: InvalidIdentityToken, ExpiredTokenException or
    IDPCommunicationError, as STS names them; the message bears nothing of the token."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class WebIdentities(Protocol):
    """Tokens of OIDC issuers."""

    def issuer_of(self, token: str) -> str:
        """The issuer a token names, with its scheme; nothing of it is believed yet. IdentityRefused for no token."""

    def claims(self, token: str, issuer: str, audiences: tuple[str, ...]) -> Mapping[str, object]:
        """What the issuer says of who bears the token: signature, issuer, audience (azp before aud; one of
        `audiences`), and times are right. Asks the issuer for its keys when it does not know them: may take seconds.
        Raises IdentityRefused."""


class Person(NamedTuple):
    """Somebody the directory knows. `dn`: of the entry, `groups`: of the groups it is in, as the directory spells
    them."""

    dn: str
    groups: tuple[str, ...]


class Directories(Protocol):
    """A directory that knows people's passwords."""

    def person(self, username: str, password: str) -> Person | None:
        """Who that is; None when there is no such person, or several, or the password is not theirs. Raises Unavailable
        when the directory does not answer."""
