"""The file form of the control state: one checksummed document, replaced as a whole.

Knows bytes and files of the state. Must not know who may write, or when. Form: a line `zapfs-cluster 1 <blake3 hex of
the body>`, then the body as JSON. A file that does not verify is Corrupt and never taken for an empty state.
"""

import base64
import binascii
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blake3 import blake3

from app.core.cluster import AccessKey, Account, ClusterState, Outcome
from app.core.errors import Corrupt, Full, Unavailable

_MAGIC = b"zapfs-cluster 1 "
Signature = tuple[int, int, int]
"""Inode, time of change in ns, size: a replaced file never has its predecessor's."""


def encode(state: ClusterState) -> bytes:
    """The document of a state."""
    body = json.dumps(
        {
            "version": state.version,
            "accounts": [_account_plain(account) for account in state.accounts.values()],
            "outcomes": {name: outcome.error for name, outcome in state.outcomes.items()},
        },
        separators=(",", ":"),
    ).encode()
    return _MAGIC + blake3(body).hexdigest().encode() + b"\n" + body


def decode(document: bytes) -> ClusterState:
    """The state of a document. Raises Corrupt."""
    head, _, body = document.partition(b"\n")
    if not head.startswith(_MAGIC) or head[len(_MAGIC) :] != blake3(body).hexdigest().encode():
        raise Corrupt("checksum mismatch")
    try:
        plain = json.loads(body)
        accounts = {account["name"]: _account(account) for account in plain["accounts"]}
        outcomes = {name: Outcome(error) for name, error in plain["outcomes"].items()}
        version = int(plain["version"])
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise Corrupt(f"not a cluster state: {error!r}") from error
    return ClusterState(
        version=version,
        accounts=accounts,
        by_access_key={key.access_key: account for account in accounts.values() for key in account.keys},
        by_canonical_id={account.canonical_id: account for account in accounts.values()},
        outcomes=outcomes,
    )


def signature(path: Path) -> Signature | None:
    """What changes with every replacement; None when there is no file. Raises Unavailable."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}") from error
    return found.st_ino, found.st_mtime_ns, found.st_size


def load(path: Path) -> ClusterState:
    """Raises Corrupt with what an operator can do about it, and Unavailable."""
    try:
        return decode(path.read_bytes())
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}") from error
    except Corrupt as error:
        raise Corrupt(
            f"{path} holds the accounts and is damaged ({error}). {previous_of(path)} is the state before its last "
            f"change: copy it over {path.name} to go on from there, then repeat that change"
        ) from error


def store(path: Path, state: ClusterState) -> None:
    """Replace the file; durable when this returns, and the file before stays as `previous_of(path)`. A failure leaves
    the old state in force. Raises Full, Unavailable."""
    fresh = path.with_name(path.name + ".tmp")
    try:
        _write_synced(fresh, encode(state))
        if path.exists():
            kept = path.with_name(path.name + ".kept")
            kept.unlink(missing_ok=True)
            kept.hardlink_to(path)
            kept.replace(previous_of(path))
        fresh.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        kind = Full if error.errno in (28, 122) else Unavailable  # ENOSPC, EDQUOT
        raise kind(f"{path}: {error.strerror}") from error


def previous_of(path: Path) -> Path:
    """Where the state before the last change is kept."""
    return path.with_name(path.name + ".previous")


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _write_synced(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)
    finally:
        os.close(fd)


def _account_plain(account: Account) -> dict[str, Any]:
    keys = [
        {"access_key": k.access_key, "sealed": base64.b64encode(k.sealed_secret).decode(), "active": k.active}
        for k in account.keys
    ]
    return {
        "account_id": account.account_id,
        "canonical_id": account.canonical_id,
        "name": account.name,
        "email": account.email,
        "created_ms": account.created_ms,
        "root": account.root,
        "display_name": account.display_name,
        "keys": keys,
    }


def _account(plain: Mapping[str, Any]) -> Account:
    keys = tuple(
        AccessKey(str(k["access_key"]), base64.b64decode(k["sealed"], validate=True), bool(k["active"]))
        for k in plain["keys"]
    )
    return Account(
        account_id=str(plain["account_id"]),
        canonical_id=str(plain["canonical_id"]),
        name=str(plain["name"]),
        email=str(plain["email"]),
        created_ms=int(plain["created_ms"]),
        keys=keys,
        root=bool(plain["root"]),
        display_name=str(plain["display_name"]),
    )
