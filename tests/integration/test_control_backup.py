"""Backup, restore and a new master key on a real server: what was stored stays readable by who stored it."""

import base64
import hashlib
import http.client
import json
import shutil
import socket
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.adapters.backup_targets import BucketAddress, BucketTarget
from app.adapters.cluster import snapshot
from app.adapters.cluster.sealing import Sealer, key_id_of, key_named
from app.core.errors import Corrupt, Unavailable
from app.services.control.master_key import sealed_keys
from roles.running import now_ms
from tests.integration.processes import eventually
from tests.integration.server import DEVELOPMENT, Server
from tests.wire.signer import Credentials, Signer

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
BODY = b"kept over everything" * 2_000


def ask(server: Server, method: str, path: str, body: bytes = b"") -> tuple[int, Any]:
    """Status and content of root's request to the admin face."""
    host = f"127.0.0.1:{server.admin_port}"
    head = Signer(DEVELOPMENT, service="zapfs").sign(method, path, {"host": host}, hashlib.sha256(body).hexdigest())
    connection = http.client.HTTPConnection(host, timeout=30)
    try:
        connection.request(method, path, body, head)
        answer = connection.getresponse()
        content = answer.read()
        told = json.loads(content) if answer.headers.get_content_type() == "application/json" else content
        return answer.status, told
    finally:
        connection.close()


def answered_before_its_body(server: Server, path: str, length: int) -> bytes:
    """What a stranger who announces so many bytes, and sends none, is answered."""
    with socket.create_connection(("127.0.0.1", server.admin_port), timeout=10) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode())
        return connection.recv(4_096)


def write_keys(path: Path, *keys: bytes) -> None:
    """A master key file, as an operator replaces it."""
    fresh = path.with_suffix(".new")
    fresh.write_text("".join(base64.b64encode(key).decode() + "\n" for key in keys))
    fresh.chmod(0o600)
    fresh.replace(path)


