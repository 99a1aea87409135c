"""Several master keys at one time: the first seals, each opens, and a purpose has keys of its own."""

import os

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.adapters.cluster.sealing import Sealer, key_id_of, key_named
from app.core.errors import Corrupt

OLD, NEW = bytes([1]) * 32, bytes([2]) * 32


def of_first_form(key: bytes, name: str, secret: str) -> bytes:
    """As releases sealed that knew one master key only."""
    nonce = os.urandom(12)
    return b"\x01" + nonce + AESGCM(key).encrypt(nonce, secret.encode(), b"zapfs secret of " + name.encode())


def test_the_first_key_seals_and_each_opens():
    both = Sealer(NEW, os.urandom, (OLD,))
    old, new = Sealer(OLD, os.urandom).seal("A", "secret"), both.seal("A", "secret")
    assert both.unseal("A", old) == both.unseal("A", new) == Sealer(NEW, os.urandom).unseal("A", new) == "secret"
    with pytest.raises(Corrupt, match=f"another master key .{key_id_of(NEW)}."):
        Sealer(OLD, os.urandom).unseal("A", new)


def test_a_sealed_secret_names_its_key_and_one_of_the_first_form_none():
    assert key_named(Sealer(NEW, os.urandom).seal("A", "secret")) == key_id_of(NEW)
    assert Sealer(NEW, os.urandom, (OLD,)).key_ids == (key_id_of(NEW), key_id_of(OLD))
    assert key_named(of_first_form(OLD, "A", "secret")) == ""


def test_secrets_of_the_first_form_open_with_any_key():
    assert Sealer(NEW, os.urandom, (OLD,)).unseal("A", of_first_form(OLD, "A", "secret")) == "secret"
    with pytest.raises(Corrupt, match="another master key"):
        Sealer(NEW, os.urandom).unseal("A", of_first_form(OLD, "A", "secret"))


def test_a_box_opens_what_was_sealed_for_its_purpose_and_with_the_same_words_only():
    sealer = Sealer(OLD, os.urandom)
    token = sealer.box("session").seal(b"who", b"bound")
    assert Sealer(NEW, os.urandom, (OLD,)).box("session").open(token, b"bound") == b"who"
    for box, bound in ((sealer.box("bearer token"), b"bound"), (sealer.box("session"), b"")):
        with pytest.raises(Corrupt):
            box.open(token, bound)
    with pytest.raises(Corrupt):
        Sealer(NEW, os.urandom).box("session").open(token, b"bound")


def test_a_key_given_twice_is_one_key():
    assert Sealer(OLD, os.urandom, (OLD,)).key_ids == (key_id_of(OLD),)


def test_further_keys_of_another_length_are_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        Sealer(OLD, os.urandom, (b"short",))


def test_no_key_is_in_a_repr():
    sealer = Sealer(OLD, os.urandom, (NEW,))
    for shown in (repr(sealer), repr(sealer.box("session"))):
        assert repr(OLD)[2:-1] not in shown
