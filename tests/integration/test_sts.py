"""Temporary credentials on a real server: asked for by boto3 and aws-cli, believed wherever a signature is."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import boto3
import pytest
from botocore import UNSIGNED
from botocore.client import Config
from botocore.exceptions import ClientError

from tests.directory import Directory
from tests.integration.server import DEVELOPMENT, Server, clean_environment
from tests.issuer import Issuer
from tests.wire.signer import Credentials, Signer

AWS = str(Path(sys.executable).with_name("aws"))
TEAM, OTHER = "111122223333", "444455556666"
MIA = Credentials("AKIAMIAMIAMIAMIAMIA0", "secret-of-mia-0123456789abcdef0123456789")
TOM = Credentials("AKIATOMTOMTOMTOMTOM0", "secret-of-tom-0123456789abcdef0123456789")
ZOE = Credentials("AKIAZOEZOEZOEZOEZOE0", "secret-of-zoe-0123456789abcdef0123456789")
ROLE = f"arn:aws:iam::{TEAM}:role/reader"
BASE = "dc=example,dc=org"
ANN, SERVICE = f"uid=ann,ou=people,{BASE}", f"uid=service,{BASE}"


def policy(effect="Allow", action="s3:*", resource="*", **more):
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": action, "Resource": resource, **more}]}
    )


def trust(principal, action="sts:AssumeRole", equal=None):
    statement = {"Effect": "Allow", "Principal": principal, "Action": action}
    statement |= {"Condition": {"StringEquals": equal}} if equal else {}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def user(name, keys, text):
    inline = f"all = '{text}'" if text else ""
    return f"""
[[account.user]]
name = "{name}"
keys = [{{ access_key = "{keys.access_key}", secret_key = "{keys.secret_key}" }}]
[account.user.inline]
{inline}
"""


SEED = f"""
[[account]]
name = "team"
account_id = "{TEAM}"
{user("mia", MIA, policy(action=["s3:*", "sts:*"]))}
{user("tom", TOM, policy())}
[[account.role]]
name = "reader"
trust = '{trust({"AWS": [f"arn:aws:iam::{TEAM}:user/mia", f"arn:aws:iam::{OTHER}:root"]})}'
[account.role.inline]
s3 = '{policy()}'
[[account.role]]
name = "person"
trust = '{trust({"Federated": "ldap"}, "sts:AssumeRoleWithLDAPIdentity")}'
[account.role.inline]
s3 = '{policy(action="s3:ListAllMyBuckets")}'
[[account]]
name = "other"
account_id = "{OTHER}"
{user("zoe", ZOE, policy(action="sts:AssumeRole", resource=ROLE))}
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    directory = tmp_path_factory.mktemp("sts")
    seed = directory / "iam.toml"
    seed.write_text(SEED)
    seed.chmod(0o600)
    people = {ANN: ({"uid": ["ann"]}, "ann's password"), SERVICE: ({}, "service password")}
    with Directory(people, {}) as people_here:
        told = {
            "ZAPFS_IAM_SEED": str(seed),
            "ZAPFS_LDAP_URL": people_here.url,
            "ZAPFS_LDAP_TLS": "none",
            "ZAPFS_LDAP_BIND_DN": SERVICE,
            "ZAPFS_LDAP_BIND_PASSWORD": "service password",
            "ZAPFS_LDAP_USER_BASE": BASE,
            "ZAPFS_LDAP_ROLE_OF": f"{ANN} arn:aws:iam::{TEAM}:role/person",
        }
        with Server(directory / "data", dev=True, workers=2, environment=told) as server:
            server.client(MIA).create_bucket(Bucket="team-bucket")
            server.client(MIA).put_object(Bucket="team-bucket", Key="k", Body=b"of the team")
            yield server


def client(server, service, keys, token=None, **options):
    return boto3.session.Session().client(
        service,
        endpoint_url=server.endpoint,
        region_name="us-east-1",
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        aws_session_token=token,
        **options,
    )


def of(server, service, answer, **options):
    """A client with credentials that were issued."""
    made = answer["Credentials"]
    keys = Credentials(made["AccessKeyId"], made["SecretAccessKey"])
    return client(server, service, keys, made["SessionToken"], **options)


