"""Placed blob ids: what an id tells of group, profile, fragment and time."""

import os

import pytest

from app.core.ids import make_id
from app.core.layout import blob_ids


@pytest.mark.parametrize("groups", [1, 2, 1024, 65536])
def test_every_fragment_of_a_blob_lies_in_its_groups_range(groups: int) -> None:
    for _ in range(200):
        blob = blob_ids.blob_id_for(7, make_id(1_700_000_000_123, os.urandom(10)))
        group = blob_ids.group_of(blob, groups)
        first, end = blob_ids.group_range(group, groups)
        for index in (0, 5, 31):
            fragment = blob_ids.fragment_id(blob, index)
            assert first <= fragment
            assert end is None or fragment < end
            assert blob_ids.blob_of(fragment) == blob
            assert blob_ids.index_of(fragment) == index
            assert blob_ids.profile_of(fragment) == 7
            assert blob_ids.placed_ms(fragment) == 1_700_000_000_123


def test_ids_and_names_of_a_single_machine_stay_as_they_are() -> None:
    fresh = make_id(5, os.urandom(10))
    assert blob_ids.blob_id_for(0, fresh) == fresh
    assert blob_ids.chunk_id_for(0, b"n" * 32) == b"n" * 32


def test_chunks_of_two_profiles_never_share_a_name() -> None:
    assert blob_ids.chunk_id_for(1, b"n" * 32) != blob_ids.chunk_id_for(2, b"n" * 32)
    assert len(blob_ids.chunk_id_for(1, b"n" * 32)) == 32
