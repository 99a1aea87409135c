"""The settings of a directory: their forms, and what is wrong about them together.

Knows texts only. Must not know how a directory is asked (app/adapters/directory).
"""

import ipaddress
import re
from typing import Final, Protocol
from urllib.parse import urlsplit

TLS: Final = ("starttls", "ldaps", "none")


class _Told(Protocol):
    @property
    def dev(self) -> bool: ...
    @property
    def ldap_url(self) -> str: ...
    @property
    def ldap_tls(self) -> str: ...
    @property
    def ldap_bind_dn(self) -> str: ...
    @property
    def ldap_bind_password(self) -> str: ...
    @property
    def ldap_user_base(self) -> str: ...
    @property
    def ldap_user_filter(self) -> str: ...
    @property
    def ldap_role_of(self) -> tuple[str, ...]: ...


def url(value: object) -> str:
    """Where a directory is."""
    if not isinstance(value, str) or not re.fullmatch(r"ldaps?://[A-Za-z0-9.:\[\]-]{1,260}", value):
        raise ValueError("must be ldap://HOST:PORT or ldaps://HOST:PORT")
    if not urlsplit(value).hostname:
        raise ValueError("must name a host")
    return value


def roles(value: object) -> tuple[str, ...]:
    """Entries of the directory and the roles they are given; one text has semicolons between them."""
    items = value.split(";") if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise ValueError("must be a list of DN ROLE_ARN")
    found = tuple(" ".join(item.split()) for item in items if item.strip())
    if not all(re.fullmatch(r"[^=]+=.+ arn:aws:iam::[0-9]{12}:role/\S+", one) for one in found):
        raise ValueError("holds something that is not DN ROLE_ARN")
    return found


def mistakes(told: _Told) -> list[str]:
    """What is wrong about them together."""
    if not told.ldap_url:
        return ["ldap_role_of: there is no ldap_url"] if told.ldap_role_of else []
    found = []
    parts = urlsplit(told.ldap_url)
    if (parts.scheme == "ldaps") is not (told.ldap_tls == "ldaps"):
        found.append(f"ldap_url and ldap_tls: {parts.scheme}:// is not {told.ldap_tls}")
    if told.ldap_tls == "none" and not told.dev and not _is_loopback(parts.hostname or ""):
        found.append("ldap_tls: passwords cross no network in the clear; none is for loopback and --dev")
    if not told.ldap_user_base:
        found.append("ldap_user_base: needed, people are looked for below it")
    if "{user}" not in told.ldap_user_filter:
        found.append("ldap_user_filter: must have {user} in it")
    if bool(told.ldap_bind_dn) is not bool(told.ldap_bind_password):
        found.append("ldap_bind_dn and ldap_bind_password: give both or neither")
    if not told.ldap_role_of:
        found.append("ldap_role_of: nobody of the directory is given a role")
    return found


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
