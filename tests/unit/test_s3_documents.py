"""Documents in and out: escaping that parsers undo, and hostile documents refused."""

from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import limits
from app.core.errors import S3Error
from app.core.s3 import documents
from app.core.s3.multipart import RequestedPart
from app.core.s3.xml import Writer, error_document, escape, key_text

NAMESPACE = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
XML_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"))


def malformed(call):
    with pytest.raises(S3Error) as caught:
        call()
    return caught.value.code == "MalformedXML"


@given(XML_TEXT)
def test_text_comes_back_from_a_parser_as_it_went_in(text):
    writer = Writer("A", namespace="")
    writer.text("B", text)
    assert (ET.fromstring(writer.document()).findtext("B") or "") == text


def test_white_space_survives_and_what_xml_cannot_hold_is_a_reference():
    assert escape("a\tb\nc") == "a\tb\nc"
    assert escape("\r\x00\x1f\uffff") == "&#xD;&#x0;&#x1F;&#xFFFF;"
    assert escape('<&>"') == "&lt;&amp;&gt;&quot;"


@given(st.text(min_size=1).map(lambda text: text.encode("utf-8", "ignore")))
def test_an_encoded_key_is_plain_ascii_and_decodes_to_its_bytes(key):
    text = key_text(key, url=True)
    assert text.isascii()
    assert not set(text) & set("<>&\"' ")
    assert unquote_to_bytes(text) == key


def test_an_encoded_key_keeps_slashes_and_escapes_plus_and_space():
    assert key_text(b"a/b+c d~", url=True) == "a/b%2Bc%20d~"


def test_an_error_document_names_code_fields_and_request():
    error = S3Error("NoSuchKey", fields={"Key": "a<b"})
    root = ET.fromstring(error_document(error, "/b/a", "ID", "HOST"))
    assert [(one.tag, one.text) for one in root] == [
        ("Code", "NoSuchKey"),
        ("Message", "The specified key does not exist."),
        ("Key", "a<b"),
        ("Resource", "/b/a"),
        ("RequestId", "ID"),
        ("HostId", "HOST"),
    ]


@pytest.mark.parametrize("namespace", ["", NAMESPACE])
def test_a_delete_names_keys_versions_and_conditions(namespace):
    found = documents.delete_document(
        f"<Delete{namespace}><Object><Key> a&amp;b\n</Key><VersionId>null</VersionId></Object>"
        "<Object><ETag>e</ETag><Key>ü</Key><Size>1</Size></Object><Quiet>true</Quiet></Delete>".encode()
    )
    assert found.quiet
    assert found.entries == [
        documents.DeleteEntry(b" a&b\n", "null"),
        documents.DeleteEntry("ü".encode(), None, "e", None, "1"),
    ]


def test_a_delete_holds_one_to_a_thousand_objects():
    def of(count):
        return b"<Delete>" + b"<Object><Key>k</Key></Object>" * count + b"</Delete>"

    assert len(documents.delete_document(of(1000)).entries) == 1000
    assert malformed(lambda: documents.delete_document(of(0)))
    assert malformed(lambda: documents.delete_document(of(1001)))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00\xff{}",
        b"<Delete>",
        b"<Delete/>",
        b"<Tagging/>",
        b"<Delete xmlns='urn:other'><Object><Key>k</Key></Object></Delete>",
        b"<Delete><Object/></Delete>",
        b"<Delete><Object><Key></Key></Object></Delete>",
        b"<Delete><Object><Key>k</Key><Key>l</Key></Object></Delete>",
        b"<Delete><Object><Key>k<b/></Key></Object></Delete>",
        b"<Delete><Object><Key>k</Key><Other/></Object></Delete>",
        b"<Delete><Object><Key>k</Key></Object><Quiet>maybe</Quiet></Delete>",
        b"<Delete><Thing/></Delete>",
        b"<!DOCTYPE Delete><Delete><Object><Key>k</Key></Object></Delete>",
        b'<!DOCTYPE d [<!ENTITY e "k">]><Delete><Object><Key>&e;</Key></Object></Delete>',
        b'<!DOCTYPE d SYSTEM "file:///etc/passwd"><Delete/>',
        b"<Delete><Object><Key>&undefined;</Key></Object></Delete>",
        b"<Delete>" + b"<Object>" * 100_000,
        b'<?xml version="1.0" encoding="no-such"?><Delete/>',
    ],
)
def test_a_malformed_or_hostile_delete_is_refused(body):
    assert malformed(lambda: documents.delete_document(body))


