"""The form's framing: fields, the file as a body, and what is no form; wherever the stream is cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import limits
from app.core.errors import S3Error
from app.core.s3.post_form import boundary_of, read

BOUNDARY = b"xYz"


class Arriving:
    """A body of bytes. `length` None: nobody told; `lost` of them never come."""

    def __init__(self, data: bytes, told: bool = True, lost: int = 0) -> None:
        self._left = data[: len(data) - lost]
        self._lost = lost
        self._told = told

    @property
    def length(self) -> int | None:
        return len(self._left) + self._lost if self._told else None

    def receive(self, view: memoryview) -> int:
        count = min(len(view), len(self._left))
        view[:count] = self._left[:count]
        self._left = self._left[count:]
        if count < len(view) and self._lost:
            raise S3Error("IncompleteBody")
        return count


def field(name: str, value: bytes) -> bytes:
    return b'--xYz\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), value)


def file_part(data: bytes, disposition: bytes = b'name="file"; filename="a.txt"') -> bytes:
    return b"--xYz\r\nContent-Disposition: form-data; %s\r\nContent-Type: a/b\r\n\r\n%s\r\n" % (disposition, data)


END = b"--xYz--\r\n"


def drained(file: object, step: int) -> bytes:
    data, buffer = bytearray(), memoryview(bytearray(step))
    while count := file.receive(buffer):  # type: ignore[attr-defined]
        data += buffer[:count]
    return bytes(data)


@pytest.mark.parametrize("size", [0, 1, 8191, 8192, 100_000, 262_144, 262_145, 700_001])
@pytest.mark.parametrize("step", [1_000, 65_536, 2_000_000])
def test_a_file_of_any_size_is_the_bytes_that_were_sent(size: int, step: int) -> None:
    data = bytes(range(256)) * (size // 256) + b"\r\n--xY" * 50
    form = read(Arriving(field("Key", b"k") + file_part(data) + END), BOUNDARY)
    assert form.fields == {"key": "k"}
    assert form.filename == "a.txt"
    assert form.file.length == len(data)
    assert drained(form.file, step) == data
    assert form.file.length == 0


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=40), st.binary(max_size=300_000), st.integers(1, 70_000))
def test_no_bytes_of_a_file_end_it_but_the_boundary(value: bytes, data: bytes, step: int) -> None:
    if b"\r\n--xYz" in b"\r\n" + data + b"\r\n" or b"\r\n--xYz" in value:
        return
    try:
        value.decode()
    except UnicodeDecodeError:
        return
    form = read(Arriving(field("a", value) + file_part(data) + END), BOUNDARY)
    assert form.fields["a"] == value.decode()
    assert drained(form.file, step) == data


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 280), st.booleans(), st.integers(0, 3))
def test_a_stream_cut_anywhere_is_refused(cut: int, told: bool, kind: int) -> None:
    body = field("key", b"k") + field("policy", b"p" * 40) + file_part(b"data" * 10) + END
    cut = min(cut, len(body) - 1)
    if cut >= len(body) - 2 - len(b"--\r\n"):
        return  # the last boundary is there
    with pytest.raises(S3Error) as caught:
        drained(read(Arriving(body[:cut], told, lost=min(kind, cut)), BOUNDARY).file, 7)
    assert caught.value.code in ("MalformedPOSTRequest", "IncompleteBody", "InvalidArgument")


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=600))
def test_any_bytes_are_a_form_or_refused(data: bytes) -> None:
    for body in (data, b"--xYz" + data, field("key", b"k") + data, file_part(b"")[:-2] + data):
        try:
            drained(read(Arriving(body), BOUNDARY).file, 100)
        except S3Error:
            continue


def test_fields_may_follow_a_small_file_and_not_a_large_one() -> None:
    after = field("submit", b"go") + END
    assert drained(read(Arriving(file_part(b"data") + after), BOUNDARY).file, 100) == b"data"
    large = b"d" * (limits.POST_HELD_BYTES_MAX + 50_000)
    form = read(Arriving(file_part(large) + after), BOUNDARY)
    with pytest.raises(S3Error) as caught:
        drained(form.file, 8_192)
    assert caught.value.code == "MalformedPOSTRequest"


@pytest.mark.parametrize("end", [b"--xYz--", b"--xYz--\r\nmore", b"--xYz-x\r\n", b"--xYw--\r\n"])
def test_a_large_file_is_over_only_where_the_form_is(end: bytes) -> None:
    large = b"d" * (limits.POST_HELD_BYTES_MAX + 50_000)
    with pytest.raises(S3Error) as caught:
        drained(read(Arriving(file_part(large) + end), BOUNDARY).file, 8_192)
    assert caught.value.code == "MalformedPOSTRequest"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "MalformedPOSTRequest"),
        (b"hello", "MalformedPOSTRequest"),
        (END, "InvalidArgument"),
        (field("key", b"k") + END, "InvalidArgument"),
        (field("key", b"k") + field("KEY", b"k") + file_part(b"") + END, "InvalidArgument"),
        (field("key", b"\xff") + file_part(b"") + END, "MalformedPOSTRequest"),
        (b"--xYz\r\n\r\nx\r\n" + END, "MalformedPOSTRequest"),
        (b"--xYz\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n" + END, "MalformedPOSTRequest"),
        (b"--xYzx\r\n", "MalformedPOSTRequest"),
        (field("a", b"x" * limits.POST_FIELDS_BYTES_MAX) + file_part(b"") + END, "MaxPostPreDataLengthExceededError"),
        (b"".join(field(f"a{n}", b"") for n in range(300)) + file_part(b""), "MaxPostPreDataLengthExceededError"),
    ],
)
def test_what_is_no_form_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(S3Error) as caught:
        read(Arriving(body), BOUNDARY)
    assert caught.value.code == code


def test_a_large_file_of_a_length_nobody_told_is_refused() -> None:
    with pytest.raises(S3Error) as caught:
        read(Arriving(file_part(b"d" * (limits.POST_HELD_BYTES_MAX + 50_000)) + END, told=False), BOUNDARY)
    assert caught.value.code == "MissingContentLength"


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        (b'name="file"', ""),
        (b"name=file; filename=a", "a"),
        (b'name="file"; filename="C:\\\\dir\\\\a b.txt"', "a b.txt"),
        (b'name="file"; filename="/x/y"', "y"),
        (b'name="file"; filename="x"; filename*=utf-8\'\'%C3%BC.txt', "\u00fc.txt"),
        ('name="file"; filename="\u00fc"'.encode(), "\u00fc"),
        (b'NAME="FILE"; filename="q\\"q"', 'q"q'),
    ],
)
def test_a_filename_is_the_last_piece_of_what_a_browser_says(disposition: bytes, filename: str) -> None:
    assert read(Arriving(file_part(b"", disposition) + END), BOUNDARY).filename == filename


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('Multipart/Form-Data; charset=utf-8; boundary="a b"', b"a b"),
        ("multipart/form-data;boundary=abc; charset=x", b"abc"),
    ],
)
def test_the_boundary_is_the_content_types(header: str, found: bytes) -> None:
    assert boundary_of(header) == found


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "RequestIsNotMultiPartContent"),
        ("application/x-www-form-urlencoded", "RequestIsNotMultiPartContent"),
        ("multipart/form-data", "MalformedPOSTRequest"),
        ("multipart/form-data; boundary=", "MalformedPOSTRequest"),
        ("multipart/form-data; boundary=" + "b" * 71, "MalformedPOSTRequest"),
    ],
)
def test_a_content_type_without_a_boundary_is_refused(header: str, code: str) -> None:
    with pytest.raises(S3Error) as caught:
        boundary_of(header)
    assert caught.value.code == code
