"""Server-side encryption as the wire speaks of it: what a request asks for, the key it brings, what an answer tells.

Knows the x-amz-server-side-encryption headers, their contradictions and Amazon's words about them. Must not know keys'
owners or how bytes are sealed. A key a client brings is in no repr, no error and no reason.

The headers are checked by `EncryptionRequest.asked`, once the caller is known to be welcome, not when they are
collected: a policy that denies a wrong algorithm answers AccessDenied.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html
"""

import binascii
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import md5
from hmac import compare_digest
from typing import Final, NamedTuple

from app.core import limits
from app.core.errors import S3Error
from app.core.types import Encryption

SSE_S3: Final = "AES256"
SSE_KMS: Final = "aws:kms"
SSE_KMS_DOUBLE: Final = "aws:kms:dsse"
SSE_C: Final = "SSE-C"
KMS_SCHEMES: Final = frozenset({SSE_KMS, SSE_KMS_DOUBLE})

METHOD: Final = "x-amz-server-side-encryption"
KEY_ID: Final = "x-amz-server-side-encryption-aws-kms-key-id"
CONTEXT: Final = "x-amz-server-side-encryption-context"
BUCKET_KEY: Final = "x-amz-server-side-encryption-bucket-key-enabled"
CUSTOMER: Final = "x-amz-server-side-encryption-customer-"
COPY_SOURCE_CUSTOMER: Final = "x-amz-copy-source-server-side-encryption-customer-"

_CUSTOMER_NAMES: Final = {
    prefix: (prefix + "algorithm", prefix + "key", prefix + "key-md5") for prefix in (CUSTOMER, COPY_SOURCE_CUSTOMER)
}
_REQUESTED: Final = frozenset({METHOD, KEY_ID, CONTEXT, BUCKET_KEY, *_CUSTOMER_NAMES[CUSTOMER]})
_KEY_BYTES: Final = 32
_BY_CUSTOMER: Final = "Requests specifying Server Side Encryption with Customer provided keys must provide "


@dataclass(frozen=True, slots=True)
class CustomerKey:
    """A key the client brought for this one request. `md5`: base64, as it goes into the answer."""

    key: bytes = field(repr=False)
    md5: str


class Asked(NamedTuple):
    """What a write asks for. `scheme`: AES256, aws:kms, aws:kms:dsse, SSE-C or "" (the bucket's default).

    `key_name`: id, alias or ARN, "" for the default key. `context`: canonical JSON or "". `bucket_key`: None: not said.
    """

    scheme: str
    key_name: str = ""
    context: str = ""
    bucket_key: bool | None = None
    customer: CustomerKey | None = None


@dataclass(frozen=True, slots=True)
class EncryptionRequest:
    """The encryption headers of a write, not looked at yet."""

    headers: Mapping[str, str] = field(repr=False)

    def asked(self) -> Asked:
        """Raises InvalidArgument, InvalidEncryptionAlgorithmError; see the module docstring for when to ask."""
        headers = self.headers
        method = headers.get(METHOD)
        customer = customer_key(headers, CUSTOMER)
        if customer is not None:
            if method is not None or KEY_ID in headers:
                text = "Server Side Encryption with Customer provided key is incompatible with the encryption method "
                raise _invalid(METHOD, method or "", text + "specified")
            return Asked(SSE_C, customer=customer)
        if method is not None and method != SSE_S3 and method not in KMS_SCHEMES:
            raise _invalid(METHOD, method, "The encryption method specified is not supported")
        bucket_key = _flag(headers.get(BUCKET_KEY))
        if method not in KMS_SCHEMES:
            if KEY_ID in headers or CONTEXT in headers:
                text = "Server Side Encryption with AWS KMS managed key requires HTTP header "
                raise _invalid(METHOD, method or "", f"{text}{METHOD} : {SSE_KMS}")
            return Asked(method or "", bucket_key=bucket_key)
        name = headers.get(KEY_ID, "")
        if len(name) > limits.KMS_KEY_NAME_CHARS_MAX:
            raise _invalid(KEY_ID, "", "The name of a KMS key is too long.")
        return Asked(method or "", name, _context(headers.get(CONTEXT)), bucket_key)


