"""Users, their keys and policies, and the keyring, from the operator's command to what S3 believes."""

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.client import Config
from botocore.exceptions import ClientError

from tests.integration.server import Server, ServerFailed
from tests.wire.signer import EMPTY_SHA256, Credentials, Signer

READ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
KEYS = Credentials("AKUSERUSERUSERUSER00", "secret-of-a-user-0123456789abcdef0123456789")


def code_of(server: Server, keys: Credentials) -> str:
    """The error ListBuckets is answered with, "" for none."""
    return server.raw(keys).call("GET", "/").code


def key_words(keys: Credentials) -> list[str]:
    return ["--access-key", keys.access_key, "--secret-key", keys.secret_key]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A server with an account whose user may do everything on S3."""
    directory = tmp_path_factory.mktemp("identities")
    document = directory / "policy.json"
    document.write_text(json.dumps(READ))
    with Server(directory / "data", dev=True, workers=2) as server:
        server.admin("account", "create", "team", "--email", "Team@example.com")
        server.admin("user", "create", "mia", "--account", "team", "--path", "/dev/", "--tag", "role=tester")
        server.admin("user", "put-policy", "mia", "--account", "team", "all", str(document))
        server.admin("key", "create", "mia", "--account", "team", *key_words(KEYS))
        time.sleep(1.1)
        yield server


def test_a_user_s_key_is_believed_within_a_second_and_its_buckets_are_the_account_s(served):
    client = served.client(KEYS)
    client.create_bucket(Bucket="of-the-team")
    listed = json.loads(served.admin("account", "list", "--json"))["accounts"]
    team = next(one for one in listed if one["name"] == "team")
    assert client.list_buckets()["Owner"]["ID"] == team["canonical_id"]
    shown = json.loads(served.admin("user", "show", "mia", "--account", "team", "--json"))
    assert shown["arn"] == f"arn:aws:iam::{team['account_id']}:user/dev/mia"
    assert (shown["inline_policies"], shown["tags"]) == (["all"], {"role": "tester"})
    assert shown["user_id"].startswith("AIDA")
    inline = json.loads(served.admin("user", "policies", "mia", "--account", "team", "--json"))["inline_policies"]
    assert inline == [{"name": "all", "document": READ}]


def test_an_inactive_key_is_refused_as_an_unknown_one_until_it_is_active_again(served):
    keys = Credentials("AKSECONDSECONDSECOND", "secret-of-a-second-key-0123456789abcdef")
    served.admin("key", "create", "mia", "--account", "team", *key_words(keys))
    time.sleep(1.1)
    assert code_of(served, keys) == ""
    for verb, code in (("deactivate", "InvalidAccessKeyId"), ("activate", ""), ("delete", "InvalidAccessKeyId")):
        served.admin("key", verb, "mia", keys.access_key, "--account", "team")
        time.sleep(1.1)
        assert {code_of(served, keys) for _ in range(6)} == {code}


def test_what_no_policy_allows_a_user_may_not(served):
    keys = Credentials("AKNOBODYNOBODYNOBODY", "secret-of-nobody-0123456789abcdef01234567")
    served.admin("user", "create", "new", "--account", "team")
    served.admin("key", "create", "new", "--account", "team", *key_words(keys))
    time.sleep(1.1)
    assert code_of(served, keys) == "AccessDenied"
    served.admin("group", "create", "readers", "--account", "team")
    served.admin("group", "attach", "readers", "--account", "team", "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    served.admin("group", "add", "readers", "--account", "team", "new")
    time.sleep(1.1)
    assert code_of(served, keys) == ""
    with pytest.raises(ClientError, match="AccessDenied"):
        served.client(keys).create_bucket(Bucket="not-by-a-reader")
    assert json.loads(served.admin("group", "show", "readers", "--account", "team", "--json"))["members"] == ["new"]


def administer(served: Server, keys: Credentials, method: str, path: str) -> int:
    """Status of a request to the admin face with somebody's keys."""
    head = Signer(keys, service="zapfs").sign(method, path, {"host": f"127.0.0.1:{served.admin_port}"}, EMPTY_SHA256)
    with Server(served.data_dir, s3_port=served.admin_port).raw().connect() as connection:
        connection.send_head(method, path, head)
        return connection.answer(method).status


def test_a_user_of_the_operator_s_account_administers_what_its_policies_allow(served):
    keys = Credentials("AKOPERATOROPERATOR00", "secret-of-an-operator-0123456789abcdef")
    served.admin("user", "create", "operator", "--account", "root")
    served.admin("key", "create", "operator", "--account", "root", *key_words(keys))
    assert administer(served, keys, "GET", "/v1/accounts") == 403
    served.admin("user", "attach", "operator", "--account", "root", "arn:aws:iam::aws:policy/AdministratorAccess")
    assert administer(served, keys, "GET", "/v1/accounts") == 200
    assert administer(served, keys, "GET", "/v1/iam/users?account=team") == 200


def test_a_user_of_another_account_administers_its_own_account_at_most(served):
    keys = Credentials("AKDELEGATEDELEGATE00", "secret-of-a-delegate-0123456789abcdef")
    served.admin("user", "create", "delegate", "--account", "team")
    served.admin("key", "create", "delegate", "--account", "team", *key_words(keys))
    assert administer(served, keys, "GET", "/v1/iam/users") == 403
    served.admin("user", "attach", "delegate", "--account", "team", "arn:aws:iam::aws:policy/AdministratorAccess")
    assert administer(served, keys, "GET", "/v1/iam/users") == 200
    for path in ("/v1/accounts", "/v1/kms/keys", "/v1/gc", "/v1/iam/users?account=root", "/v1/iam/users?account=no"):
        assert administer(served, keys, "GET", path) == 403
    served.admin("user", "detach", "delegate", "--account", "team", "arn:aws:iam::aws:policy/AdministratorAccess")


