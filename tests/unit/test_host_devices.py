"""The devices a file host is given, before any process of it starts."""

from pathlib import Path

import pytest

from app import config
from app.core.errors import Conflict
from roles import devices

CLUSTER = "ab" * 16


def test_one_device_under_two_names_is_refused(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    given = {"data_dir": str(tmp_path / "data"), "device": f"{tmp_path}/disk,{tmp_path}/link", "node_id": "file-1"}
    with pytest.raises(Conflict, match="link are the same device"):
        devices.prepare_devices(config.resolve(given, {}), CLUSTER)
