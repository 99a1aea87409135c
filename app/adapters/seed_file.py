"""Reads a seed file: TOML with tables of accounts, see deploy/iam.toml for one with everything.

Knows the file's form and where in it something stands. Must not know what well-formed names and policies are
(services/identity). Secrets and documents may lie in files of their own, named beside it; no secret is in an error.
"""

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from app.core.cluster.limits import Limits
from app.core.cluster.seed import SeedAccount, SeedEntity, SeedKey, SeedPolicy
from app.core.errors import Corrupt
from app.core.limits import POLICY_BYTES_MAX, SEED_BYTES_MAX

_KEY: Final[Mapping[str, type]] = {"access_key": str, "secret_key": str, "secret_key_file": str}
_ACCOUNT: Final[Mapping[str, type]] = {
    **_KEY,
    "name": str,
    "email": str,
    "display_name": str,
    "account_id": str,
    "canonical_id": str,
    "limits": dict,
    "policy": list,
    "group": list,
    "user": list,
    "role": list,
}
_POLICY: Final[Mapping[str, type]] = {"name": str, "path": str, "description": str, "document": object, "file": str}
_ENTITY: Final[Mapping[str, type]] = {"name": str, "path": str, "inline": dict, "attached": list}
_ENTITIES: Final[Mapping[str, Mapping[str, type]]] = {
    "group": _ENTITY,
    "user": {**_ENTITY, "tags": dict, "boundary": str, "groups": list, "keys": list},
    "role": {**_ENTITY, "tags": dict, "boundary": str, "trust": object, "trust_file": str},
}
_LIMITS: Final[Mapping[str, type]] = {"bytes": int, "objects": int, "requests_per_s": int, "bytes_per_s": int}
ReadSecret = Callable[[Path], str]
"""The content of a secret's file. Raises ValueError or FileNotFoundError."""