class Load:
    """Signed requests, one after the other, from a thread; every answer that is not 200 is kept."""

    def __init__(self, server: Server, keys: Credentials) -> None:
        self.count = 0
        self.failures: list[Any] = []
        self._raw = server.raw(keys)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            answer = self._raw.call("GET", "/kept/kms")
            if answer.status != 200:
                self.failures.append((answer.status, answer.body[:300]))
            self.count += 1

    def passes(self, count: int = 20) -> None:
        """Wait until so many more were answered."""
        wanted = self.count + count
        assert eventually(lambda: self.count >= wanted)

    def end(self) -> list[Any]:
        self._stop.set()
        self._thread.join(30)
        return self.failures


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server with a user's objects, its master key file, and the user's keys."""
    root = tmp_path_factory.mktemp("control")
    write_keys(root / "master.keys", OLD)
    settings = {
        "ZAPFS_IAM_MASTER_KEY_FILE": str(root / "master.keys"),
        "ZAPFS_BACKUP_DIR": str(root / "backups"),
        "ZAPFS_BACKUP_INTERVAL_S": "1",
        "ZAPFS_BACKUP_KEEP": "2",
        "ZAPFS_BACKUP_KEEP_DAYS": "0",
    }
    server = Server(root / "data", dev=True, environment=settings)
    with server.start():
        alice = server.create_account("alice")
        client = server.client(alice)
        client.create_bucket(Bucket="kept")
        client.put_object(Bucket="kept", Key="plain", Body=BODY)
        client.put_object(Bucket="kept", Key="kms", Body=BODY, ServerSideEncryption="aws:kms")
        yield root, server, alice


def known_keys(server: Server) -> list[str]:
    """Ids of the master keys the administering process opens with, that which seals first."""
    _, told = ask(server, "GET", "/v1/master-key")
    return [one["key_id"] for one in told["keys"] if one["known"]]


def test_a_new_master_key_takes_over_while_every_request_is_served(ground: Any) -> None:
    root, server, alice = ground
    load = Load(server, alice)
    for keys in ((OLD, NEW), (NEW, OLD)):
        write_keys(root / "master.keys", *keys)
        assert eventually(lambda: known_keys(server) == [key_id_of(one) for one in keys])  # noqa: B023
        load.passes()
    told = ask(server, "GET", "/v1/master-key")[1]["keys"]
    assert [(one["seals"], one["secrets"], one["materials"]) for one in told] == [(True, 0, 0), (False, 2, 2)]
    assert ask(server, "POST", "/v1/master-key/reseal") == (200, {"secrets": 2, "materials": 2, "left": 0})
    load.passes()
    assert ask(server, "POST", "/v1/master-key/reseal") == (200, {"secrets": 0, "materials": 0, "left": 0})
    write_keys(root / "master.keys", NEW)
    assert eventually(lambda: known_keys(server) == [key_id_of(NEW)])
    load.passes(60)
    assert load.end() == []
    state = snapshot.load(server.data_dir / "cluster" / "state")
    assert {key_named(one.sealed_secret) for one in sealed_keys(state)} == {key_id_of(NEW)}
    old = Sealer(OLD, bytes)
    for one in sealed_keys(state):
        with pytest.raises(Corrupt, match="another master key"):
            old.unseal(one.access_key, one.sealed_secret)


def test_backups_are_kept_on_schedule_and_the_oldest_go(ground: Any) -> None:
    root, server, _ = ground

    def rolled() -> bool:
        (target,) = ask(server, "GET", "/v1/backups")[1]["targets"]
        return len(target["backups"]) == 2 and not target["reason"]

    assert eventually(rolled)
    first = ask(server, "GET", "/v1/backups")[1]["targets"][0]["backups"][0]["name"]
    assert eventually(lambda: rolled() and first not in str(ask(server, "GET", "/v1/backups")[1]))
    assert {path.stat().st_mode & 0o777 for path in (root / "backups").iterdir()} == {0o600}
    assert "zapfs_backup_age_seconds" in ask(server, "GET", "/metrics")[1].decode()


def test_a_bucket_keeps_backups_as_a_directory_does(ground: Any) -> None:
    _, server, alice = ground
    server.client(alice).create_bucket(Bucket="backups")
    address = BucketAddress(f"{server.endpoint}/backups/of-control", "us-east-1", alice.access_key, alice.secret_key)
    target = BucketTarget(address, now_ms)
    for name in ("two", "one"):
        target.put(name, b"document of " + name.encode())
    assert [tuple(one) for one in target.listed()] == [("one", 15), ("two", 15)]
    assert server.client(alice).get_object(Bucket="backups", Key="of-control/one")["Body"].read() == b"document of one"
    target.remove("one")
    target.remove("none")
    assert [one.name for one in target.listed()] == ["two"]
    with pytest.raises(Unavailable, match="answered 403 SignatureDoesNotMatch"):
        BucketTarget(replace(address, secret_key="wrong-wrong"), now_ms).listed()


def test_a_lost_control_state_begins_again_with_its_backup_and_old_keys_read_old_objects(ground: Any) -> None:
    root, server, alice = ground
    status, document = ask(server, "POST", "/v1/backup")
    assert status == 200
    assert alice.secret_key.encode() not in document
    status, told = ask(server, "POST", "/v1/restore", document)
    assert (status, told["error"]) == (409, "NotEmpty")
    (root / "control.backup").write_bytes(document)
    server.stop()
    shutil.rmtree(server.data_dir / "cluster")
    server.environment = {**server.environment, "ZAPFS_RESTORE_FROM": str(root / "control.backup")}
    server.start()
    for key in ("plain", "kms"):
        assert server.client(alice).get_object(Bucket="kept", Key=key)["Body"].read() == BODY


def test_a_backup_is_restored_into_an_empty_server_and_nothing_else_is(ground: Any, tmp_path: Path) -> None:
    _, server, alice = ground
    _, document = ask(server, "POST", "/v1/backup")
    settings = {"ZAPFS_IAM_MASTER_KEY": base64.b64encode(NEW).decode()}
    with Server(tmp_path / "fresh", dev=True, workers=1, environment=settings).start() as fresh:
        middle = len(document) // 2
        altered = document[:middle] + bytes([document[middle] ^ 1]) + document[middle + 1 :]
        for wrong, said in ((altered, "altered"), (document[:-9], "cut off"), (b"?", "no backup")):
            status, told = ask(fresh, "POST", "/v1/restore", wrong)
            assert (status, told["error"]) == (400, "InvalidInput"), told
            assert said in told["message"]
        assert answered_before_its_body(fresh, "/v1/restore", 64 << 20).startswith(b"HTTP/1.1 403")
        fresh.client().create_bucket(Bucket="in-use")
        status, told = ask(fresh, "POST", "/v1/restore", document)
        assert (status, told["message"].rpartition(": ")[2]) == (409, "root owns buckets.")
        fresh.client().delete_bucket(Bucket="in-use")
        status, told = ask(fresh, "POST", "/v1/restore", document)
        assert (status, told["accounts"], told["access_keys"], told["kms_keys"]) == (200, 2, 2, 2)
        assert eventually(lambda: fresh.raw(alice).call("GET", "/").status == 200)
        assert ask(fresh, "POST", "/v1/restore", document)[0] == 409
