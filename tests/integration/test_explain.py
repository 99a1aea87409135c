"""Explained and audited on a real server: traces, what is foretold, and what the audit log holds."""

import json
import threading
import time
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.integration.processes import eventually
from tests.integration.server import Credentials, Server
from tests.integration.visitor import browse
from tests.wire.signer import Signer

TOKEN = "a-bearer-token-of-the-webhook"
OPERATOR = Credentials("AKIAOPERATOROFAUDIT1", "the-secret-of-the-operator-of-audit")


class Hook:
    """A webhook that keeps what it is sent."""

    def __init__(self):
        self.lines: list[dict[str, Any]] = []
        self.tokens: set[str] = set()
        self.free, self.asked = threading.Event(), threading.Event()
        self.free.set()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                hook.asked.set()
                hook.free.wait(30)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.lines += [json.loads(line) for line in body.splitlines()]
                hook.tokens.add(self.headers["Authorization"])
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/audit"


class Room:
    """A server that audits everything to a file and a webhook."""

    def __init__(self, directory):
        self.hook = Hook()
        self.audit = directory / "audit.log"
        token = directory / "token"
        token.write_text(TOKEN + "\n")
        environment = {
            "ZAPFS_AUDIT_FILE": str(self.audit),
            "ZAPFS_AUDIT_WEBHOOK": f"{self.hook.url} {token}",
            "ZAPFS_AUDIT_S3": "true",
        }
        self.server = Server(directory / "data", workers=2, credentials=OPERATOR, environment=environment).start()

    def lines(self):
        return [json.loads(line) for line in self.audit.read_text().splitlines()]

    def ask(self, method, path, body=None, credentials=OPERATOR):
        """Status and content of a signed call of the admin face."""
        content = b"" if body is None else json.dumps(body).encode()
        raw = Server(self.server.data_dir, s3_port=self.server.admin_port).raw(credentials)
        with raw.connect() as connection:
            head = {"host": f"127.0.0.1:{self.server.admin_port}", "content-length": str(len(content))}
            head = Signer(credentials, service="zapfs").sign(method, path, head, sha256(content).hexdigest())
            connection.send_head(method, path, head)
            connection.send(content)
            answer = connection.answer(method)
            return answer.status, json.loads(answer.body) if answer.body else {}

    def trace(self, request_id, credentials=OPERATOR):
        """What is known of a request, once it is written."""
        eventually(lambda: self.ask("GET", f"/v1/requests/{request_id}")[0] == 200)
        return self.ask("GET", f"/v1/requests/{request_id}", credentials=credentials)


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    made = Room(tmp_path_factory.mktemp("explain"))
    try:
        yield made
    finally:
        made.server.close()
        made.hook.server.shutdown()


def user_of(room, name, **statement):
    """Credentials of a new user of the operator's account, with one inline policy."""
    assert room.ask("POST", "/v1/iam/users", {"username": name})[0] == 201
    document = {"Version": "2012-10-17", "Statement": [{"Sid": "Its", "Effect": "Allow", "Resource": "*"} | statement]}
    assert room.ask("PUT", f"/v1/iam/users/{name}/inline-policies/p", {"document": document})[0] < 300
    status, made = room.ask("POST", f"/v1/iam/users/{name}/access-keys")
    assert status == 201
    keys = Credentials(made["access_key"], made["secret_key"])
    # Until both workers know the key.
    eventually(lambda: all(room.server.raw(keys).call("GET", "/").code != "InvalidAccessKeyId" for _ in range(6)))
    return keys


def account(room, name):
    """Credentials of a new account."""
    status, made = room.ask("POST", "/v1/accounts", {"name": name})
    assert status == 201
    return Credentials(made["access_key"], made["secret_key"])


def arn(room, name):
    return room.ask("GET", f"/v1/iam/users/{name}")[1]["arn"]


@pytest.fixture(scope="module")
def bucket(room):
    s3 = room.server.client()
    s3.create_bucket(Bucket="explained")
    s3.put_object(Bucket="explained", Key="a/key", Body=b"x" * 70_000)
    return s3


@pytest.fixture(scope="module")
def reader(room, bucket):
    return user_of(room, "reader", Action=["s3:GetObject", "admin:GetRequest"])


def refused(act, **parameters):
    with pytest.raises(ClientError) as error:
        act(**parameters)
    return error.value.response


def test_a_trace_says_who_what_why_and_how_long(room, bucket, reader):
    got = room.server.client(reader).get_object(Bucket="explained", Key="a/key")
    assert len(got["Body"].read()) == 70_000
    status, trace = room.trace(got["ResponseMetadata"]["RequestId"])
    assert status == 200
    assert (trace["operation"], trace["bucket"], trace["key"], trace["status"]) == (
        "GetObject",
        "explained",
        "a/key",
        200,
    )
    assert trace["arn"] == arn(room, "reader")
    assert (trace["decision"], trace["why"]) == ("allow", "allow by identity-based policy 'p', statement 'Its'")
    assert (trace["bytes_out"], trace["chunks"], trace["access_key_id"]) == (70_000, 1, reader.access_key)
    assert trace["seconds"] > 0


