"""The rules of the ErasureCodec port."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from itertools import combinations
from math import comb
from random import Random

import pytest

from app.adapters.erasure import IsaCodec, codec
from app.core.errors import Corrupt
from app.core.limits import CHUNK_BYTES_MAX

KINDS = [(1, 1), (2, 1), (2, 2), (3, 2), (4, 2), (6, 3), (8, 3), (8, 4), (10, 4), (31, 1), (16, 16)]
SUBSETS_MAX = 60
# Of the fragments of 1,000 known bytes. A release of the library under which these differ cannot read what lies on
# devices: it must never be taken.
KNOWN = {
    (2, 1): "90fcb932fa3719bf12833a766cd26117",
    (4, 2): "a8c97a89a674ac00452323ea27462bfc",
    (8, 3): "4984a8c501c6b053dfd9f3892361d474",
}


def bytes_of(seed: int, length: int) -> bytes:
    return Random(seed).randbytes(length)


def subsets(data: int, parity: int) -> list[tuple[int, ...]]:
    """Every choice of k fragments, or some where there are many, those without data fragments among them."""
    width = data + parity
    if comb(width, data) <= SUBSETS_MAX:
        return list(combinations(range(width), data))
    chance = Random(width)
    return [tuple(range(width - data, width)), *(tuple(chance.sample(range(width), data)) for _ in range(SUBSETS_MAX))]


@pytest.mark.parametrize(("data", "parity"), KINDS)
def test_any_k_fragments_give_the_chunk_and_every_other_fragment(data: int, parity: int) -> None:
    coder = codec(data, parity)
    chunk = bytes_of(1, 1_000 + data // 2)
    fragments = coder.encode(chunk)
    assert len(fragments) == data + parity
    for chosen in subsets(data, parity):
        have = {index: fragments[index] for index in chosen}
        assert coder.decode(have, len(chunk)) == chunk
        for index in set(range(data + parity)).difference(chosen):
            assert coder.rebuild(have, index) == fragments[index]


@pytest.mark.parametrize(("data", "parity"), KINDS)
def test_chunks_of_every_small_length_come_back(data: int, parity: int) -> None:
    coder = codec(data, parity)
    for length in range(1, 3 * data + 2):
        chunk = bytes_of(length, length)
        fragments = coder.encode(chunk)
        assert {len(fragment) for fragment in fragments} == {coder.payload_bytes(length)}
        last = {index: fragments[index] for index in range(parity, data + parity)}
        assert coder.decode(last, length) == chunk


@pytest.mark.parametrize("length", [65_535, 65_536, 65_537, 1_000_003, CHUNK_BYTES_MAX - 1, CHUNK_BYTES_MAX])
def test_large_chunks_come_back(length: int) -> None:
    coder = codec(4, 2)
    chunk = bytes_of(2, length)
    fragments = coder.encode(chunk)
    assert coder.decode({index: fragments[index] for index in (0, 3, 4, 5)}, length) == chunk
    assert coder.decode(dict(enumerate(fragments)), length) == chunk
    assert coder.rebuild({index: fragments[index] for index in (0, 3, 4, 5)}, 2) == fragments[2]


@pytest.mark.parametrize(("data", "parity"), KINDS)
def test_data_fragments_are_the_chunk_in_clear_and_zeros_after_it(data: int, parity: int) -> None:
    coder = codec(data, parity)
    for length in (1, data, 1_001):
        chunk = bytes_of(3, length)
        size = coder.payload_bytes(length)
        assert b"".join(coder.encode(chunk)[:data]) == chunk.ljust(size * data, b"\0")


@pytest.mark.parametrize(("data", "parity"), KINDS)
def test_equal_ranges_of_fragments_give_the_same_range_of_another(data: int, parity: int) -> None:
    coder = codec(data, parity)
    fragments = coder.encode(bytes_of(4, 900 * data))
    for start, end in ((0, 1), (13, 14), (100, 777), (899, 900)):
        have = {index: fragments[index][start:end] for index in range(1, data + 1)}
        assert coder.rebuild(have, 0) == fragments[0][start:end]


def test_what_does_not_fit_together_is_corrupt() -> None:
    coder = codec(4, 2)
    fragments = dict(enumerate(coder.encode(bytes_of(5, 1_000))))
    few = {index: fragments[index] for index in (0, 1, 2)}
    uneven = {**few, 4: fragments[4][:-1]}
    strange = {**few, 6: fragments[5]}
    empty = {index: memoryview(b"") for index in range(4)}
    for bad in (few, uneven, strange, empty, {}):
        with pytest.raises(Corrupt):
            coder.decode(bad, 1_000)
        with pytest.raises(Corrupt):
            coder.rebuild(bad, 3)
    with pytest.raises(Corrupt):
        coder.decode(fragments, 1_001)


def test_lengths_and_indices_out_of_bounds_are_refused() -> None:
    coder = codec(4, 2)
    for length in (0, CHUNK_BYTES_MAX + 1):
        with pytest.raises(ValueError, match="a chunk has"):
            coder.encode(bytes(length))
    with pytest.raises(ValueError, match="no fragment 6"):
        coder.rebuild(dict(enumerate(coder.encode(b"four of them"))), 6)


def fingerprint(data: int, parity: int) -> str:
    digest = sha256()
    for fragment in IsaCodec(data, parity).encode(bytes(range(250)) * 4):
        digest.update(fragment)
    return digest.hexdigest()[:32]


@pytest.mark.parametrize(("data", "parity"), sorted(KNOWN))
def test_fragments_are_those_every_release_made(data: int, parity: int) -> None:
    assert fingerprint(data, parity) == KNOWN[(data, parity)]


def test_another_process_makes_the_same_fragments() -> None:
    program = "from tests.contract.test_erasure import fingerprint; print(fingerprint(8, 3))"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told.strip() == fingerprint(8, 3)


def test_threads_share_a_codec() -> None:
    coder = codec(4, 2)

    def work(seed: int) -> bool:
        chunk = bytes_of(seed, 50_000 + seed)
        fragments = coder.encode(chunk)
        return coder.decode({index: fragments[index] for index in (1, 2, 4, 5)}, len(chunk)) == chunk

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(60)))
