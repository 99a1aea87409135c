"""Object lock as clients see it: every way of removing or replacing a locked version is refused."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

UNTIL = datetime(2099, 1, 1, tzinfo=UTC)
_names = itertools.count(1)


@pytest.fixture
def locked(s3: Any) -> str:
    """A bucket whose versions can be locked."""
    name = f"locked-{next(_names)}"
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


def code_of(call: Callable[..., Any], **arguments: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def put_locked(s3: Any, bucket: str, mode: str) -> dict[str, str]:
    more = {"ObjectLockMode": mode, "ObjectLockRetainUntilDate": UNTIL}
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"kept", **more)["VersionId"]
    return {"Bucket": bucket, "Key": "k", "VersionId": version}


def test_a_compliant_version_survives_every_deletion(s3: Any, locked: str) -> None:
    named = put_locked(s3, locked, "COMPLIANCE")
    assert code_of(s3.delete_object, **named) == (403, "AccessDenied")
    assert code_of(s3.delete_object, **named, BypassGovernanceRetention=True) == (403, "AccessDenied")
    wishes = {"Objects": [{"Key": "k", "VersionId": named["VersionId"]}]}
    answer = s3.delete_objects(Bucket=locked, Delete=wishes, BypassGovernanceRetention=True)
    assert [one["Code"] for one in answer["Errors"]] == ["AccessDenied"]
    s3.delete_object(Bucket=locked, Key="k")
    s3.put_object(Bucket=locked, Key="k", Body=b"newer")
    assert code_of(s3.delete_bucket, Bucket=locked) == (409, "BucketNotEmpty")
    assert s3.get_object(**named)["Body"].read() == b"kept"


def test_a_lock_is_shown_with_the_object_and_by_itself(s3: Any, locked: str) -> None:
    named = put_locked(s3, locked, "GOVERNANCE")
    s3.put_object_legal_hold(**named, LegalHold={"Status": "ON"})
    head = s3.head_object(**named)
    shown = head["ObjectLockMode"], head["ObjectLockRetainUntilDate"], head["ObjectLockLegalHoldStatus"]
    assert shown == ("GOVERNANCE", UNTIL, "ON")
    assert s3.get_object_retention(**named)["Retention"] == {"Mode": "GOVERNANCE", "RetainUntilDate": UNTIL}
    assert s3.get_object_legal_hold(**named)["LegalHold"] == {"Status": "ON"}


def test_a_copy_is_not_locked_by_its_source_and_takes_its_buckets_default(s3: Any, locked: str) -> None:
    named = put_locked(s3, locked, "COMPLIANCE")
    copied = s3.copy_object(Bucket=locked, Key="copy", CopySource=named)
    assert "ObjectLockMode" not in s3.head_object(Bucket=locked, Key="copy")
    s3.delete_object(Bucket=locked, Key="copy", VersionId=copied["VersionId"])
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    configuration = {"ObjectLockEnabled": "Enabled", "Rule": rule}
    s3.put_object_lock_configuration(Bucket=locked, ObjectLockConfiguration=configuration)
    assert s3.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"] == configuration
    s3.copy_object(Bucket=locked, Key="copy", CopySource=named)
    assert s3.head_object(Bucket=locked, Key="copy")["ObjectLockMode"] == "GOVERNANCE"


def test_a_version_without_retention_says_so(s3: Any, locked: str, bucket: str) -> None:
    s3.put_object(Bucket=locked, Key="k", Body=b"")
    assert code_of(s3.get_object_retention, Bucket=locked, Key="k") == (404, "NoSuchObjectLockConfiguration")
    assert s3.get_object_legal_hold(Bucket=locked, Key="k")["LegalHold"] == {"Status": "OFF"}
    missing = code_of(s3.get_object_lock_configuration, Bucket=bucket)
    assert missing == (404, "ObjectLockConfigurationNotFoundError")
    retained = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": UNTIL}
    assert code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"", **retained) == (400, "InvalidRequest")
