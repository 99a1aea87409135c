"""`zapfs server` as an operator meets it: what it refuses, what it says, and how its processes end."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.integration.processes import SECONDS_MAX, eventually, masters
from tests.integration.server import ROOT, Server, clean_environment, free_port, pids_of_group
from tests.wire.signer import UNSIGNED, Credentials


def refused(data_dir: Path, *arguments: str, **environ: str) -> tuple[int, str]:
    """Exit code and standard error of a start that must be refused."""
    command = [sys.executable, "-m", "app.cli", "server", "--data-dir", str(data_dir)]
    binds = [] if "--s3-bind" in arguments else ["--s3-bind", "127.0.0.1:0"]
    binds += [] if "--admin-bind" in arguments else ["--admin-bind", "127.0.0.1:0"]
    done = subprocess.run(
        [*command, *binds, *arguments],
        cwd=ROOT,
        env=clean_environment(**environ),
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


def is_free(port: int) -> bool:
    """Whether a server could listen on it now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError:
            return False
    return True


# --- what it refuses


def test_every_wrong_setting_is_listed_at_once_with_exit_code_2(tmp_path):
    code, text = refused(tmp_path / "data", "--workers", "none", ZAPFS_BACKLOG="-1", ZAPFS_COLOUR="red")
    assert code == 2
    assert len(text.splitlines()) == 3
    for name in ("--workers", "ZAPFS_BACKLOG", "ZAPFS_COLOUR"):
        assert name in text
    assert not (tmp_path / "data").exists()


def test_development_credentials_on_an_open_address_are_refused_with_exit_code_2(tmp_path):
    code, text = refused(tmp_path / "data", "--dev", "--s3-bind", "0.0.0.0:0")
    assert code == 2
    assert "loopback" in text


@pytest.mark.parametrize("where", ["/proc/zapfs", "/dev/null", "/dev/null/data"])
def test_a_data_directory_that_cannot_be_written_is_refused_in_one_line(where):
    code, text = refused(Path(where), "--dev")
    assert code == 1
    assert text.count("\n") == 1
    assert "data directory" in text


def test_a_directory_that_holds_something_else_is_refused_and_left_as_it_was(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    code, text = refused(tmp_path, "--dev")
    assert (code, text.count("\n")) == (1, 1)
    assert "not ours" in text
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("marker", "words"),
    [('{"format": "zapfs", "version": 99}', "format 99"), ('{"format": "other"}', "not ours"), ("{", "cannot be read")],
)
def test_a_marker_of_a_newer_release_or_another_program_is_refused(tmp_path, marker, words):
    (tmp_path / "zapfs.json").write_text(marker)
    code, text = refused(tmp_path, "--dev")
    assert (code, text.count("\n")) == (1, 1)
    assert words in text


def test_a_directory_of_an_older_release_is_marked_as_this_ones(own_server):
    server = own_server()
    server.stop()
    marker = server.data_dir / "zapfs.json"
    now = json.loads(marker.read_bytes())
    marker.write_text(json.dumps({**now, "version": 1}))
    server.start()
    assert json.loads(marker.read_bytes()) == now, "an older release would read what it does not know"


def test_a_data_directory_in_use_and_ports_in_use_are_refused_in_one_line(own_server, tmp_path):
    server = own_server()
    code, text = refused(server.data_dir, "--dev")
    assert (code, text.count("\n")) == (1, 1)
    assert "in use by another server" in text
    for flag, port in (("--s3-bind", server.s3_port), ("--admin-bind", server.admin_port)):
        code, text = refused(tmp_path / "other", "--dev", flag, f"127.0.0.1:{port}")
        assert (code, text.count("\n")) == (1, 1)
        assert f"127.0.0.1:{port}" in text
        assert "in use" in text
    assert server.client().list_buckets()["Buckets"] == []


def test_damaged_accounts_and_a_lost_master_key_are_refused_and_say_how_to_recover(own_server):
    server = own_server()
    server.create_account("alice")
    server.stop()
    state = server.data_dir / "cluster" / "state"
    whole = state.read_bytes()
    state.write_bytes(whole[:-1] + b"!")
    code, text = refused(server.data_dir, "--dev")
    assert code == 1
    assert "state.previous" in text
    state.unlink()
    assert refused(server.data_dir, "--dev")[0] == 1
    state.write_bytes(whole)
    key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    code, text = refused(server.data_dir, "--dev", ZAPFS_IAM_MASTER_KEY=key)
    assert code == 1
    assert "another master key" in text
    server.start()
    assert "alice" in server.admin("account", "list")


# --- root credentials


