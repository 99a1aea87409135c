"""How a setting's text, or TOML value, becomes a value. Knows forms and ranges; must not know settings.

Every function raises ValueError with what is wrong, in words that follow the setting's name.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.core import limits

UNITS: Final = {"": 1, "KiB": limits.KIB, "MiB": limits.MIB, "GiB": limits.GIB, "TiB": limits.TIB}


@dataclass(frozen=True, slots=True)
class Bind:
    """An address to listen on. Port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Only this machine can reach it."""
        return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback


def text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text")
    return value


def path(value: object) -> Path:
    if not text(value):
        raise ValueError("must not be empty")
    return Path(text(value)).expanduser().absolute()


def bind(value: object) -> Bind:
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+):(\d{1,5})", text(value))
    if match is None or int(match[2]) > 65_535:
        raise ValueError("must be HOST:PORT with a port of 0..65535")
    host = match[1].strip("[]")
    if host != "localhost":
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise ValueError("must name an IP address or localhost") from None
    return Bind(host, int(match[2]))


def flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    lowered = text(value).lower()
    if lowered not in ("1", "0", "true", "false", "yes", "no"):
        raise ValueError("must be true or false")
    return lowered in ("1", "true", "yes")


def whole(low: int, high: int) -> Callable[[object], int]:
    """A whole number, in a text also with a unit of bytes (64MiB), within [low, high]."""

    def parse(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError("must be a whole number")
        if isinstance(value, str):
            match = re.fullmatch(r"(\d{1,19})\s*(|KiB|MiB|GiB|TiB)", value)
            if match is None:
                raise ValueError("must be a whole number, of bytes also as 64KiB, 8MiB, 1GiB")
            value = int(match[1]) * UNITS[match[2]]
        if not low <= value <= high:
            raise ValueError(f"must lie in {low}..{high}")
        return value

    return parse


def one_of(*choices: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return str(value)

    return parse


def names(value: object) -> tuple[str, ...]:
    """A list of texts, or one text with commas."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise ValueError("must be a list of names")
    names = tuple(item.strip().lower() for item in items if item.strip())
    if not all(re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", name) for name in names):
        raise ValueError("holds something that is not a host or region name")
    return names


def networks(value: object) -> tuple[str, ...]:
    """A list of networks, or one text with commas."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise ValueError("must be a list of networks")
    try:
        return tuple(str(ipaddress.ip_network(item.strip())) for item in items if item.strip())
    except ValueError:
        raise ValueError("holds something that is not a network like 10.0.0.0/8") from None


def classes(value: object) -> tuple[str, ...]:
    """A list of storage classes, or one text with commas. STANDARD is always among them."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        raise ValueError("must be a list of storage classes")
    names = tuple(str(item).strip() for item in items)
    if not all(re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", name) for name in names):
        raise ValueError("holds something that is not a storage class like STANDARD_IA")
    return tuple(dict.fromkeys(("STANDARD", *names)))


def targets(value: object) -> tuple[str, ...]:
    """ARN, URL and perhaps a file's path, with spaces between; a list of these, or one text with commas."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise ValueError("must be a list of targets")
    targets = tuple(" ".join(item.split()) for item in items if item.strip())
    if not all(re.fullmatch(r"arn:[^ ]+:[^ ]+ https?://[^ /]+[^ ]*( [^ ]+)?", target) for target in targets):
        raise ValueError("holds something that is not ARN URL [TOKEN_FILE]")
    return targets


def webhook(value: object) -> str:
    """URL and perhaps a file's path, with a space between; "" for none."""
    given = " ".join(text(value).split())
    if given and not re.fullmatch(r"https?://[^ /@?]+(/[^ ?]*)?( [^ ]+)?", given):
        raise ValueError("must be URL [TOKEN_FILE]")
    return given


def region(value: object) -> str:
    found = names(value)
    if len(found) != 1:
        raise ValueError("must be one region name")
    return found[0]


def access_key(value: object) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]{3,128}", text(value)):
        raise ValueError("must be 3..128 letters, digits, '_', '.' or '-'")
    return text(value)


def secret(value: object) -> str:
    if not re.fullmatch(r"[\x21-\x7e]{8,128}", text(value)):
        raise ValueError("must be 8..128 printable ASCII characters without spaces")
    return text(value)


def key32(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        key = base64.b64decode(text(value), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != 32:
        raise ValueError("must be 32 bytes in base64")
    return key


def keys32(value: object) -> tuple[bytes, ...]:
    """A list of keys, or one text with commas or lines."""
    items = re.split(r"[,\s]+", value) if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        raise ValueError("must be a list of keys, each 32 bytes in base64")
    given = [item.strip() if isinstance(item, str) else item for item in items]
    return tuple(dict.fromkeys(key32(item) for item in given if item))


def bucket_url(value: object) -> str:
    """A bucket of an S3 server, and perhaps a prefix in it."""
    if not re.fullmatch(r"https?://[^/?#@\s]+/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9_./-]{0,200})?", text(value)):
        raise ValueError("must be http(s)://HOST[:PORT]/BUCKET[/PREFIX]")
    return text(value)


def node_id(value: object) -> str:
    """A node's, manager's or zone's name."""
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?", text(value)):
        raise ValueError("must be 1..64 lower-case letters, digits or inner hyphens")
    return text(value)


def address(value: object) -> str:
    """HOST:PORT of somebody else: a name or an address."""
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9][A-Za-z0-9.-]{0,252}):(\d{1,5})", text(value))
    if match is None or not 0 < int(match[2]) <= 65_535:
        raise ValueError("must be HOST:PORT")
    return text(value)


def addresses(value: object) -> tuple[str, ...]:
    """A list of addresses, or one text with commas."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        raise ValueError("must be a list of HOST:PORT")
    return tuple(dict.fromkeys(address(item.strip()) for item in items if item.strip()))


def paths(value: object) -> tuple[str, ...]:
    """A list of directories, or one text with commas; absolute."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        raise ValueError("must be a list of paths")
    return tuple(dict.fromkeys(str(path(item.strip())) for item in items if item.strip()))


_METADATA_URL: Final = (
    r"mysql://[^:@/?#\s]+(:[^:@/?#\s]*)?@[^:@/?#\s]+(:\d{1,5})?/[A-Za-z0-9_]{1,64}"
    r"(\?(socket|ca)=/[^?&#\s]+(&(socket|ca)=/[^?&#\s]+)?)?"
)


def metadata_url(value: object) -> str:
    """Where a MySQL or MariaDB database is, with user and password."""
    if not re.fullmatch(_METADATA_URL, text(value)):
        raise ValueError("must be mysql://USER:PASSWORD@HOST:PORT/NAME[?ca=PATH], user and password percent-encoded")
    return text(value)
