"""How administration's use cases submit commands, and how they are refused.

Knows outcomes and AWS's names for them. Must not know wires; the status of a refusal is AWS's.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from app.core.cluster import Command
from app.ports.cluster import Cluster
from app.services.call import Sources

_STATUS: Final = {
    "NoSuchEntity": 404,
    "NotFoundException": 404,
    "InvalidInput": 400,
    "MalformedPolicyDocument": 400,
    "KMSInvalidStateException": 400,
    "ValidationError": 400,
    "PackedPolicyTooLarge": 400,
    "InvalidIdentityToken": 400,
    "ExpiredTokenException": 400,
    "IDPCommunicationError": 400,
    "InvalidAction": 400,
    "InvalidAuthorizationMessageException": 400,
}
_OTHER_STATUS: Final = 409


class CommandRefused(Exception):
    """An administrator asked for what cannot be. `code`: AWS's name; `status`: of HTTP."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = _STATUS.get(code, _OTHER_STATUS)


@dataclass(frozen=True, slots=True)
class Identities:
    """Where generated identities come from. `random(n)` gives n unpredictable bytes."""

    access_key: Callable[[], str]
    secret_key: Callable[[], str]
    random: Callable[[int], bytes]


class Desk:
    """Where commands are handed in: the cluster, time, ids and randomness in one place."""

    def __init__(self, cluster: Cluster, sources: Sources, identities: Identities) -> None:
        self.cluster = cluster
        self.now_ms = sources.now_ms
        self.identities = identities
        self._new_id = sources.new_id

    def submit(self, make: Callable[[str], Command]) -> None:
        """Submit the command `make` builds for a fresh id; durable on return, effective in every worker within a
        second. Raises CommandRefused, Unavailable, Full."""
        outcome = self.cluster.submit(make(self._new_id().hex()))
        if outcome.error:
            raise CommandRefused(outcome.error, outcome.message)

    def unique_id(self, prefix: str) -> str:
        """A prefix of IAM's and 17 random letters and digits (85 bits)."""
        return prefix + "".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[byte % 32] for byte in self.identities.random(17))


@dataclass(frozen=True, slots=True)
class Rule:
    """What a chosen value must look like, and how that is told."""

    pattern: re.Pattern[str]
    text: str

    def check(self, name: str, value: str) -> str:
        """The value. Raises CommandRefused InvalidInput."""
        if not self.pattern.fullmatch(value):
            raise CommandRefused("InvalidInput", f"{name} must be {self.text}")
        return value


def rules(**texts: tuple[str, str]) -> Mapping[str, Rule]:
    """Field -> rule, from (pattern, words)."""
    return {name: Rule(re.compile(pattern), text) for name, (pattern, text) in texts.items()}
