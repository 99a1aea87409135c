"""Encryption over the wire with boto3: every scheme through put, ranges, parts and copies; keys that change state."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.house import noise
from tests.integration.server import Server
from tests.wire.signer import Credentials

MIB = 1024 * 1024
CUSTOMER = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
SOURCE = {f"CopySource{name}": value for name, value in CUSTOMER.items()}
SCHEMES = {
    "SSE-S3": {"ServerSideEncryption": "AES256"},
    "SSE-KMS": {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "wire"},
    "SSE-C": CUSTOMER,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root: Path = tmp_path_factory.mktemp("encryption")
    with Server(root / "data", dev=True) as running:
        running.admin("kms", "create", "--key-id", "wire")
        running.client().create_bucket(Bucket="sealed")
        time.sleep(1.1)  # the promise is "within a second" in every worker
        yield running
        running.stop()


def own_key(options: dict[str, str]) -> dict[str, str]:
    return options if options is CUSTOMER else {}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_scheme_holds_through_puts_ranges_parts_and_copies(server: Server, scheme: str) -> None:
    client, options = server.client(), SCHEMES[scheme]
    data, own = noise(9 * MIB + 11), own_key(options)
    told = client.put_object(Bucket="sealed", Key="one", Body=data, **options)
    read = client.get_object(Bucket="sealed", Key="one", **own)
    assert read["Body"].read() == data
    for name in ("ServerSideEncryption", "SSEKMSKeyId", "SSECustomerKeyMD5"):
        assert told.get(name) == read.get(name)
    ranged = client.get_object(Bucket="sealed", Key="one", Range=f"bytes={7 * MIB - 3}-{7 * MIB + 3}", **own)
    assert ranged["Body"].read() == data[7 * MIB - 3 : 7 * MIB + 4]
    upload = client.create_multipart_upload(Bucket="sealed", Key="two", **options)["UploadId"]
    copied = client.upload_part_copy(
        Bucket="sealed", Key="two", UploadId=upload, PartNumber=1, CopySource="sealed/one",
        **own, **(SOURCE if own else {}),
    )["CopyPartResult"]["ETag"]  # fmt: skip
    sent = client.upload_part(Bucket="sealed", Key="two", UploadId=upload, PartNumber=2, Body=b"end", **own)["ETag"]
    parts = [{"PartNumber": 1, "ETag": copied}, {"PartNumber": 2, "ETag": sent}]
    client.complete_multipart_upload(
        Bucket="sealed", Key="two", UploadId=upload, MultipartUpload={"Parts": parts}, **own
    )
    client.copy_object(Bucket="sealed", Key="clear", CopySource="sealed/two", **(SOURCE if own else {}))
    assert client.get_object(Bucket="sealed", Key="clear")["Body"].read() == data + b"end"


def test_a_big_object_takes_no_more_memory_than_any_other(server: Server) -> None:
    client = server.client()
    client.put_object(Bucket="sealed", Key="big", Body=noise(MIB) * 100, **SCHEMES["SSE-S3"])
    body = client.get_object(Bucket="sealed", Key="big")["Body"]
    assert sum(len(piece) for piece in body.iter_chunks(MIB)) == 100 * MIB
    for pid in server.pids():
        status = Path(f"/proc/{pid}/status").read_text()
        peak_kib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        assert peak_kib < 160 * 1024


def test_a_key_that_is_rotated_goes_on_and_one_that_is_disabled_stops(server: Server) -> None:
    client = server.client()
    client.put_object(Bucket="sealed", Key="kms", Body=b"before", **SCHEMES["SSE-KMS"])
    server.admin("kms", "rotate", "wire")
    time.sleep(1.1)
    assert client.get_object(Bucket="sealed", Key="kms")["Body"].read() == b"before"
    server.admin("kms", "disable", "wire")
    time.sleep(1.1)
    try:
        with pytest.raises(ClientError) as caught:
            client.get_object(Bucket="sealed", Key="kms")
        assert caught.value.response["Error"]["Code"] == "KMS.DisabledException"
    finally:
        server.admin("kms", "enable", "wire")
        time.sleep(1.1)


def test_a_bucket_encrypts_by_default_once_it_says_so(server: Server) -> None:
    client = server.client()
    client.create_bucket(Bucket="defaults")
    with pytest.raises(ClientError) as caught:
        client.get_bucket_encryption(Bucket="defaults")
    assert caught.value.response["Error"]["Code"] == "ServerSideEncryptionConfigurationNotFoundError"
    rule: dict[str, Any] = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    client.put_bucket_encryption(Bucket="defaults", ServerSideEncryptionConfiguration={"Rules": [rule]})
    assert client.put_object(Bucket="defaults", Key="k", Body=b"x")["ServerSideEncryption"] == "AES256"
    client.delete_bucket_encryption(Bucket="defaults")
    assert "ServerSideEncryption" not in client.put_object(Bucket="defaults", Key="k", Body=b"x")


def test_a_customers_key_is_refused_over_http_and_shows_in_no_log(tmp_path: Path) -> None:
    root = Credentials("AKENCRYPTIONTEST", "secret-of-encryption-test-0123456789")
    with Server(tmp_path / "data", credentials=root) as strict:
        client = strict.client()
        client.create_bucket(Bucket="strict")
        with pytest.raises(ClientError) as caught:
            client.put_object(Bucket="strict", Key="k", Body=b"x", **CUSTOMER)
        assert caught.value.response["Error"]["Code"] == "InvalidRequest"
        strict.stop()
        assert b"a2tra2tra2tr" not in strict.log_path.read_bytes()
