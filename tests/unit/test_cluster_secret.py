"""Keys of a cluster and the proof a request bears."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.auth.cluster_secret import Refused, check_protocol, derive, signed, verified
from app.core.cluster_limits import INTERNAL_SKEW_MS

SECRET = bytes(range(32))
KEY = derive(SECRET, "internal http")
SAID = ("PUT", "/blob/v1/d/f?chunk=1", "ab" * 16)
NOW = 1_700_000_000_000


def test_a_purpose_has_its_own_key_for_good() -> None:
    assert derive(SECRET, "internal http") == KEY
    assert len({KEY, derive(SECRET, "raft"), derive(bytes(32), "internal http"), SECRET}) == 4
    assert KEY.hex() == "f5c3a0240afe8df273714d1b5b0093081ad1876d92a10bd8c5b2fcaed4194dd8"


def test_a_member_is_believed() -> None:
    assert verified(KEY, signed(KEY, "n-1.a", NOW, SAID), NOW, SAID) == "n-1.a"


@pytest.mark.parametrize("off_ms", [INTERNAL_SKEW_MS, -INTERNAL_SKEW_MS])
def test_clocks_may_differ_a_little(off_ms: int) -> None:
    assert verified(KEY, signed(KEY, "n1", NOW + off_ms, SAID), NOW, SAID) == "n1"


@pytest.mark.parametrize("off_ms", [INTERNAL_SKEW_MS + 1, -INTERNAL_SKEW_MS - 1])
def test_clocks_too_far_apart_are_named(off_ms: int) -> None:
    with pytest.raises(Refused, match="the clocks of n1 and this node differ by 300 s"):
        verified(KEY, signed(KEY, "n1", NOW + off_ms, SAID), NOW, SAID)


@pytest.mark.parametrize("at", range(3))
def test_nothing_of_a_request_can_be_exchanged(at: int) -> None:
    changed = tuple(text + "x" if place == at else text for place, text in enumerate(SAID))
    with pytest.raises(Refused, match="does not hold"):
        verified(KEY, signed(KEY, "n1", NOW, SAID), NOW, changed)  # type: ignore[arg-type]


def test_neither_node_nor_time_can_be_exchanged() -> None:
    node, time, mac = signed(KEY, "n1", NOW, SAID).split(" ")
    for proof in (f"n2 {time} {mac}", f"{node} {NOW + 1} {mac}"):
        with pytest.raises(Refused, match="does not hold"):
            verified(KEY, proof, NOW, SAID)


@given(st.text(max_size=120))
def test_anything_else_is_no_proof(proof: str) -> None:
    with pytest.raises(Refused):
        verified(KEY, proof, NOW, SAID)


@pytest.mark.parametrize("spoken", ["", "0", "2", "1.0", "one", "1" * 50])
def test_another_protocol_is_refused_in_one_line(spoken: str) -> None:
    with pytest.raises(Refused, match="this node speaks 1"):
        check_protocol(spoken)
