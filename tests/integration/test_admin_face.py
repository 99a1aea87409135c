"""The admin face as operators and scrapers meet it: accounts, metrics, readiness, the log, and who gets in."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.integration.processes import eventually, masters
from tests.integration.server import ROOT, Server, clean_environment, parents_of
from tests.wire.signer import EMPTY_SHA256, Credentials, Signer


def admin_request(
    server: Server, method: str, path: str, credentials: Credentials | None, service: str = "zapfs"
) -> tuple[int, Any]:
    """Status and content of a request to the admin face, signed by these credentials."""
    raw = Server(server.data_dir, s3_port=server.admin_port).raw(credentials)
    with raw.connect() as connection:
        head = {"host": f"127.0.0.1:{server.admin_port}"}
        if credentials is not None:
            head = Signer(credentials, service=service).sign(method, path, head, EMPTY_SHA256)
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
        (["create", "root"], "EntityAlreadyExists"),
        (["create", "with space"], "name must be"),
        (["create", "one", "--account-id", "12"], "12 digits"),
        (["create", "one", "--access-key", "AKIAIOSFODNN7EXAMPLE"], "another account"),
        (["delete", "nobody"], "NoSuchEntity: The account with name nobody"),
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
    for method, path in (("GET", "/metrics"), ("GET", "/v1/accounts"), ("POST", "/v1/gc")):
        for credentials in (None, alice, wrong):
            assert admin_request(server, method, path, credentials)[0] == 403
        assert admin_request(server, method, path, server.credentials)[0] == 200
    assert admin_request(server, "GET", "/nothing", server.credentials)[0] == 404
    assert admin_request(server, "OPTIONS", "/v1/accounts", None)[0] == 405
    # The S3 port serves no administration.
    assert server.raw().call("GET", "/v1/accounts").code in ("NoSuchBucket", "InvalidBucketName")


@pytest.mark.parametrize("path", ["/v1/accounts", "/v1/gc"])
def test_a_request_captured_on_its_way_to_s3_administers_nothing(server, path):
    assert admin_request(server, "GET", path, server.credentials)[0] == 200
    status, told = admin_request(server, "GET", path, server.credentials, service="s3")
    assert (status, told["error"]) == (400, "AuthorizationHeaderMalformed")


@pytest.mark.parametrize("token", ["none", "zapfs.AAAA", "é" * 5000])
def test_what_is_no_bearer_token_is_answered_as_the_rfc_has_it(server, token):
    connection = http.client.HTTPConnection("127.0.0.1", server.admin_port, timeout=10)
    connection.request("GET", "/v1/accounts", headers={"Authorization": f"Bearer {token}".encode("latin-1")})
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["error"]) == (401, "InvalidBearerToken")
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.parametrize(
    "path", ["/v1//accounts", "//v1/accounts", "/v1/accounts/", "/v1/./accounts", "/v1/%2Faccounts"]
)
def test_a_path_that_is_spelled_otherwise_is_another_path(server, path):
    status, told = admin_request(server, "GET", path, server.credentials)
    assert (status, told["error"]) == (404, "NoSuchPath")


def test_a_presigned_url_administers_nothing(server):
    raw = Server(server.data_dir, s3_port=server.admin_port).raw(server.credentials)
    with raw.connect() as connection:
        host = {"host": connection.authority}
        borne = f"/v1/accounts?X-Amz-Content-Sha256={EMPTY_SHA256}"
        signer = Signer(server.credentials, service="zapfs")
        target = signer.presign("GET", borne, host, payload=EMPTY_SHA256)
        connection.send_head("GET", target, host)
        assert connection.answer("GET").status == 403


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
    assert "InvalidBearerToken" in answer.stdout


def test_curl_administers_with_its_own_signature(server):
    user = f"{server.credentials.access_key}:{server.credentials.secret_key}"
    command = ["curl", "-s", "--aws-sigv4", "aws:amz:us-east-1:zapfs", "--user", user]
    address = f"http://127.0.0.1:{server.admin_port}/v1/accounts"
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


@pytest.mark.parametrize("dev", [True, False])
def test_on_the_servers_machine_the_data_directory_is_credential_enough(own_server, dev, tmp_path):
    root = {} if dev else {"credentials": Credentials("AKIAROOTROOTROOTROOT", "a-secret-of-the-operator")}
    server = own_server(dev=dev, **root)
    endpoint = f"http://127.0.0.1:{server.admin_port}"

    def ask(directory: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "app.cli", "admin", "account", "list", "--endpoint", endpoint]
        return subprocess.run(
            [*command, "--data-dir", directory],
            cwd=ROOT,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    assert "root" in ask(str(server.data_dir)).stdout
    stranger = ask(str(tmp_path / "elsewhere"))
    assert stranger.returncode == 1
    assert "no credentials" in stranger.stderr
