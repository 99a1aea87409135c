"""Whom a statement speaks of: the element Principal or NotPrincipal, read and matched.

Knows the forms of principals and how nearly one is named. Must not know which accounts or users exist.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

import re
from collections.abc import Iterable
from enum import IntEnum
from typing import Final

from app.core.policy.principal import Principal

_ACCOUNT: Final = re.compile(r"[0-9]{12}", re.ASCII)
_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:(?:iam::[0-9]{12}:(?:user|role)/[\x21-\x7e]{1,576}|sts::[0-9]{12}:(?:assumed-role|federated-user)/[\x21-\x7e]{1,576})",
    re.ASCII,
)
_ARN_OF_ACCOUNT: Final = re.compile(r"arn:aws[a-z-]*:iam::([0-9]{12}|[A-Za-z][A-Za-z0-9_-]{0,63}):root", re.ASCII)
"""Accounts go by their ids; other stores' policies, brought here, may call one by a name, which nobody here has."""
_CANONICAL: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SERVICE: Final = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+", re.ASCII)
_FEDERATED_CHARS_MAX: Final = 2_048


class Named(IntEnum):
    """How nearly a statement names who calls.

    NOT: not at all. ACCOUNT: the account, which gives it the say over its users. ROLE: the role whose session calls.
    SELF: the caller itself, or everybody, which no boundary and no session policy narrows.
    """

    NOT = 0
    ACCOUNT = 1
    ROLE = 2
    SELF = 3


class Audience:
    """The principals of one statement."""

    __slots__ = ("_accounts", "_arns", "_canonical", "_federations", "_services", "everybody")

    def __init__(self, named: Iterable[tuple[str, str]]) -> None:
        """`named`: (AWS, CanonicalUser, Federated or Service; text). Raises ValueError for one that cannot be."""
        self.everybody = False
        self._accounts: set[str] = set()
        self._arns: set[str] = set()
        self._canonical: set[str] = set()
        self._services: set[str] = set()
        self._federations: set[str] = set()
        for kind, text in named:
            self._add(kind, text)

    def _add(self, kind: str, text: str) -> None:
        if text == "*" and kind in ("AWS", "*"):
            self.everybody = True
        elif kind == "AWS" and _ACCOUNT.fullmatch(text):
            self._accounts.add(text)
        elif kind == "AWS" and (account := _ARN_OF_ACCOUNT.fullmatch(text)):
            self._accounts.add(account[1])
        elif kind == "AWS" and _ARN.fullmatch(text) and "*" not in text and "?" not in text:
            self._arns.add(text)
        elif kind == "CanonicalUser" and _CANONICAL.fullmatch(text):
            self._canonical.add(text)
        elif kind == "Service" and _SERVICE.fullmatch(text):
            self._services.add(text)
        elif kind == "Federated" and 1 <= len(text) <= _FEDERATED_CHARS_MAX:
            self._federations.add(text)
        else:
            raise ValueError("no such principal")

    def names(self, principal: Principal, canonical_id: str) -> Named:
        """How nearly it names the caller, whose account's canonical id is `canonical_id` ("" for nobody)."""
        if principal.kind == "web-identity":
            # Of other issuers' tokens a policy speaks by the issuer's name only: "*" would mean strangers' issuers too.
            return Named.SELF if principal.name in self._federations else Named.NOT
        if self.everybody:
            return Named.SELF
        if principal.kind == "service":
            return Named.SELF if principal.name in self._services else Named.NOT
        if not principal.account_id:
            return Named.NOT
        if principal.arn in self._arns:
            return Named.SELF
        if principal.role_arn and principal.role_arn in self._arns:
            return Named.ROLE
        if principal.account_id in self._accounts or (canonical_id and canonical_id in self._canonical):
            return Named.SELF if principal.kind == "root" else Named.ACCOUNT
        return Named.NOT