@given(st.binary(max_size=200))
def test_any_bytes_give_a_document_or_malformed_xml(body):
    for read in (documents.delete_document, documents.complete_document):
        assert malformed(lambda read=read: read(body))


@pytest.mark.parametrize("element", [b"<a/>", b"<Object><Key>k</Key></Object>", b"<Part/>"])
@pytest.mark.parametrize(
    ("parse", "root", "size"),
    [
        (documents.delete_document, b"Delete", limits.XML_DELETE_BYTES_MAX),
        (documents.complete_document, b"CompleteMultipartUpload", limits.XML_COMPLETE_BYTES_MAX),
        (documents.location_constraint, b"CreateBucketConfiguration", limits.XML_BYTES_MAX),
    ],
)
def test_a_document_of_countless_small_elements_is_given_up_early(parse, root, size, element):
    body = b"<" + root + b">" + element * (size // len(element)) + b"</" + root + b">"
    with pytest.raises(S3Error, match="too many elements"):
        parse(body)


def test_a_completion_names_parts_with_unquoted_etags_and_checksums():
    found = documents.complete_document(
        f"<CompleteMultipartUpload{NAMESPACE}><Part><ETag>&quot;e1&quot;</ETag><PartNumber>1</PartNumber>"
        "<ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part><Part><PartNumber> 2 </PartNumber><ETag>e2</ETag></Part>"
        "</CompleteMultipartUpload>".encode()
    )
    assert found == [RequestedPart(1, "e1", {"CRC32": "AAAAAA=="}), RequestedPart(2, "e2")]


def test_a_part_named_twice_in_a_row_is_meant_as_named_last():
    one = "<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>".format
    inner = one(1, "a") + one(1, "b") + one(2, "c") + one(1, "d")
    found = documents.complete_document(f"<CompleteMultipartUpload>{inner}</CompleteMultipartUpload>".encode())
    assert [(part.number, part.etag) for part in found] == [(1, "b"), (2, "c"), (1, "d")]


@pytest.mark.parametrize(
    "part",
    [
        "<Part><PartNumber>1</PartNumber></Part>",
        "<Part><ETag>e</ETag></Part>",
        "<Part><PartNumber>x</PartNumber><ETag>e</ETag></Part>",
        "<Part><PartNumber>-1</PartNumber><ETag>e</ETag></Part>",
        "<Part><PartNumber>1</PartNumber><ETag>e</ETag><ChecksumNEW>x</ChecksumNEW></Part>",
        "<Other/>",
    ],
)
def test_a_malformed_part_is_refused(part):
    body = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()
    assert malformed(lambda: documents.complete_document(body))


def test_a_location_constraint_is_optional():
    def of(inner):
        return f"<CreateBucketConfiguration{NAMESPACE}>{inner}</CreateBucketConfiguration>".encode()

    assert documents.location_constraint(b"") == documents.location_constraint(of("")) == ""
    assert documents.location_constraint(of("<LocationConstraint> eu-1 </LocationConstraint>")) == "eu-1"
    assert malformed(lambda: documents.location_constraint(of("<Other/>")))
    with pytest.raises(S3Error) as caught:
        documents.location_constraint(of("<Tags/>"))
    assert caught.value.code == "NotImplemented"