def test_a_denied_callers_trace_and_answer_name_the_kind_of_policy(room, bucket, reader):
    answer = refused(room.server.client(reader).delete_object, Bucket="explained", Key="a/key")
    because = "because no identity-based policy allows the s3:DeleteObject action"
    assert answer["Error"]["Message"].endswith(because)
    _, trace = room.trace(answer["ResponseMetadata"]["RequestId"])
    assert (trace["decision"], trace["code"]) == ("implicit deny", "AccessDenied")
    assert trace["why"] == "implicit deny: no identity-based policy allows it"


def test_a_trace_is_for_the_operators_account_and_its_own(room, bucket, reader):
    alice = account(room, "alice")
    eventually(lambda: all(room.server.raw(alice).call("GET", "/").status == 200 for _ in range(6)))
    answer = refused(room.server.client(alice).get_object, Bucket="explained", Key="a/key")
    assert answer["Error"]["Message"] == "Access Denied"
    hers = answer["ResponseMetadata"]["RequestId"]
    assert room.trace(hers, alice)[0] == 200
    others = room.server.client().list_buckets()["ResponseMetadata"]["RequestId"]
    assert room.trace(others)[0] == 200
    assert room.trace(others, alice)[0] == 404
    assert room.ask("GET", f"/v1/requests/{hers}", credentials=reader)[0] == 200
    assert room.ask("GET", "/v1/requests/%2e%2e", credentials=alice)[0] == 404


