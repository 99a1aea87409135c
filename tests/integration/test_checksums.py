"""Every checksum algorithm of S3's model, through boto3: declared, computed by the SDK, in parts, copied, described."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from app.core import checksums
from tests.integration.test_objects import MIB, code_of, noise

ALGORITHMS = checksums.CLIENT_ALGORITHMS
NOT_BY_SDK = "MD5"  # the one boto3 does not compute by itself
DESCRIBED = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
PART = 5 * MIB


def value(algorithm: str, data: bytes) -> str:
    return checksums.encode(checksums.digest(algorithm, data))


def given(algorithm: str, data: bytes) -> dict[str, str]:
    """How boto3 is told the checksum of these bytes."""
    return {f"Checksum{algorithm}": value(algorithm, data)}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_declared_checksum_is_stored_and_told_again(s3: Any, bucket: str, algorithm: str) -> None:
    data = noise(100_000, 3)
    put = s3.put_object(Bucket=bucket, Key="k", Body=data, **given(algorithm, data))
    expected = value(algorithm, data)
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    described = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=DESCRIBED)
    tag = f"Checksum{algorithm}"
    assert [put[tag], got[tag], described["Checksum"][tag]] == [expected] * 3
    assert described["Checksum"]["ChecksumType"] == "FULL_OBJECT"
    assert got["Body"].read() == data
    (listed,) = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert listed["ChecksumAlgorithm"] == [algorithm]
    assert listed["ChecksumType"] == "FULL_OBJECT"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_wrong_checksum_leaves_nothing(s3: Any, bucket: str, algorithm: str) -> None:
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="k", Body=b"sent", **given(algorithm, b"meant"))
    assert code_of(error) == ("BadDigest", 400)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if name != NOT_BY_SDK])
def test_the_sdk_s_own_checksum_agrees_with_ours(s3: Any, bucket: str, algorithm: str) -> None:
    data = noise(70_000, 4)
    put = s3.put_object(Bucket=bucket, Key="k", Body=data, ChecksumAlgorithm=algorithm)
    assert put[f"Checksum{algorithm}"] == value(algorithm, data)
    assert s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")["Body"].read() == data


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_parts_add_up_to_the_checksum_of_their_checksums(s3: Any, bucket: str, algorithm: str) -> None:
    pieces = [noise(PART, 5), noise(1_000, 6)]
    kind = "FULL_OBJECT" if algorithm == "CRC64NVME" else "COMPOSITE"
    begun = s3.create_multipart_upload(
        Bucket=bucket, Key="m", ChecksumAlgorithm=algorithm, ChecksumType=kind, StorageClass="STANDARD"
    )
    assert (begun["ChecksumAlgorithm"], begun["ChecksumType"]) == (algorithm, kind)
    upload = {"Bucket": bucket, "Key": "m", "UploadId": begun["UploadId"]}
    parts = []
    for number, data in enumerate(pieces, 1):
        part = s3.upload_part(**upload, PartNumber=number, Body=data, **given(algorithm, data))
        parts.append({"PartNumber": number, "ETag": part["ETag"], **given(algorithm, data)})
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    whole = b"".join(pieces)
    digests = [checksums.digest(algorithm, data) for data in pieces]
    expected = value(algorithm, whole) if kind == "FULL_OBJECT" else checksums.composite(algorithm, digests)
    tag = f"Checksum{algorithm}"
    assert (done[tag], done["ChecksumType"]) == (expected, kind)
    described = s3.get_object_attributes(Bucket=bucket, Key="m", ObjectAttributes=DESCRIBED)
    assert (described["Checksum"][tag], described["Checksum"]["ChecksumType"]) == (expected, kind)
    assert [part[tag] for part in described["ObjectParts"]["Parts"]] == [value(algorithm, data) for data in pieces]
    one = s3.head_object(Bucket=bucket, Key="m", PartNumber=2, ChecksumMode="ENABLED")
    assert (one[tag], one["PartsCount"]) == (value(algorithm, pieces[1]), 2)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_copy_is_given_the_checksum_it_asks_for(s3: Any, bucket: str, algorithm: str) -> None:
    data = noise(30_000, 7)
    s3.put_object(Bucket=bucket, Key="k", Body=data, ChecksumCRC32=value("CRC32", data))
    copied = s3.copy_object(
        Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"}, ChecksumAlgorithm=algorithm
    )
    assert copied["CopyObjectResult"][f"Checksum{algorithm}"] == value(algorithm, data)
    got = s3.head_object(Bucket=bucket, Key="c", ChecksumMode="ENABLED")
    assert got[f"Checksum{algorithm}"] == value(algorithm, data)


@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if not name.startswith("CRC")])
def test_only_crcs_of_parts_can_be_combined(s3: Any, bucket: str, algorithm: str) -> None:
    with pytest.raises(ClientError) as error:
        s3.create_multipart_upload(Bucket=bucket, Key="m", ChecksumAlgorithm=algorithm, ChecksumType="FULL_OBJECT")
    assert code_of(error) == ("InvalidRequest", 400)
