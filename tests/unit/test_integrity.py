"""Integrity: what clients declare about a body, and the exact answers when it does not hold."""

import hashlib

import pytest

from app.core import checksums, integrity
from app.core.errors import S3Error
from app.core.types import Checksum

BODY = b"hello"
MD5 = checksums.encode(checksums.digest("MD5", BODY))
CRC32 = checksums.encode(checksums.digest("CRC32", BODY))
VALUES = {
    name: checksums.encode(checksums.digest(name, BODY)) for name in ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")
}


def refused(headers: dict[str, str]) -> S3Error:
    with pytest.raises(S3Error) as caught:
        integrity.parse(headers)
    return caught.value


def judged(headers: dict[str, str], body: bytes = BODY, trailers: dict[str, str] | None = None) -> Checksum | None:
    return integrity.verify_body(integrity.parse(headers), body, trailers or {})


def misjudged(headers: dict[str, str], body: bytes = BODY, trailers: dict[str, str] | None = None) -> S3Error:
    with pytest.raises(S3Error) as caught:
        judged(headers, body, trailers)
    return caught.value


def test_a_request_that_declares_nothing_needs_nothing_and_stores_nothing() -> None:
    declared = integrity.parse({"host": "h", "x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    assert declared == integrity.NOTHING
    assert integrity.needed(declared) == frozenset()
    assert integrity.verify(declared, {}, {}) is None


@pytest.mark.parametrize("name", VALUES)
def test_each_checksum_is_verified_from_a_header(name: str) -> None:
    headers = {f"x-amz-checksum-{name.lower()}": VALUES[name], "x-amz-sdk-checksum-algorithm": name}
    assert judged(headers) == Checksum(name, VALUES[name])
    error = misjudged(headers, b"hullo")
    assert error.code == "BadDigest"
    assert error.message == f"The {name} you specified did not match the calculated checksum."


@pytest.mark.parametrize("name", VALUES)
def test_each_checksum_is_verified_from_a_trailer(name: str) -> None:
    trailer = f"x-amz-checksum-{name.lower()}"
    headers = {"x-amz-trailer": trailer, "x-amz-sdk-checksum-algorithm": name}
    assert integrity.parse(headers).in_trailer
    assert judged(headers, trailers={trailer: VALUES[name]}) == Checksum(name, VALUES[name])
    assert misjudged(headers, b"hullo", {trailer: VALUES[name]}).code == "BadDigest"
    assert misjudged(headers, trailers={trailer: "AAAA"}).code == "InvalidRequest"


def test_a_trailer_announced_and_missing_is_refused() -> None:
    assert misjudged({"x-amz-trailer": "x-amz-checksum-crc32"}).code == "MalformedTrailerError"


def test_content_md5_is_verified() -> None:
    assert judged({"content-md5": MD5}) is None
    error = misjudged({"content-md5": MD5}, b"hullo")
    assert (error.code, error.message) == ("BadDigest", "The Content-MD5 you specified did not match what we received.")
    assert error.fields["ExpectedDigest"] == MD5


@pytest.mark.parametrize("value", ["", "not base64", "AAAA", MD5[:-1], MD5 + "=", "YWJyYWNhZGFicmE="])
def test_a_malformed_content_md5_is_an_invalid_digest(value: str) -> None:
    assert refused({"content-md5": value}).code == "InvalidDigest"


def test_content_sha256_is_verified() -> None:
    headers = {"x-amz-content-sha256": hashlib.sha256(BODY).hexdigest()}
    assert judged(headers) is None
    assert misjudged(headers, b"hullo").code == "XAmzContentSHA256Mismatch"


@pytest.mark.parametrize("value", ["", "AAAA", "AAAAAB==", "%%%%", CRC32 + "-1"])
def test_a_malformed_checksum_value_is_refused(value: str) -> None:
    error = refused({"x-amz-checksum-crc32": value})
    assert (error.code, error.message) == ("InvalidRequest", "Value for x-amz-checksum-crc32 header is invalid.")


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-checksum-crc32": CRC32, "x-amz-checksum-sha1": VALUES["SHA1"]},
        {"x-amz-checksum-crc32": CRC32, "x-amz-trailer": "x-amz-checksum-crc32"},
        {"x-amz-trailer": "x-amz-checksum-crc32, x-amz-checksum-sha1"},
    ],
)
def test_more_than_one_checksum_is_refused(headers: dict[str, str]) -> None:
    error = refused(headers)
    assert error.code == "InvalidRequest"
    assert error.message == "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."


def test_an_algorithm_without_a_value_is_refused() -> None:
    error = refused({"x-amz-sdk-checksum-algorithm": "CRC32"})
    assert error.code == "InvalidRequest"
    assert "no corresponding x-amz-checksum-* or x-amz-trailer headers were found" in error.message


