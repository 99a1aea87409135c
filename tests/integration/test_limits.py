"""Quotas and rates on a real server, as its operator and its users meet them."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPConnection
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.integration.server import Server, temporary_directory
from tests.wire.signer import Credentials, Signer

Json = dict[str, Any]
FULL = {"bytes": 1_000}


@pytest.fixture(scope="module")
def served() -> Iterator[Server]:
    with temporary_directory() as directory, Server(directory / "data", workers=1, dev=True) as server:
        yield server


@pytest.fixture(scope="module")
def tenant(served: Server) -> Credentials:
    return served.create_account("tenant")


@pytest.fixture
def client(served: Server, tenant: Credentials) -> Any:
    return served.client(tenant, config=Config(retries={"max_attempts": 1}))


@pytest.fixture
def bucket(client: Any, request: pytest.FixtureRequest) -> str:
    name = "limits-" + hashlib.md5(request.node.name.encode()).hexdigest()[:12]
    client.create_bucket(Bucket=name)
    return name


def admin(
    server: Server, method: str, path: str, body: Json | None = None, keys: Credentials | None = None
) -> tuple[int, Any]:
    """One call of the admin face: status and what its JSON says, None for no answer."""
    content = b"" if body is None else json.dumps(body).encode()
    head = {"host": f"127.0.0.1:{server.admin_port}"}
    signer = Signer(keys or server.credentials, service="zapfs")
    head = signer.sign(method, path, head, hashlib.sha256(content).hexdigest())
    connection = HTTPConnection("127.0.0.1", server.admin_port, timeout=20)
    try:
        connection.request(method, path, content, head)
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None
    finally:
        connection.close()


def refused(call: Callable[..., Any], **arguments: Any) -> tuple[int, str]:
    """How the server refuses a call."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    said = caught.value.response
    return said["ResponseMetadata"]["HTTPStatusCode"], said["Error"]["Code"]


def until_refused(call: Callable[[int], object], code: str) -> int:
    """Call on until it is refused so: limits are in force within a second, as the counts are known. How many went."""
    for number in range(2_000):
        try:
            call(number)
        except ClientError as error:
            if error.response["Error"]["Code"] != code:
                raise
            return number
    raise AssertionError(f"never refused with {code}")


def until_taken(call: Callable[[], object]) -> None:
    """Call until it is not refused any more."""
    for _ in range(2_000):
        with suppress(ClientError):
            call()
            return
    raise AssertionError("never taken")


def limit(server: Server, kind: str, name: str, body: Json) -> None:
    assert admin(server, "PUT", f"/v1/limits/{kind}/{name}", body) == (204, None)


QUOTA = (403, "QuotaExceeded")


def test_a_full_bucket_takes_no_more_and_has_room_again_after_a_delete(
    served: Server, client: Any, bucket: str
) -> None:
    limit(served, "bucket", bucket, FULL)

    def put(number: int) -> None:
        client.put_object(Bucket=bucket, Key=f"key-{number % 2}", Body=bytes(450))

    until_refused(put, "QuotaExceeded")
    assert refused(client.put_object, Bucket=bucket, Key="large", Body=bytes(2_000)) == QUOTA
    assert refused(client.copy_object, Bucket=bucket, Key="copy", CopySource=f"{bucket}/key-0") == QUOTA
    client.delete_object(Bucket=bucket, Key="key-0")
    until_taken(lambda: client.put_object(Bucket=bucket, Key="other", Body=bytes(450)))


def test_an_account_may_hold_so_many_objects_in_all_its_buckets(served: Server, client: Any, bucket: str) -> None:
    held = admin(served, "GET", "/v1/buckets?account=tenant")[1]["buckets"]
    limit(served, "account", "tenant", {"objects": sum(one["objects"] for one in held) + 3})
    try:
        until_refused(lambda number: client.put_object(Bucket=bucket, Key=f"key-{number % 3}"), "QuotaExceeded")
        assert refused(client.put_object, Bucket=bucket, Key="one-more") == QUOTA
        client.delete_object(Bucket=bucket, Key="key-0")
        until_taken(lambda: client.put_object(Bucket=bucket, Key="key-0"))
    finally:
        assert admin(served, "DELETE", "/v1/limits/account/tenant") == (204, None)
        until_taken(lambda: client.put_object(Bucket=bucket, Key="one-more"))


def test_parts_take_their_room_as_they_come_and_an_aborted_upload_gives_it_back(
    served: Server, client: Any, bucket: str
) -> None:
    upload = client.create_multipart_upload(Bucket=bucket, Key="large")["UploadId"]
    of_upload = {"Bucket": bucket, "Key": "large", "UploadId": upload}
    parts = [client.upload_part(**of_upload, PartNumber=number, Body=bytes(5 << 20)) for number in (1, 2)]
    told = admin(served, "GET", f"/v1/buckets/{bucket}")[1]
    assert (told["objects"], told["bytes"], told["part_bytes"]) == (0, 0, 10 << 20)
    limit(served, "bucket", bucket, {"bytes": 11 << 20})
    until_refused(lambda _: client.upload_part(**of_upload, PartNumber=3, Body=bytes(2 << 20)), "QuotaExceeded")
    other = client.create_multipart_upload(Bucket=bucket, Key="other")["UploadId"]
    of_other = {"Bucket": bucket, "Key": "other", "UploadId": other, "PartNumber": 1}
    assert refused(client.upload_part, **of_other, Body=bytes(2 << 20)) == QUOTA
    assert refused(client.put_object, Bucket=bucket, Key="third", Body=bytes(2 << 20)) == QUOTA
    chosen = [{"PartNumber": number, "ETag": part["ETag"]} for number, part in enumerate(parts, 1)]
    assert client.complete_multipart_upload(**of_upload, MultipartUpload={"Parts": chosen})["Key"] == "large"
    assert refused(client.upload_part, **of_other, Body=bytes(2 << 20)) == QUOTA
    client.delete_object(Bucket=bucket, Key="large")
    until_taken(lambda: client.upload_part(**of_other, Body=bytes(10 << 20)))
    until_refused(lambda _: client.put_object(Bucket=bucket, Key="third", Body=bytes(2 << 20)), "QuotaExceeded")
    client.abort_multipart_upload(Bucket=bucket, Key="other", UploadId=other)
    until_taken(lambda: client.put_object(Bucket=bucket, Key="third", Body=bytes(2 << 20)))
    assert admin(served, "GET", f"/v1/buckets/{bucket}")[1]["part_bytes"] == 0


