"""`zapfs admin` itself: whom it asks as whom, its exit codes, its tables, and waiting for a cluster's work."""

import re

import pytest

from app.cli import main, waiting
from app.cli.tables import fields, table
from app.cli.waiting import Steps

PROFILE = '[home]\nendpoint = "http://127.0.0.1:1"\naccess_key = "AK"\nsecret_key = "s"\n'


def profiles(path, text, mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return str(path)


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in ("ENDPOINT", "PROFILE", "TOKEN", "ACCESS_KEY", "SECRET_KEY"):
        monkeypatch.delenv(f"ZAPFS_{name}", raising=False)


def test_a_server_that_does_not_answer_is_exit_code_3(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ZAPFS_PROFILES", profiles(tmp_path / "p.toml", PROFILE))
    assert main(["admin", "user", "list", "--profile", "home"]) == 3
    assert "http://127.0.0.1:1 does not answer" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        (PROFILE, 0o640, "chmod 600"),
        (PROFILE.replace("home", "work"), 0o600, "profile home is not there"),
        (PROFILE.replace('secret_key = "s"\n', ""), 0o600, "go together"),
        (PROFILE + "port = 1\n", 0o600, "port is nothing a profile has"),
        ("[", 0o600, "is no TOML"),
    ],
)
def test_a_profile_that_is_not_to_be_used_is_refused(tmp_path, monkeypatch, capsys, text, mode, words):
    monkeypatch.setenv("ZAPFS_PROFILES", profiles(tmp_path / "p.toml", text, mode))
    assert main(["admin", "user", "list", "--profile", "home"]) == 1
    assert words in capsys.readouterr().err


def test_a_file_that_is_no_policy_is_asked_wrongly(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ZAPFS_TOKEN", "any")
    (tmp_path / "bad.json").write_text("{")
    assert main(["admin", "policy", "create", "readers", str(tmp_path / "bad.json")]) == 2
    assert "is no JSON" in capsys.readouterr().err


def test_a_backup_overwrites_no_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ZAPFS_TOKEN", "any")
    (tmp_path / "kept").write_text("kept")
    assert main(["admin", "backup", str(tmp_path / "kept")]) == 2
    assert "File exists" in capsys.readouterr().err
    assert main(["admin", "backup", str(tmp_path / "new"), "--endpoint", "http://127.0.0.1:1"]) == 3
    assert [one.name for one in tmp_path.iterdir()] == ["kept"]


def test_tables_tell_bytes_as_amounts_and_milliseconds_as_moments():
    rows = [{"name": "a", "bytes_live": 3 << 20, "bytes_per_s": 2048, "last_ms": 1_000, "on": True, "all": ["x", "y"]}]
    told = table(rows, ("name", "bytes_live", "bytes_per_s", "last_ms", "on", "all"))[1]
    assert re.split(r" {2,}", told) == ["a", "3.0 MiB", "2.0 KiB/s", "1970-01-01T00:00:01Z", "yes", "x,y"]
    assert fields({"trust": {"A": 1}, "deep": {"x": ""}}) == ["trust", "  {", '    "A": 1', "  }", f"{'deep.x':28} -"]


def answers(*transitions):
    """One answer after the other, the last for ever."""
    told = [None if one is None else {"complete_percent": one, "groups_pending": 100 - one} for one in transitions]
    return lambda: {"transition": told.pop(0) if len(told) > 1 else told[0]}


def test_waiting_ends_when_some_answers_in_a_row_say_so_and_tells_each_step_once(capsys):
    pauses = []
    waiting.wait(answers(None, 20, 20, 60, None), waiting.moved, "add", pauses.append)
    assert capsys.readouterr().err.splitlines() == [
        "add: 20 %  80 groups to go",
        "add: 60 %  40 groups to go",
        "add: 100 %  done",
    ]
    assert len(pauses) == 6


def test_repair_waits_for_what_can_be_made_whole_only():
    profile = {"full": 6, "reduced": 2, "critical": 0, "lost": 3, "unswept": 0}
    assert waiting.mended({"profiles": [profile]}) == (0.75, "2 to go")
    assert waiting.mended({"profiles": [profile | {"reduced": 0}]}) is None


def test_a_terminal_is_shown_a_bar_that_stays_on_its_line(capsys):
    class Terminal:
        def __init__(self):
            self.text = ""

        def isatty(self):
            return True

        def write(self, text):
            self.text += text

        def flush(self):
            pass

    terminal = Terminal()
    steps = Steps("drain", terminal)
    steps.show(0.5, "5 to go")
    steps.show(0.5, "5 to go")
    steps.close()
    assert terminal.text == f"\rdrain  [{'#' * 15}{'.' * 15}]  50 %  5 to go\033[K\n"