def test_what_is_foretold_is_what_is_served(room, bucket, reader):
    user = arn(room, "reader")
    question = {"principal": user, "action": "s3:GetObject", "resource": "arn:aws:s3:::explained/a/key"}
    status, told = room.ask("POST", "/v1/iam/simulate", question)
    assert (status, told["decision"], told["kind"], told["policy"]) == (200, "allowed", "inline", "p")
    assert (told["statement"], told["resource_policy"]) == ("Its", "none")
    assert told["considered"] == [{"kind": "inline", "name": "p"}]
    deletion = room.ask("POST", "/v1/iam/simulate", question | {"action": "s3:DeleteObject"})[1]
    assert (deletion["decision"], deletion["missing"]) == ("implicitDeny", "identity")
    served = refused(room.server.client(reader).delete_object, Bucket="explained", Key="a/key")
    assert deletion["message"] == served["Error"]["Message"]
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::explained/*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    denied = room.ask("POST", "/v1/iam/simulate", question | {"resource_policy": policy})[1]
    assert (denied["decision"], denied["kind"], denied["resource_policy"]) == ("explicitDeny", "resource", "given")
    assert room.ask("POST", "/v1/iam/simulate", question | {"principal": "anonymous"})[1]["decision"] == "implicitDeny"


def test_of_other_accounts_nothing_but_the_decision_is_foretold(room, bucket):
    bob = account(room, "bob")
    root = {one["name"]: one["account_id"] for one in room.ask("GET", "/v1/accounts")[1]["accounts"]}
    question = {"action": "s3:GetObject", "resource": "arn:aws:s3:::explained/a/key"}
    mine = question | {"principal": f"arn:aws:iam::{root['bob']}:root"}
    told = room.ask("POST", "/v1/iam/simulate", mine, bob)[1]
    assert (told["decision"], told["message"], told["considered"]) == ("implicitDeny", "Access Denied", [])
    theirs = question | {"principal": arn(room, "reader")}
    assert room.ask("POST", "/v1/iam/simulate", theirs, bob)[0] == 404


def test_malformed_questions_are_refused(room, bucket):
    question = {"principal": "anonymous", "action": "s3:GetObject", "resource": "arn:aws:s3:::explained/k"}
    for wrong, status in (
        ({"principal": "arn:aws:iam::000000000000:user/x"}, 404),
        ({"principal": "nobody"}, 404),
        ({"action": "s3:Nothing"}, 400),
        ({"action": "s3:*"}, 400),
        ({"resource": "*"}, 400),
        ({"resource": "arn:aws:s3:::no-such-bucket"}, 404),
        ({"resource_policy": {"Statement": 1}}, 400),
        ({"session_policies": [{}] * 11}, 400),
        ({"context": {"k": [1]}}, 400),
    ):
        assert room.ask("POST", "/v1/iam/simulate", question | wrong)[0] == status, wrong


def test_every_admin_query_and_s3_call_is_in_the_audit_log_in_its_order(room, bucket, reader):
    names = [f"in-order-{number}" for number in range(5)]
    for name in names:
        room.ask("POST", "/v1/iam/users", {"username": name})
    room.ask("POST", "/v1/iam/users", {"username": names[0]})
    room.ask("GET", "/v1/accounts", credentials=reader)
    room.ask("GET", "/v1/accounts", credentials=Credentials("AKIAOPERATOROFAUDIT1", "wrong-secret"))
    keys = {"aws_access_key_id": reader.access_key, "aws_secret_access_key": reader.secret_key}
    sts = boto3.client("sts", endpoint_url=room.server.endpoint, region_name="us-east-1", **keys)
    asked = sts.get_caller_identity()["ResponseMetadata"]["RequestId"]
    got = room.server.client().head_object(Bucket="explained", Key="a/key")["ResponseMetadata"]["RequestId"]
    expected = {asked, got}
    eventually(lambda: expected <= {line.get("request_id") for line in room.lines()})
    eventually(lambda: sum(line["action"] == "admin:ListAccounts" for line in room.lines()) >= 2)
    lines = room.lines()
    made = [line for line in lines if line["action"] == "admin:CreateUser" and "in-order" in line["resource"]]
    assert [line["resource"].rpartition("/")[2] for line in made] == [*names, names[0]]
    assert [line["status"] for line in made] == [201] * 5 + [409]
    assert made[-1]["code"] == "EntityAlreadyExists"
    denied, unknown = [line for line in lines if line["action"] == "admin:ListAccounts" and line["status"] == 403][-2:]
    assert (denied["code"], denied["arn"]) == ("AccessDenied", arn(room, "reader"))
    assert (unknown["code"], unknown["arn"], unknown["account_id"]) == ("SignatureDoesNotMatch", "", "")
    by_id = {line["request_id"]: line for line in lines}
    assert (by_id[asked]["event"], by_id[asked]["action"]) == ("query", "sts:GetCallerIdentity")
    assert (by_id[got]["event"], by_id[got]["resource"]) == ("s3", "arn:aws:s3:::explained/a/key")
    eventually(lambda: expected <= {line.get("request_id") for line in room.hook.lines})
    assert room.hook.tokens == {f"Bearer {TOKEN}"}


def test_a_file_moved_away_is_begun_anew(room, bucket):
    aside = room.audit.with_suffix(".1")
    room.audit.rename(aside)
    asked = room.server.client().list_buckets()["ResponseMetadata"]["RequestId"]
    eventually(lambda: room.audit.exists() and any(line["request_id"] == asked for line in room.lines()))
    assert asked not in aside.read_text()
    room.audit.write_text(aside.read_text() + room.audit.read_text())


def test_no_secret_is_in_traces_or_in_the_audit_log(room, bucket, reader):
    s3 = room.server.client()
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "explained", "Key": "a/key"})
    asked = parse_qs(urlsplit(url).query)
    signature = next(values[0] for name, values in asked.items() if name.endswith("Signature"))
    assert browse(room.server, "GET", url.removeprefix(room.server.endpoint)).status == 200
    keys = {"aws_access_key_id": reader.access_key, "aws_secret_access_key": reader.secret_key}
    sts = boto3.client("sts", endpoint_url=room.server.endpoint, region_name="us-east-1", **keys)
    session = sts.get_session_token()["Credentials"]
    inside = Credentials(session["AccessKeyId"], session["SecretAccessKey"])
    room.server.client(inside, aws_session_token=session["SessionToken"]).get_object(Bucket="explained", Key="a/key")
    last = s3.list_buckets()["ResponseMetadata"]["RequestId"]
    room.trace(last)
    eventually(lambda: any(line["request_id"] == last for line in room.lines()))
    texts = [room.audit.read_text(), json.dumps(room.hook.lines)]
    texts += [path.read_text() for path in (room.server.data_dir / "traces").iterdir()]
    assert len(texts) >= 3
    secrets = [OPERATOR.secret_key, reader.secret_key, session["SecretAccessKey"], session["SessionToken"]]
    for secret in [*secrets, signature, quote(signature, safe=""), TOKEN]:
        assert len(secret) > 5
        assert not any(secret in text for text in texts), secret[:4]


def test_a_webhook_that_hangs_stalls_no_request(room, bucket):
    room.hook.free.clear()
    room.hook.asked.clear()
    raw = room.server.raw()
    assert raw.call("GET", "/").status == 200
    assert room.hook.asked.wait(20)
    begun = time.monotonic()
    answers = [raw.call("GET", "/") for _ in range(20)]
    spent = time.monotonic() - begun
    room.hook.free.set()
    assert [answer.status for answer in answers] == [200] * 20
    assert spent < 5.0
    last = answers[-1].headers["x-amz-request-id"]
    assert eventually(lambda: any(line["request_id"] == last for line in room.hook.lines))


def test_a_killed_server_leaves_whole_lines_and_goes_on(room, bucket):
    room.server.client().list_buckets()
    for pid in room.server.pids():
        assert pid > 1
    room.server.kill()
    before = room.lines()
    room.server.start()
    asked = room.server.client().list_buckets()["ResponseMetadata"]["RequestId"]
    eventually(lambda: any(line["request_id"] == asked for line in room.lines()))
    assert room.lines()[: len(before)] == before
