"""Byte ranges of reads and of copied parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import S3Error
from app.core.s3.ranges import copy_span, requested_span


@pytest.mark.parametrize(
    ("header", "size", "span"),
    [
        (None, 10, None),
        ("bytes=0-0", 10, (0, 1)),
        ("bytes=0-9", 10, (0, 10)),
        ("bytes=5-", 10, (5, 10)),
        ("bytes=5-99", 10, (5, 10)),
        ("bytes=-3", 10, (7, 10)),
        ("bytes=-99", 10, (0, 10)),
        ("bytes=7-3", 10, None),
        ("bytes=-", 10, None),
        ("bytes=a-b", 10, None),
        ("bytes=0-1,3-4", 10, None),
        ("lines=0-1", 10, None),
        ("bytes 0-1", 10, None),
        ("bytes=--1", 10, None),
        ("bytes=0-" + "9" * 30, 10, None),
    ],
)
def test_a_range_is_a_span_or_is_ignored(header, size, span):
    assert requested_span(header, size) == span


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=10-12", 10), ("bytes=-0", 10), ("bytes=0-", 0), ("bytes=-1", 0)]
)
def test_a_range_that_holds_no_byte_is_416_and_names_the_size(header, size):
    with pytest.raises(S3Error) as caught:
        requested_span(header, size)
    assert caught.value.status == 416
    assert caught.value.fields == {"RangeRequested": header, "ActualObjectSize": str(size)}
    assert caught.value.headers["Content-Range"] == f"bytes */{size}"


@given(st.integers(0, 100), st.integers(0, 100), st.integers(1, 100))
def test_a_range_selects_what_slicing_selects(first, last, size):
    data = bytes(range(size))
    try:
        span = requested_span(f"bytes={first}-{last}", size)
    except S3Error:
        assert first >= size
        return
    if span is None:
        assert last < first
        return
    assert data[span.start : span.stop] == data[first : last + 1]
    assert span.content_range(size) == f"bytes {span.start}-{span.stop - 1}/{size}"


@pytest.mark.parametrize("header", ["bytes=3-1", "bytes=0-", "bytes=-1", "0-1", "bytes=0-1,2-3"])
def test_a_copied_part_needs_both_ends(header):
    with pytest.raises(S3Error) as caught:
        copy_span(header, 10)
    assert caught.value.code == "InvalidArgument"


def test_a_copied_part_lies_inside_its_source():
    with pytest.raises(S3Error) as caught:
        copy_span("bytes=0-10", 10)
    assert caught.value.code == "InvalidRange"


def test_a_copied_part_is_exactly_its_span():
    assert copy_span("bytes=2-9", 10) == (2, 10)
    assert copy_span("bytes=2-9", 10).length == 8
