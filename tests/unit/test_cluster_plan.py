"""A cluster on one machine is planned once: secrets and ports stay, and nobody else may read them."""

import json
import tomllib
from pathlib import Path

import pytest

from app import config
from app.cli.cluster_plan import FILE_HOST, GATEWAY, MANAGER, Plan, Shape, Wishes, claim, planned
from roles.data_dir import Refusal

SMALL = Shape(managers=3, gateways=2, hosts=2, devices=2)


def plan(root: Path, shape: Shape = SMALL, **wishes: object) -> Plan:
    root.mkdir(exist_ok=True)
    return planned(root, shape, Wishes(**{"database": True, "usual_ports": False} | wishes))  # type: ignore[arg-type]


def test_every_members_file_is_taken_by_the_command_that_reads_it(tmp_path: Path) -> None:
    made = plan(tmp_path)
    assert [member.kind for member in made.members] == [MANAGER] * 3 + [FILE_HOST] * 2 + [GATEWAY] * 2
    for member in made.members:
        settings = config.resolve({}, {}, member.config)
        assert settings.node_id == member.node_id
        assert len(settings.cluster_secret) == 32
        assert member.config.stat().st_mode & 0o777 == 0o600
    first, second, _ = made.of_kind(MANAGER)
    assert config.resolve({}, {}, first.config).bootstrap
    assert config.resolve({}, {}, second.config).join == first.settings["grpc_bind"]
    assert len(config.resolve({}, {}, made.of_kind(FILE_HOST)[0].config).device) == 2
    assert not config.resolve({}, {}, made.of_kind(FILE_HOST)[0].config).iam_master_key


def test_no_two_members_share_a_port(tmp_path: Path) -> None:
    made = plan(tmp_path)
    binds = [value for one in made.members for name, value in one.settings.items() if name.endswith("_bind")]
    assert len(binds) == len(set(binds)) == 3 * 3 + 2 * 2 + 2 * 2


def test_what_was_planned_once_stays_and_more_may_be_added(tmp_path: Path) -> None:
    before = plan(tmp_path)
    after = plan(tmp_path, Shape(managers=3, gateways=2, hosts=3, devices=2))
    kept = {member.node_id: member.settings for member in after.members}
    assert all(kept[member.node_id] == member.settings for member in before.members)
    assert "file-3" in kept
    assert json.loads((tmp_path / "cluster.json").read_text())["access_key"] == before.access_key
    assert (tmp_path / "cluster.json").stat().st_mode & 0o777 == 0o600


def test_members_may_be_advertised_where_something_stands_between(tmp_path: Path) -> None:
    made = plan(tmp_path, advertised="127.0.1.1", extra={FILE_HOST: {"scrub_days": 1}})
    host = tomllib.loads(made.of_kind(FILE_HOST)[0].config.read_text())
    assert host["advertise"] == host["blob_bind"].replace("127.0.0.1", "127.0.1.1")
    assert all(address.startswith("127.0.1.1:") for address in host["managers"])
    assert host["scrub_days"] == 1


def test_several_gateways_need_a_database_server(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="one database"):
        plan(tmp_path, database=False)
    assert "metadata_url" not in plan(tmp_path, Shape(gateways=1), database=False).of_kind(GATEWAY)[0].settings


def test_a_directory_of_somebody_else_or_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "file").touch()
    with pytest.raises(Refusal, match="no cluster's"):
        claim(tmp_path / "theirs")
    claim(tmp_path / "ours")
    with pytest.raises(Refusal, match="in use"):
        claim(tmp_path / "ours")
