"""IAM's query API on a real server: asked by boto3 and aws-cli, in force for S3 within the second."""

import json
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.integration.server import DEVELOPMENT, Server, clean_environment
from tests.wire.signer import Credentials

AWS = str(Path(sys.executable).with_name("aws"))
EVERYTHING = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
)
SECOND_S = 5.0
"""Changes are in force everywhere within a second; a loaded machine is given more before the test fails."""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("iam") / "data", dev=True, workers=2) as server:
        yield server


def client(server, service, keys=DEVELOPMENT):
    return boto3.session.Session().client(
        service,
        endpoint_url=server.endpoint,
        region_name="us-east-1",
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
    )


def code(act, **parameters):
    try:
        act(**parameters)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return ""


def becomes(expected, act, **parameters):
    """Whether asking comes to answer so on every worker: ten times in a row."""
    deadline, in_a_row = time.monotonic() + SECOND_S, 0
    while in_a_row < 10 and time.monotonic() < deadline:
        in_a_row = in_a_row + 1 if code(act, **parameters) == expected else 0
    return in_a_row == 10


def test_a_user_made_by_iam_does_what_its_policies_say(served):
    iam = client(served, "iam")
    iam.create_user(UserName="ann", Path="/people/", Tags=[{"Key": "team", "Value": "red and blue"}])
    assert iam.get_user(UserName="ann")["User"]["Tags"] == [{"Key": "team", "Value": "red and blue"}]
    made = iam.create_access_key(UserName="ann")["AccessKey"]
    keys = Credentials(made["AccessKeyId"], made["SecretAccessKey"])
    s3 = client(served, "s3", keys)
    assert becomes("AccessDenied", s3.create_bucket, Bucket="of-ann")
    iam.put_user_policy(UserName="ann", PolicyName="all", PolicyDocument=EVERYTHING)
    assert iam.get_user_policy(UserName="ann", PolicyName="all")["PolicyDocument"] == json.loads(EVERYTHING)
    assert becomes("", s3.create_bucket, Bucket="of-ann")
    iam.put_user_permissions_boundary(
        UserName="ann", PermissionsBoundary="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    )
    assert becomes("AccessDenied", s3.put_object, Bucket="of-ann", Key="k", Body=b"")
    assert code(client(served, "iam", keys).create_user, UserName="more") == "AccessDenied"
    iam.update_access_key(UserName="ann", AccessKeyId=keys.access_key, Status="Inactive")
    assert becomes("InvalidAccessKeyId", s3.list_buckets)
    assert code(iam.delete_user, UserName="ann") == "DeleteConflict"
    iam.delete_access_key(UserName="ann", AccessKeyId=keys.access_key)
    iam.delete_user_policy(UserName="ann", PolicyName="all")
    iam.delete_user(UserName="ann")
    assert code(iam.get_user, UserName="ann") == "NoSuchEntity"


def test_managed_policies_groups_and_roles_are_told_as_they_were_made(served):
    iam = client(served, "iam")
    arn = iam.create_policy(PolicyName="p", PolicyDocument=EVERYTHING, Description="d")["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=EVERYTHING, SetAsDefault=True)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v2"
    assert iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"] == json.loads(EVERYTHING)
    iam.create_group(GroupName="g")
    iam.attach_group_policy(GroupName="g", PolicyArn=arn)
    assert iam.list_attached_group_policies(GroupName="g")["AttachedPolicies"][0]["PolicyArn"] == arn
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=document, MaxSessionDuration=7200)
    iam.update_role(RoleName="r", Description="told")
    role = iam.get_role(RoleName="r")["Role"]
    assert (role["MaxSessionDuration"], role["Description"]) == (7200, "told")
    assert role["AssumeRolePolicyDocument"] == json.loads(document)
    summary = iam.get_account_summary()["SummaryMap"]
    assert (summary["Groups"], summary["Roles"], summary["Policies"]) == (1, 1, 1)
    details = iam.get_account_authorization_details(Filter=["Group", "LocalManagedPolicy"])
    assert [len(one["PolicyVersionList"]) for one in details["Policies"]] == [2]


def test_aws_cli_speaks_to_it(served):
    def aws(*words):
        environment = clean_environment(
            AWS_ACCESS_KEY_ID=DEVELOPMENT.access_key,
            AWS_SECRET_ACCESS_KEY=DEVELOPMENT.secret_key,
            AWS_DEFAULT_REGION="us-east-1",
            AWS_ENDPOINT_URL=served.endpoint,
        )
        return subprocess.run([AWS, "iam", *words], env=environment, capture_output=True, text=True, timeout=60)

    made = aws("create-user", "--user-name", "bob")
    assert json.loads(made.stdout)["User"]["UserName"] == "bob", made.stderr
    listed = aws("list-users", "--query", "Users[].UserName", "--output", "text")
    assert "bob" in listed.stdout.split()
    again = aws("create-user", "--user-name", "Bob")
    assert "EntityAlreadyExists" in again.stderr
    assert again.returncode != 0