def test_every_version_counts_and_a_refused_condition_does_not(served: Server, client: Any, bucket: str) -> None:
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for _ in range(3):
        client.put_object(Bucket=bucket, Key="key", Body=bytes(300))
    assert refused(client.put_object, Bucket=bucket, Key="key", Body=bytes(300), IfNoneMatch="*")[0] == 412
    client.delete_object(Bucket=bucket, Key="key")
    status, told = admin(served, "GET", f"/v1/buckets/{bucket}")
    assert (status, told["objects"], told["bytes"], told["owner"]) == (200, 4, 900, "tenant")
    upload = client.create_multipart_upload(Bucket=bucket, Key="part")["UploadId"]
    part = {"Bucket": bucket, "Key": "part", "UploadId": upload, "PartNumber": 1, "Body": bytes(200)}
    limit(served, "bucket", bucket, FULL)
    until_refused(lambda _: client.upload_part(**part), "QuotaExceeded")  # it is in force now
    until_refused(lambda _: client.put_object(Bucket=bucket, Key="key", Body=bytes(60)), "QuotaExceeded")
    for version in client.list_object_versions(Bucket=bucket)["Versions"][:2]:
        client.delete_object(Bucket=bucket, Key="key", VersionId=version["VersionId"])
    until_taken(lambda: client.put_object(Bucket=bucket, Key="key", Body=bytes(60)))


def test_who_asks_too_often_is_told_when_to_come_back(
    served: Server, tenant: Credentials, client: Any, bucket: str
) -> None:
    limit(served, "bucket", bucket, {"requests_per_s": 1})
    until_refused(lambda _: client.list_objects_v2(Bucket=bucket), "SlowDown")
    answers = [served.raw(tenant).call("GET", f"/{bucket}") for _ in range(20)]
    refusals = [answer for answer in answers if answer.status == 503]
    assert refusals
    assert {answer.headers["retry-after"] for answer in refusals} == {"1"}
    client.list_buckets()  # of no bucket


def test_bytes_that_went_out_are_paid_for_by_the_next_request(served: Server, client: Any, bucket: str) -> None:
    client.put_object(Bucket=bucket, Key="key", Body=bytes(1 << 20))
    limit(served, "bucket", bucket, {"bytes_per_s": 1_000})
    until_refused(lambda _: client.get_object(Bucket=bucket, Key="key")["Body"].read(), "SlowDown")


def test_an_account_sees_its_own_buckets_and_limits_and_sets_none(
    served: Server, tenant: Credentials, bucket: str
) -> None:
    served.client().create_bucket(Bucket="of-root")
    path = "/v1/limits/account/tenant"
    assert admin(served, "GET", path, keys=tenant)[1]["bytes"] == 0
    assert admin(served, "PUT", path, FULL, keys=tenant)[0] == 403
    assert admin(served, "GET", "/v1/limits/account/root", keys=tenant)[0] == 403
    assert admin(served, "GET", "/v1/limits", keys=tenant)[0] == 403
    assert admin(served, "GET", "/v1/buckets/of-root", keys=tenant)[0] == 404
    mine = admin(served, "GET", "/v1/buckets", keys=tenant)[1]["buckets"]
    assert {one["owner"] for one in mine} == {"tenant"}
    assert bucket in [one["name"] for one in mine]


def test_buckets_and_limits_are_listed_and_limits_go_again(served: Server, bucket: str) -> None:
    first = admin(served, "GET", "/v1/buckets?limit=1")[1]
    assert len(first["buckets"]) == 1
    second = admin(served, "GET", f"/v1/buckets?limit=100&after={first['next']}")[1]
    assert first["next"] not in [one["name"] for one in second["buckets"]]
    limit(served, "bucket", bucket, {"objects": 7})
    assert {"kind": "bucket", "name": bucket, "objects": 7, "bytes": 0, "requests_per_s": 0, "bytes_per_s": 0} in admin(
        served, "GET", "/v1/limits"
    )[1]["limits"]
    for _ in range(2):
        assert admin(served, "DELETE", f"/v1/limits/bucket/{bucket}") == (204, None)
    assert admin(served, "GET", f"/v1/limits/bucket/{bucket}")[1]["objects"] == 0
    assert admin(served, "PUT", "/v1/limits/all", {})[0] == 400
    assert admin(served, "PUT", "/v1/limits/all", {"bytes": -1})[0] == 400
    assert admin(served, "PUT", "/v1/limits/account/nobody", FULL)[0] == 404
    for name in ("%00", "%ff", "Photos", "ab"):
        assert admin(served, "PUT", f"/v1/limits/bucket/{name}", FULL)[1]["error"] == "InvalidBucketName"
    assert admin(served, "GET", "/v1/lifecycle/nosuch")[1]["error"] == "NoSuchBucket"
