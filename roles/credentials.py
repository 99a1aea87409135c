"""Where the master key and the root credentials of a start come from.

Knows the order: settings, development constants, what an earlier start generated, a fresh one. Must not know who uses
them. The only room that makes secrets up.
"""

import base64
import json
import os
import secrets
import string
from dataclasses import dataclass
from pathlib import Path

from app.adapters.cluster.sealing import Sealer
from app.config import DEV_ACCESS_KEY, DEV_SECRET_KEY, Settings
from app.core.errors import Corrupt
from roles.data_dir import DataDir, Refusal, write_durably

MASTER_KEY_FILE = "master.key"
ROOT_FILE = "root.sealed"
_ROOT_SEAL = "root credentials"


@dataclass(frozen=True, slots=True)
class RootCredentials:
    """`generated_now`: made by this start, so nobody has seen them yet."""

    access_key: str
    secret_key: str
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


def root_credentials(settings: Settings, directory: DataDir, sealer: Sealer, *, create: bool) -> RootCredentials:
    """The administrator of this start. Raises Refusal when generated ones do not open or are not there to read."""
    if settings.root_access_key:
        return RootCredentials(settings.root_access_key, settings.root_secret_key)
    if settings.dev:
        return RootCredentials(DEV_ACCESS_KEY, DEV_SECRET_KEY)
    path = directory.secrets / ROOT_FILE
    found = _read(path)
    if found is not None:
        try:
            access_key, secret_key = json.loads(sealer.unseal(_ROOT_SEAL, found))
        except Corrupt as error:
            raise Refusal(f"{path}: {error}") from error
        return RootCredentials(access_key, secret_key)
    if not create:
        raise Refusal("no root credentials: give them, or start the server once to have them generated")
    fresh = RootCredentials(new_access_key(), new_secret_key(), generated_now=True)
    write_durably(path, sealer.seal(_ROOT_SEAL, json.dumps([fresh.access_key, fresh.secret_key])))
    return fresh


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
