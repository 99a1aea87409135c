"""The aws-chunked decoder: AWS's published example, frames cut anywhere, every truncation and every mutation."""

import io
import re
from hashlib import sha256

import pytest
from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import integrity
from app.core.auth import canonical, sigv4
from app.core.auth.payload import Framing
from app.core.auth.stream import AwsChunkedBody
from app.core.errors import S3Error
from app.core.limits import (
    AWS_FRAME_BYTES_MAX,
    AWS_FRAME_BYTES_MIN,
    AWS_READ_AHEAD_BYTES,
    TRAILER_BYTES_MAX,
)
from app.core.types import Checksum

EMPTY = sha256(b"").hexdigest()
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TIMESTAMP = "20130524T000000Z"
SCOPE = "20130524/us-east-1/s3/aws4_request"
KEY = canonical.signing_key(SECRET, "20130524", "us-east-1", "s3")
SEED = sigv4.Seed(KEY, TIMESTAMP, SCOPE, "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9")
TRAILER_SEED = SEED._replace(signature="106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e")
CHECKSUM = "x-amz-checksum-crc32c"
ANNOUNCED = frozenset({CHECKSUM})


class Bytes:
    """A body held whole, which may or may not say how long it is."""

    def __init__(self, data: bytes, *, tells_length: bool = True) -> None:
        self.data = data
        self.length: int | None = len(data) if tells_length else None
        self.received = 0

    def receive(self, view: memoryview) -> int:
        got = min(len(view), len(self.data) - self.received)
        view[:got] = self.data[self.received : self.received + got]
        self.received += got
        if self.length is not None:
            self.length -= got
        return got


def encode(content: bytes, framing: Framing, seed: sigv4.Seed, frame: int = 65536, trailer: bytes = b"") -> bytes:
    """A body as a client writes it, its trailer `name:value` without a line end."""
    out = bytearray()
    previous = seed.signature

    def signature(kind: str, hashed: str) -> str:
        return canonical.sign(
            seed.key, f"AWS4-HMAC-SHA256-{kind}\n{seed.timestamp}\n{seed.scope}\n{previous}\n{hashed}"
        )

    for piece in [content[start : start + frame] for start in range(0, len(content), frame)] + [b""]:
        out += f"{len(piece):x}".encode()
        if framing.signed:
            previous = signature("PAYLOAD", f"{EMPTY}\n{sha256(piece).hexdigest()}")
            out += b";chunk-signature=" + previous.encode()
        out += b"\r\n" + piece + (b"\r\n" if piece else b"")
    if trailer:
        out += trailer + b"\r\n"
        if framing.signed:
            out += f"x-amz-trailer-signature:{signature('TRAILER', sha256(trailer + bytes([10])).hexdigest())}".encode()
            out += b"\r\n"
    return bytes(out + b"\r\n")


def body(data: bytes, length: int, framing: Framing, announced: frozenset[str] = frozenset(), **more) -> AwsChunkedBody:
    seed = more.pop("seed", SEED) if framing.signed else None
    return AwsChunkedBody(Bytes(data, **more), length, framing, seed, announced=announced)


def read(decoder: AwsChunkedBody, piece: int = 100_000) -> bytes:
    """The content, pulled as the contract says: until a call gives less than was asked."""
    out = bytearray()
    while True:
        buffer = bytearray(piece)
        got = decoder.receive(memoryview(buffer))
        out += buffer[:got]
        if got < piece:
            return bytes(out)


def code(decoder: AwsChunkedBody) -> str:
    with pytest.raises(S3Error) as caught:
        read(decoder)
    return caught.value.code


CASES = [
    pytest.param(Framing.SIGNED, b"", id="signed"),
    pytest.param(Framing.SIGNED_TRAILER, CHECKSUM.encode() + b":sOO8/Q==", id="signed, trailer"),
    pytest.param(Framing.UNSIGNED_TRAILER, CHECKSUM.encode() + b":sOO8/Q==", id="unsigned, trailer"),
    pytest.param(Framing.UNSIGNED_TRAILER, b"", id="unsigned, no trailer"),
]


def announced_by(trailer: bytes) -> frozenset[str]:
    return ANNOUNCED if trailer else frozenset()


def test_aws_published_signed_example_decodes() -> None:
    heads = [
        b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n",
        b"400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n",
        b"0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n",
    ]
    data = heads[0] + b"a" * 65536 + b"\r\n" + heads[1] + b"a" * 1024 + b"\r\n" + heads[2] + b"\r\n"
    assert len(data) == 66824
    assert read(body(data, 66560, Framing.SIGNED)) == b"a" * 66560