def test_a_boundary_takes_away_what_it_does_not_allow(served):
    def may_create() -> bool:
        time.sleep(1.1)
        return served.raw(KEYS).call("PUT", "/bounded-bucket").status == 200

    served.admin("user", "boundary", "mia", "--account", "team", "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    try:
        assert not may_create()
    finally:
        served.admin("user", "unbound", "mia", "--account", "team")
    assert may_create()


@pytest.mark.parametrize("what", ["boundary", "tags", "inline-policies/all"])
def test_a_request_that_forgets_its_field_takes_nothing_away(served, what):
    path = f"/v1/iam/users/mia/{what}?account=team"
    head = {"host": f"127.0.0.1:{served.admin_port}"}
    signed = Signer(served.credentials, service="zapfs").sign("PUT", path, head, EMPTY_SHA256)
    with Server(served.data_dir, s3_port=served.admin_port).raw().connect() as connection:
        connection.send_head("PUT", path, signed)
        answer = connection.answer("PUT")
    assert (answer.status, json.loads(answer.body)["error"]) == (400, "InvalidRequest")


def test_a_managed_policy_has_versions_and_stays_while_it_is_attached(served, tmp_path):
    document = tmp_path / "policy.json"
    document.write_text(json.dumps(READ))
    served.admin("policy", "create", "all", "--account", "team", str(document))
    version = json.loads(served.admin("policy", "update", "all", "--account", "team", str(document), "--json"))
    policy = json.loads(served.admin("policy", "show", "all", "--account", "team", "--json"))
    assert (version["version"], policy["default_version"], policy["versions"]) == ("v2", "v2", ["v1", "v2"])
    served.admin("user", "attach", "mia", "--account", "team", policy["arn"])
    served.admin("policy", "delete-version", "all", "--account", "team", "v1")
    with pytest.raises(ServerFailed, match="DeleteConflict"):
        served.admin("policy", "delete", "all", "--account", "team")
    served.admin("user", "detach", "mia", "--account", "team", policy["arn"])
    served.admin("policy", "delete", "all", "--account", "team")
    document.write_text("{")
    with pytest.raises(ServerFailed, match="cannot be used"):
        served.admin("policy", "create", "bad", "--account", "team", str(document))


def test_the_keyring_has_its_own_keys_and_those_that_were_chosen(served):
    def keys() -> dict[str, dict[str, object]]:
        return {one["key_id"]: one for one in json.loads(served.admin("kms", "list", "--json"))["keys"]}

    assert "aws/s3" in keys()
    assert [one["key_id"] for one in keys().values() if one["aliases"] == ["alias/aws/s3"]]
    served.admin("kms", "create", "--key-id", "testkey-1", "--alias", "alias/tests")
    served.admin("kms", "rotate", "alias/tests")
    served.admin("kms", "disable", "testkey-1")
    assert (keys()["testkey-1"]["versions"], keys()["testkey-1"]["state"]) == (2, "Disabled")
    served.admin("kms", "enable", str(keys()["testkey-1"]["arn"]))
    assert keys()["testkey-1"]["state"] == "Enabled"
    with pytest.raises(ServerFailed, match="stays enabled"):
        served.admin("kms", "disable", "aws/s3")


def test_version_two_in_the_header_is_spoken(served):
    client = served.client(KEYS, config=Config(signature_version="s3"))
    client.create_bucket(Bucket="by-version-two")
    client.put_object(Bucket="by-version-two", Key="a key/+%", Body=b"body", ContentType="text/plain")
    assert client.get_object(Bucket="by-version-two", Key="a key/+%")["Body"].read() == b"body"
    assert [one["Key"] for one in client.list_objects_v2(Bucket="by-version-two", Prefix="a ")["Contents"]] == [
        "a key/+%"
    ]
    client.delete_object(Bucket="by-version-two", Key="a key/+%")
    wrong = served.client(Credentials(KEYS.access_key, "x" * 40), config=Config(signature_version="s3"))
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        wrong.list_buckets()


def test_secrets_are_in_no_listing_in_no_log_and_in_no_file(served):
    told = "".join(
        served.admin(*words, "--json")
        for words in (
            ["account", "list"],
            ["user", "list", "--account", "team"],
            ["user", "show", "mia", "--account", "team"],
            ["kms", "list"],
        )
    ) + served.admin("key", "list", "mia", "--account", "team", "--json")
    files = [path.read_bytes() for path in (served.data_dir / "cluster").iterdir() if path.is_file()]
    for form in (KEYS.secret_key, base64.b64encode(KEYS.secret_key.encode()).decode()):
        assert form not in told
        assert form not in served.log_path.read_text()
        assert all(form.encode() not in content for content in files)


def test_commands_given_at_one_time_all_take_effect(served):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: served.admin("user", "create", f"one-{number}", "--account", "team"), range(8)))
    listed = json.loads(served.admin("user", "list", "--json", "--account", "team"))["users"]
    assert {f"one-{number}" for number in range(8)} <= {one["username"] for one in listed}