def code(act, **parameters):
    with pytest.raises(ClientError) as caught:
        act(**parameters)
    return caught.value.response["Error"]["Code"]


def assumed(server, **more):
    return client(server, "sts", MIA).assume_role(RoleArn=ROLE, RoleSessionName="now", **more)


def test_everybody_may_ask_who_they_are(served):
    told = client(served, "sts", MIA).get_caller_identity()
    assert (told["Account"], told["Arn"]) == (TEAM, f"arn:aws:iam::{TEAM}:user/mia")
    answer = assumed(served)
    who = of(served, "sts", answer).get_caller_identity()["Arn"]
    assert who == answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{TEAM}:assumed-role/reader/now"
    unknown = client(served, "sts", replace(MIA, access_key="AKIANOBODY0000000000"))
    wrong = client(served, "sts", replace(MIA, secret_key="x" * 40))
    assert code(unknown.get_caller_identity) == "InvalidClientTokenId"
    assert code(wrong.get_caller_identity) == "SignatureDoesNotMatch"


def test_a_url_proves_who_one_is_and_does_nothing_else(served):
    sts = of(served, "sts", assumed(served))
    with urllib.request.urlopen(sts.generate_presigned_url("get_caller_identity", HttpMethod="GET")) as answer:
        assert b"assumed-role/reader/now" in answer.read()
    url = client(served, "sts", MIA).generate_presigned_url(
        "assume_role", Params={"RoleArn": ROLE, "RoleSessionName": "now"}, HttpMethod="GET"
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url)
    assert caught.value.code == 403


@pytest.mark.parametrize("signature", ["s3v4", "s3"])
def test_a_session_reads_writes_and_presigns_in_both_signature_versions(served, signature):
    s3 = of(served, "s3", assumed(served), config=Config(signature_version=signature))
    s3.put_object(Bucket="team-bucket", Key=f"by-{signature}", Body=b"x" * 100_000)
    assert s3.get_object(Bucket="team-bucket", Key=f"by-{signature}")["ContentLength"] == 100_000
    url = s3.generate_presigned_url("get_object", {"Bucket": "team-bucket", "Key": f"by-{signature}"})
    with urllib.request.urlopen(url) as answer:
        assert len(answer.read()) == 100_000
    for changed in (url.replace("ecurity-Token=", "ecurity-Token=A"), url.replace("ecurity-token=", "ecurity-token=A")):
        if changed != url:
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(changed)
            assert caught.value.code in (400, 403)