def test_aws_published_signed_example_with_trailer_decodes() -> None:
    heads = [
        b"10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n",
        b"400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n",
        b"0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n",
    ]
    trailer = (
        b"x-amz-checksum-crc32c:sOO8/Q==\r\n"
        b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
    )
    data = heads[0] + b"a" * 65536 + b"\r\n" + heads[1] + b"a" * 1024 + b"\r\n" + heads[2] + trailer
    decoder = body(data, 66560, Framing.SIGNED_TRAILER, ANNOUNCED, seed=TRAILER_SEED)
    assert read(decoder) == b"a" * 66560
    assert decoder.trailers == {CHECKSUM: "sOO8/Q=="}
    assert decoder.ended


def test_botocore_s_own_framing_decodes_and_its_checksum_holds() -> None:
    content = bytes(range(256)) * 10_000
    checksum = Crc32Checksum()
    wrapped = AwsChunkedWrapper(io.BytesIO(content), lambda: checksum, "x-amz-checksum-crc32", chunk_size=1 << 20)
    headers = {"x-amz-trailer": "x-amz-checksum-crc32", "x-amz-sdk-checksum-algorithm": "CRC32"}
    decoder = body(wrapped.read(), len(content), Framing.UNSIGNED_TRAILER, frozenset({"x-amz-checksum-crc32"}))
    received = read(decoder, 300_000)
    assert received == content
    stored = integrity.verify_body(integrity.parse(headers), received, decoder.trailers)
    assert stored == Checksum("CRC32", checksum.b64digest())


@pytest.mark.parametrize(("framing", "trailer"), CASES)
@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(0, 60_000),
    frame=st.integers(AWS_FRAME_BYTES_MIN, 30_000),
    pieces=st.lists(st.integers(1, 20_000), min_size=1, max_size=8),
    tells=st.booleans(),
)
def test_content_is_the_same_however_it_is_framed_and_pulled(
    framing: Framing, trailer: bytes, size: int, frame: int, pieces: list[int], tells: bool
) -> None:
    content = bytes(index * 31 % 251 for index in range(size))
    data = encode(content, framing, SEED, frame, trailer)
    decoder = body(data, size, framing, announced_by(trailer), tells_length=tells)
    out = bytearray()
    turn = 0
    while not decoder.ended:
        buffer = bytearray(pieces[turn % len(pieces)])
        out += buffer[: decoder.receive(memoryview(buffer))]
        turn += 1
    assert out == content
    assert decoder.trailers == ({CHECKSUM: "sOO8/Q=="} if trailer else {})
    assert decoder.length == 0
    assert decoder.receive(memoryview(bytearray(1))) == 0


@pytest.mark.parametrize(("framing", "trailer"), CASES)
@pytest.mark.parametrize("tells", [True, False])
def test_every_truncation_is_an_error(framing: Framing, trailer: bytes, tells: bool) -> None:
    content = bytes(range(256)) * 33
    data = encode(content, framing, SEED, AWS_FRAME_BYTES_MIN, trailer)
    interesting = {*range(300), *range(8100, 8700), *range(len(data) - 500, len(data))}
    for end in sorted(point for point in interesting if 0 <= point < len(data)):
        decoder = body(data[:end], len(content), framing, announced_by(trailer), tells_length=tells)
        assert code(decoder) in ("IncompleteBody", "MalformedTrailerError", "InvalidRequest"), end


@pytest.mark.parametrize(("framing", "trailer"), [case for case in CASES if "unsigned" not in case.id])
def test_every_single_byte_mutation_of_a_signed_body_is_refused(framing: Framing, trailer: bytes) -> None:
    content = b"some content"
    data = encode(content, framing, SEED, trailer=trailer)
    for index in range(len(data)):
        for value in range(256):
            mutated = data[:index] + bytes([value]) + data[index + 1 :]
            # Sizes in hex and names of fields have no case: such a mutation says the same.
            if mutated.lower() == data.lower():
                continue
            decoder = body(mutated, len(content), framing, announced_by(trailer))
            with pytest.raises(S3Error):
                read(decoder)


