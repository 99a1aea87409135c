"""Who may do what, on a cluster of two gateways: made at any manager by curl or at any gateway by aws-cli, believed at
every gateway a second later, with a manager killed as well."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.processes import eventually
from tests.integration.test_cluster_command import members, running
from tests.wire.connection import RawClient
from tests.wire.signer import Credentials

SHAPE = ("--managers", "3", "--gateways", "2", "--hosts", "1", "--devices", "1", "--any-ports")
GATEWAYS = ("gateway-1", "gateway-2")
WITHIN_SECONDS = 1.0  # of propagation, see HOUSE.md
CUT_SECONDS_MAX = 30.0
CALL_SECONDS_MAX = 15.0  # RELAY_SECONDS_MAX


@dataclass
class Cluster:
    """A running cluster and its root user."""

    root: Path

    @property
    def kept(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.root / "cluster.json").read_text())
        return found

    @property
    def operator(self) -> Credentials:
        return Credentials(self.kept["access_key"], self.kept["secret_key"])

    def address(self, name: str) -> str:
        return f"http://127.0.0.1:{self.kept['ports'][name]}"

    def curl(self, manager: str, path: str, *words: str) -> Any:
        """As an operator types it; the answer's JSON."""
        user = f"{self.operator.access_key}:{self.operator.secret_key}"
        command = ["curl", "-sS", "--aws-sigv4", "aws:amz:us-east-1:zapfs", "--user", user, *words]
        done = subprocess.run(
            [*command, self.address(f"{manager}.admin_bind") + path], capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout) if done.stdout else None

    def aws(self, gateway: str, keys: Credentials, *words: str) -> subprocess.CompletedProcess[str]:
        """aws-cli at a gateway."""
        said = {
            "AWS_ACCESS_KEY_ID": keys.access_key,
            "AWS_SECRET_ACCESS_KEY": keys.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_MAX_ATTEMPTS": "1",
            "HOME": str(self.root),
            "PATH": os.environ["PATH"],
        }
        command = [str(Path(sys.executable).with_name("aws")), "--endpoint-url", self.address(f"{gateway}.s3_bind")]
        return subprocess.run([*command, *words], capture_output=True, text=True, check=False, env=said)

    def made(self, manager: str, name: str) -> Credentials:
        """A user with everything on S3, made by the curl lines of the documents."""
        data = json.dumps({"username": name})
        assert self.curl(manager, "/v1/iam/users", "-X", "POST", "-d", data)["username"] == name
        policy = "/attached-policies/arn:aws:iam::aws:policy/AmazonS3FullAccess"
        self.curl(manager, f"/v1/iam/users/{name}{policy}", "-X", "PUT")
        key = self.curl(manager, f"/v1/iam/users/{name}/access-keys", "-X", "POST")
        return Credentials(key["access_key"], key["secret_key"])

    def leader(self) -> str:
        return str(self.curl("manager-1", "/v1/cluster/managers")["leader"])

    def kill_manager(self, name: str) -> None:
        """SIGKILL of a manager's front door and all below it; nothing when it is dead already."""
        for pid in members(self.root):
            if f"{name}.toml".encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.killpg(os.getpgid(pid), signal.SIGKILL)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    root = tmp_path_factory.mktemp("iam") / "cluster"
    with running(root, shape=SHAPE):
        yield Cluster(root)


def reads_and_writes(cluster: Cluster, gateway: str, keys: Credentials, bucket: str) -> bool:
    """Whether a key makes a bucket where there is none, writes and reads it."""
    source = cluster.root / "source"
    source.write_text(bucket)
    cluster.aws(gateway, keys, "s3", "mb", f"s3://{bucket}")
    if cluster.aws(gateway, keys, "s3", "cp", str(source), f"s3://{bucket}/{gateway}").returncode:
        return False
    return cluster.aws(gateway, keys, "s3", "cp", f"s3://{bucket}/{gateway}", "-").stdout == bucket


@pytest.mark.slow
def test_a_key_made_at_a_manager_serves_at_every_gateway_also_while_the_leader_is_dead(cluster: Cluster) -> None:
    keys = cluster.made("manager-1", "alice")
    for gateway in GATEWAYS:
        assert eventually(lambda at=gateway: reads_and_writes(cluster, at, keys, "of-alice"), WITHIN_SECONDS)
    leader = cluster.leader()
    cluster.kill_manager(leader)
    alive = next(f"manager-{number}" for number in (1, 2, 3) if f"manager-{number}" != leader)
    later = cluster.made(alive, "bob")
    for gateway in GATEWAYS:
        assert eventually(lambda at=gateway: reads_and_writes(cluster, at, later, "of-bob"), WITHIN_SECONDS)
    cluster.curl(alive, "/v1/iam/users/alice", "-X", "PATCH", "-d", json.dumps({"disabled": True}))
    for gateway in GATEWAYS:
        refused = lambda at=gateway: "InvalidAccessKeyId" in cluster.aws(at, keys, "s3api", "list-buckets").stderr  # noqa: E731
        assert eventually(refused, WITHIN_SECONDS)


@pytest.mark.slow
def test_a_user_made_by_aws_cli_at_one_gateway_serves_at_the_other(cluster: Cluster) -> None:
    operator = cluster.operator

    def iam(*words: str) -> Any:
        done = cluster.aws("gateway-1", operator, "iam", *words, "--output", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout else None

    assert iam("create-user", "--user-name", "carol")["User"]["Arn"].endswith(":user/carol")
    iam("attach-user-policy", "--user-name", "carol", "--policy-arn", "arn:aws:iam::aws:policy/AmazonS3FullAccess")
    made = iam("create-access-key", "--user-name", "carol")["AccessKey"]
    keys = Credentials(made["AccessKeyId"], made["SecretAccessKey"])
    assert eventually(lambda: reads_and_writes(cluster, "gateway-2", keys, "of-carol"), WITHIN_SECONDS)
    who = json.loads(cluster.aws("gateway-2", keys, "sts", "get-caller-identity", "--output", "json").stdout)
    assert who["Arn"].endswith(":user/carol")
    denied = cluster.aws("gateway-2", keys, "iam", "create-user", "--user-name", "dave")
    assert "AccessDenied" in denied.stderr


@pytest.mark.slow
def test_gateways_without_managers_serve_with_what_they_have_and_say_since_when(cluster: Cluster) -> None:
    keys = cluster.operator
    client = RawClient("127.0.0.1", cluster.kept["ports"]["gateway-1.s3_bind"], keys)
    assert ready(cluster, "gateway-1") == (200, "ready\n")
    for number in (1, 2, 3):
        cluster.kill_manager(f"manager-{number}")
    # Heartbeats may be late for so long before anybody calls the managers gone.
    assert eventually(lambda: "; cut off from the managers for " in ready(cluster, "gateway-1")[1], CUT_SECONDS_MAX)
    assert ready(cluster, "gateway-1")[0] == 200
    assert client.call("GET", "/").status == 200
    begun = time.monotonic()
    refused = cluster.aws("gateway-1", keys, "iam", "create-user", "--user-name", "late")
    assert "(ServiceUnavailable)" in refused.stderr
    assert time.monotonic() - begun < CALL_SECONDS_MAX


def ready(cluster: Cluster, gateway: str) -> tuple[int, str]:
    """What a gateway says of itself on its operations port."""
    try:
        with urllib.request.urlopen(cluster.address(f"{gateway}.ops_bind") + "/ready", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
