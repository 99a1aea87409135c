"""aws-chunked bodies as a client writes them, in the three framings that frame.

Knows frames, their signature chain and trailers. Must not import app/.
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and sigv4-streaming-trailers.html
"""

import hashlib
from collections.abc import Mapping, Sequence

from tests.wire.signer import EMPTY_SHA256, Signer

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def signature_of(headers: Mapping[str, str]) -> str:
    """The seed of the chain: the signature in a signed request's Authorization header."""
    return headers["authorization"].rpartition("Signature=")[2]


def unsigned_frames(pieces: Sequence[bytes], trailers: Mapping[str, str]) -> bytes:
    """Frames without signatures, the closing frame, and trailers."""
    frames = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece)
    lines = "".join(f"{name}:{value}\r\n" for name, value in trailers.items())
    return frames + b"0\r\n" + lines.encode() + b"\r\n"


def signed_frames(
    signer: Signer, head: Mapping[str, str], pieces: Sequence[bytes], trailers: Mapping[str, str] | None = None
) -> bytes:
    """Frames signed in a chain that starts at the signed `head`; with a signed trailer unless `trailers` is None."""
    stamp, previous, out = head["x-amz-date"], signature_of(head), []
    for piece in [*filter(None, pieces), b""]:
        text = f"{previous}\n{EMPTY_SHA256}\n{hashlib.sha256(piece).hexdigest()}"
        previous = signer.signature(stamp, text, "AWS4-HMAC-SHA256-PAYLOAD")
        out.append(b"%x;chunk-signature=%b\r\n" % (len(piece), previous.encode()))
        out.append(piece + b"\r\n" if piece else b"")
    if trailers is None:
        return b"".join(out) + b"\r\n"
    canonical = "".join(f"{name}:{trailers[name]}\n" for name in sorted(trailers))
    text = f"{previous}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = signer.signature(stamp, text, "AWS4-HMAC-SHA256-TRAILER")
    lines = "".join(f"{name}:{value}\r\n" for name, value in trailers.items())
    return b"".join(out) + f"{lines}x-amz-trailer-signature:{signature}\r\n\r\n".encode()
