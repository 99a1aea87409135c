"""The words of `zapfs admin` for what is one for the whole system: keyring, limits, backups, configuration, tokens.

Knows arguments and the requests they become.
"""

from collections.abc import Mapping
from typing import Final

from app.cli.sizes import size
from app.cli.words import Content, Given, Word, chosen, fixed, number

_KMS: Final = "/v1/kms/keys"
_KMS_KEY: Final = _KMS + "/{key}"
_LIMIT: Final = "/v1/limits/{kind}/{name}"  # of all together there is one, without a name
_SIZES: Final = ("bytes", "bytes_per_s")
_COUNTS: Final = ("objects", "requests_per_s")


def _limits(given: Given) -> Content:
    """All four: a limit that was not given is none."""
    counts = {name: number(given, name, name).get(name, 0) for name in _COUNTS}
    return {**counts, **{name: size(given[name]) if given.get(name) else 0 for name in _SIZES}}


def _check_scope(given: Given) -> None:
    """Raises ValueError where it is not told whose limits are meant, or what for."""
    if given["kind"] not in ("account", "bucket", "all"):
        raise ValueError(f"limits are those of account NAME, of bucket NAME or of all, not of {given['kind']}")
    if bool(given["name"]) == (given["kind"] == "all"):
        raise ValueError("all has no name" if given["name"] else f"the name of the {given['kind']} is missing")


KMS_WORDS: Final[Mapping[str, Word]] = {
    "create": Word(
        "make a key",
        "POST",
        _KMS,
        (),
        ("key_id", "alias", "description"),
        chosen("key_id", "alias", "description"),
    ),
    "list": Word(
        "every key", "GET", _KMS, columns=("key_id", "aliases", "state", "versions", "created", "description")
    ),
    "show": Word("one key, by id, alias or ARN", "GET", _KMS_KEY, ("key",)),
    "rotate": Word("new material for what is encrypted from now on", "POST", _KMS_KEY + "/rotate", ("key",)),
    "enable": Word("let it encrypt and decrypt", "PATCH", _KMS_KEY, ("key",), content=fixed(enabled=True)),
    "disable": Word("let it do nothing", "PATCH", _KMS_KEY, ("key",), content=fixed(enabled=False)),
    "delete": Word(
        "schedule its deletion", "DELETE", _KMS_KEY, ("key",), ("days",), lambda given: number(given, "days", "days")
    ),
}
LIMIT_WORDS: Final[Mapping[str, Word]] = {
    "list": Word("every quota and rate that was set", "GET", "/v1/limits"),
    "show": Word("of an account, a bucket or all", "GET", _LIMIT, ("kind", "name?"), check=_check_scope),
    "set": Word(
        "replace what an account, a bucket or all may take; what is not given is without limit",
        "PUT",
        _LIMIT,
        ("kind", "name?"),
        (*_SIZES, *_COUNTS),
        _limits,
        check=_check_scope,
    ),
    "delete": Word("without limits again", "DELETE", _LIMIT, ("kind", "name?"), check=_check_scope),
}
MASTER_KEY_WORDS: Final[Mapping[str, Word]] = {
    "status": Word("how much is sealed under which master key", "GET", "/v1/master-key"),
    "reseal": Word(
        "seal what is left under the master key that seals; again until 0 are left", "POST", "/v1/master-key/reseal"
    ),
}
GC_WORDS: Final[Mapping[str, Word]] = {
    "status": Word("what waits to be collected", "GET", "/v1/gc"),
    "run": Word(
        "collect now, without waiting for the grace; what was released in the last seconds stays", "POST", "/v1/gc"
    ),
}
LIFECYCLE_WORDS: Final[Mapping[str, Word]] = {
    "status": Word("the last pass, by rule", "GET", "/v1/lifecycle/{bucket}", ("bucket",)),
    "dry-run": Word("what would be done now", "POST", "/v1/lifecycle/{bucket}/dry-run", ("bucket",)),
}
BACKUP: Final = Word(
    "an encrypted backup of the control state, into a new file", "POST", "/v1/backup", ("file",), saves="file"
)
BACKUPS: Final = Word("backups that were kept on schedule", "GET", "/v1/backups")
RESTORE: Final = Word("restore a backup into an empty control state", "POST", "/v1/restore", ("file",), sends="file")
CONFIG: Final = Word("the configuration in force, without its secrets", "GET", "/v1/config")
API: Final = Word("the OpenAPI document of the face", "GET", "/v1/openapi.json")
TOKEN: Final = Word(
    "a bearer token for this face, for ZAPFS_TOKEN or curl's Authorization",
    "POST",
    "/v1/tokens",
    (),
    ("seconds",),
    lambda given: number(given, "seconds", "seconds"),
    shown=lambda answer: [answer["token"]],
)
