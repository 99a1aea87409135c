"""Checksums: known answers, pieces, combination of parts, strict base64."""

import hashlib
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import checksums
from app.core.limits import OBJECT_BYTES_MAX

CRCS = ("CRC32", "CRC32C", "CRC64NVME")

# The check values of the catalogue of parametrised CRC algorithms, and RFC 1321 / FIPS 180 / the BLAKE3 paper.
KNOWN = {
    "CRC32": "cbf43926",
    "CRC32C": "e3069283",
    "CRC64NVME": "ae8b14860a799888",
    "MD5": hashlib.md5(b"123456789").hexdigest(),
    "SHA1": hashlib.sha1(b"123456789").hexdigest(),
    "SHA256": hashlib.sha256(b"123456789").hexdigest(),
    "SHA512": hashlib.sha512(b"123456789").hexdigest(),
    "XXHASH64": "8cb841db40e6ae83",
}


@pytest.mark.parametrize("algorithm", KNOWN)
def test_each_algorithm_gives_its_published_check_value(algorithm: str) -> None:
    assert checksums.digest(algorithm, b"123456789").hex() == KNOWN[algorithm]


# Digests of no bytes as the specifications of BLAKE3 and of xxHash publish them.
NOTHING = {
    "BLAKE3": "af1349b9f5f9a1a6a0404dea36dcc949",
    "XXHASH64": "ef46db3751d8e999",
    "XXHASH3": "2d06800538d394c2",
    "XXHASH128": "99aa06d3014798d86001c324468d497f",
}


@pytest.mark.parametrize("algorithm", NOTHING)
def test_nothing_digests_to_its_published_value(algorithm: str) -> None:
    assert checksums.digest(algorithm, b"").hex().startswith(NOTHING[algorithm])


@pytest.mark.parametrize("algorithm", checksums.DIGEST_BYTES)
@settings(max_examples=30, deadline=None)
@given(pieces=st.lists(st.binary(max_size=3000), max_size=6))
def test_pieces_digest_as_the_whole(algorithm: str, pieces: list[bytes]) -> None:
    running = checksums.hasher(algorithm)
    for piece in pieces:
        running.update(memoryview(bytearray(piece)))
    whole = checksums.digest(algorithm, b"".join(pieces))
    assert running.digest() == whole
    assert running.digest() == whole, "asking twice changes nothing"
    assert len(whole) == checksums.DIGEST_BYTES[algorithm]


@pytest.mark.parametrize("algorithm", CRCS)
@settings(max_examples=50, deadline=None)
@given(parts=st.lists(st.binary(max_size=5000), max_size=8))
def test_combined_parts_equal_the_checksum_of_the_whole(algorithm: str, parts: list[bytes]) -> None:
    combined = checksums.combine(algorithm, [(checksums.digest(algorithm, part), len(part)) for part in parts])
    assert combined == checksums.digest(algorithm, b"".join(parts))


@pytest.mark.parametrize("algorithm", CRCS)
@pytest.mark.parametrize("sizes", [(0, 0), (0, 1), (1, 0), (5 << 20, 1), (1, 5 << 20), ((1 << 20) - 1, (1 << 20) + 1)])
def test_combination_holds_at_the_edges(algorithm: str, sizes: tuple[int, int]) -> None:
    first, second = (
        b"\x00a" * (sizes[0] // 2) + b"q" * (sizes[0] % 2),
        b"z\xff" * (sizes[1] // 2) + b"r" * (sizes[1] % 2),
    )
    parts = [(checksums.digest(algorithm, part), len(part)) for part in (first, second)]
    assert checksums.combine(algorithm, parts) == checksums.digest(algorithm, first + second)


@pytest.mark.parametrize("algorithm", CRCS)
def test_combination_of_huge_parts_does_not_depend_on_how_they_are_grouped(algorithm: str) -> None:
    # Built by doubling from a part small enough to compute, so that no step trusts a length it has not reached.
    unit = checksums.digest(algorithm, b"abcd")
    value, length = unit, 4
    while length < OBJECT_BYTES_MAX:
        value, length = checksums.combine(algorithm, [(value, length), (value, length)]), length * 2
    assert checksums.combine(algorithm, [(unit, 4), (value, length)]) == checksums.combine(
        algorithm, [(value, length), (unit, 4)]
    )


@pytest.mark.parametrize("algorithm", ["SHA1", "SHA256", "SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128"])
def test_digests_that_are_no_crc_cannot_be_combined(algorithm: str) -> None:
    with pytest.raises(KeyError):
        checksums.combine(algorithm, [])


def test_a_composite_is_the_digest_of_digests_and_the_count() -> None:
    digests = [zlib.crc32(part).to_bytes(4, "big") for part in (b"a", b"b")]
    expected = checksums.encode(zlib.crc32(b"".join(digests)).to_bytes(4, "big"))
    assert checksums.composite("CRC32", digests) == f"{expected}-2"


def test_a_multipart_etag_is_the_md5_of_md5s_and_the_count() -> None:
    md5s = [hashlib.md5(part).digest() for part in (b"a", b"b", b"c")]
    assert checksums.multipart_etag(md5s) == hashlib.md5(b"".join(md5s)).hexdigest() + "-3"


@pytest.mark.parametrize("algorithm", checksums.DIGEST_BYTES)
def test_base64_forms_round_trip(algorithm: str) -> None:
    value = checksums.digest(algorithm, b"x")
    assert checksums.decode(algorithm, checksums.encode(value)) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "AAAAAA",
        "AAAAAA=",
        "AAAAAA===",
        "AAAAAB==",
        "AAAAAA==\n",
        " AAAAAA==",
        "AAAA",
        "AAAAAAA=",
        "AA-_AA==",
        "AAAAAé==",
    ],
)
def test_only_the_canonical_base64_of_the_right_length_decodes(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        checksums.decode("CRC32", text)


def test_block_checksums_are_eight_bytes_a_block_and_change_with_their_block_only() -> None:
    data = bytearray(b"a" * 200_000)
    before = checksums.block_checksums(data, 65536)
    assert len(before) == 4 * checksums.BLOCK_CHECKSUM_BYTES
    data[70_000] ^= 1
    after = checksums.block_checksums(memoryview(data), 65536)
    assert [before[i : i + 8] == after[i : i + 8] for i in range(0, 32, 8)] == [True, False, True, True]
    assert checksums.block_checksums(b"") == b""