@pytest.mark.parametrize(("framing", "trailer"), CASES)
def test_bytes_after_the_end_are_refused(framing: Framing, trailer: bytes) -> None:
    data = encode(b"x" * 10, framing, SEED, trailer=trailer)
    for extra in (b"x", b"\r\n\r\n", b"0\r\n\r\n", b"z" * 2 * TRAILER_BYTES_MAX):
        assert code(body(data + extra, 10, framing, announced_by(trailer))) in (
            "InvalidRequest",
            "MalformedTrailerError",
        )


@pytest.mark.parametrize(("framing", "trailer"), CASES)
@pytest.mark.parametrize("declared", [0, 9, 11, 1 << 40])
def test_a_length_other_than_declared_is_refused(framing: Framing, trailer: bytes, declared: int) -> None:
    data = encode(b"x" * 10, framing, SEED, trailer=trailer)
    assert code(body(data, declared, framing, announced_by(trailer))) == "IncompleteBody"


def test_the_call_that_delivers_the_last_byte_has_verified_the_end() -> None:
    data = encode(b"x" * 10, Framing.SIGNED, SEED)
    forged = re.sub(rb"0;chunk-signature=....", b"0;chunk-signature=0000", data)
    assert len(forged) == len(data)
    decoder = body(forged, 10, Framing.SIGNED)
    with pytest.raises(S3Error, match="SignatureDoesNotMatch"):
        decoder.receive(memoryview(bytearray(10)))


def test_a_body_read_on_after_a_failure_fails_again() -> None:
    decoder = body(b"nonsense\r\n", 10, Framing.SIGNED)
    assert code(decoder) == "InvalidRequest"
    assert code(decoder) == "IncompleteBody"


def test_frames_in_another_order_are_refused() -> None:
    content = b"a" * 8192 + b"b" * 8192
    data = encode(content, Framing.SIGNED, SEED, 8192)
    half = data.index(b"2000;", 5)
    end = data.index(b"0;chunk", half + 5)
    assert (
        code(body(data[half:end] + data[:half] + data[end:], len(content), Framing.SIGNED)) == "SignatureDoesNotMatch"
    )


def test_a_signed_body_under_another_seed_is_refused() -> None:
    data = encode(b"x", Framing.SIGNED, SEED)
    assert code(body(data, 1, Framing.SIGNED, seed=TRAILER_SEED)) == "SignatureDoesNotMatch"


def test_signed_frames_in_a_request_not_signed_by_version_4_are_refused() -> None:
    with pytest.raises(S3Error, match="InvalidRequest"):
        AwsChunkedBody(Bytes(b""), 0, Framing.SIGNED)


def test_unsigned_frames_are_no_way_round_signed_framing() -> None:
    data = encode(b"x", Framing.UNSIGNED_TRAILER, SEED)
    assert code(body(data, 1, Framing.SIGNED)) == "InvalidRequest"


def test_a_small_frame_is_only_allowed_last() -> None:
    content = b"x" * (2 * AWS_FRAME_BYTES_MIN)
    data = encode(content, Framing.UNSIGNED_TRAILER, SEED, AWS_FRAME_BYTES_MIN - 1)
    assert code(body(data, len(content), Framing.UNSIGNED_TRAILER)) == "InvalidChunkSizeError"


def test_a_signed_frame_above_the_limit_is_refused_before_its_content() -> None:
    head = f"{AWS_FRAME_BYTES_MAX + 1:x};chunk-signature={'0' * 64}\r\n".encode()
    assert code(body(head, 1 << 40, Framing.SIGNED)) == "InvalidRequest"


@pytest.mark.parametrize("size", [b"-1", b"+1", b"0x1", b" 1", b"1 ", b"", b"1;x=y", b"f" * 17, "\u0661".encode()])
def test_a_malformed_frame_size_is_refused(size: bytes) -> None:
    assert code(body(size + b"\r\nx\r\n0\r\n\r\n", 1, Framing.UNSIGNED_TRAILER)) == "InvalidRequest"


@pytest.mark.parametrize("tells", [True, False])
def test_an_endless_frame_head_is_refused_without_reading_it_all(tells: bool) -> None:
    source = Bytes(b"0" * 10_000_000, tells_length=tells)
    decoder = AwsChunkedBody(source, 1, Framing.UNSIGNED_TRAILER)
    assert code(decoder) == "InvalidRequest"
    assert source.received <= AWS_READ_AHEAD_BYTES


