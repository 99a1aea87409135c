"""Headers borne by a query."""

import pytest

from app.core.errors import S3Error
from app.core.s3.query_headers import effective

HEADERS = {"host": "h", "x-amz-acl": "private"}


@pytest.mark.parametrize(
    ("query", "name", "value"),
    [
        ("x-amz-storage-class=STANDARD", "x-amz-storage-class", "STANDARD"),
        ("X-Amz-Expected-Bucket-Owner=123", "x-amz-expected-bucket-owner", "123"),
        ("prefix=a&x%2Damz%2Dmeta-a=b", "x-amz-meta-a", "b"),
        ("x-amz-meta-a=one+two%2B", "x-amz-meta-a", "one two+"),
        ("x-amz-meta-a=%C3%A9", "x-amz-meta-a", "\xc3\xa9"),
        ("x-amz-meta-a", "x-amz-meta-a", ""),
        ("x-amz-acl=private", "x-amz-acl", "private"),
    ],
)
def test_a_parameter_stands_for_its_header(query: str, name: str, value: str) -> None:
    assert effective(HEADERS, query) == HEADERS | {name: value}


@pytest.mark.parametrize("query", ["", "acl", "prefix=x-amz-acl", "x-id=GetObject", "X-Amz-Date=1&X-Amz-Signature=2"])
def test_other_parameters_and_those_of_signatures_stand_for_none(query: str) -> None:
    assert effective(HEADERS, query) is HEADERS


@pytest.mark.parametrize(
    "query",
    [
        "x-amz-acl=public-read",
        "x-amz-meta-a=1&X-Amz-Meta-A=2",
        "x-amz-meta-a=1%0D%0Aevil:%202",
        "x-amz-meta-a=%00",
        "x-amz-meta-a%0D%0Ab=1",
        "x-amz-meta-%C3%A9=1",
        "x-amz-meta-a%3Ab=1",
    ],
)
def test_what_contradicts_or_could_be_no_header_is_refused(query: str) -> None:
    with pytest.raises(S3Error) as caught:
        effective(HEADERS, query)
    assert caught.value.code == "InvalidArgument"
