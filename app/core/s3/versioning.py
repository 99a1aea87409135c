"""The VersioningConfiguration document, read and written.

Knows its elements. Must not know buckets. MFA delete cannot be turned on here, as there are no such devices: asking for
it is refused rather than believed.
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html
"""

from typing import Final

from app.core.errors import S3Error
from app.core.s3 import documents
from app.core.s3.xml import Writer
from app.core.types import Versioning

_ROOT: Final = "VersioningConfiguration"
_STATES: Final = {"Enabled": Versioning.ENABLED, "Suspended": Versioning.SUSPENDED}


def versioning_asked(document: bytes) -> Versioning:
    """The state a client asks for. Raises MalformedXML, IllegalVersioningConfigurationException (no state),
    NotImplemented (MFA delete)."""
    tags = frozenset({"Status", "MfaDelete", "MFADelete"})
    texts = documents.child_texts(documents.read(document, _ROOT), tags)
    mfa = texts.get("MfaDelete") or texts.get("MFADelete") or "Disabled"
    if mfa not in ("Enabled", "Disabled"):
        raise S3Error("MalformedXML", reason="MfaDelete is neither Enabled nor Disabled")
    if mfa == "Enabled":
        raise S3Error("NotImplemented", "MFA delete is not implemented by this server.")
    if "Status" not in texts:
        raise S3Error("IllegalVersioningConfigurationException", "The Versioning element must be specified")
    if texts["Status"] not in _STATES:
        raise S3Error("MalformedXML", reason="Status is neither Enabled nor Suspended")
    return _STATES[texts["Status"]]


def versioning_document(versioning: Versioning) -> Writer:
    """The document of a bucket's state; empty for one that never had versioning."""
    writer = Writer(_ROOT)
    if versioning is not Versioning.OFF:
        writer.text("Status", versioning.value)
    return writer
