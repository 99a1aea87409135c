"""Every setting: its default, its unit, its reason, and how the sources are laid over each other.

Knows the settings and the order flag > environment (ZAPFS_*) > TOML file > default. Must not know what the settings
are used for: builders (roles/) and the front door (app/cli) read them, nobody else does.
"""

import base64
import binascii
import difflib
import ipaddress
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from app.core import limits
from app.core.acl.settings import OWNERSHIPS

ENVIRONMENT_PREFIX: Final = "ZAPFS_"
STORAGE_CLASSES: Final = ("STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING")
CONFIG_VARIABLE: Final = "ZAPFS_CONFIG"
LEVELS: Final = ("debug", "info", "warning", "error")
DEV_ACCESS_KEY: Final = "AKIAIOSFODNN7EXAMPLE"
DEV_SECRET_KEY: Final = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # noqa: S105 -- the example key of AWS's own documentation
UNITS: Final = {"": 1, "KiB": limits.KIB, "MiB": limits.MIB, "GiB": limits.GIB, "TiB": limits.TIB}


class SettingsError(Exception):
    """`mistakes`: every mistake found, one line each, naming where the value came from."""

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = mistakes
        super().__init__("; ".join(mistakes))


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


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text")
    return value


def _path(value: object) -> Path:
    if not _text(value):
        raise ValueError("must not be empty")
    return Path(_text(value)).expanduser().absolute()


def _bind(value: object) -> Bind:
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+):(\d{1,5})", _text(value))
    if match is None or int(match[2]) > 65_535:
        raise ValueError("must be HOST:PORT with a port of 0..65535")
    host = match[1].strip("[]")
    if host != "localhost":
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise ValueError("must name an IP address or localhost") from None
    return Bind(host, int(match[2]))


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    lowered = _text(value).lower()
    if lowered not in ("1", "0", "true", "false", "yes", "no"):
        raise ValueError("must be true or false")
    return lowered in ("1", "true", "yes")


def _whole(low: int, high: int) -> Callable[[object], int]:
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


def _one_of(*choices: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return str(value)

    return parse


def _names(value: object) -> tuple[str, ...]:
    """A list of texts, or one text with commas."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise ValueError("must be a list of names")
    names = tuple(item.strip().lower() for item in items if item.strip())
    if not all(re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", name) for name in names):
        raise ValueError("holds something that is not a host or region name")
    return names


def _networks(value: object) -> tuple[str, ...]:
    """A list of networks, or one text with commas."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise ValueError("must be a list of networks")
    try:
        return tuple(str(ipaddress.ip_network(item.strip())) for item in items if item.strip())
    except ValueError:
        raise ValueError("holds something that is not a network like 10.0.0.0/8") from None


def _classes(value: object) -> tuple[str, ...]:
    """A list of storage classes, or one text with commas. STANDARD is always among them."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        raise ValueError("must be a list of storage classes")
    names = tuple(str(item).strip() for item in items)
    if not all(re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", name) for name in names):
        raise ValueError("holds something that is not a storage class like STANDARD_IA")
    return tuple(dict.fromkeys(("STANDARD", *names)))


def _targets(value: object) -> tuple[str, ...]:
    """ARN, URL and perhaps a file's path, with spaces between; a list of these, or one text with commas."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise ValueError("must be a list of targets")
    targets = tuple(" ".join(item.split()) for item in items if item.strip())
    if not all(re.fullmatch(r"arn:[^ ]+:[^ ]+ https?://[^ /]+[^ ]*( [^ ]+)?", target) for target in targets):
        raise ValueError("holds something that is not ARN URL [TOKEN_FILE]")
    return targets


def _region(value: object) -> str:
    names = _names(value)
    if len(names) != 1:
        raise ValueError("must be one region name")
    return names[0]


def _access_key(value: object) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]{3,128}", _text(value)):
        raise ValueError("must be 3..128 letters, digits, '_', '.' or '-'")
    return _text(value)


def _secret(value: object) -> str:
    if not re.fullmatch(r"[\x21-\x7e]{8,128}", _text(value)):
        raise ValueError("must be 8..128 printable ASCII characters without spaces")
    return _text(value)


