"""Frames and wraps: what opens, what does not, and the arithmetic of spans."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import Corrupt
from app.core.sealing.frames import (
    FRAME_BYTES,
    STORED_FRAME_BYTES,
    TAG_BYTES,
    DataKey,
    derive,
    frame_count,
    frame_span,
    stored_size,
)
from app.core.sealing.wrapping import Binding, unwrap, wrap, wrapping_version

KEY = bytes(range(32))
BUCKET, REF = b"B" * 16, b"R" * 16


def sealed(data: bytes, key: bytes = KEY, bucket: bytes = BUCKET, ref: bytes = REF) -> bytearray:
    out = bytearray(stored_size(len(data)))
    filled = DataKey(key, bucket).frames(ref, len(data)).seal(0, memoryview(data), memoryview(out))
    assert filled == len(out)
    return out


def opened(
    stored: bytes, size: int, first: int = 0, ref: bytes = REF, key: bytes = KEY, bucket: bytes = BUCKET
) -> bytes:
    out = bytearray(len(stored))
    count = DataKey(key, bucket).frames(ref, size).open(first, memoryview(stored), memoryview(out))
    return bytes(out[:count])


DATA = bytes(range(251)) * 800  # three frames and a short one


@pytest.mark.parametrize("size", [0, 1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 3 * FRAME_BYTES])
def test_what_was_sealed_opens_to_the_same_bytes(size):
    data = (DATA * 2)[:size]
    stored = sealed(data)
    assert len(stored) == stored_size(size) == size + TAG_BYTES * frame_count(size)
    assert opened(stored, size) == data


def test_a_frame_is_plain_aes_gcm_under_the_derived_key_with_its_index_as_nonce():
    stored = sealed(DATA)
    key = derive(KEY, b"zapfs content 1" + BUCKET + REF)
    second = bytes(stored[STORED_FRAME_BYTES : 2 * STORED_FRAME_BYTES])
    assert AESGCM(key).decrypt((1).to_bytes(12, "big"), second, b"\x00") == DATA[FRAME_BYTES : 2 * FRAME_BYTES]
    last = bytes(stored[3 * STORED_FRAME_BYTES :])
    assert AESGCM(key).decrypt((3).to_bytes(12, "big"), last, b"\x01") == DATA[3 * FRAME_BYTES :]


def test_the_derived_keys_are_those_of_the_stored_form():
    """Fixed for ever: what is stored must open in every later release. RFC 5869, computed by hand with HMAC."""
    import hmac

    pseudo_random = hmac.digest(bytes(32), KEY, "sha256")
    purpose = b"zapfs content 1" + BUCKET + REF
    assert derive(KEY, purpose) == hmac.digest(pseudo_random, purpose + b"\x01", "sha256")


@pytest.mark.parametrize("at", [0, 5, FRAME_BYTES, STORED_FRAME_BYTES, 3 * STORED_FRAME_BYTES + 7, -1])
def test_one_flipped_bit_does_not_open(at):
    stored = sealed(DATA)
    stored[at] ^= 1
    with pytest.raises(Corrupt):
        opened(stored, len(DATA))


def test_swapped_frames_do_not_open():
    stored = bytes(sealed(DATA))
    one, two = stored[:STORED_FRAME_BYTES], stored[STORED_FRAME_BYTES : 2 * STORED_FRAME_BYTES]
    with pytest.raises(Corrupt):
        opened(two + one + stored[2 * STORED_FRAME_BYTES :], len(DATA))


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_content_cut_off_at_a_frame_does_not_open_as_a_shorter_one(frames):
    stored = bytes(sealed(DATA))
    with pytest.raises(Corrupt):
        opened(stored[: frames * STORED_FRAME_BYTES], frames * FRAME_BYTES)


def test_a_content_drawn_out_by_a_frame_does_not_open_as_a_longer_one():
    data = DATA[: 2 * FRAME_BYTES]
    stored = bytes(sealed(data))
    with pytest.raises(Corrupt):
        opened(stored + stored[:STORED_FRAME_BYTES], 3 * FRAME_BYTES)


@pytest.mark.parametrize("stored", [b"", b"x", bytes(TAG_BYTES - 1), bytes(TAG_BYTES)])
def test_what_is_no_frame_does_not_open_as_an_empty_content(stored):
    if stored:
        with pytest.raises(Corrupt):
            opened(stored, 0)
    else:
        assert opened(stored, 0) == b""


@pytest.mark.parametrize("moved", [{"key": bytes(32)}, {"bucket": b"C" * 16}, {"ref": b"S" * 16}])
def test_a_content_moved_to_another_key_bucket_or_attempt_does_not_open(moved):
    with pytest.raises(Corrupt):
        opened(sealed(DATA), len(DATA), **moved)


def test_no_two_contents_of_one_data_key_are_sealed_alike():
    assert sealed(DATA) != sealed(DATA, ref=b"S" * 16)


@given(size=st.integers(1, 5 * FRAME_BYTES), data=st.data())
def test_a_span_names_exactly_the_frames_it_touches(size, data):
    start = data.draw(st.integers(0, size - 1))
    end = data.draw(st.integers(start + 1, size))
    span = frame_span(size, start, end)
    assert span.start == span.first * STORED_FRAME_BYTES
    assert (span.end - 1) // STORED_FRAME_BYTES == (end - 1) // FRAME_BYTES
    assert span.end <= stored_size(size)
    plain = span.end - span.start - TAG_BYTES * -(-(span.end - span.start) // STORED_FRAME_BYTES)
    assert span.lead < FRAME_BYTES
    assert span.first * FRAME_BYTES + span.lead == start
    assert end <= span.first * FRAME_BYTES + plain < end + FRAME_BYTES


@given(size=st.integers(1, 4 * FRAME_BYTES), data=st.data())
def test_a_span_of_frames_opens_to_the_span_of_bytes(size, data):
    start = data.draw(st.integers(0, size - 1))
    end = data.draw(st.integers(start + 1, size))
    whole = (DATA * 2)[:size]
    span = frame_span(size, start, end)
    found = opened(sealed(whole)[span.start : span.end], size, span.first)
    assert found[span.lead : span.lead + end - start] == whole[start:end]


BINDING = Binding("aws:kms", BUCKET, b"key", '{"a":"b"}')


def test_a_wrapped_data_key_opens_under_its_binding_and_tells_its_keys_version():
    wrapped = wrap(KEY, 7, BINDING, b"I" * 16, b"D" * 32)
    assert wrapping_version(wrapped) == 7
    assert unwrap(KEY, BINDING, wrapped) == b"D" * 32
    assert b"D" * 8 not in wrapped


@pytest.mark.parametrize(
    "other",
    [
        BINDING._replace(scheme="AES256"),
        BINDING._replace(bucket_id=b"C" * 16),
        BINDING._replace(key=b"other"),
        BINDING._replace(context=""),
        BINDING._replace(key=b"key" + b"\0", context=""),
    ],
)
def test_a_wrap_moved_to_another_object_does_not_open(other):
    with pytest.raises(Corrupt):
        unwrap(KEY, other, wrap(KEY, 7, BINDING, b"I" * 16, b"D" * 32))


@pytest.mark.parametrize("at", range(69))
def test_a_wrap_with_one_flipped_bit_does_not_open(at):
    wrapped = bytearray(wrap(KEY, 7, BINDING, b"I" * 16, b"D" * 32))
    assert len(wrapped) == 69
    wrapped[at] ^= 1
    with pytest.raises(Corrupt):
        unwrap(KEY, BINDING, bytes(wrapped))


def test_another_wrapping_key_does_not_open_it():
    with pytest.raises(Corrupt):
        unwrap(bytes(32), BINDING, wrap(KEY, 7, BINDING, b"I" * 16, b"D" * 32))
