"""Tags of buckets and objects: the header's form, the document's form, and the rules both obey.

Knows texts. A tag set is a dictionary; what is answered is in order of the keys. Must not know where tags are kept.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from app.core import limits
from app.core.errors import S3Error
from app.core.s3.configs.grammar import Field, Grammar, Node, Record
from app.core.s3.configs.leaves import text
from app.core.s3.xml import Writer

HEADER: Final = "x-amz-tagging"
Tags = Mapping[str, str]

_TAG: Final = Record(Field("Key", text(), least=1), Field("Value", text(), least=1))
_TAGS_READ_MAX: Final = 256  # more than any set holds: one too large is answered as such, not as malformed
GRAMMAR: Final = Grammar("Tagging", Record(Field("TagSet", Record(Field("Tag", _TAG, most=_TAGS_READ_MAX)), least=1)))

_ALLOWED: Final = re.compile(r"[\w \xa0\u2000-\u200a\u202f\u205f\u3000+\-=.:/@]*")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_BAD_HEADER: Final = (
    "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name "
    "duplicates."
)


def header_tags(header: str) -> dict[str, str]:
    """The tags of an `x-amz-tagging` header (latin-1 text): `key=value&key=value`, percent-encoded, "+" being a space.

    Raises InvalidArgument (encoding, duplicates), BadRequest (more than 10), InvalidTag.
    """
    found: dict[str, str] = {}
    for piece in header.split("&"):
        if not piece:
            continue
        key, _, value = piece.partition("=")
        name = _decoded(key)
        if name in found:
            raise _bad_header(header)
        found[name] = _decoded(value)
    if len(found) > limits.OBJECT_TAGS_MAX:
        raise S3Error("BadRequest", f"Object tags cannot be greater than {limits.OBJECT_TAGS_MAX}")
    _check_all(found.items())
    return found


def header_text(tags: Tags) -> str:
    """The header's form of tags, as policies' conditions on a request's tags read it."""
    return "&".join(f"{quote(key, '')}={quote(value, '')}" for key, value in tags.items())


def object_tags(document: bytes) -> dict[str, str]:
    """The tags of a `<Tagging>` for an object. Raises MalformedXML, InvalidTag."""
    tags = _tags(GRAMMAR.parse(document))
    if len(tags) > limits.OBJECT_TAGS_MAX:
        raise S3Error("InvalidTag", f"Object tags cannot be greater than {limits.OBJECT_TAGS_MAX}")
    return tags


def check_bucket_tags(node: Node) -> None:
    """The rules of a bucket's own tags. Raises BadRequest (more than 50), InvalidTag."""
    if len(_tags(node)) > limits.BUCKET_TAGS_MAX:
        raise S3Error("BadRequest", f"Bucket tag count cannot be greater than {limits.BUCKET_TAGS_MAX}")


def document(tags: Tags) -> bytes:
    """`<Tagging>` of tags, by key."""
    writer = Writer("Tagging")
    writer.open("TagSet")
    for key in sorted(tags):
        writer.open("Tag")
        writer.text("Key", key)
        writer.text("Value", tags[key])
        writer.close("Tag")
    writer.close("TagSet")
    return writer.document()


def stored_tags(stored: bytes | None) -> Tags:
    """The tags of a bucket's stored document, {} for none. Raises Corrupt."""
    return {} if stored is None else dict(_pairs(GRAMMAR.stored(stored)))


def _tags(node: Node) -> dict[str, str]:
    pairs = _pairs(node)
    _check_all(pairs)
    tags = dict(pairs)
    if len(tags) != len(pairs):
        raise S3Error("InvalidTag", "Cannot provide multiple Tags with the same key")
    return tags


def _pairs(node: Node) -> list[tuple[str, str]]:
    tag_set = node.node("TagSet")
    return [] if tag_set is None else [(tag.text("Key"), tag.text("Value")) for tag in tag_set.nodes("Tag")]


def _check_all(tags: Iterable[tuple[str, str]]) -> None:
    for key, value in tags:
        if not 1 <= len(key) <= limits.TAG_KEY_CHARS_MAX or not _ALLOWED.fullmatch(key):
            raise S3Error("InvalidTag", "The TagKey you have provided is invalid", fields={"TagKey": key})
        if key.lower().startswith("aws:"):
            raise S3Error("InvalidTag", "System tags cannot be added/updated by requester", fields={"TagKey": key})
        if len(value) > limits.TAG_VALUE_CHARS_MAX or not _ALLOWED.fullmatch(value):
            fields = {"TagKey": key, "TagValue": value}
            raise S3Error("InvalidTag", "The TagValue you have provided is invalid", fields=fields)


def _decoded(raw: str) -> str:
    if _BAD_ESCAPE.search(raw):
        raise _bad_header(raw)
    try:
        return unquote_to_bytes(raw.replace("+", " ").encode("latin-1")).decode()
    except UnicodeError:
        raise _bad_header(raw) from None


def _bad_header(found: str) -> S3Error:
    fields = {"ArgumentName": HEADER, "ArgumentValue": found}
    return S3Error("InvalidArgument", _BAD_HEADER, fields=fields)
