"""Versions, renames and appends over the wire, by boto3 and by hand-made requests."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.server import Server

_numbers = itertools.count(1)
DEEP = 2_000  # versions of one key


@pytest.fixture
def stacked(s3: Any) -> str:
    """A new bucket that has versioning."""
    name = f"stacked-{next(_numbers)}"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def code_of(error: "pytest.ExceptionInfo[ClientError]") -> tuple[str, int]:
    answer = error.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_versioning_is_off_then_enabled_then_suspended(s3: Any, bucket: str) -> None:
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    for status in ("Enabled", "Suspended"):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status, "MFADelete": "Disabled"})
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == status
    with pytest.raises(ClientError) as error:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled", "MFADelete": "Enabled"})
    assert code_of(error) == ("NotImplemented", 501)
    with pytest.raises(ClientError) as error:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={})
    assert code_of(error) == ("IllegalVersioningConfigurationException", 400)


def test_a_bucket_of_versions_alone_says_what_keeps_it(s3: Any, stacked: str) -> None:
    s3.put_object(Bucket=stacked, Key="k", Body=b"")
    s3.delete_object(Bucket=stacked, Key="k")
    with pytest.raises(ClientError, match=r"BucketNotEmpty.*delete all versions"):
        s3.delete_bucket(Bucket=stacked)


def test_each_version_is_read_tagged_and_deleted_by_its_id(s3: Any, stacked: str) -> None:
    ids = [s3.put_object(Bucket=stacked, Key="k", Body=b"%d" % n, Tagging=f"n={n}")["VersionId"] for n in range(3)]
    for number, version in enumerate(ids):
        read = s3.get_object(Bucket=stacked, Key="k", VersionId=version)
        assert (read["Body"].read(), read["VersionId"], read["TagCount"]) == (b"%d" % number, version, 1)
    deleted = s3.delete_object(Bucket=stacked, Key="k", VersionId=ids[2])
    assert deleted["VersionId"] == ids[2]
    assert s3.head_object(Bucket=stacked, Key="k")["VersionId"] == ids[1]
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=stacked, Key="k", VersionId=ids[2])
    assert code_of(error) == ("NoSuchVersion", 404)


def test_a_delete_marker_shows_itself_in_answers_and_listings(s3: Any, stacked: str) -> None:
    s3.put_object(Bucket=stacked, Key="k", Body=b"x")
    marker = s3.delete_object(Bucket=stacked, Key="k")
    assert marker["DeleteMarker"] is True
    with pytest.raises(ClientError) as error:
        s3.head_object(Bucket=stacked, Key="k")
    assert error.value.response["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=stacked, Key="k", VersionId=marker["VersionId"])
    assert code_of(error) == ("MethodNotAllowed", 405)
    headers = error.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert headers["allow"] == "DELETE"
    assert "last-modified" in headers
    listed = s3.list_object_versions(Bucket=stacked)
    assert [(one["VersionId"], one["IsLatest"]) for one in listed["DeleteMarkers"]] == [(marker["VersionId"], True)]
    assert [one["IsLatest"] for one in listed["Versions"]] == [False]


def test_many_versions_are_deleted_at_once_each_with_its_outcome(s3: Any, stacked: str) -> None:
    first = s3.put_object(Bucket=stacked, Key="a", Body=b"1")["VersionId"]
    marker = s3.delete_object(Bucket=stacked, Key="a")["VersionId"]
    wanted = [{"Key": "a", "VersionId": first}, {"Key": "a", "VersionId": marker}, {"Key": "b"}]
    wanted.append({"Key": "c", "VersionId": "no-version"})
    done = s3.delete_objects(Bucket=stacked, Delete={"Objects": wanted})
    assert done["Deleted"][0] == {"Key": "a", "VersionId": first}
    assert done["Deleted"][1] == {
        "Key": "a",
        "VersionId": marker,
        "DeleteMarker": True,
        "DeleteMarkerVersionId": marker,
    }
    assert done["Deleted"][2]["DeleteMarker"] is True
    assert [(error["Key"], error["Code"]) for error in done["Errors"]] == [("c", "InvalidArgument")]


def test_a_document_of_deletions_needs_a_digest(server: Server, stacked: str) -> None:
    body = b"<Delete><Object><Key>k</Key></Object></Delete>"
    answer = server.raw().call("POST", f"/{stacked}?delete", body)
    assert answer.status == 400
    assert b"<Code>InvalidRequest</Code>" in answer.body


def test_a_deep_stack_is_listed_in_pages_and_deleted(s3: Any, stacked: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: s3.delete_object(Bucket=stacked, Key="deep"), range(DEEP)))
    pages = list(s3.get_paginator("list_object_versions").paginate(Bucket=stacked, PaginationConfig={"PageSize": 700}))
    markers = [one for page in pages for one in page.get("DeleteMarkers", [])]
    assert len({one["VersionId"] for one in markers}) == DEEP
    assert [one["IsLatest"] for one in markers] == [True] + [False] * (DEEP - 1)
    for start in range(0, DEEP, 1000):
        named = [{"Key": "deep", "VersionId": one["VersionId"]} for one in markers[start : start + 1000]]
        assert "Errors" not in s3.delete_objects(Bucket=stacked, Delete={"Objects": named, "Quiet": True})
    s3.delete_bucket(Bucket=stacked)


def test_an_old_version_is_copied_back(s3: Any, stacked: str) -> None:
    old = s3.put_object(Bucket=stacked, Key="k", Body=b"old")["VersionId"]
    s3.put_object(Bucket=stacked, Key="k", Body=b"new")
    copied = s3.copy_object(
        Bucket=stacked,
        Key="k",
        CopySource={"Bucket": stacked, "Key": "k", "VersionId": old},
        StorageClass="STANDARD_IA",
    )
    assert copied["CopySourceVersionId"] == old
    read = s3.get_object(Bucket=stacked, Key="k")
    assert (read["Body"].read(), read["VersionId"], read["StorageClass"]) == (
        b"old",
        copied["VersionId"],
        "STANDARD_IA",
    )


def test_a_bucket_born_with_object_lock_keeps_what_is_locked(s3: Any) -> None:
    name = f"locked-{next(_numbers)}"
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    held = s3.put_object(Bucket=name, Key="k", Body=b"x", ObjectLockLegalHoldStatus="ON")["VersionId"]
    assert s3.head_object(Bucket=name, Key="k")["ObjectLockLegalHoldStatus"] == "ON"
    with pytest.raises(ClientError) as error:
        s3.delete_object(Bucket=name, Key="k", VersionId=held)
    assert code_of(error) == ("AccessDenied", 403)
    done = s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "k", "VersionId": held}]})
    assert [one["Code"] for one in done["Errors"]] == ["AccessDenied"]
    with pytest.raises(ClientError) as error:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
    assert code_of(error) == ("InvalidBucketState", 409)


def test_an_object_is_renamed_under_conditions(s3: Any, server: Server, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="a b", Body=b"x", Metadata={"m": "1"}, Tagging="t=1")["ETag"]
    s3.put_object(Bucket=bucket, Key="taken", Body=b"y")
    raw = server.raw()
    target = f"/{bucket}/taken?renameObject"
    source = {"x-amz-rename-source": "a%20b"}
    assert raw.call("PUT", target, b"", source | {"if-none-match": "*"}).status == 412
    assert raw.call("PUT", target, b"", source | {"x-amz-rename-source-if-match": '"other"'}).status == 412
    assert raw.call("PUT", target, b"", source | {"x-amz-client-token": "once"}).status == 200
    assert raw.call("PUT", target, b"", source | {"x-amz-client-token": "once"}).status == 200
    assert raw.call("PUT", target, b"", source).status == 404
    head = s3.head_object(Bucket=bucket, Key="taken")
    assert (head["ETag"], head["Metadata"], head["TagCount"]) == (etag, {"m": "1"}, 1)
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["taken"]


def test_an_object_is_appended_to(s3: Any, bucket: str, stacked: str) -> None:
    whole = b""
    for piece in (b"one ", b"two ", b"x" * 70_000):
        done = s3.put_object(Bucket=bucket, Key="log", Body=piece, WriteOffsetBytes=len(whole))
        whole += piece
        assert done["Size"] == len(whole)
    read = s3.get_object(Bucket=bucket, Key="log")
    assert (read["Body"].read(), read["ETag"]) == (whole, done["ETag"])
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="log", Body=b"late", WriteOffsetBytes=3)
    assert code_of(error) == ("InvalidWriteOffset", 400)
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=stacked, Key="log", Body=b"x", WriteOffsetBytes=0)
    assert code_of(error) == ("InvalidRequest", 400)
