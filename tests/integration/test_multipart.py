"""Multipart uploads by boto3: parts, replacement, completion, its retry, abort, listings, copies."""

import hashlib
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.server import Server
from tests.integration.test_objects import MIB, code_of, noise

PART = 5 * MIB


def begin(s3: Any, bucket: str, key: str = "m", **options: Any) -> dict[str, str]:
    """A new upload, as the arguments every later call takes."""
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key, **options)
    return {"Bucket": bucket, "Key": key, "UploadId": upload["UploadId"]}


def add(s3: Any, upload: dict[str, str], number: int, data: bytes) -> dict[str, Any]:
    """Upload one part; its entry for the completion."""
    return {"PartNumber": number, "ETag": s3.upload_part(**upload, PartNumber=number, Body=data)["ETag"]}


def test_an_object_belongs_to_the_bucket_s_owner_whoever_completes_it(server: Server, s3: Any) -> None:
    own = server.client(server.create_account("of-the-bucket"))
    own.create_bucket(Bucket="of-the-account")
    upload = begin(s3, "of-the-account")
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [add(s3, upload, 1, b"by root")]})
    (listed,) = own.list_objects_v2(Bucket="of-the-account", FetchOwner=True)["Contents"]
    assert listed["Owner"]["ID"] == own.list_buckets()["Owner"]["ID"]


def test_parts_become_one_object_with_the_etag_of_their_digests(s3: Any, bucket: str) -> None:
    pieces = {1: noise(PART, 1), 7: noise(PART + 3, 7), 10_000: noise(100, 10)}
    upload = begin(s3, bucket, Metadata={"m": "1"}, ContentType="a/b")
    parts = [add(s3, upload, number, pieces[number]) for number in (10_000, 1, 7)]
    parts.sort(key=lambda part: part["PartNumber"])
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="m")
    assert code_of(error) == ("NoSuchKey", 404)
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    digest = hashlib.md5(b"".join(hashlib.md5(data).digest() for data in pieces.values())).hexdigest()
    assert done["ETag"] == f'"{digest}-3"'
    got = s3.get_object(Bucket=bucket, Key="m")
    assert (got["Metadata"], got["ContentType"]) == ({"m": "1"}, "a/b")
    assert got["Body"].read() == b"".join(pieces.values())
    across = s3.get_object(Bucket=bucket, Key="m", Range=f"bytes={PART - 5}-{2 * PART + 50}")
    assert across["Body"].read() == b"".join(pieces.values())[PART - 5 : 2 * PART + 51]


def test_part_number_reads_one_part_and_says_how_many_there_are(s3: Any, bucket: str) -> None:
    pieces = [noise(PART, 1), noise(33, 2)]
    upload = begin(s3, bucket)
    parts = [add(s3, upload, number, data) for number, data in enumerate(pieces, 1)]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    got = s3.get_object(Bucket=bucket, Key="m", PartNumber=2)
    assert got["Body"].read() == pieces[1]
    assert got["PartsCount"] == 2
    assert got["ContentRange"] == f"bytes {PART}-{PART + 32}/{PART + 33}"
    assert s3.head_object(Bucket=bucket, Key="m", PartNumber=1)["ContentLength"] == PART
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="m", PartNumber=1, Range="bytes=0-1")
    assert code_of(error) == ("InvalidRequest", 400)
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="m", PartNumber=3)
    assert code_of(error) == ("InvalidPartNumber", 416)


def test_a_part_sent_again_replaces_the_first(s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket)
    old = add(s3, upload, 1, noise(100, 1))
    new = add(s3, upload, 1, noise(200, 2))
    listed = s3.list_parts(**upload)["Parts"]
    assert [(part["PartNumber"], part["Size"], part["ETag"]) for part in listed] == [(1, 200, new["ETag"])]
    with pytest.raises(ClientError) as error:
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [old]})
    assert code_of(error) == ("InvalidPart", 400)
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [new]})
    assert s3.get_object(Bucket=bucket, Key="m")["Body"].read() == noise(200, 2)


def test_a_completion_sent_again_answers_the_same(s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket)
    chosen = {"Parts": [add(s3, upload, 1, b"abc")]}
    first = s3.complete_multipart_upload(**upload, MultipartUpload=chosen)
    again = s3.complete_multipart_upload(**upload, MultipartUpload=chosen)
    assert (first["ETag"], first["Key"]) == (again["ETag"], again["Key"])


def test_a_completed_upload_cannot_be_aborted_and_its_object_stays(s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket)
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [add(s3, upload, 1, b"abc")]})
    with pytest.raises(ClientError) as error:
        s3.abort_multipart_upload(**upload)
    assert code_of(error) == ("NoSuchUpload", 404)
    assert s3.get_object(Bucket=bucket, Key="m")["Body"].read() == b"abc"


def test_abort_leaves_nothing(s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket)
    part = add(s3, upload, 1, noise(PART))
    s3.abort_multipart_upload(**upload)
    for refused in (
        lambda: s3.list_parts(**upload),
        lambda: add(s3, upload, 2, b"x"),
        lambda: s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]}),
    ):
        with pytest.raises(ClientError) as error:
            refused()
        assert code_of(error) == ("NoSuchUpload", 404)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    s3.delete_bucket(Bucket=bucket)


