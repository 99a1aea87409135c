"""Whom `zapfs admin` asks, and as whom: options, profiles, the environment, and the data directory last.

Knows where credentials lie and which of them wins. Must not know how a request is signed.
"""

import argparse
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from app.cli.admin_client import AdminClient, Identity
from app.config import Settings
from app.config_values import Bind
from roles import credentials
from roles.data_dir import DataDir, Refusal

PROFILES_VARIABLE: Final = "ZAPFS_PROFILES"
PROFILE_VARIABLE: Final = "ZAPFS_PROFILE"
ENDPOINT_VARIABLE: Final = "ZAPFS_ENDPOINT"
_PROFILES: Final = Path("~/.config/zapfs/profiles.toml")
_FIELDS: Final = ("access_key", "secret_key", "session_token", "token")
_OTHERS: Final = 0o077


class _Profile(NamedTuple):
    """One table of the profiles' file; "" for what it does not say."""

    endpoint: str
    identity: Identity


def client(given: argparse.Namespace, settings: Settings) -> AdminClient:
    """Of the face and in the name that were given. Raises Refusal where there are no credentials or a profile is not to
    be used, OSError for files that cannot be read."""
    name = given.profile or os.environ.get(PROFILE_VARIABLE, "")
    profile = _profile(name) if name else _Profile("", Identity())
    endpoint = given.endpoint or profile.endpoint or os.environ.get(ENDPOINT_VARIABLE) or _own(settings)
    return AdminClient(endpoint, _named(profile.identity) or _from_environment() or _root(settings), settings.region)


def _named(identity: Identity) -> Identity | None:
    return identity if identity.access_key or identity.token else None


def _from_environment() -> Identity | None:
    """ZAPFS_TOKEN, or ZAPFS_ACCESS_KEY and ZAPFS_SECRET_KEY with ZAPFS_SESSION_TOKEN. Raises Refusal for half a key."""
    given = Identity(**{name: os.environ.get(f"ZAPFS_{name.upper()}", "") for name in _FIELDS})
    if not given.token and bool(given.access_key) != bool(given.secret_key):
        raise Refusal("ZAPFS_ACCESS_KEY and ZAPFS_SECRET_KEY go together")
    return _named(given)


def _root(settings: Settings) -> Identity:
    """The administrator of this machine's own server. Raises Refusal."""
    root = credentials.given_root(settings) or credentials.installed_root(settings, DataDir(settings.data_dir))
    return Identity(root.access_key, root.secret_key)


def _own(settings: Settings) -> str:
    """The face of this machine's own server."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.admin_bind.host, settings.admin_bind.host)  # noqa: S104
    return f"http://{Bind(host, settings.admin_bind.port)}"


def _profile(name: str) -> _Profile:
    """Raises Refusal for one that is not there, or that others of the machine may read."""
    path = Path(os.environ.get(PROFILES_VARIABLE) or _PROFILES.expanduser())
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & _OTHERS:
                raise Refusal(f"{path} may be read by others of this machine: chmod 600 it")
            found = tomllib.load(file)
    except FileNotFoundError as error:
        raise Refusal(f"there is no file {path} with profiles") from error
    except ValueError as error:
        raise Refusal(f"{path} is no TOML: {error}") from error
    return _checked(f"{path}: profile {name}", found.get(name))


def _checked(where: str, table: object) -> _Profile:
    if not isinstance(table, Mapping):
        raise Refusal(f"{where} is not there")
    for name, value in table.items():
        if name not in ("endpoint", *_FIELDS) or not isinstance(value, str):
            raise Refusal(f"{where}: {name} is nothing a profile has, or no text")
    if ("access_key" in table) != ("secret_key" in table):
        raise Refusal(f"{where}: access_key and secret_key go together")
    return _Profile(table.get("endpoint", ""), Identity(**{name: table.get(name, "") for name in _FIELDS}))
