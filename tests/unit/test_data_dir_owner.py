"""A data directory belongs to one member of a cluster, or to a server of one machine."""

import os
from pathlib import Path

import pytest

from roles import data_dir
from roles.data_dir import Refusal


def claimed(root: Path, owner: str, cluster_id: str = "") -> None:
    """As at the start and the end of a process."""
    os.close(data_dir.claim(root, cluster_id, 1, owner))


@pytest.mark.parametrize("other", ["manager m1", "file host file-2", "gateway file-1", ""])
def test_a_directory_is_not_taken_for_another_members(tmp_path: Path, other: str) -> None:
    claimed(tmp_path, "file host file-1")
    with pytest.raises(Refusal, match="belongs to file host file-1, not to"):
        claimed(tmp_path, other)
    claimed(tmp_path, "file host file-1")


def test_a_servers_directory_is_no_members(tmp_path: Path) -> None:
    claimed(tmp_path, "", "ab" * 16)
    with pytest.raises(Refusal, match="belongs to a server of one machine, not to manager m1"):
        claimed(tmp_path, "manager m1")
    claimed(tmp_path, "", "cd" * 16)