def test_an_algorithm_other_than_the_value_s_is_refused() -> None:
    error = refused({"x-amz-sdk-checksum-algorithm": "SHA1", "x-amz-checksum-crc32": CRC32})
    assert error.message == "Value for x-amz-sdk-checksum-algorithm header is invalid."


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-checksum-blake3": MD5},
        {"x-amz-checksum-sha384": "AAAA"},
        {"x-amz-trailer": "x-amz-checksum-xxhash32"},
        {"x-amz-sdk-checksum-algorithm": "CRC16"},
    ],
)
def test_an_unsupported_algorithm_is_refused_never_ignored(headers: dict[str, str]) -> None:
    assert "unsupported" in refused(headers).message


@pytest.mark.parametrize(
    "trailer", ["x-amz-meta-a", "authorization", "x-amz-checksum-mode", "x-amz-checksum-crc32, te"]
)
def test_a_trailer_that_is_no_checksum_is_refused(trailer: str) -> None:
    assert refused({"x-amz-trailer": trailer}).code == "InvalidRequest"


def test_checksum_mode_and_type_are_no_checksums() -> None:
    headers = {
        "x-amz-checksum-mode": "ENABLED",
        "x-amz-checksum-type": "FULL_OBJECT",
        "x-amz-checksum-algorithm": "CRC32",
    }
    assert integrity.parse(headers) == integrity.NOTHING


@pytest.mark.parametrize(
    ("algorithm", "kind", "chosen"),
    [
        ("CRC32", "", "COMPOSITE"),
        ("crc32c", "", "COMPOSITE"),
        ("CRC64NVME", "", "FULL_OBJECT"),
        ("SHA1", "", "COMPOSITE"),
        ("SHA256", "COMPOSITE", "COMPOSITE"),
        ("CRC32", "FULL_OBJECT", "FULL_OBJECT"),
    ],
)
def test_a_multipart_upload_takes_the_kind_its_algorithm_allows(algorithm: str, kind: str, chosen: str) -> None:
    headers = {"x-amz-checksum-algorithm": algorithm} | ({"x-amz-checksum-type": kind} if kind else {})
    assert integrity.multipart_choice(headers) == (algorithm.upper(), chosen)


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({"x-amz-checksum-type": "COMPOSITE"}, "can only be used with the x-amz-checksum-algorithm header"),
        ({"x-amz-checksum-algorithm": "CRC16"}, "unsupported"),
        ({"x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": "HALF"}, "x-amz-checksum-type header is invalid"),
        ({"x-amz-checksum-algorithm": "SHA1", "x-amz-checksum-type": "FULL_OBJECT"}, "The FULL_OBJECT checksum type"),
        ({"x-amz-checksum-algorithm": "CRC64NVME", "x-amz-checksum-type": "COMPOSITE"}, "The COMPOSITE checksum type"),
    ],
)
def test_a_multipart_upload_refuses_what_does_not_go_together(headers: dict[str, str], text: str) -> None:
    with pytest.raises(S3Error, match="InvalidRequest") as caught:
        integrity.multipart_choice(headers)
    assert text in caught.value.message


def test_no_choice_is_no_choice() -> None:
    assert integrity.multipart_choice({}) == ("", "")
    assert integrity.copy_algorithm({}) == ""
    assert integrity.copy_algorithm({"x-amz-checksum-algorithm": "sha256"}) == "SHA256"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"x-amz-checksum-crc32": CRC32}, Checksum("CRC32", CRC32, "FULL_OBJECT")),
        ({"x-amz-checksum-crc32": CRC32 + "-3"}, Checksum("CRC32", CRC32 + "-3", "COMPOSITE")),
        ({"x-amz-checksum-sha1": VALUES["SHA1"]}, Checksum("SHA1", VALUES["SHA1"], "COMPOSITE")),
        ({"x-amz-checksum-crc32": CRC32, "x-amz-checksum-type": "COMPOSITE"}, Checksum("CRC32", CRC32, "COMPOSITE")),
    ],
)
def test_a_completion_declares_the_object_s_checksum(headers: dict[str, str], expected: Checksum | None) -> None:
    assert integrity.completion(headers) == expected


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-checksum-crc32": CRC32 + "-"},
        {"x-amz-checksum-crc32": CRC32 + "-x"},
        {"x-amz-checksum-crc32": CRC32 + "-3", "x-amz-checksum-type": "FULL_OBJECT"},
        {"x-amz-checksum-crc64nvme": VALUES["CRC64NVME"] + "-3"},
        {"x-amz-checksum-crc32": "-3"},
    ],
)
def test_a_completion_with_a_malformed_checksum_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(S3Error, match="InvalidRequest"):
        integrity.completion(headers)
