"""The file form of the control state: one checksummed document, replaced as a whole.

Knows bytes and files of the state. Must not know who may write, or when. Form: a line `zapfs-cluster 4 <blake3 hex of
the rest>`, then lines of JSON: the head, the placement, one for each account, one for each key of the keyring. Read too
are documents of form 3 (without limits), form 2 (nor a placement and what the head says of a cluster) and form 1 (one
JSON object, accounts only). A file that does not verify is Corrupt and never taken for empty.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from blake3 import blake3

from app.adapters.cluster import layout_form
from app.adapters.cluster.records import plain, reader
from app.core.cluster import Account, ClusterState, KmsKey, Limits, Outcome, assembled
from app.core.cluster.state import Staged, bare
from app.core.errors import Corrupt, Full, Unavailable
from app.core.layout.placement import EMPTY, Placement

_MAGIC: Final = b"zapfs-cluster "
Signature = tuple[int, int, int]
"""Inode, time of change in ns, size: a replaced file never has its predecessor's."""


class Codec:
    """Documents of one state after another: what did not change since the last one is not made again.

    Not to be shared by threads that run at one time.
    """

    def __init__(self) -> None:
        self._lines: dict[int, tuple[Account, bytes]] = {}  # by the account's identity; the account keeps it taken
        self._accounts: dict[bytes, Account] = {}
        self._placement: tuple[Placement, bytes] = (EMPTY, _json(layout_form.to_plain(EMPTY)))

    def encode(self, state: ClusterState) -> bytes:
        """The document of a state."""
        self._lines = {id(account): (account, self._line(account)) for account in state.accounts.values()}
        head = {
            "version": state.version,
            "accounts": len(state.accounts),
            "outcomes": {name: [one.error, one.message] for name, one in state.outcomes.items()},
            "cluster_id": state.cluster_id,
            "database_id": state.database_id,
            "managers": dict(state.managers),
            "limits": {key: plain(one) for key, one in state.limits.items()},
            "restored": state.restored,
        }
        if state.staged is not None:
            staged = Codec().encode(state.staged.contents).decode("ascii")
            head["staged"] = [state.staged.restore_id, state.staged.pieces, staged]
        if self._placement[0] is not state.placement:
            self._placement = state.placement, _json(layout_form.to_plain(state.placement))
        lines = [_json(head), self._placement[1], *(line for _, line in self._lines.values())]
        lines += [_json(plain(key)) for key in state.kms_keys.values()]
        return _sealed(b"4", b"\n".join(lines))

    def _line(self, account: Account) -> bytes:
        known = self._lines.get(id(account))
        return _json(plain(account)) if known is None else known[1]

    def decode(self, document: bytes) -> ClusterState:
        """The state of a document. Raises Corrupt."""
        form, body = _opened(document)
        try:
            return _decoded_first(body) if form == b"1" else self._decoded(body, placed=form != b"2")
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise Corrupt(f"not a cluster state: {error!r}") from error

    def _decoded(self, body: bytes, *, placed: bool) -> ClusterState:
        first, *lines = body.split(b"\n")
        head = json.loads(first)
        placement = self._read_placement(lines.pop(0)) if placed else EMPTY
        known, self._accounts = self._accounts, {}
        for line in lines[: head["accounts"]]:
            account = known.get(line)
            self._accounts[line] = _account(json.loads(line)) if account is None else account
        keys = [_kms_key(json.loads(line)) for line in lines[head["accounts"] :]]
        outcomes = {name: Outcome(*one) for name, one in head["outcomes"].items()}
        state = assembled(int(head["version"]), self._accounts.values(), keys, outcomes)
        cluster_id, managers = head.get("cluster_id", ""), head.get("managers", {})
        database_id = head.get("database_id", "")
        limits = {key: _limits(one) for key, one in head.get("limits", {}).items()}
        return replace(
            state,
            cluster_id=cluster_id,
            database_id=database_id,
            managers=managers,
            placement=placement,
            limits=limits,
            restored=head.get("restored", ""),
            staged=_staged(head.get("staged")),
        )

    def _read_placement(self, line: bytes) -> Placement:
        if line != self._placement[1]:
            self._placement = layout_form.from_plain(json.loads(line)), line
        return self._placement[0]


_account: Final[Callable[[Any], Account]] = reader(Account)
_limits: Final[Callable[[Any], Limits]] = reader(Limits)
_kms_key: Final[Callable[[Any], KmsKey]] = reader(KmsKey)


def _staged(value: Any) -> Staged | None:
    if value is None:
        return None
    restore_id, pieces, document = value
    contents = Codec().decode(document.encode())
    # As the pieces left it: indices are made when a restore ends.
    return Staged(restore_id, pieces, bare(contents))


def _decoded_first(body: bytes) -> ClusterState:
    """The state of form 1, in which a key's secret was called `sealed`."""
    whole = json.loads(body)
    accounts = [_account(_renamed(account)) for account in whole["accounts"]]
    outcomes = {name: Outcome(error) for name, error in whole["outcomes"].items()}
    return assembled(int(whole["version"]), accounts, (), outcomes)


def _renamed(account: Mapping[str, Any]) -> dict[str, Any]:
    keys = [
        {"access_key": key["access_key"], "sealed_secret": key["sealed"], "active": key["active"]}
        for key in account["keys"]
    ]
    return {**account, "keys": keys}


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _sealed(form: bytes, body: bytes) -> bytes:
    return _MAGIC + form + b" " + blake3(body).hexdigest().encode() + b"\n" + body


def _opened(document: bytes) -> tuple[bytes, bytes]:
    """Form and body of a document. Raises Corrupt."""
    head, _, body = document.partition(b"\n")
    form, _, checksum = head.removeprefix(_MAGIC).partition(b" ")
    if not head.startswith(_MAGIC) or checksum != blake3(body).hexdigest().encode():
        raise Corrupt("checksum mismatch")
    if form not in (b"1", b"2", b"3", b"4"):
        raise Corrupt(f"form {form.decode(errors='replace')} is of a later release")
    return form, body


def signature(path: Path) -> Signature | None:
    """What changes with every replacement; None when there is no file. Raises Unavailable."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}") from error
    return found.st_ino, found.st_mtime_ns, found.st_size


def load(path: Path, codec: Codec | None = None) -> ClusterState:
    """The state of a file; `codec`: of the states before it.

    Raises Corrupt with what an operator can do about it, and Unavailable."""
    try:
        return (codec or Codec()).decode(path.read_bytes())
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}") from error
    except Corrupt as error:
        raise Corrupt(
            f"{path} holds the accounts and is damaged ({error}). {previous_of(path)} is the state before its last "
            f"change: copy it over {path.name} to go on from there, then repeat that change"
        ) from error


def store(path: Path, state: ClusterState, codec: Codec | None = None) -> None:
    """Replace the file; durable when this returns, and the file before stays as `previous_of(path)`. A failure leaves
    the old state in force. Raises Full, Unavailable."""
    fresh = path.with_name(path.name + ".tmp")
    try:
        _write_synced(fresh, (codec or Codec()).encode(state))
        if path.exists():
            kept = path.with_name(path.name + ".kept")
            kept.unlink(missing_ok=True)
            kept.hardlink_to(path)
            kept.replace(previous_of(path))
        fresh.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        kind = Full if error.errno in (28, 122) else Unavailable  # ENOSPC, EDQUOT
        raise kind(f"the control state cannot be written: {error.strerror}") from error


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