@pytest.mark.parametrize("signature", ["s3v4", "s3"])
def test_a_session_signs_a_form(served, signature):
    s3 = of(served, "s3", assumed(served), config=Config(signature_version=signature))
    form = s3.generate_presigned_post("team-bucket", f"form-{signature}")
    assert "x-amz-security-token" in form["fields"]

    def post(fields):
        line = "--b\r\nContent-Disposition: form-data; name="
        parts = [f'{line}"{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()]
        body = "".join([*parts, f'{line}"file"; filename="f"\r\n\r\nposted\r\n--b--\r\n']).encode()
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        return urllib.request.urlopen(urllib.request.Request(form["url"], body, headers)).status

    assert post(form["fields"]) == 204
    assert s3.get_object(Bucket="team-bucket", Key=f"form-{signature}")["Body"].read() == b"posted"
    for token in (None, "other"):
        fields = {name: value for name, value in form["fields"].items() if name != "x-amz-security-token"}
        with pytest.raises(urllib.error.HTTPError):
            post({**fields, **({"x-amz-security-token": token} if token else {})})


def test_a_session_policy_narrows(served):
    only = policy(action="s3:ListBucket")
    narrow = of(served, "s3", assumed(served, Policy=only))
    assert narrow.list_objects_v2(Bucket="team-bucket")["KeyCount"] > 0
    assert code(narrow.get_object, Bucket="team-bucket", Key="k") == "AccessDenied"
    bob = client(served, "sts", MIA).get_federation_token(Name="bob", Policy=policy(action="s3:GetObject"))
    assert bob["FederatedUser"]["Arn"] == f"arn:aws:sts::{TEAM}:federated-user/bob"
    assert of(served, "s3", bob).get_object(Bucket="team-bucket", Key="k")["Body"].read() == b"of the team"
    assert code(of(served, "s3", bob).list_objects_v2, Bucket="team-bucket") == "AccessDenied"


def test_who_is_not_trusted_is_refused_and_another_account_takes_the_role_it_is_offered(served):
    assert code(client(served, "sts", TOM).assume_role, RoleArn=ROLE, RoleSessionName="now") == "AccessDenied"
    answer = client(served, "sts", ZOE).assume_role(RoleArn=ROLE, RoleSessionName="zoe")
    read = of(served, "s3", answer).get_object(Bucket="team-bucket", Key="k")
    assert read["Body"].read() == b"of the team"


def test_sessions_for_oneself_make_no_sessions_and_administer_nothing(served):
    own = client(served, "sts", MIA).get_session_token(DurationSeconds=900)
    assert of(served, "s3", own).list_buckets()["Buckets"]
    assert code(of(served, "sts", own).get_session_token) == "AccessDenied"
    assert code(of(served, "sts", own).get_federation_token, Name="eve") == "AccessDenied"
    assert of(served, "sts", own).assume_role(RoleArn=ROLE, RoleSessionName="then")["Credentials"]


def test_what_is_malformed_is_told_with_sts_s_codes(served):
    sts = client(served, "sts", MIA)
    assert code(sts.assume_role, RoleArn=ROLE, RoleSessionName="a b") == "ValidationError"
    assert code(sts.assume_role, RoleArn=ROLE, RoleSessionName="now", DurationSeconds=3_601) == "ValidationError"
    assert code(sts.assume_role, RoleArn=ROLE, RoleSessionName="now", Policy="{}") == "MalformedPolicyDocument"
    assert code(sts.decode_authorization_message, EncodedMessage="x") == "InvalidAuthorizationMessageException"
    assert sts.get_access_key_info(AccessKeyId=ZOE.access_key)["Account"] == OTHER
    web = {"RoleArn": ROLE, "RoleSessionName": "now", "WebIdentityToken": "abcdef"}
    assert code(sts.assume_role_with_web_identity, **web) == "InvalidIdentityToken"


def ldap(server, **parameters):
    form = {"Action": "AssumeRoleWithLDAPIdentity", "Version": "2011-06-15", **parameters}
    body = urllib.parse.urlencode(form).encode()
    try:
        with urllib.request.urlopen(server.endpoint, body) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def test_a_person_of_the_directory_logs_in_without_a_signature(served):
    status, text = ldap(served, LDAPUsername="ann", LDAPPassword="ann's password")
    assert status == 200
    found = {name: text.partition(f"<{name}>")[2].partition("<")[0] for name in ("AccessKeyId", "SecretAccessKey")}
    token = text.partition("<SessionToken>")[2].partition("<")[0]
    keys = Credentials(found["AccessKeyId"], found["SecretAccessKey"])
    assert client(served, "s3", keys, token).list_buckets()["Buckets"]
    assert "assumed-role/person/ann" in client(served, "sts", keys, token).get_caller_identity()["Arn"]
    for password in ("wrong", ""):
        assert ldap(served, LDAPUsername="ann", LDAPPassword=password)[0] in (400, 403)
    assert "ann's password" not in served.log_path.read_text()
    assert token not in served.log_path.read_text()


def test_aws_cli_takes_a_role_and_uses_it(served, tmp_path):
    def aws(keys, *arguments):
        environment = clean_environment(**keys, AWS_DEFAULT_REGION="us-east-1", HOME=str(tmp_path))
        command = [AWS, f"--endpoint-url={served.endpoint}", "--output", "json", *arguments]
        return json.loads(subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60).stdout)

    long_term = {"AWS_ACCESS_KEY_ID": MIA.access_key, "AWS_SECRET_ACCESS_KEY": MIA.secret_key}
    made = aws(long_term, "sts", "assume-role", "--role-arn", ROLE, "--role-session-name", "cli")["Credentials"]
    session = {
        "AWS_ACCESS_KEY_ID": made["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
        "AWS_SESSION_TOKEN": made["SessionToken"],
    }
    assert aws(session, "sts", "get-caller-identity")["Arn"].endswith(":assumed-role/reader/cli")
    assert aws(session, "s3api", "list-objects-v2", "--bucket", "team-bucket")["Contents"]


def administer(server, method, path, **body):
    """Status of the operator's request to the admin API, and its answer."""
    content = json.dumps(body).encode()
    host = f"127.0.0.1:{server.admin_port}"
    signed = Signer(DEVELOPMENT, service="zapfs").sign(method, path, {"host": host}, sha256(content).hexdigest())
    asked = urllib.request.Request(f"http://{host}{path}", content, signed, method=method)
    with urllib.request.urlopen(asked) as answer:
        return json.loads(answer.read() or b"{}")


def within_a_second(told):
    """Whether it becomes so at every worker as fast as a change has to be in force."""
    deadline = time.monotonic() + 2.0  # a second, and what a loaded machine takes
    while time.monotonic() < deadline:
        if all(told() for _ in range(6)):
            return True
        time.sleep(0.05)
    return False


def test_the_bearer_of_an_issuer_s_token_gets_the_role_that_trusts_it(served):
    with Issuer() as issuer:
        provider = {"name": issuer.name, "client_ids": ["app"]}
        provider_arn = administer(served, "POST", "/v1/iam/oidc-providers?account=team", **provider)["arn"]
        trusted = trust({"Federated": provider_arn}, "sts:AssumeRoleWithWebIdentity", {f"{issuer.name}:sub": "ann"})
        made = administer(served, "POST", "/v1/iam/roles?account=team", name="web", trust=json.loads(trusted))
        document = {"document": json.loads(policy(action="s3:GetObject"))}
        administer(served, "PUT", "/v1/iam/roles/web/inline-policies/read?account=team", **document)
        stranger = client(served, "sts", MIA, config=Config(signature_version=UNSIGNED))
        asked = {"RoleArn": made["arn"], "RoleSessionName": "ann"}

        def answered():
            try:
                stranger.assume_role_with_web_identity(WebIdentityToken=issuer.token(), **asked)
            except ClientError:
                return False
            return True

        assert within_a_second(answered)
        answer = stranger.assume_role_with_web_identity(WebIdentityToken=issuer.token(), **asked)
        assert (answer["Provider"], answer["Audience"]) == (issuer.url, "app")
        assert answer["SubjectFromWebIdentityToken"] == "ann"
        read = of(served, "s3", answer).get_object(Bucket="team-bucket", Key="k")
        assert read["Body"].read() == b"of the team"
        assert code(of(served, "s3", answer).list_objects_v2, Bucket="team-bucket") == "AccessDenied"
        for wrong in (issuer.token(sub="eve"), issuer.token(aud="other"), issuer.token(exp=1), issuer.token() + "A"):
            with pytest.raises(ClientError):
                stranger.assume_role_with_web_identity(WebIdentityToken=wrong, **asked)
        assert len(issuer.asked) in (2, 4)  # for the configuration and the keys, once each worker that was asked


def test_a_session_is_dead_a_second_after_the_key_it_began_with(served):
    path = "/v1/iam/users/mia/access-keys"
    made = administer(served, "POST", f"{path}?account=team")
    keys = Credentials(made["access_key"], made["secret_key"])
    raw = served.raw(keys)
    assert within_a_second(lambda: raw.call("GET", "/").status == 200)
    answer = client(served, "sts", keys).assume_role(RoleArn=ROLE, RoleSessionName="now")
    session = of(served, "s3", answer)
    assert session.list_buckets()["Buckets"]
    administer(served, "PATCH", f"{path}/{keys.access_key}?account=team", active=False)

    def dead():
        try:
            return not session.list_buckets()
        except ClientError as refused:
            return refused.response["Error"]["Code"] == "InvalidToken"

    assert within_a_second(dead)
    assert code(of(served, "sts", answer).get_caller_identity) == "InvalidClientTokenId"