@pytest.mark.parametrize(
    "tail",
    [
        b"\r\n",
        b"x-amz-checksum-crc32:AAAAAA==\r\n\r\n",
        b"x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-meta-a:b\r\n\r\n",
        b"x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-checksum-crc32c:sOO8/Q==\r\n\r\n",
        b"x-amz-checksum-crc32c:sOO8/Q== \r\n\r\n",
        b"x-amz-checksum-crc32c sOO8/Q==\r\n\r\n",
        b"\r\nx-amz-checksum-crc32c:sOO8/Q==\r\n\r\n",
    ],
)
def test_only_the_trailers_announced_are_taken(tail: bytes) -> None:
    decoder = body(b"1\r\nx\r\n0\r\n" + tail, 1, Framing.UNSIGNED_TRAILER, ANNOUNCED)
    assert code(decoder) == "MalformedTrailerError"


def test_a_trailer_not_announced_at_all_is_refused() -> None:
    decoder = body(b"1\r\nx\r\n0\r\nx-amz-checksum-crc32c:sOO8/Q==\r\n\r\n", 1, Framing.UNSIGNED_TRAILER)
    assert code(decoder) == "InvalidRequest"


def test_a_signed_trailer_without_its_signature_is_refused() -> None:
    data = encode(b"x", Framing.SIGNED_TRAILER, SEED, trailer=b"x-amz-checksum-crc32c:sOO8/Q==")
    stripped = re.sub(rb"x-amz-trailer-signature:[0-9a-f]+\r\n", b"", data)
    assert code(body(stripped, 1, Framing.SIGNED_TRAILER, ANNOUNCED)) == "MalformedTrailerError"


def test_trailers_as_minio_clients_write_them_are_taken() -> None:
    unsigned = b"1\r\nx\r\n0\r\nx-amz-checksum-crc32c:sOO8/Q==\n\r\n\r\n"
    decoder = body(unsigned, 1, Framing.UNSIGNED_TRAILER, ANNOUNCED)
    assert read(decoder) == b"x"
    assert decoder.trailers == {CHECKSUM: "sOO8/Q=="}
    data = encode(b"x", Framing.SIGNED_TRAILER, SEED, trailer=b"x-amz-checksum-crc32c:sOO8/Q==")
    signed = data.replace(b"sOO8/Q==\r\n", b"sOO8/Q==\n\r\n")
    decoder = body(signed, 1, Framing.SIGNED_TRAILER, ANNOUNCED)
    assert read(decoder) == b"x"
    assert decoder.trailers == {CHECKSUM: "sOO8/Q=="}


FRAGMENTS = st.sampled_from(
    [
        b"0",
        b"1",
        b"2000",
        b"\r\n",
        b"\n",
        b";chunk-signature=",
        b"a" * 64,
        b"x",
        b"x-amz-checksum-crc32c:sOO8/Q==",
        b":",
    ]
)


@pytest.mark.parametrize("framing", Framing)
@settings(max_examples=200, deadline=None)
@given(pieces=st.lists(FRAGMENTS | st.binary(max_size=20), max_size=12), length=st.integers(0, 20), tells=st.booleans())
def test_any_bytes_at_all_decode_or_are_refused(
    framing: Framing, pieces: list[bytes], length: int, tells: bool
) -> None:
    decoder = body(b"".join(pieces), length, framing, ANNOUNCED, tells_length=tells)
    try:
        received = read(decoder, 7)
    except S3Error:
        assert not decoder.ended
    else:
        assert len(received) == length
        assert decoder.ended


def test_large_content_goes_straight_into_the_caller_s_buffer() -> None:
    size = 4 << 20
    data = encode(b"y" * size, Framing.UNSIGNED_TRAILER, SEED, 1 << 20)
    asked: list[int] = []

    class Watched(Bytes):
        def receive(self, view: memoryview) -> int:
            asked.append(len(view))
            return super().receive(view)

    decoder = AwsChunkedBody(Watched(data), size, Framing.UNSIGNED_TRAILER)
    buffer = bytearray(size)
    assert decoder.receive(memoryview(buffer)) == size
    assert sum(count for count in asked if count > 1024) > size - 5 * 1024
    assert len(asked) <= 11


def test_hashing_of_frames_may_be_handed_to_the_caller() -> None:
    seen: list[int] = []

    def update(hasher, view: memoryview) -> None:
        seen.append(len(view))
        hasher.update(view)

    data = encode(b"x" * 20_000, Framing.SIGNED, SEED)
    decoder = AwsChunkedBody(Bytes(data), 20_000, Framing.SIGNED, SEED, hash_update=update)
    assert read(decoder) == b"x" * 20_000
    assert sum(seen) == 20_000
