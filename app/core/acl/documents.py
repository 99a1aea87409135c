"""AccessControlPolicy documents, read and written.

Knows their elements. Must not know which accounts exist: what is read is an AclRequest, what is written is told its
display names. Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_AccessControlPolicy.html
"""

from collections.abc import Callable, Iterable
from typing import Final
from xml.etree.ElementTree import Element

from app.core.acl.grants import PERMISSIONS, URI_OF_GROUP, Grant
from app.core.acl.requests import AclRequest, AskedGrant, bounded
from app.core.errors import S3Error
from app.core.s3 import documents
from app.core.s3.xml import Writer

_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_ACCOUNT: Final = frozenset({"ID", "DisplayName"})
_GRANTEES: Final = {
    "CanonicalUser": ("id", "ID", _ACCOUNT),
    "Group": ("uri", "URI", frozenset({"URI"})),
    "AmazonCustomerByEmail": ("email", "EmailAddress", frozenset({"EmailAddress", "DisplayName"})),
}
"""Type of a grantee -> kind of an AskedGrant, the element that names it, every element it may have."""


def asked(document: bytes) -> AclRequest:
    """What a client's AccessControlPolicy asks for. Raises MalformedACLError, InvalidRequest (too many grants)."""
    try:
        return _policy(documents.read(document, "AccessControlPolicy"))
    except S3Error as error:
        if error.code != "MalformedXML":
            raise
        raise S3Error("MalformedACLError", reason=error.reason) from None


def _policy(root: Element) -> AclRequest:
    parts = {documents.local_name(child): child for child in root}
    if len(parts) != len(root) or not parts.keys() <= {"Owner", "AccessControlList"} or "Owner" not in parts:
        raise S3Error("MalformedACLError", reason="not an owner and a list")
    owner = documents.child_texts(parts["Owner"], _ACCOUNT).get("ID", "").strip()
    found = tuple(_grant(child) for child in parts.get("AccessControlList", ()))
    return AclRequest(asked=bounded(found), owner=owner)


def _grant(element: Element) -> AskedGrant:
    parts = {documents.local_name(child): child for child in element}
    if documents.local_name(element) != "Grant" or len(element) != 2 or parts.keys() != {"Grantee", "Permission"}:
        raise S3Error("MalformedACLError", reason="not a grantee and a permission")
    permission = (parts["Permission"].text or "").strip()
    known = _GRANTEES.get(parts["Grantee"].get(f"{{{_XSI}}}type", ""))
    if permission not in PERMISSIONS or known is None or len(parts["Permission"]):
        raise S3Error("MalformedACLError", reason="no such permission or type of grantee")
    kind, tag, allowed = known
    value = documents.child_texts(parts["Grantee"], allowed).get(tag, "").strip()
    if not value:
        raise S3Error("MalformedACLError", reason="a grantee without a name")
    return AskedGrant(kind, value, permission)


def written(owner: str, grants: Iterable[Grant], name_of: Callable[[str], str]) -> bytes:
    """The AccessControlPolicy of a list. `name_of`: an account's display name by canonical id, "" = not shown."""
    writer = Writer("AccessControlPolicy")
    writer.open("Owner")
    _write_account(writer, owner, name_of)
    writer.close("Owner")
    writer.open("AccessControlList")
    for grantee, permission in grants:
        writer.open("Grant")
        uri = URI_OF_GROUP.get(grantee)
        writer.raw(f'<Grantee xmlns:xsi="{_XSI}" xsi:type="{"Group" if uri else "CanonicalUser"}">')
        if uri:
            writer.text("URI", uri)
        else:
            _write_account(writer, grantee, name_of)
        writer.close("Grantee")
        writer.text("Permission", permission)
        writer.close("Grant")
    writer.close("AccessControlList")
    return writer.document()


def _write_account(writer: Writer, canonical_id: str, name_of: Callable[[str], str]) -> None:
    writer.text("ID", canonical_id)
    name = name_of(canonical_id)
    if name:
        writer.text("DisplayName", name)