def _key32(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        key = base64.b64decode(_text(value), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != 32:
        raise ValueError("must be 32 bytes in base64")
    return key


def _setting(parse: Callable[[object], Any], default: object, unit: str, reason: str, *, secret: bool = False) -> Any:
    """A field of Settings. A `secret` is taken from the environment or the file, never from a command line."""
    return field(default=default, metadata={"parse": parse, "unit": unit, "reason": reason, "secret": secret})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one start of the server was asked to do. Made by `resolve`; every value is checked."""

    data_dir: Path = _setting(_path, Path("data"), "path", "everything the server keeps lies below it")
    s3_bind: Bind = _setting(_bind, Bind("127.0.0.1", 8082), "HOST:PORT", "S3; loopback until somebody opens it")
    admin_bind: Bind = _setting(_bind, Bind("127.0.0.1", 8060), "HOST:PORT", "health, metrics and administration")
    workers: int = _setting(
        _whole(1, limits.WORKERS_MAX), min(4, os.cpu_count() or 1), "processes", "S3 workers; one per core serves best"
    )
    dev: bool = _setting(_flag, False, "true|false", "development credentials, on loopback binds only")
    root_access_key: str = _setting(_access_key, "", "text", "the administrator; generated at first start when absent")
    root_secret_key: str = _setting(_secret, "", "text", "secret of root_access_key", secret=True)
    iam_master_key: bytes = _setting(
        _key32, b"", "base64, 32 bytes", "seals stored secrets; generated at first start when absent", secret=True
    )
    s3_domain: tuple[str, ...] = _setting(_names, (), "names", "hosts below which buckets are subdomains")
    website_domain: tuple[str, ...] = _setting(
        _names, (), "names", "hosts below which buckets are subdomains served as websites"
    )
    region: str = _setting(_region, "us-east-1", "name", "where buckets live; a signature may name any")
    regions: tuple[str, ...] = _setting(_names, (), "names", "further regions CreateBucket takes as a constraint")
    trusted_proxies: tuple[str, ...] = _setting(
        _networks, (), "networks", "their X-Forwarded-For and X-Forwarded-Proto are believed; nobody else's"
    )
    storage_classes: tuple[str, ...] = _setting(
        _classes, STORAGE_CLASSES, "names", "those objects may be in; on one machine all are kept alike"
    )
    object_ownership: str = _setting(
        _one_of(*OWNERSHIPS), OWNERSHIPS[0], "|".join(OWNERSHIPS), "of new buckets; ObjectWriter lets clients set ACLs"
    )
    block_public_access: bool = _setting(_flag, True, "true|false", "new buckets refuse public ACLs and policies")
    log_level: str = _setting(_one_of(*LEVELS), "info", "|".join(LEVELS), "info has one line per request")
    worker_class: str = _setting(
        _one_of("lean", "gevent"), "lean", "lean|gevent", "gevent is gunicorn's own, slower, with the same answers"
    )
    inline_bytes: int = _setting(
        _whole(0, limits.INLINE_BYTES_MAX), limits.INLINE_BYTES_MAX, "bytes", "objects up to it live with their row"
    )
    buffer_budget_bytes: int = _setting(
        _whole(32 * limits.MIB, limits.TIB), limits.BUFFER_BUDGET_BYTES, "bytes", "body buffers of one worker"
    )
    sse_c_over_http: bool = _setting(
        _flag, False, "true|false", "take customers' encryption keys without TLS; --dev does, being loopback only"
    )
    metrics_token: str = _setting(_secret, "", "text", "bearer token that opens /metrics to a scraper", secret=True)
    gc_interval_s: int = _setting(_whole(1, 86_400), 10, "seconds", "pause between collections of freed chunks")
    gc_grace_s: int = _setting(
        _whole(0, 604_800), limits.BLOB_GRACE_SECONDS, "seconds", "a freed chunk stays this long for running reads"
    )
    lifecycle_day_s: int = _setting(
        _whole(0, 86_400), 0, "seconds", "a day of lifecycle rules, for tests; 0 = real days that end at midnight UTC"
    )
    lifecycle_interval_s: int = _setting(
        _whole(1, 86_400), 60, "seconds", "pause between looks for lifecycle rules whose day has come"
    )
    transition_bytes_min: int = _setting(
        _whole(0, limits.TIB), limits.TRANSITION_BYTES_MIN, "bytes", "smaller ones change class only by rules of size"
    )
    notification_targets: tuple[str, ...] = _setting(
        _targets, (), "ARN URL [TOKEN_FILE]", "where bucket notifications go; the file holds a bearer token"
    )
    notification_days: int = _setting(_whole(1, 365), 4, "days", "an event no target took for so long is dropped")
    access_log_roll_s: int = _setting(
        _whole(1, 86_400), 300, "seconds", "a worker writes its lines of access logs as objects this often"
    )
    shutdown_seconds: int = _setting(_whole(0, 3_600), 30, "seconds", "requests in flight get this long to finish")
    disk_reserve_bytes: int = _setting(
        _whole(0, limits.TIB),
        limits.DISK_RESERVE_BYTES,
        "bytes",
        "with less free space new bytes are refused; deletions need some of it",
    )
    backlog: int = _setting(_whole(16, 65_535), 1_024, "connections", "waiting to be accepted on each bind")

    def plain(self) -> dict[str, Any]:
        """The settings as JSON values; `from_plain` gives them back."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}

    @staticmethod
    def from_plain(values: Mapping[str, Any]) -> "Settings":
        """The inverse of `plain`. Raises KeyError or ValueError on anything else."""
        given = {name: value for name, value in values.items() if value != ""}
        return Settings(**{name: SETTINGS[name].metadata["parse"](value) for name, value in given.items()})


SETTINGS: Final[Mapping[str, Field[Any]]] = {f.name: f for f in fields(Settings)}


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode() if value else ""
    if isinstance(value, Bind | Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def resolve(flags: Mapping[str, str], environ: Mapping[str, str], config: Path | None = None) -> Settings:
    """Lay the sources over each other. `flags` holds given flags by setting name; `config` is the TOML file, else
    ZAPFS_CONFIG names it. Raises SettingsError with every mistake of every source."""
    mistakes: list[str] = []
    layers: list[Layer] = [
        _file_layer(config, environ, mistakes),
        _environment_layer(environ, mistakes),
        {name: ("--" + name.replace("_", "-"), value) for name, value in flags.items()},
    ]
    values: dict[str, Any] = {"data_dir": Path("data").absolute()}
    for layer in layers:
        for name, (source, raw) in layer.items():
            try:
                values[name] = SETTINGS[name].metadata["parse"](raw)
            except ValueError as error:
                mistakes.append(f"{source}: {error}")
    settings = Settings(**values)
    mistakes += _contradictions(settings)
    if mistakes:
        raise SettingsError(mistakes)
    return settings


Layer = dict[str, tuple[str, object]]  # setting name -> where the value came from, the value


def _unknown(source: str, name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"{source}: no such setting" + (f" (is {near[0]} meant?)" if near else "")


def _file_layer(config: Path | None, environ: Mapping[str, str], mistakes: list[str]) -> Layer:
    path = config or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    if path is None:
        return {}
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        mistakes.append(f"{path}: {error.strerror}")
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        mistakes.append(f"{path}: {error}")
        return {}
    mistakes += [_unknown(f"{path}: {name}", name, list(SETTINGS)) for name in content if name not in SETTINGS]
    return {name: (f"{path}: {name}", value) for name, value in content.items() if name in SETTINGS}


def _environment_layer(environ: Mapping[str, str], mistakes: list[str]) -> Layer:
    layer: Layer = {}
    if environ.get("LOG_LEVEL"):
        layer["log_level"] = ("LOG_LEVEL", environ["LOG_LEVEL"].lower())
    known = {ENVIRONMENT_PREFIX + name.upper(): name for name in SETTINGS}
    for variable in sorted(environ):
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable == CONFIG_VARIABLE:
            continue
        if variable in known:
            layer[known[variable]] = (variable, environ[variable])
        else:
            mistakes.append(_unknown(variable, variable, list(known)))
    return layer


def _contradictions(settings: Settings) -> list[str]:
    """Values that are fine alone and wrong together."""
    mistakes = []
    binds = {"s3_bind": settings.s3_bind, "admin_bind": settings.admin_bind}
    if settings.dev:
        mistakes += [
            f"dev: development credentials are public, so {name} must be a loopback address, not {bind.host}"
            for name, bind in binds.items()
            if not bind.loopback
        ]
    if settings.s3_bind == settings.admin_bind and settings.s3_bind.port:
        mistakes.append(f"s3_bind and admin_bind: both are {settings.s3_bind}")
    if bool(settings.root_access_key) != bool(settings.root_secret_key):
        mistakes.append("root_access_key and root_secret_key: give both or neither")
    if not settings.dev and settings.root_access_key == DEV_ACCESS_KEY:
        mistakes.append("root_access_key: the development credentials are public; they need --dev")
    return mistakes


def default_of(setting: "Field[Any]") -> object:
    """The default as `plain` would show it, for the help text and the docs."""
    return "" if setting.default is MISSING else _plain(setting.default)
