"""The admin face against its own document, and bearer tokens on a real server."""

import json

import pytest

from tests.integration.openapi_calls import Calls, ask
from tests.integration.server import Server
from tests.wire.signer import Credentials

EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
NO_KEYS = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "admin:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "admin:CreateAccessKey", "Resource": "*"},
    ],
}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("openapi") / "data", dev=True, workers=1) as server:
        yield server


def as_root(served: Server, method: str, path: str, content: object = None) -> tuple[int, dict]:
    return ask(served, method, path, b"" if content is None else json.dumps(content).encode())


def user(served: Server, name: str, policy: object) -> Credentials:
    """A user of the operator's account with one inline policy."""
    assert as_root(served, "POST", "/v1/iam/users", {"username": name})[0] == 201
    as_root(served, "PUT", f"/v1/iam/users/{name}/inline-policies/all", {"document": policy})
    _, key = as_root(served, "POST", f"/v1/iam/users/{name}/access-keys")
    return Credentials(key["access_key"], key["secret_key"])


def token_of(served: Server, keys: Credentials) -> str:
    signer = Server(served.data_dir, s3_port=0, admin_port=served.admin_port, credentials=keys)
    status, made = ask(signer, "POST", "/v1/tokens", b'{"seconds": 900}')
    assert status == 201
    return str(made["token"])


def test_made_up_calls_meet_no_bug_and_every_answer_is_as_the_document_says(served):
    calls = Calls(served)
    calls.make(150)
    assert calls.bad == []
    assert calls.statuses.total() >= 75


def test_a_token_is_worth_its_key_s_policies_and_dies_with_the_key(served):
    keys = user(served, "dying", EVERYTHING)
    token = token_of(served, keys)
    assert ask(served, "GET", "/v1/iam/users", token=token)[0] == 200
    key_path = f"/v1/iam/users/dying/access-keys/{keys.access_key}"
    assert as_root(served, "PATCH", key_path, {"active": False})[0] == 204
    assert ask(served, "GET", "/v1/iam/users", token=token)[1]["error"] == "InvalidBearerToken"
    assert as_root(served, "PATCH", key_path, {"active": True})[0] == 204
    assert as_root(served, "PATCH", "/v1/iam/users/dying", {"disabled": True})[0] == 200
    assert ask(served, "GET", "/v1/iam/users", token=token)[1]["error"] == "InvalidBearerToken"


def test_a_token_makes_no_token_and_no_key_its_holder_may_not_make(served):
    token = token_of(served, user(served, "limited", NO_KEYS))
    assert ask(served, "POST", "/v1/tokens", token=token)[1]["error"] == "AccessDenied"
    assert ask(served, "POST", "/v1/iam/users/limited/access-keys", token=token)[0] == 403
    assert ask(served, "POST", "/v1/iam/users/dying/access-keys", token=token)[0] == 403


def test_a_user_whose_boundary_knows_no_administration_makes_no_token(served):
    keys = user(served, "bounded", EVERYTHING)
    reading = {"arn": "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"}
    assert as_root(served, "PUT", "/v1/iam/users/bounded/boundary", reading)[0] in (200, 204)
    signer = Server(served.data_dir, s3_port=0, admin_port=served.admin_port, credentials=keys)
    assert ask(signer, "POST", "/v1/tokens", b"{}")[0] == 403
    assert ask(signer, "POST", "/v1/iam/users/bounded/access-keys")[0] == 403


def test_settings_are_shown_without_their_secrets(served):
    status, shown = as_root(served, "GET", "/v1/config")
    assert status == 200
    assert shown["settings"]["admin_bind"] == f"127.0.0.1:{served.admin_port}"
    assert served.credentials.secret_key not in json.dumps(shown)
