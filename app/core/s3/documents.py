"""Documents read: Delete, CompleteMultipartUpload, CreateBucketConfiguration; hostile until parsed.
Bucket configurations are read by core/s3/configs/grammar, on the same bounded parser.

Knows their elements and bounds. Must not know what is done with them. No DTD, no entities, bounded depth; the caller
bounds the bytes (app/core/limits). Every violation is MalformedXML.
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html and API_CompleteMultipartUpload.html
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from app.core import limits
from app.core.checksums import CLIENT_ALGORITHMS
from app.core.errors import S3Error
from app.core.s3.multipart import RequestedPart
from app.core.s3.xml import NAMESPACE

_CHECKSUM_TAGS: Final = {f"Checksum{algorithm}": algorithm for algorithm in CLIENT_ALGORITHMS}


@dataclass(frozen=True, slots=True)
class DeleteEntry:
    """One object of a Delete document; None where an element is absent."""

    key: bytes
    version: str | None = None
    etag: str | None = None
    modified: str | None = None
    size: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteDocument:
    """1..1,000 objects; `quiet`: only failures are reported."""

    entries: list[DeleteEntry]
    quiet: bool


class _BoundedBuilder(TreeBuilder):
    """Stops a document nested deeper than any of S3's, or with more elements than its kind, before it costs memory
    and a second of everybody's time."""

    def __init__(self, elements_max: int) -> None:
        super().__init__()
        self._depth = 0
        self._left = elements_max

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        self._depth += 1
        self._left -= 1
        if self._depth > limits.XML_DEPTH_MAX or self._left < 0:
            raise S3Error("MalformedXML", reason="nested too deeply, or too many elements")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(tag)


def read(document: bytes, root: str, elements_max: int = limits.XML_ELEMENTS_MAX) -> Element:
    """The root element of a hostile document, which must be `root`. Raises MalformedXML."""
    parser = DefusedXMLParser(target=_BoundedBuilder(elements_max), forbid_dtd=True)
    try:
        parser.feed(document)
        element: Element = parser.close()
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise S3Error("MalformedXML", reason=f"{type(error).__name__}: {error}") from error
    if local_name(element) != root:
        raise S3Error("MalformedXML", reason=f"the document is no {root}")
    return element


def local_name(element: Element) -> str:
    """The tag without S3's namespace; another namespace stays, and so matches nothing."""
    return element.tag.removeprefix("{" + NAMESPACE + "}")


def child_texts(element: Element, allowed: frozenset[str]) -> dict[str, str]:
    """The texts of an element's children by tag; each at most once, none unknown, none nested."""
    texts: dict[str, str] = {}
    for child in element:
        tag = local_name(child)
        if tag not in allowed or tag in texts or len(child):
            raise S3Error("MalformedXML", reason=f"unexpected element {tag[:64]}")
        texts[tag] = child.text or ""
    return texts


_DELETE_TAGS: Final = frozenset({"Key", "VersionId", "ETag", "LastModifiedTime", "Size"})


def delete_document(document: bytes) -> DeleteDocument:
    """Parse a `<Delete>` of at most XML_DELETE_BYTES_MAX bytes. Raises MalformedXML."""
    entries: list[DeleteEntry] = []
    quiet = False
    for child in read(document, "Delete", limits.XML_DELETE_ELEMENTS_MAX):
        match local_name(child):
            case "Object":
                entries.append(_delete_entry(child))
            case "Quiet":
                quiet = flag(child.text)
            case other:
                raise S3Error("MalformedXML", reason=f"unexpected element {other[:64]}")
    if not 1 <= len(entries) <= limits.DELETE_KEYS_MAX:
        raise S3Error("MalformedXML", reason=f"{len(entries)} objects")
    return DeleteDocument(entries, quiet)


def _delete_entry(element: Element) -> DeleteEntry:
    texts = child_texts(element, _DELETE_TAGS)
    key = texts.get("Key", "").encode()
    if not key:
        raise S3Error("MalformedXML", reason="an object without a key")
    return DeleteEntry(key, texts.get("VersionId"), texts.get("ETag"), texts.get("LastModifiedTime"), texts.get("Size"))


def flag(text: str | None) -> bool:
    """A boolean; nothing is false. Raises MalformedXML."""
    value = (text or "").strip().lower()
    if value not in ("true", "false", "1", "0", ""):
        raise S3Error("MalformedXML", reason="not a boolean")
    return value in ("true", "1")


_PART_TAGS: Final = frozenset({"PartNumber", "ETag", *_CHECKSUM_TAGS})


def complete_document(document: bytes) -> list[RequestedPart]:
    """Parse a `<CompleteMultipartUpload>` of at most XML_COMPLETE_BYTES_MAX bytes. Raises MalformedXML.

    A part named twice in a row is meant as it was named last: clients that sent a part again list both answers.
    """
    parts: list[RequestedPart] = []
    root = read(document, "CompleteMultipartUpload", limits.XML_COMPLETE_ELEMENTS_MAX)
    for part in _requested_parts(root):
        if parts and parts[-1].number == part.number:
            parts.pop()
        parts.append(part)
    return parts


def _requested_parts(root: Element) -> Iterator[RequestedPart]:
    for child in root:
        if local_name(child) != "Part":
            raise S3Error("MalformedXML", reason="unexpected element")
        texts = child_texts(child, _PART_TAGS)
        number, etag = texts.get("PartNumber", "").strip(), texts.get("ETag", "").strip()
        if not (number.isascii() and number.isdigit() and len(number) <= 9) or not etag:
            raise S3Error("MalformedXML", reason="a part without number or ETag")
        checksums = {_CHECKSUM_TAGS[tag]: text.strip() for tag, text in texts.items() if tag in _CHECKSUM_TAGS}
        yield RequestedPart(int(number), etag.removeprefix('"').removesuffix('"'), checksums)


def location_constraint(document: bytes) -> str:
    """The LocationConstraint of a `<CreateBucketConfiguration>`, "" when it has none; an empty body is none too.

    Raises MalformedXML, and NotImplemented for its other elements (directory buckets, tags).
    """
    if not document.strip():
        return ""
    location = ""
    for child in read(document, "CreateBucketConfiguration", limits.XML_ELEMENTS_MAX):
        tag = local_name(child)
        if tag in ("Location", "Bucket", "Tags"):
            raise S3Error("NotImplemented", f"The element {tag} is not implemented by this server.")
        if tag != "LocationConstraint" or len(child):
            raise S3Error("MalformedXML", reason=f"unexpected element {tag[:64]}")
        location = (child.text or "").strip()
    return location