def requested(headers: Mapping[str, str]) -> EncryptionRequest | None:
    """The encryption headers among those of a write, None when there are none."""
    if _REQUESTED.isdisjoint(headers):
        return None
    return EncryptionRequest({name: headers[name] for name in _REQUESTED if name in headers})


def customer_key(headers: Mapping[str, str], prefix: str) -> CustomerKey | None:
    """The key brought under `prefix` (CUSTOMER or COPY_SOURCE_CUSTOMER), verified by its MD5. Raises as Amazon does."""
    names = _CUSTOMER_NAMES[prefix]
    algorithm, text, digest = headers.get(names[0]), headers.get(names[1]), headers.get(names[2])
    if algorithm is None and text is None and digest is None:
        return None
    if not algorithm:
        raise _invalid(prefix + "algorithm", "", _BY_CUSTOMER + "a valid encryption algorithm.")
    if algorithm != SSE_S3:
        fields = {"ArgumentName": prefix + "algorithm", "ArgumentValue": algorithm}
        raise S3Error("InvalidEncryptionAlgorithmError", fields=fields)
    if not text:
        raise _invalid(prefix + "key", "", _BY_CUSTOMER + "an appropriate secret key.")
    if not digest:
        raise _invalid(prefix + "key-MD5", "", _BY_CUSTOMER + "the client calculated MD5 of the secret key.")
    try:
        key = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise _invalid(prefix + "key", "", "The secret key was invalid for the specified algorithm.")
    computed = b64encode(md5(key, usedforsecurity=False).digest()).decode()
    if not compare_digest(computed.encode(), digest.encode()):
        text = "The calculated MD5 hash of the key did not match the hash that was provided."
        raise _invalid(prefix + "key-MD5", "", text)
    return CustomerKey(key, computed)


def refuse_on_read(headers: Mapping[str, str]) -> None:
    """Raises InvalidArgument: a read does not say how the object is encrypted, it only brings the key of SSE-C."""
    if METHOD in headers:
        raise _invalid(METHOD, headers[METHOD], f"{METHOD} header is not supported for this operation.")


def answer_headers(encryption: Encryption | None, with_context: bool = False) -> list[tuple[str, str]]:
    """What an answer tells of it. `with_context`: only the answer to the write that brought a context shows it."""
    if encryption is None:
        return []
    if encryption.scheme == SSE_C:
        return [(CUSTOMER + "algorithm", SSE_S3), (CUSTOMER + "key-MD5", encryption.key_md5)]
    told = [(METHOD, encryption.scheme)]
    if encryption.scheme in KMS_SCHEMES:
        told.append((KEY_ID, encryption.key_id))
        if encryption.bucket_key:
            told.append((BUCKET_KEY, "true"))
        if with_context and encryption.context:
            told.append((CONTEXT, b64encode(encryption.context.encode()).decode()))
    return told


def _context(text: str | None) -> str:
    """Canonical JSON of an encryption context: keys in order, no spaces. Raises InvalidArgument."""
    if not text:
        return ""
    found: object = None
    try:
        if len(text) <= 2 * limits.ENCRYPTION_CONTEXT_BYTES_MAX:
            found = json.loads(b64decode(text, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        found = None
    if isinstance(found, dict) and all(isinstance(value, str) for value in found.values()):
        context = json.dumps(found, sort_keys=True, separators=(",", ":"))
        if len(context) <= limits.ENCRYPTION_CONTEXT_BYTES_MAX:
            return context
    words = "shall be Base64-encoded UTF-8 string holding JSON which represents a string-string map"
    raise _invalid(CONTEXT, "", f"The header '{CONTEXT}' {words}")


def _flag(text: str | None) -> bool | None:
    if text is None:
        return None
    if text.lower() not in ("true", "false"):
        raise _invalid(BUCKET_KEY, text, f"The header {BUCKET_KEY} must be true or false.")
    return text.lower() == "true"


def _invalid(name: str, value: str, message: str) -> S3Error:
    return S3Error("InvalidArgument", message, fields={"ArgumentName": name, "ArgumentValue": value[:256]})
