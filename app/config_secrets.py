"""Secrets that are not in a setting's value: in a file the setting NAME_file names, or among systemd's credentials.

Knows where a secret is looked for and who may read its file. Must not know what any secret is for. A file of ours is
readable by its owner only; systemd sees to that for its credentials itself.
Source: https://systemd.io/CREDENTIALS/
"""

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from app.core.limits import SECRET_FILE_BYTES_MAX

SUFFIX: Final = "_file"
CREDENTIALS_VARIABLE: Final = "CREDENTIALS_DIRECTORY"

Layer = dict[str, tuple[str, object]]
"""Setting name -> where the value came from, the value."""


def opened(layer: Layer, secrets: Iterable[str], mistakes: list[str]) -> Layer:
    """A layer with what its NAME_file settings name in the place of NAME. Both at once is a mistake."""
    found = dict(layer)
    for name in secrets:
        if name + SUFFIX not in found:
            continue
        source, path = found.pop(name + SUFFIX)
        if name in found:
            mistakes.append(f"{source}: {found[name][0]} is given too; which of them is meant?")
            continue
        try:
            found[name] = source, content_of(Path(str(path)).expanduser(), private=True)
        except FileNotFoundError:
            mistakes.append(f"{source}: {path} is not there")
        except ValueError as error:
            mistakes.append(f"{source}: {error}")
    return found


def credentials(environ: Mapping[str, str], secrets: Iterable[str], mistakes: list[str]) -> Layer:
    """What systemd was asked to load (LoadCredential=NAME:PATH), below everything that is given otherwise."""
    directory = environ.get(CREDENTIALS_VARIABLE)
    layer: Layer = {}
    for name in secrets if directory else ():
        path = Path(str(directory)) / name
        if path.exists():
            try:
                layer[name] = f"credential {name}", content_of(path, private=False)
            except ValueError as error:
                mistakes.append(f"credential {name}: {error}")
    return layer


def content_of(path: Path, *, private: bool) -> str:
    """A file's text without its last line's end. Raises FileNotFoundError, and ValueError for any other reason, in
    words that do not quote it."""
    try:
        with path.open("rb") as file:
            told = os.fstat(file.fileno())
            if not stat.S_ISREG(told.st_mode):
                raise ValueError(f"{path} is not a file")
            if private and told.st_mode & 0o077:
                raise ValueError(f"{path} may be read by others than its owner: chmod 600 it, and change the secret")
            content = file.read(SECRET_FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    if len(content) > SECRET_FILE_BYTES_MAX:
        raise ValueError(f"{path} is larger than {SECRET_FILE_BYTES_MAX} bytes")
    try:
        return content.decode("ascii").rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError(f"{path} holds something that is not ASCII text") from None
