"""Keys of a cluster, derived from the one secret its nodes share, and how a request between nodes proves itself.

Knows HKDF (RFC 5869, SHA-256) and the proof of a request. Must not know sockets, or where the secret comes from.

A proof is a keyed BLAKE3 over everything a request says: protocol, node, time, method, raw target, checksum of its
body. The time bounds how long a proof that was overheard can be repeated; what it repeats changes nothing, as ids of
fragments are never reused.
"""

import hmac
import re
from hashlib import sha256
from typing import Final

import blake3

from app.core.cluster_limits import INTERNAL_SKEW_MS

PROTOCOL: Final = 1
"""Of the internal HTTP. Nodes that speak another one are refused before anything else of a request is looked at."""

PROTOCOL_HEADER: Final = "zapfs-protocol"
PROOF_HEADER: Final = "zapfs-proof"
CHECKSUM_HEADER: Final = "zapfs-checksum"
PURPOSE: Final = "internal http"

_SALT: Final = b"zapfs cluster 1"
_PROOF: Final = re.compile(r"([A-Za-z0-9._-]{1,255}) ([0-9]{1,15}) ([0-9a-f]{64})")


class Refused(Exception):
    """A request that did not prove itself; the text is one line, fit to be answered."""


def derive(secret: bytes, purpose: str) -> bytes:
    """32 bytes for a purpose; keys of two purposes tell nothing of each other or of the secret."""
    extracted = hmac.digest(_SALT, secret, sha256)
    return hmac.digest(extracted, purpose.encode() + b"\x01", sha256)


def signed(key: bytes, node_id: str, time_ms: int, request: tuple[str, str, str]) -> str:
    """The PROOF_HEADER of a request: (method, raw target, CHECKSUM_HEADER of its body or "").

    `key`: 32 bytes, `derive(secret, PURPOSE)`. `node_id`: who asks, for the log; letters, digits, `.`, `_`, `-`.
    """
    return f"{node_id} {time_ms} {_mac(key, node_id, time_ms, request)}"


def verified(key: bytes, proof: str, now_ms: int, request: tuple[str, str, str]) -> str:
    """The node id of who asks. Raises Refused."""
    found = _PROOF.fullmatch(proof)
    if found is None:
        raise Refused("the request bears no proof of membership")
    node_id, time_ms, mac = found[1], int(found[2]), found[3]
    if not hmac.compare_digest(mac, _mac(key, node_id, time_ms, request)):
        raise Refused("the proof of membership does not hold: another cluster secret, or changed on its way")
    skew_ms = abs(now_ms - time_ms)
    if skew_ms > INTERNAL_SKEW_MS:
        raise Refused(f"the clocks of {node_id} and this node differ by {skew_ms // 1000} s; {_SKEW_S} s are taken")
    return node_id


def check_protocol(spoken: str) -> None:
    """The PROTOCOL_HEADER of a request. Raises Refused."""
    if spoken != str(PROTOCOL):
        shown = spoken if spoken.isascii() and spoken.isdigit() and len(spoken) <= 9 else "none"
        raise Refused(f"the caller speaks internal protocol {shown}, this node speaks {PROTOCOL}")


_SKEW_S: Final = INTERNAL_SKEW_MS // 1000


def _mac(key: bytes, node_id: str, time_ms: int, request: tuple[str, str, str]) -> str:
    # No part holds a line feed: node ids and times by their form, the others as HTTP has none in them.
    text = "\n".join((str(PROTOCOL), node_id, str(time_ms), *request))
    return blake3.blake3(text.encode("latin-1"), key=key).hexdigest()
