"""Where the master key and the root credentials of a start come from.

Knows the order: settings, development constants, what an earlier start generated, a fresh one. Must not know who uses
them. The only room that makes secrets up.
"""

import base64
import json
import os
import secrets
import string
from dataclasses import dataclass, field
from pathlib import Path

from app.adapters.cluster.local import Follower
from app.adapters.cluster.sealing import Sealer
from app.config import DEV_ACCESS_KEY, DEV_SECRET_KEY, Settings
from app.core.errors import Corrupt, StoreError
from roles.data_dir import DataDir, Refusal, write_durably

MASTER_KEY_FILE = "master.key"
ROOT_FILE = "root.sealed"
_ROOT_SEAL = "root credentials"


@dataclass(frozen=True, slots=True)
class RootCredentials:
    """`generated_now`: made by this start, so nobody has seen them yet."""

    access_key: str
    secret_key: str = field(repr=False)
    generated_now: bool = False


def master_key(settings: Settings, directory: DataDir, *, create: bool) -> bytes:
    """32 bytes: the setting, else the file in the data directory, made at first need. Raises Refusal."""
    if settings.iam_master_key:
        return settings.iam_master_key
    path = directory.secrets / MASTER_KEY_FILE
    found = _read(path)
    if found is not None:
        key = base64.b64decode(found)
        if len(key) != 32:
            raise Refusal(f"{path} does not hold a master key of 32 bytes in base64")
        return key
    sealed = directory.secrets / ROOT_FILE
    if not create or sealed.exists():
        raise Refusal(f"{path} is gone; without it the stored secrets do not open: restore it, or set iam_master_key")
    key = os.urandom(32)
    write_durably(path, base64.b64encode(key) + b"\n")
    return key


def given_root(settings: Settings) -> RootCredentials | None:
    """The administrator the settings name; None when they name none."""
    if settings.root_access_key:
        return RootCredentials(settings.root_access_key, settings.root_secret_key)
    return RootCredentials(DEV_ACCESS_KEY, DEV_SECRET_KEY) if settings.dev else None


def root_credentials(settings: Settings, directory: DataDir, sealer: Sealer) -> RootCredentials:
    """The administrator of this start of the server. Raises Refusal when generated ones do not open."""
    given = given_root(settings)
    if given is not None:
        return given
    path = directory.secrets / ROOT_FILE
    found = _read(path)
    if found is not None:
        try:
            access_key, secret_key = json.loads(sealer.unseal(_ROOT_SEAL, found))
        except Corrupt as error:
            raise Refusal(f"{path}: {error}") from error
        return RootCredentials(access_key, secret_key)
    fresh = RootCredentials(new_access_key(), new_secret_key(), generated_now=True)
    write_durably(path, sealer.seal(_ROOT_SEAL, json.dumps([fresh.access_key, fresh.secret_key])))
    return fresh


def installed_root(settings: Settings, directory: DataDir) -> RootCredentials:
    """The administrator of the server that last used this data directory, from its control state. Raises Refusal."""
    if not directory.cluster.exists():
        raise Refusal(
            "no root credentials: set ZAPFS_ROOT_ACCESS_KEY and ZAPFS_ROOT_SECRET_KEY, or name the server's --data-dir"
        )
    sealer = Sealer(master_key(settings, directory, create=False), os.urandom)
    try:
        accounts = Follower(directory.cluster).state().accounts.values()
        key = next(key for account in accounts if account.root for key in account.keys if key.active)
        return RootCredentials(key.access_key, sealer.unseal(key.access_key, key.sealed_secret))
    except (StoreError, StopIteration) as error:
        raise Refusal(f"the root credentials in {directory.root} cannot be read: {error}") from error


def new_access_key() -> str:
    """20 characters, of AWS's shape."""
    return "AKIA" + "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(16))


def new_secret_key() -> str:
    """40 characters, 240 random bits."""
    return secrets.token_urlsafe(30)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refusal(f"{path}: {error.strerror}") from error