def test_generated_root_credentials_are_printed_once_and_never_logged(tmp_path):
    seen = []
    for turn in ("first", "second"):
        ports = free_port(), free_port()
        out, err = tmp_path / f"{turn}.out", tmp_path / f"{turn}.err"
        command = [sys.executable, "-m", "app.cli", "server", "--data-dir", str(tmp_path / "data"), "--workers", "1"]
        command += ["--s3-bind", f"127.0.0.1:{ports[0]}", "--admin-bind", f"127.0.0.1:{ports[1]}"]
        with out.open("wb") as o, err.open("wb") as e:
            process = subprocess.Popen(command, cwd=ROOT, env=clean_environment(), stdout=o, stderr=e)
        try:
            assert eventually(lambda out=out: "s3 ls" in out.read_text(), 40), err.read_text()
            if turn == "first":
                access = re.search(r"AWS_ACCESS_KEY_ID=(\S+)", out.read_text())[1]
                secret = re.search(r"AWS_SECRET_ACCESS_KEY=(\S+)", out.read_text())[1]
            client = Server(tmp_path / "data", credentials=Credentials(access, secret), s3_port=ports[0]).client()
            client.create_bucket(Bucket=f"bucket-{turn}")
            for pid in pids_of_group(process.pid):
                with contextlib.suppress(OSError):
                    seen.append(Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes())
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(SECONDS_MAX) == 0
        assert secret not in err.read_text()
        assert (secret in out.read_text()) == (turn == "first")
    assert secret.encode() not in b"".join(seen)
    stored = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    assert secret.encode() not in stored
    assert (tmp_path / "data/secrets").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data/secrets/master.key").stat().st_mode & 0o777 == 0o600


def test_development_credentials_stop_working_when_the_server_starts_without_dev(own_server):
    server = own_server()
    server.stop()
    server.dev, server.credentials = False, Credentials("AKIAROOTROOTROOTROOT", "a-secret-of-the-operator")
    server.start()
    assert server.client().list_buckets()["Buckets"] == []
    answer = Server(server.data_dir, s3_port=server.s3_port).raw().call("GET", "/")
    assert (answer.status, answer.code) == (403, "InvalidAccessKeyId")


# --- processes


def test_the_front_door_leads_a_process_group_of_its_own_with_every_process_in_it(tmp_path):
    server = Server(tmp_path / "data", dev=True, workers=2)
    server.s3_port, server.admin_port = free_port(), free_port()
    process = subprocess.Popen(
        server.command(), cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        assert "is ready" in process.stdout.readline().decode()
        assert os.getpgid(process.pid) == process.pid
        assert len(pids_of_group(process.pid)) == 6  # front door, two masters, two data workers, one manager
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS_MAX) == 0


@pytest.mark.parametrize("whom", ["front door", "group"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_lets_a_request_under_way_finish_and_exits_with_code_0(own_server, whom, number):
    server = own_server()
    server.client().create_bucket(Bucket="drained")
    raw = server.raw()
    body = os.urandom(1 << 20)
    with raw.connect() as connection:
        head = raw.head("PUT", "/drained/key", {"content-length": str(len(body))}, UNSIGNED)
        connection.send_head("PUT", "/drained/key", head)
        connection.send(body[: 1 << 19])
        time.sleep(0.3)
        process = server.process
        (os.kill if whom == "front door" else os.killpg)(process.pid, number)
        time.sleep(0.7)
        assert process.poll() is None
        connection.send(body[1 << 19 :])
        assert connection.answer("PUT").status == 200
    assert process.wait(SECONDS_MAX) == 0
    assert pids_of_group(process.pid) == []
    server.start()
    assert server.client().get_object(Bucket="drained", Key="key")["Body"].read() == body


def test_a_second_signal_does_not_wait_for_requests(own_server):
    server = own_server()
    server.client().create_bucket(Bucket="hurried")
    raw = server.raw()
    with raw.connect() as connection:
        connection.send_head("PUT", "/hurried/key", raw.head("PUT", "/hurried/key", {"content-length": "1000"}))
        connection.send(b"x" * 10)
        time.sleep(0.3)
        process = server.process
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS_MAX) == 0
        assert time.monotonic() - begun < 6
    assert pids_of_group(process.pid) == []


def test_killing_the_front_door_ends_its_children_and_frees_ports_and_directory(own_server):
    server = own_server()
    group = server.process.pid
    os.kill(group, signal.SIGKILL)
    server.process.wait(SECONDS_MAX)
    assert eventually(lambda: pids_of_group(group) == [], 3)
    for port in (server.s3_port, server.admin_port):
        assert eventually(lambda port=port: is_free(port), 3)
    server.process = None
    server.start()
    assert server.client().list_buckets()["Buckets"] == []


@pytest.mark.parametrize("which", [0, 1])
def test_a_master_that_dies_stops_the_whole_server_with_an_error(own_server, which):
    server = own_server()
    process, group = server.process, server.process.pid
    os.kill(sorted(masters(server))[which], signal.SIGKILL)
    assert process.wait(SECONDS_MAX) == 1
    assert pids_of_group(group) == []
    assert "was killed by signal 9" in server.log_tail()


def test_a_worker_that_dies_is_replaced_and_the_server_serves_on(own_server):
    server = own_server()
    before = set(server.worker_pids())
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: len(set(server.worker_pids()) - before) == len(before))
    assert eventually(lambda: server.admin_get("/ready")[0] == 200)
    assert server.client().list_buckets()["Buckets"] == []
