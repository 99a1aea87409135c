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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.server import ROOT, Server, clean_environment, free_port, parents_of, pids_of_group
from tests.wire.signer import EMPTY_SHA256, UNSIGNED, Credentials

SECONDS_MAX = 20.0


def eventually(what: Callable[[], bool], seconds: float = SECONDS_MAX) -> bool:
    """Whether it becomes true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.05)
    return what()


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


def masters(server: Server) -> list[int]:
    """The two gunicorn masters."""
    assert server.process is not None
    return [pid for pid, parent in parents_of(server.pids()).items() if parent == server.process.pid]


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
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
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


# --- the admin face


def admin_request(server: Server, method: str, path: str, credentials: Credentials | None) -> tuple[int, Any]:
    """Status and content of a request to the admin face, signed by these credentials."""
    raw = Server(server.data_dir, s3_port=server.admin_port).raw(credentials)
    with raw.connect() as connection:
        head = {"host": f"127.0.0.1:{server.admin_port}"}
        if credentials is not None:
            head = raw.head(method, path, payload=EMPTY_SHA256)
        connection.send_head(method, path, head)
        answer = connection.answer(method)
        return answer.status, json.loads(answer.body) if answer.body.startswith(b"{") else answer.body.decode()


def test_a_new_account_works_in_every_worker_within_a_second_and_a_deleted_one_does_not(own_server):
    server = own_server(workers=3)
    keys = server.create_account("alice", "--display-name", "Alice A.", "--email", "alice@example.com")
    for _ in range(12):  # connections of their own, so that every worker is met
        assert server.raw(keys).call("GET", "/").status == 200
    server.admin("account", "delete", "alice")
    time.sleep(1.1)
    for _ in range(12):
        assert server.raw(keys).call("GET", "/").code == "InvalidAccessKeyId"


def test_chosen_identities_are_kept_and_shown_and_the_secret_is_shown_once(own_server):
    server = own_server()
    chosen = ["--account-id", "123456789012", "--canonical-id", "ab" * 32, "--display-name", "M. Tester"]
    created = json.loads(server.admin("account", "create", "main", *chosen, "--secret-key", "x" * 40, "--json"))
    assert created["secret_key"] == "x" * 40
    listed = server.admin("account", "list", "--json")
    assert "x" * 40 not in listed
    found = next(one for one in json.loads(listed)["accounts"] if one["name"] == "main")
    assert (found["account_id"], found["canonical_id"], found["display_name"]) == (chosen[1], chosen[3], chosen[5])
    time.sleep(1.1)
    keys = Credentials(created["access_key"], "x" * 40)
    assert server.client(keys).list_buckets()["Owner"]["ID"] == "ab" * 32


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["create", "root"], "Conflict"),
        (["create", "with space"], "name must be"),
        (["create", "one", "--account-id", "12"], "12 digits"),
        (["create", "one", "--access-key", "AKIAIOSFODNN7EXAMPLE"], "another account"),
        (["delete", "nobody"], "no account nobody"),
        (["delete", "root"], "cannot be deleted"),
    ],
)
def test_a_refused_command_says_why_and_exits_with_code_1(server, arguments, words):
    endpoint = f"http://127.0.0.1:{server.admin_port}"
    done = server.launch_raw(["admin", "account", *arguments, "--dev", "--endpoint", endpoint])
    assert done.returncode == 1
    assert words in done.stderr


def test_strangers_and_ordinary_accounts_see_only_health_and_readiness(own_server):
    server = own_server(dev=False, credentials=Credentials("AKIAROOTROOTROOTROOT", "a-secret-of-the-operator"))
    alice = server.create_account("alice")
    assert admin_request(server, "GET", "/health", None) == (200, "up\n")
    assert admin_request(server, "GET", "/ready", None) == (200, "ready\n")
    wrong = Credentials(server.credentials.access_key, "not-the-secret")
    for method, path in (("GET", "/metrics"), ("GET", "/admin/v1/accounts"), ("POST", "/admin/v1/gc")):
        for credentials in (None, alice, wrong):
            assert admin_request(server, method, path, credentials)[0] == 403
        assert admin_request(server, method, path, server.credentials)[0] == 200
    assert admin_request(server, "GET", "/nothing", server.credentials)[0] == 404
    # The S3 port serves no administration.
    assert server.raw().call("GET", "/admin/v1/accounts").code == "NoSuchBucket"


def test_a_scraper_reads_the_metrics_by_its_token_and_workers_are_summed(own_server):
    token = "scraper-token-0123456789"
    root = Credentials("AKIAROOTROOTROOTROOT", "a-secret-of-the-operator")
    server = own_server(dev=False, credentials=root, environment={"ZAPFS_METRICS_TOKEN": token}, workers=3)
    for _ in range(20):
        assert server.raw().call("GET", "/").status == 200

    def scraped() -> str:
        command = [
            "curl",
            "-s",
            "-H",
            f"Authorization: Bearer {token}",
            f"http://127.0.0.1:{server.admin_port}/metrics",
        ]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert eventually(lambda: 'zapfs_requests_total{operation="ListBuckets",status="2xx"} 20.0' in scraped())
    assert "zapfs_disk_free_bytes" in scraped()
    answer = subprocess.run(
        ["curl", "-s", "-H", "Authorization: Bearer wrong", f"http://127.0.0.1:{server.admin_port}/metrics"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "AccessDenied" in answer.stdout or "Unsupported" in answer.stdout


def test_curl_administers_with_its_own_signature(server):
    user = f"{server.credentials.access_key}:{server.credentials.secret_key}"
    command = ["curl", "-s", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", user]
    address = f"http://127.0.0.1:{server.admin_port}/admin/v1/accounts"
    listed = subprocess.run([*command, address], capture_output=True, text=True, check=True)
    assert [one["name"] for one in json.loads(listed.stdout)["accounts"] if one["root"]] == ["root"]
    content = json.dumps({"name": "of-curl"})
    made = subprocess.run([*command, "-d", content, address], capture_output=True, text=True, check=True)
    assert json.loads(made.stdout)["name"] == "of-curl"


def test_the_server_is_healthy_but_not_ready_while_its_s3_workers_do_not_answer(own_server):
    server = own_server(workers=1)
    manager = {pid for pid, parent in parents_of(server.worker_pids()).items() if parent == max(masters(server))}
    stopped = set(server.worker_pids()) - manager
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert eventually(lambda: server.admin_get("/ready")[0] == 503)
        assert "S3 workers do not answer" in server.admin_get("/ready")[1]
        assert server.admin_get("/health")[0] == 200
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    assert eventually(lambda: server.admin_get("/ready")[0] == 200)


def test_each_request_leaves_one_line_of_json_that_names_it(own_server):
    server = own_server()
    server.client().create_bucket(Bucket="logged")
    answer = server.raw().call("PUT", "/logged/key", b"body")

    def line() -> list[dict[str, Any]]:
        lines = [json.loads(one) for one in server.log_path.read_text().splitlines() if one.startswith("{")]
        return [one for one in lines if one.get("request_id") == answer.headers["x-amz-request-id"]]

    assert eventually(lambda: len(line()) == 1)
    [record] = line()
    assert (record["operation"], record["bucket"], record["status"]) == ("PutObject", "logged", 200)
    assert record["bytes_in"] == 4
    assert record["stages"]
    assert server.credentials.secret_key not in "".join(
        one for one in server.log_path.read_text().splitlines() if one.startswith("{")
    )
