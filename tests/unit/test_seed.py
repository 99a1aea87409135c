"""A seed file makes an empty control state what it asks for, once, and says what is wrong with it, and where."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.adapters.cluster.local import Writer
from app.adapters.cluster.sealing import Sealer
from app.config import Settings
from app.core.cluster import Account, ClusterState, Limits, PutRoot, Scope, holder_of
from roles import seed
from roles.data_dir import Refusal
from roles.running import SOURCES

EXAMPLE = Path(__file__).parents[2] / "deploy" / "iam.toml"
SEALER = Sealer(bytes(32), os.urandom)
ALICE = '[[account]]\nname = "acme"\n\n[[account.user]]\nname = "alice"\n'


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Writer]:
    (tmp_path / "data" / "secrets").mkdir(parents=True)
    writer = Writer(tmp_path / "data" / "cluster", create=True)
    writer.submit(PutRoot("root", Account("0" * 12, "0" * 64, "root", "", 0, root=True)))
    yield writer
    writer.close()


def sown(cluster: Writer, tmp_path: Path, text: str) -> list[str]:
    """What was said of seeding with a file of that text."""
    path = tmp_path / "iam.toml"
    path.write_text(text)
    said: list[str] = []
    seed.seed(cluster, SEALER, SOURCES, Settings(data_dir=tmp_path / "data", iam_seed=path), said.append)
    return said


def secret_of(state: ClusterState, access_key: str) -> str:
    found = holder_of(state, access_key)
    assert found is not None
    account, user = found
    key = next(one for one in (account if user is None else user).keys if one.access_key == access_key)
    return SEALER.unseal(access_key, key.sealed_secret)


def test_the_example_seeds_everything_there_is(cluster: Writer, tmp_path: Path) -> None:
    (tmp_path / "backup-job.secret").write_text("a-secret-in-a-file\n")
    (tmp_path / "backup-job.secret").chmod(0o600)
    said = sown(cluster, tmp_path, EXAMPLE.read_text())
    state = cluster.state()
    acme = state.accounts["acme"]
    assert set(acme.users) == {"alice", "backup-job"}
    assert acme.users["alice"].groups == ("readers",)
    assert acme.users["alice"].tags == {"team": "storage"}
    assert acme.groups["readers"].attached == (f"arn:aws:iam::{acme.account_id}:policy/read-reports",)
    assert json.loads(acme.policies["read-reports"].text)["Statement"][0]["Effect"] == "Allow"
    assert set(acme.users["backup-job"].inline) == {"write-backups"}
    assert acme.roles["auditor"].attached == ("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",)
    assert state.limits_of(Scope("account", "acme")) == Limits(bytes=1_099_511_627_776, requests_per_s=500)
    assert secret_of(state, "AKIABACKUPJOB0000000") == "a-secret-in-a-file"
    kept = json.loads((tmp_path / "data" / "secrets" / "seeded-keys.json").read_bytes())
    assert {whose.rpartition("/")[0] for whose in kept} == {"acme", "acme/alice"}
    assert (tmp_path / "data" / "secrets" / "seeded-keys.json").stat().st_mode & 0o777 == 0o600
    for one in kept.values():
        assert secret_of(state, one["access_key"]) == one["secret_key"]
        assert one["secret_key"] not in "\n".join(said)
    assert "seeded user alice of acme" in said


def test_a_second_start_changes_nothing(cluster: Writer, tmp_path: Path) -> None:
    assert sown(cluster, tmp_path, ALICE)
    before = cluster.state()
    assert sown(cluster, tmp_path, ALICE + '\n[[account.user]]\nname = "bob"\n') == []
    assert cluster.state() is before


def test_a_seeding_that_was_cut_short_goes_on_at_the_next_start(cluster: Writer, tmp_path: Path) -> None:
    sown(cluster, tmp_path, ALICE)
    alice = cluster.state().accounts["acme"].users["alice"]
    (tmp_path / "data" / "secrets" / "seeding").touch()
    assert sown(cluster, tmp_path, ALICE + '\n[[account.user]]\nname = "bob"\n') == ["seeded user bob of acme"]
    assert cluster.state().accounts["acme"].users["alice"] == alice


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[account]\n", r"line 1"),
        ("[[account]]\n", "name is missing"),
        (ALICE + 'colour = "red"\n', r"line 5: user of acme: there is no choice named colour"),
        (ALICE + 'path = "no"\n', r"line 5: alice: path must be"),
        (ALICE + 'groups = ["none"]\n', r"line 5: alice: The group with name none"),
        (ALICE + 'attached = ["none"]\n', r"line 5: alice: there is no policy named none"),
        (ALICE + "groups = [1]\n", r"line 5: lists of names"),
        (ALICE + 'keys = [{secret_key = "open-sesame-open"}]\n', r"line 5: a secret needs its access_key"),
        (ALICE + 'keys = [{access_key = "AKX", secret_key_file = "none"}]\n', r"line 5: secret_key_file: none is not"),
        (ALICE + "inline.p = {Statement = [1]}\n", r"line 5: alice: "),
        (ALICE + '[[account.policy]]\nname = "p"\n', r"line 7: document or file"),
        (ALICE + '[[account.role]]\nname = "r"\ntrust = "{}"\n', r"line 7: r: "),
        ('[[account]]\nname = "a"\nlimits = {bytes = "1"}\n', "bytes is of the wrong kind"),
        ("account = 1\n", "account is of the wrong kind"),
        ("accounts = []\n", "there is no choice named accounts"),
    ],
)
def test_a_malformed_seed_is_refused_with_its_line_and_makes_nothing(
    cluster: Writer, tmp_path: Path, text: str, said: str
) -> None:
    before = cluster.state()
    with pytest.raises(Refusal, match=said) as caught:
        sown(cluster, tmp_path, text)
    assert str(caught.value).startswith(f"iam_seed: {tmp_path}/iam.toml")
    with pytest.raises(Refusal, match=said):
        seed.check(Settings(iam_seed=tmp_path / "iam.toml"), SEALER, SOURCES)
    assert "sesame" not in str(caught.value)
    assert cluster.state() is before


def test_a_seed_that_is_not_there_is_refused(cluster: Writer, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", iam_seed=tmp_path / "none.toml")
    with pytest.raises(Refusal, match="No such file"):
        seed.seed(cluster, SEALER, SOURCES, settings, print)
