"""A request to the blob routes as a value: where it points, and that its sender is a member.

Knows the wire's form. Must not know devices. Nothing of the body is read here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from app.core.auth import cluster_secret
from app.core.blob_wire import DEVICE_ID, ROOT
from app.core.types import BlobId
from app.faces.http.wire import Request

_VERBS: Final = frozenset({"held", "delete", "names", "stats"})


class Refusal(Exception):
    """A request that is not carried out; the text is the one line its sender is told."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status = status


@dataclass(frozen=True, slots=True)
class Membership:
    """`key`: derived from the cluster's secret. `now_ms`: this node's clock."""

    key: bytes = field(repr=False)
    now_ms: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Asking:
    """`what`: method and verb, as the table of routes names them. `device_id`, `fragment_id`: "" and b"" when none."""

    what: str
    device_id: str
    fragment_id: BlobId
    query: dict[str, str]

    def number(self, name: str, most: int) -> int:
        """A parameter of 0..most, 0 when it is not there. Raises Refusal."""
        text = self.query.get(name, "0")
        if not (text.isascii() and text.isdigit() and len(text) <= 16 and int(text) <= most):
            raise Refusal(400, f"{name} is no number from 0 to {most}")
        return int(text)

    def bytes_of(self, name: str, lengths: tuple[int, ...]) -> bytes:
        """A parameter in hex of one of these lengths in bytes. Raises Refusal."""
        try:
            value = bytes.fromhex(self.query.get(name, ""))
        except ValueError:
            value = b"?" * 99
        if len(value) not in lengths:
            raise Refusal(400, f"{name} is not hex of {' or '.join(map(str, lengths))} bytes")
        return value


def believed(request: Request, membership: Membership) -> None:
    """Check protocol and proof. Raises Refusal."""
    headers = request.headers
    try:
        cluster_secret.check_protocol(headers.get(cluster_secret.PROTOCOL_HEADER, ""))
    except cluster_secret.Refused as refused:
        raise Refusal(400, str(refused)) from None
    said = (request.method, request.target, headers.get(cluster_secret.CHECKSUM_HEADER, ""))
    try:
        cluster_secret.verified(membership.key, headers.get(cluster_secret.PROOF_HEADER, ""), membership.now_ms(), said)
    except cluster_secret.Refused as refused:
        raise Refusal(401, str(refused)) from None


def parsed(request: Request) -> Asking:
    """Where a request points. Raises Refusal."""
    path, _, query = request.target.partition("?")
    if not path.startswith(ROOT + "/"):
        raise Refusal(404, "there is nothing here")
    parameters = dict(pair.partition("=")[::2] for pair in query.split("&") if pair)
    pieces = path[len(ROOT) + 1 :].split("/")
    method = request.method
    if len(pieces) == 1 and pieces[0] in ("status", "suspects"):
        return Asking(f"{method} {pieces[0]}", "", b"", parameters)
    if not DEVICE_ID.fullmatch(pieces[0]) or len(pieces) not in (2, 3):
        raise Refusal(404, "there is nothing here")
    if len(pieces) == 2 and pieces[1] in _VERBS:
        return Asking(f"{method} {pieces[1]}", pieces[0], b"", parameters)
    if not DEVICE_ID.fullmatch(pieces[1]):  # the same form: 16 bytes in hex
        raise Refusal(404, "there is nothing here")
    verb = pieces[2] if len(pieces) == 3 else "fragment"
    return Asking(f"{method} {verb}", pieces[0], bytes.fromhex(pieces[1]), parameters)
