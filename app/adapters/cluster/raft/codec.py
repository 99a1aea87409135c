"""Messages between members and entries of the log, as bytes.

Knows every message there is, field by field: what does not fit is BadMessage, and nothing else comes out of `decode`.
Must not know sockets or files. Form of a message: 4 bytes length of the head, the head (JSON), then the raw bytes the
head counts. An entry is (command, index, term); the first byte of a command is its kind.
"""

import json
import struct
from collections.abc import Mapping
from typing import Any, Final

from app.core import cluster_limits

Entry = tuple[bytes, int, int]
Message = dict[str, Any]

REGULAR: Final = b"\x00"  # the numbers are pysyncobj's own
NO_OP: Final = b"\x01"
MEMBERS: Final = b"\x02"

_LENGTH: Final = struct.Struct("<I")
_NUMBER_MAX: Final = 1 << 62
_FIELDS: Final[Mapping[str, Mapping[str, type]]] = {
    "hello": {"id": str, "address": str, "incarnation": str, "yours": str},
    "pre_vote": {"term": int, "last_log_index": int, "last_log_term": int, "round": int},
    "pre_vote_granted": {"term": int, "round": int},
    "request_vote": {"term": int, "last_log_index": int, "last_log_term": int},
    "response_vote": {"term": int},
    "append": {"term": int, "seq": int, "commit": int, "prev_index": int, "prev_term": int, "entries": list},
    "ack": {"term": int, "seq": int, "ok": bool, "index": int},
    "snapshot": {"term": int, "seq": int, "index": int, "offset": int, "total": int, "data": bytes},
    "snapshot_ack": {"term": int, "seq": int, "index": int, "offset": int},
    "newer_term": {"term": int},
    "timeout_now": {"term": int},
}


class BadMessage(ValueError):
    """Not a message of this form: a bug or an attack. Its connection is cut."""


def encode(message: Message) -> bytes:
    """The bytes of one message."""
    head, tail = dict(message), b""
    if "entries" in head:
        head["entries"] = [[len(command), index, term] for command, index, term in message["entries"]]
        tail = b"".join(command for command, _, _ in message["entries"])
    if "data" in head:
        tail = message["data"]
        head["data"] = len(tail)
    text = json.dumps(head, separators=(",", ":")).encode()
    return _LENGTH.pack(len(text)) + text + tail


def decode(data: bytes) -> Message:
    """One message; every field is there and has its type. Raises BadMessage."""
    try:
        (size,) = _LENGTH.unpack_from(data)
        head = json.loads(data[4 : 4 + size])
    except (struct.error, ValueError, RecursionError) as error:
        raise BadMessage(f"no head: {error}") from error
    tail = data[4 + size :]
    kind = head.get("type") if isinstance(head, dict) else None
    fields = _FIELDS.get(kind) if isinstance(kind, str) else None
    if fields is None or head.keys() != {"type", *fields}:
        raise BadMessage(f"no message of kind {str(kind)[:32]!r} has these fields")
    for name, wanted in fields.items():
        head[name] = _field(head[name], wanted, tail)
    if tail and not {list, bytes} & set(fields.values()):
        raise BadMessage("bytes after the head that nothing counts")
    return head  # type: ignore[no-any-return]


def _field(value: Any, wanted: type, tail: bytes) -> Any:
    if wanted is list:
        return _entries(value, tail)
    if wanted is bytes:
        if value != len(tail) or not _is_number(value):
            raise BadMessage("the data has another length than the head says")
        return tail
    if wanted is int:
        if not _is_number(value):
            raise BadMessage("a number is out of its range")
    elif not isinstance(value, wanted):
        raise BadMessage("a field has the wrong type")
    return value


def _entries(value: Any, tail: bytes) -> list[Entry]:
    if not isinstance(value, list):
        raise BadMessage("entries are a list")
    found: list[Entry] = []
    at = 0
    for item in value:
        if not (isinstance(item, list) and len(item) == 3 and all(map(_is_number, item))) or item[0] < 1:
            raise BadMessage("an entry is a length, an index and a term")
        found.append((tail[at : at + item[0]], item[1], item[2]))
        at += item[0]
    if at != len(tail):
        raise BadMessage("the entries have another length than the head says")
    return found


def _is_number(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _NUMBER_MAX


def members_command(members: Mapping[str, str]) -> bytes:
    """The command that makes `members` (id -> address) the members: the whole list, so that none before it matters."""
    return MEMBERS + json.dumps(dict(sorted(members.items())), separators=(",", ":")).encode()


def members_of(command: bytes) -> dict[str, str] | None:
    """The members a command names; None when it is of another kind. Raises BadMessage."""
    return parsed_members(command[1:]) if command[:1] == MEMBERS else None


def parsed_members(text: bytes) -> dict[str, str]:
    """Members of a JSON object. Raises BadMessage."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"members are no JSON: {error}") from error
    if not isinstance(found, dict) or len(found) > cluster_limits.RAFT_MEMBERS_MAX + 1:
        raise BadMessage("members are an object of few names")
    if not all(isinstance(value, str) for value in found.values()):
        raise BadMessage("a member's address is a text")
    return found
