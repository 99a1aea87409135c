"""Sealed secrets open for their own name under their own master key, and in no other way."""

import os

import pytest

from app.adapters.cluster.sealing import Sealer
from app.core.errors import Corrupt

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def sealer(byte: int = 7) -> Sealer:
    return Sealer(bytes([byte]) * 32, os.urandom)


def test_a_secret_opens_again_in_another_process_with_the_same_master_key():
    assert sealer().unseal("AKIA1", sealer().seal("AKIA1", SECRET)) == SECRET


def test_sealing_twice_gives_different_bytes_and_never_shows_the_secret():
    one = sealer()
    first, second = one.seal("AKIA1", SECRET), one.seal("AKIA1", SECRET)
    assert first != second
    assert SECRET.encode() not in first


def test_a_sealed_secret_moved_to_another_access_key_does_not_open():
    with pytest.raises(Corrupt, match="AKIA2"):
        sealer().unseal("AKIA2", sealer().seal("AKIA1", SECRET))


def test_another_master_key_does_not_open_it():
    with pytest.raises(Corrupt, match="another master key"):
        sealer(8).unseal("AKIA1", sealer().seal("AKIA1", SECRET))


def test_no_altered_byte_goes_unnoticed():
    one = sealer()
    sealed = one.seal("AKIA1", "12345678")
    for index in range(len(sealed)):
        altered = bytearray(sealed)
        altered[index] ^= 1
        with pytest.raises(Corrupt):
            one.unseal("AKIA1", bytes(altered))


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01" + bytes(12), b"\x01" + bytes(20)])
def test_a_cut_off_sealed_secret_is_corrupt(sealed):
    with pytest.raises(Corrupt):
        sealer().unseal("AKIA1", sealed)


def test_a_master_key_of_another_length_is_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        Sealer(bytes(16), os.urandom)


def test_opened_secrets_are_remembered_within_a_bound(monkeypatch):
    monkeypatch.setattr("app.adapters.cluster.sealing.SECRETS_OPEN_MAX", 2)
    one = sealer()
    sealed = {name: one.seal(name, SECRET + name) for name in ("A", "B", "C")}
    for _ in range(2):
        for name, value in sealed.items():
            assert one.unseal(name, value) == SECRET + name
    assert len(one._opened) == 2


def test_key_material_opens_as_its_own_version_of_its_own_key_only():
    material = bytes(range(32))
    sealed = sealer().seal_material("aws/s3", 3, material)
    assert material not in sealed
    assert sealer().open_material("aws/s3", 3, sealed) == material
    for key_id, version in (("aws/s3", 2), ("other", 3)):
        with pytest.raises(Corrupt, match="does not open"):
            sealer().open_material(key_id, version, sealed)
    with pytest.raises(Corrupt):
        sealer().unseal("3 of aws/s3", sealed)
    with pytest.raises(Corrupt, match="known form"):
        sealer().open_material("aws/s3", 3, b"")
