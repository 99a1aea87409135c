"""Every setting: its default, its unit, its reason, and how the sources are laid over each other.

Knows the settings and the order flag > environment (ZAPFS_*) > TOML file > systemd credential > default.
Must not know what the settings are used for: builders (roles/) and the front door (app/cli) read them, nobody else
does.
"""

import base64
import difflib
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from app import config_ldap, config_secrets
from app import config_values as form
from app.config_secrets import Layer
from app.config_values import Bind
from app.core import limits
from app.core.acl.settings import OWNERSHIPS

ENVIRONMENT_PREFIX: Final = "ZAPFS_"
STORAGE_CLASSES: Final = ("STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING")
CONFIG_VARIABLE: Final = "ZAPFS_CONFIG"
LEVELS: Final = ("debug", "info", "warning", "error")
DEV_ACCESS_KEY: Final = "AKIAIOSFODNN7EXAMPLE"
DEV_SECRET_KEY: Final = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # noqa: S105 -- the example key of AWS's own documentation


class SettingsError(Exception):
    """`mistakes`: every mistake found, one line each, naming where the value came from."""

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = mistakes
        super().__init__("; ".join(mistakes))


def _setting(parse: Callable[[object], Any], default: object, unit: str, reason: str, *, secret: bool = False) -> Any:
    """A field of Settings. A `secret` is taken from the environment or the file, from a file of its own, or from
    systemd (config_secrets.py); never from a command line, and is in no repr: those end up in logs."""
    return field(
        default=default, repr=not secret, metadata={"parse": parse, "unit": unit, "reason": reason, "secret": secret}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one start of the server was asked to do. Made by `resolve`; every value is checked."""

    data_dir: Path = _setting(form.path, Path("data"), "path", "everything the server keeps lies below it")
    s3_bind: Bind = _setting(form.bind, Bind("127.0.0.1", 8082), "HOST:PORT", "S3; loopback until somebody opens it")
    admin_bind: Bind = _setting(form.bind, Bind("127.0.0.1", 8060), "HOST:PORT", "health, metrics and administration")
    workers: int = _setting(
        form.whole(1, limits.WORKERS_MAX),
        min(4, os.cpu_count() or 1),
        "processes",
        "S3 workers; one per core serves best",
    )
    dev: bool = _setting(form.flag, False, "true|false", "development credentials, on loopback binds only")
    root_access_key: str = _setting(
        form.access_key, "", "text", "the administrator; generated at first start when absent"
    )
    root_secret_key: str = _setting(form.secret, "", "text", "secret of root_access_key", secret=True)
    iam_master_key: bytes = _setting(
        form.key32, b"", "base64, 32 bytes", "seals stored secrets; generated at first start when absent", secret=True
    )
    iam_master_key_file: Path | None = _setting(
        form.path, None, "path", "master keys, one a line: the first seals, each opens; followed while serving"
    )
    iam_master_keys_more: tuple[bytes, ...] = _setting(
        form.keys32, (), "base64, 32 bytes each", "open too, while a new master key takes over", secret=True
    )
    iam_seed: Path | None = _setting(
        form.path, None, "path", "TOML file of accounts, users and policies an empty control state begins with"
    )
    backup_dir: Path | None = _setting(form.path, None, "path", "backups of the control state are kept in it")
    backup_bucket: str = _setting(
        form.bucket_url, "", "http(s)://HOST[:PORT]/BUCKET[/PREFIX]", "backups are kept in it, of any S3 server"
    )
    backup_access_key: str = _setting(form.access_key, "", "text", "for backup_bucket")
    backup_secret_key: str = _setting(form.secret, "", "text", "secret of backup_access_key", secret=True)
    backup_interval_s: int = _setting(
        form.whole(1, 2_678_400), 3_600, "seconds", "between two backups, where one of the above is set"
    )
    backup_keep: int = _setting(form.whole(1, 400), 48, "backups", "the newest that stay")
    backup_keep_days: int = _setting(form.whole(0, 400), 30, "days", "of each of which the newest backup stays too")
    restore_from: Path | None = _setting(
        form.path, None, "path", "a backup that a server of one machine without a control state begins with"
    )
    s3_domain: tuple[str, ...] = _setting(form.names, (), "names", "hosts below which buckets are subdomains")
    website_domain: tuple[str, ...] = _setting(
        form.names, (), "names", "hosts below which buckets are subdomains served as websites"
    )
    region: str = _setting(form.region, "us-east-1", "name", "where buckets live; a signature may name any")
    regions: tuple[str, ...] = _setting(form.names, (), "names", "further regions CreateBucket takes as a constraint")
    trusted_proxies: tuple[str, ...] = _setting(
        form.networks, (), "networks", "their X-Forwarded-For and X-Forwarded-Proto are believed; nobody else's"
    )
    storage_classes: tuple[str, ...] = _setting(
        form.classes, STORAGE_CLASSES, "names", "those objects may be in; on one machine all are kept alike"
    )
    object_ownership: str = _setting(
        form.one_of(*OWNERSHIPS),
        OWNERSHIPS[0],
        "|".join(OWNERSHIPS),
        "of new buckets; ObjectWriter lets clients set ACLs",
    )
    block_public_access: bool = _setting(form.flag, True, "true|false", "new buckets refuse public ACLs and policies")
    log_level: str = _setting(form.one_of(*LEVELS), "info", "|".join(LEVELS), "info has one line per request")
    worker_class: str = _setting(
        form.one_of("lean", "gevent"), "lean", "lean|gevent", "gevent is gunicorn's own, slower, with the same answers"
    )
    inline_bytes: int = _setting(
        form.whole(0, limits.INLINE_BYTES_MAX), limits.INLINE_BYTES_MAX, "bytes", "objects up to it live with their row"
    )
    buffer_budget_bytes: int = _setting(
        form.whole(32 * limits.MIB, limits.TIB), limits.BUFFER_BUDGET_BYTES, "bytes", "body buffers of one worker"
    )
    sse_c_over_http: bool = _setting(
        form.flag, False, "true|false", "take customers' encryption keys without TLS; --dev does, being loopback only"
    )
    metrics_token: str = _setting(form.secret, "", "text", "bearer token that opens /metrics to a scraper", secret=True)
    gc_interval_s: int = _setting(form.whole(1, 86_400), 10, "seconds", "pause between collections of freed chunks")
    gc_grace_s: int = _setting(
        form.whole(0, 604_800), limits.BLOB_GRACE_SECONDS, "seconds", "a freed chunk stays this long for running reads"
    )
    lifecycle_day_s: int = _setting(
        form.whole(0, 86_400),
        0,
        "seconds",
        "a day of lifecycle rules, for tests; 0 = real days that end at midnight UTC",
    )
    lifecycle_interval_s: int = _setting(
        form.whole(1, 86_400), 60, "seconds", "pause between looks for lifecycle rules whose day has come"
    )
    transition_bytes_min: int = _setting(
        form.whole(0, limits.TIB),
        limits.TRANSITION_BYTES_MIN,
        "bytes",
        "smaller ones change class only by rules of size",
    )
    notification_targets: tuple[str, ...] = _setting(
        form.targets, (), "ARN URL [TOKEN_FILE]", "where bucket notifications go; the file holds a bearer token"
    )
    notification_days: int = _setting(form.whole(1, 365), 4, "days", "an event no target took for so long is dropped")
    request_traces: bool = _setting(
        form.flag, True, "true|false", "keep what is known of recent requests for GET /v1/requests/ID"
    )
    audit_file: Path | None = _setting(form.path, None, "path", "a line of JSON for every administrative call")
    audit_webhook: str = _setting(
        form.webhook, "", "URL [TOKEN_FILE]", "the same lines are posted to it; the file holds a bearer token"
    )
    audit_s3: bool = _setting(form.flag, False, "true|false", "the audit log has every S3 call too")
    access_log_roll_s: int = _setting(
        form.whole(1, 86_400), 300, "seconds", "a worker writes its lines of access logs as objects this often"
    )
    shutdown_seconds: int = _setting(form.whole(0, 3_600), 30, "seconds", "requests in flight get this long to finish")
    disk_reserve_bytes: int = _setting(
        form.whole(0, limits.TIB),
        limits.DISK_RESERVE_BYTES,
        "bytes",
        "with less free space new bytes are refused; deletions need some of it",
    )
    backlog: int = _setting(form.whole(16, 65_535), 1_024, "connections", "waiting to be accepted on each bind")

    # --- a cluster of several machines; a single machine needs none of these
    node_id: str = _setting(form.node_id, "", "name", "this node's name in the cluster, for good")
    zone: str = _setting(form.node_id, "default", "name", "where this file host stands; copies are spread over zones")
    managers: tuple[str, ...] = _setting(form.addresses, (), "HOST:PORT list", "gRPC addresses of the managers")
    bootstrap: bool = _setting(
        form.flag, False, "true|false", "begin a cluster with this manager; where there is one already, go on with it"
    )
    join: str = _setting(form.address, "", "HOST:PORT", "gRPC address of a running manager a new one joins")
    cluster_secret: bytes = _setting(
        form.key32,
        b"",
        "base64, 32 bytes",
        "proves membership to every internal face; the same everywhere",
        secret=True,
    )
    grpc_bind: Bind = _setting(form.bind, Bind("127.0.0.1", 8050), "HOST:PORT", "control plane of a manager")
    raft_bind: Bind = _setting(form.bind, Bind("127.0.0.1", 8051), "HOST:PORT", "a manager's peers")
    raft_dir: Path = _setting(form.path, Path("data/raft"), "path", "log, snapshots and vote of a manager")
    raft_election_ms: int = _setting(
        form.whole(100, 10_000), 300, "ms", "silence after which a manager may call an election; up to twice that"
    )
    blob_bind: Bind = _setting(form.bind, Bind("127.0.0.1", 8081), "HOST:PORT", "internal blob routes of a file host")
    advertise: str = _setting(form.address, "", "HOST:PORT", "where others reach this node, when not at its bind")
    ops_bind: Bind = _setting(
        form.bind, Bind("127.0.0.1", 8085), "HOST:PORT", "health, metrics of a gateway or file host"
    )
    device: tuple[str, ...] = _setting(form.paths, (), "paths", "devices of a file host, one directory each")
    metadata_url: str = _setting(
        form.metadata_url,
        "",
        "mysql://USER:PASSWORD@HOST:PORT/NAME",
        "the SQL database; SQLite when absent",
        secret=True,
    )
    metadata_connections: int = _setting(
        form.whole(1, 256), 16, "connections", "to the SQL database, of one worker at one time"
    )
    scrub_days: int = _setting(form.whole(1, 3_650), 30, "days", "every stored byte is read and verified once in these")
    heal_bytes_per_s: int = _setting(
        form.whole(limits.MIB, limits.TIB),
        64 * limits.MIB,
        "bytes",
        "a file host moves and rebuilds at most so much a second",
    )
    out_after_s: int = _setting(
        form.whole(0, 604_800), 900, "seconds", "a file host silent for so long is taken out of the layout; 0 = never"
    )

    # --- a directory, whose people get temporary credentials (docs/design/sessions.md)
    ldap_url: str = _setting(config_ldap.url, "", "ldap(s)://HOST:PORT", "the directory; none when absent")
    ldap_tls: str = _setting(
        form.one_of(*config_ldap.TLS), "starttls", "|".join(config_ldap.TLS), "none is for loopback and --dev only"
    )
    ldap_bind_dn: str = _setting(form.text, "", "DN", "as whom people are looked for; as nobody when absent")
    ldap_bind_password: str = _setting(form.text, "", "text", "password of ldap_bind_dn", secret=True)
    ldap_user_base: str = _setting(form.text, "", "DN", "people are looked for below it")
    ldap_user_filter: str = _setting(form.text, "(uid={user})", "filter", "{user} is the name that was typed")
    ldap_group_base: str = _setting(form.text, "", "DN", "groups are looked for below it; none when absent")
    ldap_group_filter: str = _setting(form.text, "(member={dn})", "filter", "{dn} is the entry of the person")
    ldap_role_of: tuple[str, ...] = _setting(
        config_ldap.roles, (), "DN ROLE_ARN list", "the role of a group's members or of a person; the first that fits"
    )

    def plain(self) -> dict[str, Any]:
        """The settings as JSON values; `from_plain` gives them back."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}

    @staticmethod
    def from_plain(values: Mapping[str, Any]) -> "Settings":
        """The inverse of `plain`. Raises KeyError or ValueError on anything else."""
        given = {name: value for name, value in values.items() if value != ""}
        return Settings(**{name: SETTINGS[name].metadata["parse"](value) for name, value in given.items()})


SETTINGS: Final[Mapping[str, Field[Any]]] = {f.name: f for f in fields(Settings)}
_SECRETS: Final = [name for name, setting in SETTINGS.items() if setting.metadata["secret"]]
_IN_FILES: Final = [name for name in _SECRETS if name + config_secrets.SUFFIX not in SETTINGS]
GIVEN_AS: Final = (*SETTINGS, *(name + config_secrets.SUFFIX for name in _IN_FILES))
"""Names a file or the environment may give: every setting's, and of a secret that of the file it is in."""


def _plain(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode() if value else ""
    if isinstance(value, Bind | Path):
        return str(value)
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def resolve(flags: Mapping[str, str], environ: Mapping[str, str], config: Path | None = None) -> Settings:
    """Lay the sources over each other. `flags` holds given flags by setting name; `config` is the TOML file, else
    ZAPFS_CONFIG names it. Raises SettingsError with every mistake of every source."""
    mistakes: list[str] = []
    layers: list[Layer] = [
        config_secrets.credentials(environ, _SECRETS, mistakes),
        config_secrets.opened(_file_layer(config, environ, mistakes), _IN_FILES, mistakes),
        config_secrets.opened(_environment_layer(environ, mistakes), _IN_FILES, mistakes),
        {name: ("--" + name.replace("_", "-"), value) for name, value in flags.items()},
    ]
    values: dict[str, Any] = {"data_dir": Path("data").absolute(), "raft_dir": Path("data/raft").absolute()}
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
    mistakes += [_unknown(f"{path}: {name}", name, list(GIVEN_AS)) for name in content if name not in GIVEN_AS]
    return {name: (f"{path}: {name}", value) for name, value in content.items() if name in GIVEN_AS}


def _environment_layer(environ: Mapping[str, str], mistakes: list[str]) -> Layer:
    layer: Layer = {}
    if environ.get("LOG_LEVEL"):
        layer["log_level"] = ("LOG_LEVEL", environ["LOG_LEVEL"].lower())
    known = {ENVIRONMENT_PREFIX + name.upper(): name for name in GIVEN_AS}
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
    if settings.iam_master_key and settings.iam_master_key_file:
        mistakes.append("iam_master_key and iam_master_key_file: give one of them")
    if settings.backup_bucket and not (settings.backup_access_key and settings.backup_secret_key):
        mistakes.append("backup_bucket: backup_access_key and backup_secret_key are needed too")
    if bool(settings.root_access_key) != bool(settings.root_secret_key):
        mistakes.append("root_access_key and root_secret_key: give both or neither")
    if not settings.dev and settings.root_access_key == DEV_ACCESS_KEY:
        mistakes.append("root_access_key: the development credentials are public; they need --dev")
    return mistakes + config_ldap.mistakes(settings)


def default_of(setting: "Field[Any]") -> object:
    """The default as `plain` would show it, for the help text and the docs."""
    return "" if setting.default is MISSING else _plain(setting.default)