def test_wrong_completions_are_refused_and_change_nothing(s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket)
    small, last = add(s3, upload, 1, b"small"), add(s3, upload, 2, b"last")
    wrong = [
        ([last, small], "InvalidPartOrder"),
        ([small, last], "EntityTooSmall"),
        ([small, {"PartNumber": 3, "ETag": last["ETag"]}], "InvalidPart"),
        ([], "MalformedXML"),
    ]
    for parts, code in wrong:
        with pytest.raises(ClientError) as error:
            s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
        assert code_of(error) == (code, 400)
    assert len(s3.list_parts(**upload)["Parts"]) == 2
    with pytest.raises(ClientError) as error:
        add(s3, upload, 10_001, b"x")
    assert code_of(error) == ("InvalidArgument", 400)


def test_completion_obeys_its_condition(s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket)
    chosen = {"Parts": [add(s3, upload, 1, b"abc")]}
    etag = s3.put_object(Bucket=bucket, Key="m", Body=b"first")["ETag"]
    with pytest.raises(ClientError) as error:
        s3.complete_multipart_upload(**upload, MultipartUpload=chosen, IfNoneMatch="*")
    assert code_of(error) == ("PreconditionFailed", 412)
    s3.complete_multipart_upload(**upload, MultipartUpload=chosen, IfMatch=etag)
    assert s3.get_object(Bucket=bucket, Key="m")["Body"].read() == b"abc"


def test_parts_and_uploads_are_listed_in_pages(s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket, "a/1")
    for number in (2, 4, 6):
        add(s3, upload, number, b"x")
    page = s3.list_parts(**upload, MaxParts=2)
    assert ([part["PartNumber"] for part in page["Parts"]], page["IsTruncated"]) == ([2, 4], True)
    page = s3.list_parts(**upload, MaxParts=2, PartNumberMarker=page["NextPartNumberMarker"])
    assert ([part["PartNumber"] for part in page["Parts"]], page["IsTruncated"]) == ([6], False)
    begun = [("a/1", upload["UploadId"])] + [(key, begin(s3, bucket, key)["UploadId"]) for key in ("a/1", "a/2", "b")]
    seen: list[tuple[str, str]] = []
    marker: dict[str, str] = {}
    while True:
        page = s3.list_multipart_uploads(Bucket=bucket, MaxUploads=1, **marker)
        seen += [(one["Key"], one["UploadId"]) for one in page["Uploads"]]
        if not page["IsTruncated"]:
            break
        marker = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
    assert sorted(seen) == sorted(begun)
    assert [key for key, _ in seen] == ["a/1", "a/1", "a/2", "b"]
    folded = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [one["Prefix"] for one in folded["CommonPrefixes"]] == ["a/"]
    assert [one["Key"] for one in folded["Uploads"]] == ["b"]


def test_parts_may_be_copied_from_ranges_of_objects(s3: Any, bucket: str) -> None:
    data = noise(12 * MIB)
    s3.put_object(Bucket=bucket, Key="source", Body=data)
    upload, parts = begin(s3, bucket), []
    for number, (start, stop) in enumerate([(1, PART + 1), (PART, 2 * PART), (0, 10)], 1):
        copied = s3.upload_part_copy(
            **upload,
            PartNumber=number,
            CopySource={"Bucket": bucket, "Key": "source"},
            CopySourceRange=f"bytes={start}-{stop - 1}",
        )
        parts.append({"PartNumber": number, "ETag": copied["CopyPartResult"]["ETag"]})
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    got = s3.get_object(Bucket=bucket, Key="m")["Body"].read()
    assert got == data[1 : PART + 1] + data[PART : 2 * PART] + data[:10]


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [("CRC32", "COMPOSITE"), ("CRC32C", "FULL_OBJECT"), ("CRC64NVME", "FULL_OBJECT"), ("SHA256", "COMPOSITE")],
)
def test_checksums_of_parts_make_the_checksum_of_the_object(s3: Any, bucket: str, algorithm: str, kind: str) -> None:
    field = f"Checksum{algorithm}"
    upload = begin(s3, bucket, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    parts = []
    for number, data in ((1, noise(PART)), (2, noise(77))):
        done = s3.upload_part(**upload, PartNumber=number, Body=data, ChecksumAlgorithm=algorithm)
        parts.append({"PartNumber": number, "ETag": done["ETag"], field: done[field]})
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    head = s3.head_object(Bucket=bucket, Key="m", ChecksumMode="ENABLED")
    assert head[field] == done[field]
    assert head["ChecksumType"] == kind
    assert head[field].endswith("-2") == (kind == "COMPOSITE")
    if kind == "FULL_OBJECT":
        single = s3.put_object(Bucket=bucket, Key="s", Body=noise(PART) + noise(77), ChecksumAlgorithm=algorithm)
        assert single[field] == head[field]
