"""Where the root credentials of a start come from.

Knows the order: settings, development constants, what an earlier start generated, a fresh one. Must not know who uses
them. The only room that makes secrets up.
"""

import json
import os
import secrets
import string
from dataclasses import dataclass, field
from pathlib import Path

from app.adapters.cluster.local import Follower
from app.adapters.cluster.sealing import Sealer, key_named
from app.config import DEV_ACCESS_KEY, DEV_SECRET_KEY, Settings
from app.core.errors import Corrupt, StoreError
from roles import master_keys
from roles.data_dir import DataDir, Refusal, write_durably

ROOT_FILE = "root.sealed"
_ROOT_SEAL = "root credentials"


@dataclass(frozen=True, slots=True)
class RootCredentials:
    """`generated_now`: made by this start, so nobody has seen them yet. `given`: by the settings."""

    access_key: str
    secret_key: str = field(repr=False)
    generated_now: bool = False
    given: bool = False


def given_root(settings: Settings) -> RootCredentials | None:
    """The administrator the settings name; None when they name none."""
    if settings.root_access_key:
        return RootCredentials(settings.root_access_key, settings.root_secret_key, given=True)
    return RootCredentials(DEV_ACCESS_KEY, DEV_SECRET_KEY, given=True) if settings.dev else None


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
        known = RootCredentials(access_key, secret_key)
        if key_named(found) != sealer.key_ids[0]:
            _keep(path, sealer, known)
        return known
    fresh = RootCredentials(new_access_key(), new_secret_key(), generated_now=True)
    _keep(path, sealer, fresh)
    return fresh


def reseal_root(directory: DataDir, sealer: Sealer) -> None:
    """Have generated root credentials sealed under the first master key, where they are kept. Raises Corrupt,
    OSError."""
    path = directory.secrets / ROOT_FILE
    found = _read(path)
    if found is not None and key_named(found) != sealer.key_ids[0]:
        write_durably(path, sealer.seal(_ROOT_SEAL, sealer.unseal(_ROOT_SEAL, found)))


def _keep(path: Path, sealer: Sealer, root: RootCredentials) -> None:
    write_durably(path, sealer.seal(_ROOT_SEAL, json.dumps([root.access_key, root.secret_key])))


def installed_root(settings: Settings, directory: DataDir) -> RootCredentials:
    """The administrator of the server that last used this data directory, from its control state. Raises Refusal."""
    if not directory.cluster.exists():
        raise Refusal(
            f"no credentials, and no server's data in {directory.root}: name it with --data-dir, or give "
            "ZAPFS_ACCESS_KEY and ZAPFS_SECRET_KEY, ZAPFS_TOKEN, or a --profile"
        )
    keys = master_keys.of(settings, directory, create=False)
    sealer = Sealer(keys[0], os.urandom, keys[1:])
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
