"""Secrets from files of their own, from systemd's credentials, and master keys from one file with several."""

import base64
from pathlib import Path

import pytest

from app.adapters.cluster.sealing import Sealer
from app.config import SettingsError, resolve
from roles import master_keys
from roles.data_dir import DataDir, Refusal

OLD, NEW = bytes(range(32)), bytes(range(32, 64))


def text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def secret_file(path: Path, content: str, mode: int = 0o600) -> Path:
    path.write_text(content)
    path.chmod(mode)
    return path


def test_every_secret_may_be_in_a_file_the_environment_or_the_settings_name(tmp_path: Path) -> None:
    token = secret_file(tmp_path / "token", "sesame-sesame\n")
    given = {"ZAPFS_METRICS_TOKEN_FILE": str(token)}
    assert resolve({}, given).metrics_token == "sesame-sesame"
    config = tmp_path / "zapfs.toml"
    config.write_text(f'cluster_secret_file = "{secret_file(tmp_path / "cluster", text(OLD))}"')
    assert resolve({}, given, config).cluster_secret == OLD


def test_a_secret_and_its_file_at_once_are_refused(tmp_path: Path) -> None:
    token = secret_file(tmp_path / "token", "sesame-sesame")
    with pytest.raises(SettingsError, match="ZAPFS_METRICS_TOKEN is given too"):
        resolve({}, {"ZAPFS_METRICS_TOKEN": "sesame-sesame", "ZAPFS_METRICS_TOKEN_FILE": str(token)})


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [("sesame-sesame", 0o644, "chmod 600"), ("no", 0o600, "8..128"), ("é" * 9, 0o600, "not ASCII")],
)
def test_a_secrets_file_that_cannot_be_used_is_named_and_not_quoted(
    tmp_path: Path, content: str, mode: int, said: str
) -> None:
    token = secret_file(tmp_path / "file", content, mode)
    with pytest.raises(SettingsError, match=said) as caught:
        resolve({}, {"ZAPFS_METRICS_TOKEN_FILE": str(token)})
    assert "ZAPFS_METRICS_TOKEN_FILE" in str(caught.value)
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize("what", ["missing", "directory", "large"])
def test_what_is_no_secrets_file_is_refused(tmp_path: Path, what: str) -> None:
    path = tmp_path / what
    if what == "directory":
        path.mkdir(mode=0o700)
    elif what == "large":
        secret_file(path, "x" * (1 << 17))
    with pytest.raises(SettingsError, match="ZAPFS_METRICS_TOKEN_FILE: "):
        resolve({}, {"ZAPFS_METRICS_TOKEN_FILE": str(path)})


def test_systemds_credentials_are_found_and_come_after_everything_given(tmp_path: Path) -> None:
    secret_file(tmp_path / "iam_master_key", text(OLD) + "\n", 0o440)
    secret_file(tmp_path / "iam_master_keys_more", f"{text(NEW)},{text(OLD)}")
    told = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    settings = resolve({}, told)
    assert (settings.iam_master_key, settings.iam_master_keys_more) == (OLD, (NEW, OLD))
    assert master_keys.given(settings) == (OLD, NEW)
    assert resolve({}, told | {"ZAPFS_IAM_MASTER_KEY": text(NEW)}).iam_master_key == NEW
    secret_file(tmp_path / "cluster_secret", "short")
    with pytest.raises(SettingsError, match="credential cluster_secret: must be 32 bytes"):
        resolve({}, told)


def test_a_master_key_file_has_a_key_a_line_and_the_first_seals(tmp_path: Path) -> None:
    path = secret_file(tmp_path / "keys", f"{text(NEW)}\n{text(OLD)}\n")
    settings = resolve({"data_dir": str(tmp_path)}, {"ZAPFS_IAM_MASTER_KEY_FILE": str(path)})
    assert master_keys.given(settings) == (NEW, OLD)
    assert master_keys.of(settings, DataDir(tmp_path), create=True) == (NEW, OLD)
    for content, said in ((f"{text(NEW)}\nsesame", "each of its lines"), ("", "each of its lines")):
        secret_file(path, content)
        with pytest.raises(Refusal, match=said) as caught:
            master_keys.given(settings)
        assert "sesame" not in str(caught.value)
    path.unlink()
    with pytest.raises(Refusal, match="is not there"):
        master_keys.given(settings)


def test_a_key_and_a_file_of_keys_at_once_are_refused(tmp_path: Path) -> None:
    path = secret_file(tmp_path / "keys", text(NEW))
    given = {"ZAPFS_IAM_MASTER_KEY_FILE": str(path), "ZAPFS_IAM_MASTER_KEY": text(OLD)}
    with pytest.raises(SettingsError, match="give one of them"):
        resolve({}, given)


def test_sealers_and_their_boxes_go_on_with_the_keys_they_are_given() -> None:
    sealer = Sealer(OLD, lambda count: bytes(count))
    box = sealer.box("session")
    secret, token = sealer.seal("A", "secret"), box.seal(b"who")
    assert not sealer.take((OLD,))
    assert sealer.take((NEW, OLD))
    assert sealer.unseal("A", secret) == "secret"
    assert box.open(token) == b"who"
    assert Sealer(NEW, lambda count: bytes(count)).box("session").open(box.seal(b"who")) == b"who"
    assert sealer.box("session") is box
