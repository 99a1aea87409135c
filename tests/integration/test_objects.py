"""Objects as boto3 with default settings sees them."""

import hashlib
import io
import random
from typing import Any

import pytest
from botocore.exceptions import ClientError

MIB = 1024 * 1024


def noise(size: int, seed: int = 1) -> bytes:
    """Reproducible bytes that neither compress nor repeat."""
    return random.Random(seed).randbytes(size)


def code_of(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    """S3 error code and HTTP status of a refused call."""
    answer = error.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize("size", [0, 1, 5, 16 * 1024, 16 * 1024 + 1, 65_537, 8 * MIB, 8 * MIB + 1, 20 * MIB])
def test_an_object_of_any_size_reads_back_byte_for_byte(s3: Any, bucket: str, size: int) -> None:
    data = noise(size, size)
    put = s3.put_object(Bucket=bucket, Key="object", Body=data)
    assert put["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
    got = s3.get_object(Bucket=bucket, Key="object")
    assert got["ContentLength"] == size
    assert got["Body"].read() == data
    assert s3.head_object(Bucket=bucket, Key="object")["ContentLength"] == size


def test_attributes_chosen_at_put_come_back_on_get_and_head(s3: Any, bucket: str) -> None:
    chosen = {
        "ContentType": "text/x-test; charset=utf-8",
        "CacheControl": "max-age=7",
        "ContentDisposition": 'attachment; filename="a b.txt"',
        "ContentEncoding": "identity",
        "ContentLanguage": "de, en",
        "Metadata": {"colour": "blue", "two-words": "a  b"},
    }
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", **chosen)
    for answer in (s3.get_object(Bucket=bucket, Key="k"), s3.head_object(Bucket=bucket, Key="k")):
        assert {name: answer[name] for name in chosen} == chosen


def test_response_overrides_change_only_this_answer(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ContentType="a/b")
    got = s3.get_object(Bucket=bucket, Key="k", ResponseContentType="c/d", ResponseCacheControl="no-store")
    assert (got["ContentType"], got["CacheControl"]) == ("c/d", "no-store")
    assert s3.head_object(Bucket=bucket, Key="k")["ContentType"] == "a/b"


@pytest.mark.parametrize("size", [100, 300_000, 9 * MIB])
@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("0-0", 0, 1), ("10-", 10, None), ("-7", -7, None), ("5-99999999", 5, None), ("90-99", 90, 100)],
)
def test_a_range_gives_exactly_its_bytes(
    s3: Any, bucket: str, size: int, asked: str, start: int, stop: int | None
) -> None:
    data = noise(size)
    s3.put_object(Bucket=bucket, Key="k", Body=data)
    got = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={asked}")
    want = data[start:stop]
    first = start % size
    assert got["Body"].read() == want
    assert got["ContentRange"] == f"bytes {first}-{first + len(want) - 1}/{size}"
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206


def test_ranges_across_a_chunk_border_are_whole(s3: Any, bucket: str) -> None:
    data = noise(17 * MIB)
    s3.put_object(Bucket=bucket, Key="k", Body=data)
    for border in (8 * MIB, 16 * MIB):
        got = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={border - 3}-{border + 70_000}")
        assert got["Body"].read() == data[border - 3 : border + 70_001]


def test_an_unsatisfiable_range_is_416_and_says_the_size(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"12345")
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="k", Range="bytes=5-")
    assert code_of(error) == ("InvalidRange", 416)
    assert error.value.response["Error"]["ActualObjectSize"] == "5"


def test_reads_obey_their_conditions(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    assert s3.get_object(Bucket=bucket, Key="k", IfMatch=etag)["ETag"] == etag
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="k", IfMatch='"0"')
    assert code_of(error) == ("PreconditionFailed", 412)
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="k", IfNoneMatch=etag)
    assert code_of(error)[1] == 304
    modified = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    with pytest.raises(ClientError) as error:
        s3.head_object(Bucket=bucket, Key="k", IfModifiedSince=modified)
    assert code_of(error)[1] == 304


def test_writes_obey_their_conditions(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    assert code_of(error) == ("PreconditionFailed", 412)
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch='"d41d8cd98f00b204e9800998ecf8427e"')
    assert code_of(error) == ("PreconditionFailed", 412)
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="absent", Body=b"2", IfMatch=etag)
    assert code_of(error) == ("NoSuchKey", 404)
    s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=etag)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"2"


