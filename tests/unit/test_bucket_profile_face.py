"""The storage class of a bucket's STANDARD writes, set and read over HTTP by root's signature and nobody else's."""

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.adapters.cluster.local import Writer
from app.core.cluster import AccessKey, Account, PutRoot
from app.faces.http.admin import Face, Gate, Probed, admin_application, bucket_profiles
from app.services.gate.callers import Callers
from roles.running import SOURCES
from tests.placed_room import placed
from tests.unit.test_profiles import COLD, Cluster
from tests.wire.signer import Credentials, Signer

ROOT = Credentials("AKROOTROOTROOTROOT", "a-secret-of-the-operator")
Ask = Callable[..., tuple[int, dict[str, str]]]


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Ask]:
    (tmp_path / "state").mkdir()
    writer = Writer(tmp_path / "state", create=True)
    root = Account("000000000001", "a" * 64, "root", "", 1, (AccessKey(ROOT.access_key, b"sealed"),), root=True)
    writer.submit(PutRoot("root", root))
    gate = Gate(writer, Callers(writer, lambda key, sealed: ROOT.secret_key), SOURCES)
    bugs: list[BaseException] = []
    with placed(COLD, 8) as room:
        profiles = Cluster(tmp_path, room).bucket_profiles
        face = Face(Probed(str, lambda: (b"", "text/plain")), bucket_profiles.endpoints(profiles))
        client = admin_application(gate, face, bugs.append).test_client()
        yield lambda method, bucket, body=None, key=ROOT: asked(client, method, bucket, body, key)
    writer.close()
    assert not bugs


def asked(client: FlaskClient, method: str, bucket: str, body: object, key: Credentials) -> tuple[int, dict[str, str]]:
    content = b"" if body is None else json.dumps(body).encode()
    path = f"/v1/buckets/{bucket}/profile"
    head = Signer(key, service="zapfs").sign(method, path, {"Host": "localhost"}, sha256(content).hexdigest())
    answer = client.open(path, method=method, data=content, headers=head)
    return answer.status_code, json.loads(answer.data or b"{}")


def test_a_bucket_is_told_its_class_and_forgets_it_again(ask: Ask) -> None:
    assert ask("GET", "bucket") == (200, {"storage_class": ""})
    assert ask("PUT", "bucket", {"storage_class": "COLD"}) == (204, {})
    assert ask("GET", "bucket") == (200, {"storage_class": "COLD"})
    assert ask("DELETE", "bucket") == (204, {})
    assert ask("GET", "bucket") == (200, {"storage_class": ""})


def test_what_is_wrong_is_refused_in_one_line(ask: Ask) -> None:
    assert ask("PUT", "bucket", {"storage_class": "WARM"})[1]["error"] == "InvalidStorageClass"
    assert ask("PUT", "bucket", {})[1]["error"] == "InvalidRequest"
    assert ask("GET", "nowhere")[1]["error"] == "NoSuchBucket"
    assert ask("GET", "bucket", key=Credentials(ROOT.access_key, "wrong"))[1]["error"] == "SignatureDoesNotMatch"