class SeedFile:
    """One file. Every error says its line as far as it can be told, and why."""

    def __init__(self, path: Path, read_secret: ReadSecret) -> None:
        self._path = path
        self._read_secret = read_secret
        self._text = ""

    def read(self) -> tuple[SeedAccount, ...]:
        """What is asked for. Raises Corrupt."""
        try:
            with self._path.open("rb") as file:
                content = file.read(SEED_BYTES_MAX + 1)
            if len(content) > SEED_BYTES_MAX:
                raise Corrupt(f"{self._path} is larger than {SEED_BYTES_MAX} bytes")
            self._text = content.decode()
            whole = tomllib.loads(self._text)
        except OSError as error:
            raise Corrupt(f"{self._path}: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise Corrupt(f"{self._path}: {error}") from error
        accounts = self._checked(whole, {"account": list}, "the file").get("account", [])
        return tuple(self._account(one) for one in accounts)

    def at(self, name: str) -> str:
        """Where something of that name is defined, for an error: the file, and the line."""
        wanted = re.compile(rf"""^\s*name\s*=\s*["']{re.escape(name)}["']""")
        for number, line in enumerate(self._text.splitlines(), 1):
            if wanted.match(line):
                return f"{self._path}, line {number}"
        return str(self._path)

    # --- within

    def _wrong(self, name: str, reason: str) -> Corrupt:
        return Corrupt(f"{self.at(name)}: {reason}")

    def _account(self, table: Any) -> SeedAccount:
        found = self._checked(table, _ACCOUNT, "account")
        name = self._name(found, "account")
        limits = self._checked(found.get("limits", {}), _LIMITS, f"limits of {name}")
        entities = [self._entity(kind, one, name) for kind in ("group", "user", "role") for one in found.get(kind, [])]
        return SeedAccount(
            name=name,
            email=found.get("email", ""),
            display_name=found.get("display_name", ""),
            account_id=found.get("account_id", ""),
            canonical_id=found.get("canonical_id", ""),
            key=self._key(found, name),
            limits=Limits(**limits),
            policies=tuple(self._policy(one, name) for one in found.get("policy", [])),
            entities=tuple(entities),
        )

    def _policy(self, table: Any, account: str) -> SeedPolicy:
        found = self._checked(table, _POLICY, f"policy of {account}")
        name = self._name(found, f"policy of {account}")
        text = self._document(found, "document", "file", name)
        return SeedPolicy(name, text, found.get("path", "/"), found.get("description", ""))

    def _entity(self, kind: str, table: Any, account: str) -> SeedEntity:
        found = self._checked(table, _ENTITIES[kind], f"{kind} of {account}")
        name = self._name(found, f"{kind} of {account}")
        keys = [self._checked(one, _KEY, f"key of {name}") for one in found.get("keys", [])]
        trust = self._document(found, "trust", "trust_file", name) if kind == "role" else ""
        return SeedEntity(
            kind=kind,
            name=name,
            path=found.get("path", "/"),
            tags=self._texts(found.get("tags", {}), name),
            inline={policy: self._text_of(one, name) for policy, one in found.get("inline", {}).items()},
            attached=self._names(found.get("attached", []), name),
            boundary=found.get("boundary", ""),
            groups=self._names(found.get("groups", []), name),
            keys=tuple(self._key(one, name) for one in keys),
            trust=trust,
        )

    def _name(self, found: Mapping[str, Any], what: str) -> str:
        if not found.get("name"):
            raise Corrupt(f"{self._path}: {what}: name is missing")
        return str(found["name"])

    def _key(self, found: Mapping[str, Any], name: str) -> SeedKey:
        secret, path = found.get("secret_key", ""), found.get("secret_key_file", "")
        if secret and path:
            raise self._wrong(name, "secret_key and secret_key_file: give one of them")
        if (secret or path) and not found.get("access_key"):
            raise self._wrong(name, "a secret needs its access_key")
        if path:
            try:
                secret = self._read_secret(self._path.parent / path)
            except FileNotFoundError:
                raise self._wrong(name, f"secret_key_file: {path} is not there") from None
            except ValueError as error:
                raise self._wrong(name, f"secret_key_file: {error}") from None
        return SeedKey(found.get("access_key", ""), secret)

    def _document(self, found: Mapping[str, Any], inline: str, file: str, name: str) -> str:
        if (inline in found) == (file in found):
            raise self._wrong(name, f"{inline} or {file}: one of them is needed")
        if inline in found:
            return self._text_of(found[inline], name)
        path = self._path.parent / found[file]
        try:
            with path.open("rb") as opened:
                content = opened.read(POLICY_BYTES_MAX + 1)
            if len(content) > POLICY_BYTES_MAX:
                raise self._wrong(name, f"{path} is larger than {POLICY_BYTES_MAX} bytes")
            return bytes(content).decode()
        except OSError as error:
            raise self._wrong(name, f"{path}: {error.strerror}") from error
        except UnicodeDecodeError:
            raise self._wrong(name, f"{path} is no text") from None

    def _text_of(self, document: Any, name: str) -> str:
        if isinstance(document, str):
            return document
        if not isinstance(document, dict):
            raise self._wrong(name, "a policy's document is a table or its JSON text")
        try:
            return json.dumps(document)
        except TypeError:  # TOML has dates, JSON has none
            raise self._wrong(name, "the document holds a date that is not between quotes") from None

    def _texts(self, table: Mapping[str, Any], name: str) -> dict[str, str]:
        if not all(isinstance(one, str) for one in table.values()):
            raise self._wrong(name, "tags are texts")
        return dict(table)

    def _names(self, items: list[Any], name: str) -> tuple[str, ...]:
        if not all(isinstance(one, str) for one in items):
            raise self._wrong(name, "lists of names hold texts")
        return tuple(items)

    def _checked(self, table: Any, kinds: Mapping[str, type], what: str) -> dict[str, Any]:
        """A table with fields of these kinds and no others."""
        if not isinstance(table, dict):
            raise Corrupt(f"{self._path}: {what}: a table belongs here")
        where = self._path if not isinstance(table.get("name"), str) else self.at(table["name"])
        for field, value in table.items():
            if field not in kinds:
                raise Corrupt(f"{where}: {what}: there is no choice named {field[:64]}")
            if not isinstance(value, kinds[field]) or (kinds[field] is int and isinstance(value, bool)):
                raise Corrupt(f"{where}: {what}: {field} is of the wrong kind")
        return table
