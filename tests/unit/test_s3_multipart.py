"""How parts add up to an object."""

import hashlib
import zlib

import pytest

from app.core import checksums, limits
from app.core.errors import S3Error
from app.core.s3 import multipart
from app.core.s3.multipart import RequestedPart
from app.core.types import Checksum, Part, Upload

UPLOAD = bytes(range(16))
BIG = limits.PART_BYTES_MIN


def upload(algorithm="", kind=""):
    return Upload(UPLOAD, b"b" * 16, b"k", "owner", 0, checksum_algorithm=algorithm, checksum_kind=kind)


def part(number, data=b"x", size=None, algorithm=""):
    checksum = Checksum(algorithm, checksums.encode(checksums.digest(algorithm, data))) if algorithm else None
    digest = hashlib.md5(data).hexdigest()
    return Part(UPLOAD, number, bytes(16), len(data) if size is None else size, digest, 0, checksum)


def held(*parts):
    return {one.number: one for one in parts}


def asked(*parts):
    return [RequestedPart(one.number, one.etag) for one in parts]


def refusal(call):
    with pytest.raises(S3Error) as caught:
        call()
    return caught.value.code


def test_parts_are_laid_end_to_end_in_the_order_of_their_numbers():
    first, second, third = part(2, size=BIG), part(5, size=BIG + 1), part(9, b"end")
    made = multipart.assemble(upload(), asked(first, third), held(first, second, third), None)
    assert [(one.number, one.start) for one in made.parts] == [(2, 0), (9, BIG)]
    assert made.size == BIG + 3
    assert made.checksum is None


def test_the_etag_is_the_md5_of_the_md5s_and_their_number():
    parts = [part(1, b"a", size=BIG), part(2, b"b")]
    digest = hashlib.md5(hashlib.md5(b"a").digest() + hashlib.md5(b"b").digest()).hexdigest()
    assert multipart.completed_etag(parts) == f"{digest}-2"


def test_a_last_part_may_be_small_or_empty_and_an_earlier_one_may_not():
    small, empty = part(1, b"a"), part(2, b"")
    assert multipart.choose_parts(asked(small), held(small)) == [small]
    assert refusal(lambda: multipart.choose_parts(asked(small, empty), held(small, empty))) == "EntityTooSmall"


@pytest.mark.parametrize("numbers", [(2, 1), (1, 1), (1, 3, 2)])
def test_numbers_must_rise(numbers):
    parts = [part(number, size=BIG) for number in numbers]
    assert refusal(lambda: multipart.choose_parts(asked(*parts), held(*parts))) == "InvalidPartOrder"


def test_no_parts_and_too_many_parts_are_malformed():
    assert refusal(lambda: multipart.check_order([])) == "MalformedXML"
    many = [RequestedPart(number, "e") for number in range(1, limits.PART_NUMBER_MAX + 2)]
    assert refusal(lambda: multipart.check_order(many)) == "MalformedXML"
    multipart.check_order(many[:-1])


def test_a_part_must_be_there_with_the_etag_and_checksums_it_is_asked_with():
    one = part(1, b"a", algorithm="CRC32")
    wrong = [
        RequestedPart(2, one.etag),
        RequestedPart(1, "0" * 32),
        RequestedPart(1, one.etag, {"CRC32": "AAAAAA=="}),
        RequestedPart(1, one.etag, {"SHA1": "AAAA"}),
    ]
    for requested in wrong:
        assert refusal(lambda requested=requested: multipart.choose_parts([requested], held(one))) == "InvalidPart"
    right = RequestedPart(1, one.etag.upper(), {"CRC32": one.checksum.value})
    assert multipart.choose_parts([right], held(one)) == [one]


def test_an_object_has_at_most_five_tebibytes():
    parts = [part(number, size=limits.PART_BYTES_MAX) for number in range(1, 1026)]
    assert refusal(lambda: multipart.choose_parts(asked(*parts), held(*parts))) == "EntityTooLarge"
    assert len(multipart.choose_parts(asked(*parts[:1024]), held(*parts))) == 1024


def test_a_full_object_checksum_is_that_of_the_bytes_laid_end_to_end():
    datas = [b"a" * 1000, b"b" * 77]
    parts = [part(number, data, algorithm="CRC32") for number, data in enumerate(datas, 1)]
    found = multipart.completed_checksum("CRC32", "FULL_OBJECT", parts)
    assert found.value == checksums.encode(zlib.crc32(b"".join(datas)).to_bytes(4, "big"))


def test_a_composite_checksum_is_that_of_the_checksums_and_their_number():
    parts = [part(1, b"a", algorithm="SHA256"), part(2, b"b", algorithm="SHA256")]
    digest = hashlib.sha256(hashlib.sha256(b"a").digest() + hashlib.sha256(b"b").digest()).digest()
    found = multipart.completed_checksum("SHA256", "COMPOSITE", parts)
    assert found == Checksum("SHA256", f"{checksums.encode(digest)}-2", "COMPOSITE")


def test_a_declared_checksum_is_compared_with_or_without_its_suffix():
    one = part(1, b"a", algorithm="SHA256")
    begun = upload("SHA256", "COMPOSITE")
    value = multipart.completed_checksum("SHA256", "COMPOSITE", [one]).value
    for declared in (value, value.removesuffix("-1")):
        made = multipart.assemble(begun, asked(one), held(one), Checksum("SHA256", declared, "COMPOSITE"))
        assert made.checksum.value == value
    other = Checksum("SHA256", checksums.encode(bytes(32)), "COMPOSITE")
    assert refusal(lambda: multipart.assemble(begun, asked(one), held(one), other)) == "BadDigest"
    kind = Checksum("CRC32", "AAAAAA==")
    assert refusal(lambda: multipart.assemble(begun, asked(one), held(one), kind)) == "InvalidRequest"


def test_a_part_without_its_uploads_checksum_cannot_be_completed():
    assert refusal(lambda: multipart.completed_checksum("CRC32", "COMPOSITE", [part(1)])) == "InvalidRequest"


def test_a_part_takes_the_checksum_of_its_upload_or_its_own():
    assert multipart.part_checksum_algorithm(upload(), "") == ""
    assert multipart.part_checksum_algorithm(upload(), "SHA1") == "SHA1"
    assert multipart.part_checksum_algorithm(upload("CRC32", "COMPOSITE"), "") == "CRC32"
    assert refusal(lambda: multipart.part_checksum_algorithm(upload("CRC32"), "SHA1")) == "InvalidRequest"


@pytest.mark.parametrize("text", ["0", "-1", "10001", "", "1.5", "x", "\u0661", "99999999999999999999"])
def test_a_part_number_is_1_to_10000(text):
    assert refusal(lambda: multipart.parse_part_number(text)) == "InvalidArgument"
    assert (multipart.parse_part_number("1"), multipart.parse_part_number("10000")) == (1, 10_000)
