"""Settings: where each value comes from, and what is said of wrong ones."""

import base64
import json
from pathlib import Path

import pytest

from app.config import SETTINGS, Settings, SettingsError, resolve
from app.config_values import Bind

KEY = base64.b64encode(bytes(range(32))).decode()


def mistakes_of(flags: dict[str, str], environ: dict[str, str], config: Path | None = None) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        resolve(flags, environ, config)
    return raised.value.mistakes


def test_without_any_source_the_defaults_are_loopback_and_below_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = resolve({}, {})
    assert settings.data_dir == tmp_path / "data"
    assert settings.s3_bind == Bind("127.0.0.1", 8082)
    assert settings.admin_bind == Bind("127.0.0.1", 8060)
    assert not settings.dev
    assert settings.region == "us-east-1"


def test_a_flag_wins_over_the_environment_which_wins_over_the_file_which_wins_over_the_default(tmp_path):
    file = tmp_path / "zapfs.toml"
    file.write_text('workers = 2\nbacklog = 99\nregion = "file-1"\n')
    environ = {"ZAPFS_WORKERS": "3", "ZAPFS_REGION": "environment-1"}
    settings = resolve({"region": "flag-1"}, environ, file)
    assert (settings.region, settings.workers, settings.backlog, settings.log_level) == ("flag-1", 3, 99, "info")


def test_the_file_may_be_named_by_the_environment(tmp_path):
    file = tmp_path / "zapfs.toml"
    file.write_text("workers = 2\n")
    assert resolve({}, {"ZAPFS_CONFIG": str(file)}).workers == 2


def test_every_mistake_of_every_source_is_reported_at_once(tmp_path):
    file = tmp_path / "zapfs.toml"
    file.write_text('wrokers = 2\nbacklog = "many"\n')
    found = mistakes_of({"s3_bind": "nowhere"}, {"ZAPFS_WORKERS": "0", "ZAPFS_RGION": "x"}, file)
    assert len(found) == 5
    text = "\n".join(found)
    for part in ("wrokers: no such setting (is workers meant?)", "backlog: must be a whole number", "--s3-bind"):
        assert part in text
    assert "ZAPFS_RGION: no such setting (is ZAPFS_REGION meant?)" in text
    assert "ZAPFS_WORKERS: must lie in 1..64" in text


def test_a_file_that_is_missing_or_no_toml_is_a_mistake(tmp_path):
    broken = tmp_path / "broken.toml"
    broken.write_text("workers = = 2")
    assert "No such file" in mistakes_of({}, {}, tmp_path / "absent.toml")[0]
    assert str(broken) in mistakes_of({}, {}, broken)[0]


def test_development_credentials_need_loopback_binds():
    found = mistakes_of({"dev": "true", "s3_bind": "0.0.0.0:8082"}, {})
    assert len(found) == 1
    assert "loopback" in found[0]
    assert resolve({"dev": "true", "s3_bind": "[::1]:8082"}, {}).dev


def test_development_credentials_are_not_taken_as_settings_without_dev():
    environ = {"ZAPFS_ROOT_ACCESS_KEY": "AKIAIOSFODNN7EXAMPLE", "ZAPFS_ROOT_SECRET_KEY": "wJalrXUtnFEMI/K7MDENG"}
    assert "need --dev" in mistakes_of({}, environ)[0]


def test_root_credentials_come_in_pairs():
    assert "both or neither" in mistakes_of({}, {"ZAPFS_ROOT_ACCESS_KEY": "AKIAABC"})[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iam_master_key", "c2hvcnQ="),
        ("iam_master_key", "not base64!"),
        ("root_secret_key", "short"),
        ("s3_bind", "127.0.0.1"),
        ("s3_bind", "127.0.0.1:65536"),
        ("s3_bind", "example.com:80"),
        ("dev", "perhaps"),
        ("buffer_budget_bytes", "1KiB"),
        ("buffer_budget_bytes", "8 parsecs"),
        ("log_level", "loud"),
        ("worker_class", "sync"),
        ("s3_domain", "-bad-"),
        ("workers", "1.5"),
        ("data_dir", ""),
    ],
)
def test_a_bad_value_is_named_by_its_variable_and_never_quoted(name, value):
    found = mistakes_of({}, {f"ZAPFS_{name.upper()}": value})
    assert found[0].startswith(f"ZAPFS_{name.upper()}: ")
    if SETTINGS[name].metadata["secret"]:
        assert value not in "\n".join(found)


def test_byte_counts_take_binary_units():
    assert resolve({}, {"ZAPFS_BUFFER_BUDGET_BYTES": "64MiB"}).buffer_budget_bytes == 64 << 20


def test_the_plain_log_level_variable_counts_unless_ours_is_set():
    assert resolve({}, {"LOG_LEVEL": "DEBUG"}).log_level == "debug"
    assert resolve({}, {"LOG_LEVEL": "DEBUG", "ZAPFS_LOG_LEVEL": "error"}).log_level == "error"


def test_settings_survive_being_handed_over_as_json():
    environ = {"ZAPFS_IAM_MASTER_KEY": KEY, "ZAPFS_S3_DOMAIN": "s3.test,s3.example"}
    settings = resolve({"s3_bind": "[::1]:0", "workers": "3"}, environ)
    again = Settings.from_plain(json.loads(json.dumps(settings.plain())))
    assert again == settings
    assert Settings.from_plain(json.loads(json.dumps(resolve({}, {}).plain()))) == resolve({}, {})


def test_every_setting_says_its_unit_and_reason():
    for name, setting in SETTINGS.items():
        assert setting.metadata["unit"], name
        assert setting.metadata["reason"], name
