"""What every start makes sure of: the operator's credentials and the keyring's own keys."""

import itertools
import os
from pathlib import Path

import pytest

from app.adapters.cluster.backup_form import BackupForm
from app.adapters.cluster.local import STATE_FILE, Follower
from app.adapters.cluster.sealing import Sealer
from app.config import Settings
from app.core.cluster import DEFAULT_KMS_ALIAS, SSE_S3_KEY, ClusterState, Holder
from app.services.call import Sources
from app.services.identity.control import Control
from roles import control_plane
from roles.credentials import RootCredentials
from roles.data_dir import DataDir, Refusal

FIRST_RELEASE = Path(__file__).parents[1] / "contract/data/cluster-state-1"
ROOT = RootCredentials("AKROOTROOTROOTROOT", "a-secret-of-the-operator")
SEALER = Sealer(bytes(32), os.urandom)


def start(root: Path, credentials: RootCredentials = ROOT) -> ClusterState:
    numbers = itertools.count()
    sources = Sources(lambda: 1_800_000_000_000, lambda: os.urandom(8) + next(numbers).to_bytes(8, "big"))
    control_plane.install(DataDir(root), SEALER, credentials, sources, Settings(region="here-1"), print)
    return Follower(DataDir(root).cluster).state()


def test_a_first_start_makes_the_operator_and_the_keyring_s_two_keys_and_a_second_nothing(tmp_path):
    state = start(tmp_path)
    assert state.accounts["root"].keys[0].access_key == ROOT.access_key
    default = state.kms_key(DEFAULT_KMS_ALIAS)
    assert default is not None
    assert set(state.kms_keys) == {SSE_S3_KEY, default.key_id}
    assert default.arn == f"arn:aws:kms:here-1:{state.accounts['root'].account_id}:key/{default.key_id}"
    for key in state.kms_keys.values():
        assert len(SEALER.open_material(key.key_id, 0, key.versions[0])) == 32
    assert start(tmp_path) == state


def test_a_data_directory_of_the_first_release_gets_its_keys_and_keeps_its_accounts(tmp_path):
    directory = DataDir(tmp_path)
    directory.cluster.mkdir(parents=True)
    (directory.cluster / STATE_FILE).write_bytes(FIRST_RELEASE.read_bytes())
    state = start(tmp_path)
    assert set(state.accounts) == {"root", "alice"}
    assert state.accounts["root"].canonical_id == "c" * 64
    assert SSE_S3_KEY in state.kms_keys
    assert DEFAULT_KMS_ALIAS in state.kms_aliases


@pytest.mark.parametrize(("again", "kept"), [(ROOT, True), (RootCredentials("AKOTHEROTHER", "another-secret"), False)])
def test_further_keys_of_the_operator_stay_as_long_as_the_credentials_do(tmp_path, again, kept):
    start(tmp_path)
    writer = control_plane.Writer(DataDir(tmp_path).cluster)
    sources = Sources(lambda: 1, lambda: os.urandom(16))
    added = Control(control_plane.desk(writer, sources), SEALER.seal).add_key(Holder("root"))
    writer.close()
    assert (added.access_key in start(tmp_path, again).by_access_key) is kept


def backed_up(root: Path) -> Path:
    """A backup of a server with root's credentials."""
    document = root / "control.backup"
    document.write_bytes(BackupForm(SEALER).sealed(start(root / "lost"), 1))
    return document


def test_a_lost_control_state_begins_with_its_backup_and_the_root_it_had(tmp_path):
    settings = Settings(restore_from=backed_up(tmp_path), region="here-1")
    directory = DataDir(tmp_path / "data")
    directory.database.parent.mkdir(parents=True)
    directory.database.touch()
    sources = Sources(lambda: 1, lambda: os.urandom(16))
    generated = RootCredentials("AKGENERATED", "a-secret-nobody-saw", generated_now=True)
    said: list[str] = []
    in_force = control_plane.install(directory, SEALER, generated, sources, settings, said.append)
    assert (in_force.access_key, in_force.secret_key, in_force.generated_now) == (*_pair(ROOT), False)
    restored = Follower(directory.cluster).state()
    assert restored.restored
    for options in (settings, Settings(region="here-1")):  # the next starts, also without the setting
        assert (
            control_plane.install(directory, SEALER, generated, sources, options, print).access_key == ROOT.access_key
        )
    given = RootCredentials("AKGIVEN", "a-secret-of-the-settings", given=True)
    assert control_plane.install(directory, SEALER, given, sources, Settings(), print) is given


def test_a_restore_that_fails_leaves_no_control_state_that_a_start_would_take_for_new(tmp_path):
    directory = DataDir(tmp_path / "data")
    directory.database.parent.mkdir(parents=True)
    directory.database.touch()
    sources = Sources(lambda: 1, lambda: os.urandom(16))
    broken = tmp_path / "broken"
    broken.write_bytes(backed_up(tmp_path).read_bytes()[:-1])
    for path, said in ((broken, "broken: the backup is cut off"), (tmp_path / "none", "No such file")):
        with pytest.raises(Refusal, match=said):
            control_plane.install(directory, SEALER, ROOT, sources, Settings(restore_from=path), print)
        with pytest.raises(Refusal, match="give restore_from again"):
            control_plane.install(directory, SEALER, ROOT, sources, Settings(), print)


def _pair(root: RootCredentials) -> tuple[str, str]:
    return root.access_key, root.secret_key
