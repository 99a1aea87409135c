"""Tags: the header's form, the document's form, and the rules both obey."""

import pytest

from app.core.errors import S3Error
from app.core.s3 import tags


def tagging(*pairs: tuple[str, str]) -> bytes:
    inner = "".join(f"<Tag><Key>{key}</Key><Value>{value}</Value></Tag>" for key, value in pairs)
    return f"<Tagging><TagSet>{inner}</TagSet></Tagging>".encode()


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", {}),
        ("a=b", {"a": "b"}),
        ("foo=bar&bar", {"foo": "bar", "bar": ""}),
        ("a+b=c%20d", {"a b": "c d"}),
        ("%C3%A9=%E2%82%AC".replace("%E2%82%AC", "x%2By"), {"\u00e9": "x+y"}),
        ("a=b=c", {"a": "b=c"}),
        ("&a=b&", {"a": "b"}),
        ("\u00c3\u00a9=1", {"\u00e9": "1"}),
        ("=".join(("k" * 128, "v" * 256)), {"k" * 128: "v" * 256}),
    ],
)
def test_a_header_of_tags_is_a_query_of_them(header: str, found: dict[str, str]) -> None:
    assert tags.header_tags(header) == found
    assert tags.header_tags(tags.header_text(found)) == found


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("a=1&a=2", "InvalidArgument"),
        ("a=%zz", "InvalidArgument"),
        ("a=%ff", "InvalidArgument"),
        ("&".join(f"k{number}=v" for number in range(11)), "BadRequest"),
        ("=v", "InvalidTag"),
        ("k" * 129 + "=v", "InvalidTag"),
        ("k=" + "v" * 257, "InvalidTag"),
        ("k=a*b", "InvalidTag"),
        ("k%0A=a", "InvalidTag"),
        ("aws:k=a", "InvalidTag"),
        ("AWS:k=a", "InvalidTag"),
    ],
)
def test_a_header_against_the_rules_is_refused(header: str, code: str) -> None:
    with pytest.raises(S3Error) as caught:
        tags.header_tags(header)
    assert caught.value.code == code


def test_a_document_of_tags_reads_back_in_order_of_keys() -> None:
    found = tags.object_tags(tagging(("b", "2"), ("a", "")))
    assert found == {"a": "", "b": "2"}
    assert tags.document(found).endswith(
        b"<TagSet><Tag><Key>a</Key><Value></Value></Tag><Tag><Key>b</Key><Value>2</Value></Tag></TagSet></Tagging>"
    )
    assert tags.object_tags(tags.document(found)) == found
    assert tags.object_tags(tagging()) == {}


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (b"", "MalformedXML"),
        (b"<Tagging/>", "MalformedXML"),
        (b"<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>", "MalformedXML"),
        (b"<Tagging><TagSet><Tag><Value>a</Value></Tag></TagSet></Tagging>", "MalformedXML"),
        (tagging(*((str(number), "v") for number in range(300))), "MalformedXML"),
        (tagging(*((str(number), "v") for number in range(11))), "InvalidTag"),
        (tagging(("a", "1"), ("a", "1")), "InvalidTag"),
        (tagging(("k" * 129, "v")), "InvalidTag"),
        (tagging(("k", "v" * 257)), "InvalidTag"),
        (tagging(("", "v")), "InvalidTag"),
    ],
)
def test_a_document_against_the_rules_is_refused(document: bytes, code: str) -> None:
    with pytest.raises(S3Error) as caught:
        tags.object_tags(document)
    assert caught.value.code == code


def test_a_bucket_has_up_to_fifty_tags() -> None:
    tags.check_bucket_tags(tags.GRAMMAR.parse(tagging(*((str(number), "v") for number in range(50)))))
    with pytest.raises(S3Error) as caught:
        tags.check_bucket_tags(tags.GRAMMAR.parse(tagging(*((str(number), "v") for number in range(51)))))
    assert caught.value.code == "BadRequest"
