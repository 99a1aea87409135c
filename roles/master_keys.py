"""Where the master keys come from, and how a process follows the file they are in.

Knows the order: the setting (also systemd's credential), the file a setting names, the file in the data directory, made
at first need. Must not know what is sealed. A file has one key a line: the first seals, each opens; a process that
follows it takes a changed one over while it serves, which is how a master key is replaced without a pause
(docs/design/control-backup.md).
"""

import base64
import binascii
import os
from collections.abc import Sequence
from pathlib import Path

from app.adapters.cluster.sealing import Sealer
from app.config import Settings
from app.config_secrets import content_of
from app.core.errors import Unavailable
from app.core.limits import MASTER_KEYS_LOOK_SECONDS, MASTER_KEYS_MAX
from roles.data_dir import DataDir, Refusal, write_durably
from roles.running import Running

MASTER_KEY_FILE = "master.key"


def of(settings: Settings, directory: DataDir, *, create: bool) -> tuple[bytes, ...]:
    """The keys of this start, 32 bytes each, the one that seals first. `create`: make one up where there is none; a
    cluster's nodes are given theirs. Raises Refusal."""
    if settings.iam_master_key:
        return _unique((settings.iam_master_key, *settings.iam_master_keys_more))
    path = file_of(settings, directory)
    try:
        return _unique((*_read(path), *settings.iam_master_keys_more))
    except FileNotFoundError:
        if path == settings.iam_master_key_file:
            raise Refusal(f"iam_master_key_file: {path} is not there") from None
        if not create:
            raise Refusal(
                f"{path} is gone; without it the stored secrets do not open: restore it, or set iam_master_key"
            ) from None
    except ValueError as error:
        raise Refusal(str(error)) from None
    key = os.urandom(32)
    write_durably(path, base64.b64encode(key) + b"\n")
    return _unique((key, *settings.iam_master_keys_more))


def given(settings: Settings) -> tuple[bytes, ...]:
    """The keys of a node of a cluster, which makes none up; () where it was given none. Raises Refusal."""
    if not settings.iam_master_key and not settings.iam_master_key_file:
        return ()
    return of(settings, DataDir(settings.data_dir), create=False)


def file_of(settings: Settings, directory: DataDir) -> Path:
    """The file the keys are in where no setting holds them."""
    return settings.iam_master_key_file or directory.secrets / MASTER_KEY_FILE


def sealer(running: Running) -> Sealer:
    """What seals and opens in this process, from now on with the keys that are in the file."""
    told = running.told
    keys = Sealer(told.master_keys[0], os.urandom, told.master_keys[1:])
    path = file_of(told.settings, DataDir(told.settings.data_dir))
    if not told.settings.iam_master_key and path.exists():
        follow = Following(path, keys, running)
        running.every("master keys", MASTER_KEYS_LOOK_SECONDS, follow.step)
    return keys


class Following:
    """Takes over the master keys of a file that changed. A file that cannot be used leaves the keys as they are."""

    def __init__(self, path: Path, sealer: Sealer, running: Running) -> None:
        self._path = path
        self._sealer = sealer
        self._running = running
        self._seen: tuple[int, int, int] | None = None

    def step(self) -> None:
        """One look: a stat, and where the file is another one its content. Raises Unavailable with the reason."""
        try:
            found = self._path.stat()
            seen = (found.st_ino, found.st_mtime_ns, found.st_size)
            if seen == self._seen:
                return
            keys = _unique((*_read(self._path), *self._running.told.settings.iam_master_keys_more))
            changed = self._sealer.take(keys)
        except (OSError, ValueError) as error:
            raise Unavailable(f"the master keys stay as they were: {error}") from None
        self._seen = seen
        if changed:
            self._running.log.write("info", "master keys changed", keys=", ".join(self._sealer.key_ids))


def _read(path: Path) -> tuple[bytes, ...]:
    """The keys of a file. Raises FileNotFoundError, and ValueError in words that quote none of them."""
    lines = [line.strip() for line in content_of(path, private=True).splitlines() if line.strip()]
    try:
        keys = tuple(base64.b64decode(line, validate=True) for line in lines)
    except binascii.Error:
        keys = ()
    if not keys or any(len(key) != 32 for key in keys):
        raise ValueError(f"{path} does not hold a master key of 32 bytes in base64 in each of its lines")
    return keys


def _unique(keys: Sequence[bytes]) -> tuple[bytes, ...]:
    unique = tuple(dict.fromkeys(keys))
    if len(unique) > MASTER_KEYS_MAX:
        raise Refusal(f"{len(unique)} master keys; {MASTER_KEYS_MAX} at most open at one time")
    return unique
