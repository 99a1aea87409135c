"""The rules of docs/design (S3 surface) on the faces of a cluster that are not S3's, on real processes: closed to
strangers, and to whoever proves something else than what it asks for.
"""

import base64
import contextlib
import hashlib
import itertools
import json
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from app.adapters.cluster import tls
from app.core.auth import cluster_secret
from app.core.blob_wire import ROOT as BLOBS
from app.core.blob_wire import checksum
from app.proto import control_pb2 as pb
from app.proto import service
from tests.integration.processes import eventually
from tests.integration.server import ROOT, clean_environment
from tests.integration.test_cluster_command import running
from tests.wire.connection import Answer, RawClient
from tests.wire.signer import Credentials, Signer

SEAT = {"node_id": "manager-9", "grpc_address": "127.0.0.1:1", "raft_address": "127.0.0.1:2"}

WORTHLESS = frozenset({"zapfs.json"})
"""Files that say nothing but what they belong to."""


class Faces:
    """Where a running cluster is reached, and what its directory tells."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._sources = itertools.cycle(range(2, 250))
        self.kept = json.loads((root / "cluster.json").read_text())
        self.root_user = Credentials(self.kept["access_key"], self.kept["secret_key"])

    def port(self, name: str) -> int:
        return int(self.kept["ports"][name])

    def ask(self, port: str, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        # From an address of its own each time: who guesses is slowed by where they come from.
        source = f"127.0.0.{next(self._sources)}"
        with RawClient("127.0.0.1", self.port(port), self.root_user, source=source).connect() as connection:
            length = {"content-length": str(len(body))} if body else {}
            connection.send_head(method, target, {"host": connection.authority} | length | headers)
            connection.send_tolerant(body)
            return connection.answer(method)

    def signed(self, port: str, method: str, target: str, body: bytes, signer: Signer) -> Answer:
        host = {"host": f"127.0.0.1:{self.port(port)}"}
        payload = hashlib.sha256(body).hexdigest()
        return self.ask(port, method, target, signer.sign(method, target, host, payload), body)

    def run(self, words: str, settings: dict[str, object], ready_s: float) -> str:
        """What a member with these settings says, stopped once it waits for something."""
        config = self.root.parent / "extra.toml"
        config.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))
        command = [sys.executable, "-m", "app.cli", words, "--config", str(config)]
        said = self.root.parent / "extra.out"
        with said.open("wb") as out:
            process = subprocess.Popen(
                command, cwd=ROOT, env=clean_environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        try:
            eventually(lambda: "zapfs: " in said.read_text() or process.poll() is not None, ready_s)
        finally:
            process.terminate()
            process.wait(30)
        return said.read_text()


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faces]:
    root = tmp_path_factory.mktemp("rules") / "cluster"
    with running(root):
        yield Faces(root)


ADMIN = [
    ("manager-1.admin_bind", "GET", "/v1/cluster", None),
    ("manager-1.admin_bind", "GET", "/v1/cluster/layout", None),
    ("manager-1.admin_bind", "GET", "/v1/cluster/managers", None),
    ("manager-1.admin_bind", "POST", "/v1/cluster/remove", {"devices": [1], "lost": True}),
    ("manager-1.admin_bind", "PUT", "/v1/cluster/profiles/STANDARD", {"copies": 1}),
    ("manager-1.admin_bind", "POST", "/v1/cluster/repair", {"paused": True}),
    ("manager-1.admin_bind", "POST", "/v1/cluster/managers/add", SEAT),
    ("manager-1.admin_bind", "POST", "/v1/cluster/managers/remove", {"node_id": "manager-1"}),
    ("manager-1.admin_bind", "GET", "/metrics", None),
    ("gateway-1.ops_bind", "GET", "/metrics", None),
    ("gateway-1.ops_bind", "GET", "/v1/cluster/redundancy?bucket=b", None),
    ("gateway-1.ops_bind", "PUT", "/v1/buckets/b/profile", {"storage_class": "STANDARD"}),
    ("file-1.ops_bind", "GET", "/metrics", None),
]


@pytest.mark.slow
@pytest.mark.parametrize(("port", "method", "target", "content"), ADMIN)
def test_who_is_not_root_administers_no_part_of_a_cluster(
    faces: Faces, port: str, method: str, target: str, content: dict[str, object] | None
) -> None:
    """internal, replication and admin headers from clients are refused or ignored; internal routes listen on their own
    port and verify a credential bound to method, path and time"""
    body = b"" if content is None else json.dumps(content).encode()
    host = {"host": f"127.0.0.1:{faces.port(port)}"}
    root = Signer(faces.root_user, service="zapfs")
    for what, answer in {
        "unsigned": faces.ask(port, method, target, {}, body),
        "forged": faces.signed(
            port, method, target, body, Signer(replace(faces.root_user, secret_key="x" * 40), service="zapfs")
        ),
        "signed for S3": faces.signed(port, method, target, body, Signer(faces.root_user)),
        "presigned": faces.ask(port, method, root.presign(method, target, host), {}, body),
        "signed for another path": faces.ask(port, method, target, root.sign(method, "/v1/accounts", host), body),
        "signed an hour ago": faces.ask(port, method, target, root.sign(method, target, host, now_s=1e9), body),
    }.items():
        # A file host has no keys to check a signature with, and says so.
        assert answer.status in ((400, 403, 503) if port.startswith("file") else (400, 403)), (what, answer)


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrong", [{"raft_address": "nonsense"}, {"grpc_address": "a\ud800:1"}, {"node_id": "\ud800"}, {"node_id": "x" * 99}]
)
def test_a_manager_whose_name_or_address_is_none_is_refused_at_once(faces: Faces, wrong: dict[str, str]) -> None:
    body = json.dumps(SEAT | wrong).encode()
    signer = Signer(faces.root_user, service="zapfs")
    answer = faces.signed("manager-1.admin_bind", "POST", "/v1/cluster/managers/add", body, signer)
    assert (answer.status, json.loads(answer.body)["error"]) == (400, "InvalidRequest"), answer


@pytest.mark.slow
def test_the_blob_port_answers_members_only_and_only_what_they_proved(faces: Faces) -> None:
    secret = base64.b64decode(faces.kept["cluster_secret"])
    key = cluster_secret.derive(secret, cluster_secret.PURPOSE)
    now = time.time_ns() // 1_000_000
    status, suspects = ("GET", f"{BLOBS}/status"), ("POST", f"{BLOBS}/suspects?why=missing")

    def asked(proof: str, method: str, target: str, body: bytes = b"") -> int:
        said = {"zapfs-checksum": checksum(body)} if body else {}
        return faces.ask(
            "file-1.blob_bind", method, target, {"zapfs-protocol": "1", "zapfs-proof": proof} | said, body
        ).status

    good = cluster_secret.signed(key, "n", now, (*status, ""))
    assert asked(good, *status) == 200
    other = cluster_secret.derive(b"another cluster's secret, really", cluster_secret.PURPOSE)
    for proof in (
        "",
        "n 1 " + "0" * 64,
        cluster_secret.signed(other, "n", now, (*status, "")),
        cluster_secret.signed(cluster_secret.derive(secret, "tls authority"), "n", now, (*status, "")),
        cluster_secret.signed(key, "n", now - 600_000, (*status, "")),
        cluster_secret.signed(key, "n", now + 600_000, (*status, "")),
        cluster_secret.signed(key, "n", now, ("HEAD", status[1], "")),
        cluster_secret.signed(key, "n", now, (*suspects, "")),
    ):
        assert asked(proof, *status) == 401, proof
    proof = cluster_secret.signed(key, "n", now, (*suspects, checksum(b"a" * 16)))
    assert asked(proof, *suspects, b"a" * 16) == 204
    assert asked(proof, *suspects, b"b" * 16) == 401
    for target in ("/metrics", "/v1/cluster", "/", "/blob/v1/../health", "/_internal"):
        assert asked("", "GET", target) == 401, target


@pytest.mark.slow
def test_the_control_port_answers_members_only(faces: Faces) -> None:
    address = f"127.0.0.1:{faces.port('manager-1.grpc_bind')}"
    own, other = (
        tls.identity(secret, "file-1") for secret in (base64.b64decode(faces.kept["cluster_secret"]), b"x" * 32)
    )
    request = pb.StatusRequest(header=pb.Header(protocol=1, node_id="file-1"))
    codes, method = {}, service.STATUS
    for name, channel in {
        "plain": grpc.insecure_channel(address),
        "no certificate": grpc.secure_channel(
            address, grpc.ssl_channel_credentials(own.authority), tls.CHANNEL_OPTIONS
        ),
        "of another cluster": grpc.secure_channel(
            address,
            grpc.ssl_channel_credentials(own.authority, other.key, other.certificate),
            tls.CHANNEL_OPTIONS,
        ),
    }.items():
        status = channel.unary_unary(method.path, method.request.SerializeToString, method.reply.FromString)
        with channel, pytest.raises(grpc.RpcError) as refused:
            status(request, timeout=10)
        codes[name] = refused.value.code().name
    assert set(codes.values()) == {"UNAVAILABLE"}


@pytest.mark.slow
def test_a_second_host_of_a_name_is_not_taken_and_the_first_is_found_where_it_was(faces: Faces, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    settings = tomllib.loads((faces.root / "file-1.toml").read_text())
    settings |= {"data_dir": str(tmp_path / "data"), "device": [str(tmp_path / "disk")], "blob_bind": "127.0.0.1:0"}
    said = faces.run("file", settings | {"ops_bind": "127.0.0.1:0"}, 40)
    assert "needs a node_id of its own" in said, said
    signer = Signer(faces.root_user, service="zapfs")
    nodes = faces.signed("manager-1.admin_bind", "GET", "/v1/cluster/nodes", b"", signer).body.decode()
    assert f"127.0.0.1:{faces.port('file-1.blob_bind')}" in nodes


@pytest.mark.slow
def test_the_directory_of_another_member_is_refused(faces: Faces) -> None:
    settings = tomllib.loads((faces.root / "gateway-1.toml").read_text())
    settings |= {"s3_bind": "127.0.0.1:0", "ops_bind": "127.0.0.1:0", "data_dir": str(faces.root / "file-1")}
    assert "belongs to file host file-1, not to gateway gateway-1" in faces.run("metadata", settings, 20)


@pytest.mark.slow
def test_no_secret_of_a_cluster_is_where_others_could_read_it(faces: Faces) -> None:
    """secrets never in logs, errors, listings or traces"""
    names = ("cluster_secret", "iam_master_key", "secret_key", "database_password")
    secrets = [str(faces.kept[name]).encode() for name in names if faces.kept.get(name)]
    for path in [faces.root, *faces.root.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0 or path.name in WORTHLESS, path
        if path.is_file() and path.name != "cluster.json" and path.suffix != ".toml":
            assert not any(secret in path.read_bytes() for secret in secrets), path
    for entry in Path("/proc").iterdir():
        for name in ("cmdline", "environ"):
            with contextlib.suppress(OSError):
                assert not any(secret in (entry / name).read_bytes() for secret in secrets), entry
