"""secrets never in logs, errors, listings or traces: a repr, an error's text and a command line all end up there."""

import base64
from pathlib import Path
from typing import Any

import pytest

from app import config
from app.adapters.backup_targets import BucketAddress
from app.adapters.chunks.peer import Identity
from app.adapters.cluster import remote, tls
from app.adapters.cluster.raft import RaftConfig
from app.adapters.cluster.sealing import Sealer
from app.cli import command
from app.cli.cluster_plan import Member, Plan, Shape, Wishes
from app.core.cluster.seed import SeedKey
from app.faces.http.internal.asking import Membership
from app.services.identity.control import CreatedKey, NewAccount
from roles.credentials import RootCredentials
from roles.handover import Handover

RAW = b"not to be shown to a soul, ever!"
TEXT = base64.b64encode(RAW).decode()
GIVEN = {
    "ZAPFS_CLUSTER_SECRET": TEXT,
    "ZAPFS_IAM_MASTER_KEY": TEXT,
    "ZAPFS_ROOT_ACCESS_KEY": "root",
    "ZAPFS_ROOT_SECRET_KEY": TEXT,
    "ZAPFS_METRICS_TOKEN": TEXT,
    "ZAPFS_IAM_MASTER_KEYS_MORE": TEXT,
    "ZAPFS_BACKUP_SECRET_KEY": TEXT,
    "ZAPFS_METADATA_URL": f"mysql://zapfs:{TEXT.strip('=')}@127.0.0.1/zapfs",
}


def settings() -> config.Settings:
    return config.resolve({}, GIVEN)


HOLDERS: dict[str, Any] = {
    "settings": settings(),
    "a handover": Handover("file", settings(), (RAW,), 3, 1, 2, 3),
    "root's credentials": RootCredentials("root", TEXT),
    "a wish for an account": NewAccount("name", secret_key=TEXT),
    "a new key": CreatedKey("key", TEXT),
    "an identity at file hosts": Identity(RAW, "n", lambda: 0, lambda: 0.0),
    "membership": Membership(RAW, lambda: 0),
    "the managers' door": remote.Door([], "n", RAW),
    "a member of the log": RaftConfig("n", "127.0.0.1:1", Path(), RAW),
    "a planned member": Member("file", "n", Path(), {"cluster_secret": TEXT}),
    "a bucket of backups": BucketAddress("http://127.0.0.1/b", "r", "k", TEXT),
    "a seed's key": SeedKey("key", TEXT),
    "a sealer": Sealer(RAW, bytes),
    "a plan": Plan(Path(), Shape(1, 1, 1, 1), Wishes(False), {"cluster_secret": TEXT}),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_who_holds_a_secret_does_not_show_it(holder: str) -> None:
    shown = repr(HOLDERS[holder])
    assert not [secret for secret in (repr(RAW)[2:-1], TEXT.strip("="), RAW.hex()) if secret in shown]


def test_a_certificates_key_is_not_shown() -> None:
    assert "PRIVATE KEY" not in repr(tls.identity(RAW, "n"))


@pytest.mark.parametrize("variable", [name for name in GIVEN if name != "ZAPFS_ROOT_ACCESS_KEY"])
def test_a_secret_that_is_refused_is_not_quoted(variable: str) -> None:
    bad = "sesame of a bad form \n"
    with pytest.raises(config.SettingsError) as caught:
        config.resolve({}, GIVEN | {variable: bad})
    assert variable in str(caught.value)
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize("name", ["server", "manager", "metadata", "file", "migrate", "fsck", "cluster"])
def test_no_command_takes_a_secret_as_a_flag(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.parser().parse_args([name, "--help"])
    offered = capsys.readouterr().out
    assert not [word for word in ("secret", "master-key", "token", "metadata-url") if f"--{word}" in offered]
    assert "--cluster-secret" not in offered
    assert "--root-secret-key" not in offered