@pytest.mark.parametrize("size", [11, 300_000, 9 * MIB])
def test_a_copy_has_the_bytes_and_attributes_of_its_source(s3: Any, bucket: str, size: int) -> None:
    data = noise(size)
    s3.put_object(Bucket=bucket, Key="a/ü +%", Body=data, Metadata={"m": "1"}, ContentType="x/y")
    s3.copy_object(Bucket=bucket, Key="b", CopySource={"Bucket": bucket, "Key": "a/ü +%"})
    got = s3.get_object(Bucket=bucket, Key="b")
    assert (got["Body"].read(), got["Metadata"], got["ContentType"]) == (data, {"m": "1"}, "x/y")
    s3.delete_object(Bucket=bucket, Key="a/ü +%")
    assert s3.get_object(Bucket=bucket, Key="b")["Body"].read() == data


def test_a_copy_may_replace_attributes_and_onto_itself_must(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"m": "1"})
    source = {"Bucket": bucket, "Key": "k"}
    with pytest.raises(ClientError) as error:
        s3.copy_object(Bucket=bucket, Key="k", CopySource=source)
    assert code_of(error) == ("InvalidRequest", 400)
    s3.copy_object(Bucket=bucket, Key="k", CopySource=source, MetadataDirective="REPLACE", Metadata={"m": "2"})
    assert s3.head_object(Bucket=bucket, Key="k")["Metadata"] == {"m": "2"}


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_a_checksum_is_verified_stored_and_returned(s3: Any, bucket: str, algorithm: str) -> None:
    field = f"Checksum{algorithm}"
    put = s3.put_object(Bucket=bucket, Key="k", Body=noise(100_000), ChecksumAlgorithm=algorithm)
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert head[field] == put[field]
    attributes = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["Checksum", "ETag", "ObjectSize"])
    assert attributes["Checksum"][field] == put[field]
    assert attributes["ObjectSize"] == 100_000
    assert attributes["ETag"] == put["ETag"].strip('"')
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="wrong", Body=b"other", **{field: put[field]})
    assert code_of(error) == ("BadDigest", 400)
    with pytest.raises(ClientError) as error:
        s3.head_object(Bucket=bucket, Key="wrong")
    assert code_of(error)[1] == 404


def test_deleting_is_idempotent_and_at_once(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=noise(100_000))
    for _ in range(2):
        assert s3.delete_object(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPStatusCode"] == 204
        with pytest.raises(ClientError) as error:
            s3.get_object(Bucket=bucket, Key="k")
        assert code_of(error) == ("NoSuchKey", 404)


def test_a_thousand_keys_are_deleted_in_one_request(s3: Any, bucket: str) -> None:
    keys = [f"k{number:04}" for number in range(1000)]
    for key in keys[::10]:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys]})
    assert sorted(one["Key"] for one in done["Deleted"]) == keys
    assert "Errors" not in done
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    with pytest.raises(ClientError) as error:
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in [*keys, "one-more"]]})
    assert code_of(error) == ("MalformedXML", 400)


def test_buckets_come_and_go(s3: Any, bucket: str) -> None:
    assert s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert bucket in [one["Name"] for one in s3.list_buckets()["Buckets"]]
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    with pytest.raises(ClientError) as error:
        s3.delete_bucket(Bucket=bucket)
    assert code_of(error) == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket=bucket, Key="k")
    s3.delete_bucket(Bucket=bucket)
    with pytest.raises(ClientError) as error:
        s3.list_objects_v2(Bucket=bucket)
    assert code_of(error) == ("NoSuchBucket", 404)


def test_a_stream_of_unknown_length_uploads_through_the_transfer_manager(s3: Any, bucket: str) -> None:
    data = noise(21 * MIB + 5)
    s3.upload_fileobj(io.BytesIO(data), bucket, "big")
    head = s3.head_object(Bucket=bucket, Key="big")
    assert head["ETag"].endswith('-3"')
    target = io.BytesIO()
    s3.download_fileobj(bucket, "big", target)
    assert target.getvalue() == data
