"""`zapfs admin` itself: whom it asks as whom, its exit codes, its tables, and waiting for a cluster's work."""

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import closing
from threading import Thread

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


@pytest.mark.parametrize("endpoint", ["127.0.0.1:8060", "ftp://a", "http://", "http://127.0.0.1:port", "http://a:0"])
def test_an_endpoint_that_is_no_address_is_asked_wrongly(monkeypatch, capsys, endpoint):
    monkeypatch.setenv("ZAPFS_TOKEN", "any")
    assert main(["admin", "user", "list", "--endpoint", endpoint]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    "words", [["limit", "set", "bucket"], ["limit", "show", "all", "photos"], ["limit", "delete", "user", "mia"]]
)
def test_limits_of_nobody_are_asked_wrongly(monkeypatch, capsys, words):
    monkeypatch.setenv("ZAPFS_TOKEN", "any")
    assert main(["admin", *words, "--endpoint", "http://127.0.0.1:1"]) == 2
    assert "cannot be used" in capsys.readouterr().err


def test_half_a_key_is_refused_and_a_token_no_header_takes_is_not_shown(monkeypatch, capsys):
    monkeypatch.setenv("ZAPFS_ACCESS_KEY", "AK")
    assert main(["admin", "user", "list"]) == 1
    assert "go together" in capsys.readouterr().err
    monkeypatch.setenv("ZAPFS_TOKEN", "secret\ntoken")
    assert main(["admin", "user", "list"]) == 2
    assert "secret" not in capsys.readouterr().err


@pytest.fixture
def listener():
    with closing(socket.create_server(("127.0.0.1", 0))) as made:
        yield made


def address(listener):
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def answering(listener, answer):
    """Answers one connection with these bytes."""

    def serve():
        connection, _ = listener.accept()
        with connection:
            connection.recv(1 << 16)
            connection.sendall(answer)

    Thread(target=serve, daemon=True).start()


def http(status, content, *headers):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", "Connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + content).encode()


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", 3, "speaks no HTTP"),
        (http("200 OK", "{}").replace(b": 2", b": 20"), 3, "broke off"),
        (http("200 OK", "<html>"), 3, "no admin face does"),
        (http("200 OK", "[]"), 3, "no admin face does"),
        (http("400 Bad Request", "<Error/>"), 3, "no admin face does (400)"),
        (http("302 Found", "", "Location: http://127.0.0.1:1/"), 3, "no admin face does (302)"),
        (http("502 Bad Gateway", "<html>"), 3, "answered 502"),
        (
            http("404 Not Found", '{"error": "NoSuchPath", "message": "no"}'),
            1,
            "has no GET /v1/iam/users; of a cluster",
        ),
        (http("200 OK", "{}"), 0, ""),
    ],
)
def test_whoever_answers_instead_of_an_admin_face_is_told_of_in_a_line(
    listener, monkeypatch, capsys, answer, code, words
):
    monkeypatch.setenv("ZAPFS_TOKEN", "any")
    answering(listener, answer)
    assert main(["admin", "user", "list", "--endpoint", address(listener)]) == code
    told = capsys.readouterr().err
    assert words in told
    assert len(told.splitlines()) == (code != 0)


def started(listener, *words, **kept):
    command = [sys.executable, "-m", "app.cli", "admin", *words, "--endpoint", address(listener)]
    environment = os.environ | {"ZAPFS_TOKEN": "any"}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, **kept)


def test_ctrl_c_ends_a_command_in_a_line_and_leaves_no_half_backup(tmp_path, listener):
    with started(listener, "backup", str(tmp_path / "half")) as command, listener.accept()[0]:
        command.send_signal(signal.SIGINT)
        told = command.communicate(timeout=20)[1]
    assert (command.returncode, len(told.splitlines())) == (130, 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("out", "code", "words"), [("/dev/full", 1, "done, but"), ("pipe", 141, "")])
def test_an_answer_that_nobody_takes_is_no_wrong_question(listener, out, code, words):
    answering(listener, http("200 OK", '{"users": []}'))
    reader = None
    if out == "pipe":
        reader, writer = os.pipe()
        os.close(reader)
    else:
        writer = os.open(out, os.O_WRONLY)
    try:
        with started(listener, "user", "list", stdout=writer) as command:
            told = command.communicate(timeout=20)[1]
    finally:
        os.close(writer)
    assert command.returncode == code
    assert told.startswith(f"zapfs: {words}" if words else "")
    assert len(told.splitlines()) == bool(words)


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
