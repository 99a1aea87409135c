"""Sealing: the data key of every version and upload, made for writes and opened for reads.

Knows which encryption a write gets (its own wish, else the bucket's default, else none), who holds the wrapping key,
and what a data key is bound to (docs/design/encryption.md). Must not know frames' places or wires. Keys a client brings
are read from the call's headers, used and forgotten.
"""

from collections.abc import Callable
from hmac import compare_digest
from typing import Final, NamedTuple

from app.core.errors import S3Error
from app.core.policy.principal import ANONYMOUS
from app.core.s3.configs.encryption import DefaultEncryption, default_encryption
from app.core.s3.encryption import (
    COPY_SOURCE_CUSTOMER,
    CUSTOMER,
    KMS_SCHEMES,
    SSE_C,
    SSE_S3,
    Asked,
    CustomerKey,
    EncryptionRequest,
    customer_key,
)
from app.core.sealing.frames import KEY_BYTES, DataKey
from app.core.sealing.wrapping import SEAL_ID_BYTES, Binding, unwrap, wrap, wrapping_version
from app.core.types import Bucket, BucketId, Encryption, Upload, Version
from app.services.call import Call
from app.services.content.keyring import Keyring, WrappingKey

CONFIGURATION: Final = "encryption"  # kind of the bucket's configuration
_NO_DEFAULT: Final = DefaultEncryption()
_NOTHING_ASKED: Final = Asked("")


class Sealed(NamedTuple):
    """An encryption with its data key open: `encryption` goes into the attributes, `data_key` to Blobs.take_in."""

    encryption: Encryption
    data_key: DataKey

    def etag(self, md5: bytes) -> str:
        """The ETag of bytes with this MD5: the MD5 itself for SSE-S3 only.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html (ETag)
        """
        return md5.hex() if self.encryption.scheme == SSE_S3 else self.data_key.etag(md5)


def etag(sealed: Sealed | None, md5: bytes) -> str:
    """The ETag of what is written, encrypted or not."""
    return md5.hex() if sealed is None else sealed.etag(md5)


class Sealing:
    """One per worker process. `random(n)`: n unpredictable bytes. `over_http`: SSE-C is taken without TLS too."""

    def __init__(self, keyring: Keyring, random: Callable[[int], bytes], over_http: bool = False) -> None:
        self._keyring = keyring
        self._random = random
        self._over_http = over_http

    def begin(self, call: Call, bucket: Bucket, key: bytes, request: EncryptionRequest | None) -> Sealed | None:
        """How a new version or upload is sealed; None: in the clear, as nobody asked for anything else.

        Raises InvalidArgument and its like, InvalidRequest (SSE-C without TLS), AccessDenied (SSE-C blocked), KMS.*.
        """
        document = bucket.configs.get(CONFIGURATION)
        if request is None and document is None:
            return None
        default = _NO_DEFAULT if document is None else default_encryption(document)
        asked = _NOTHING_ASKED if request is None else request.asked()
        if asked.customer is not None:
            if default.blocks_customer_keys:
                raise S3Error("AccessDenied", reason="the bucket blocks SSE-C")
            return self._begin_customer(call, bucket.bucket_id, key, asked.customer)
        scheme = asked.scheme or default.scheme
        if scheme in KMS_SCHEMES:
            _refuse_nobody(call)
            return self._begin_kms(bucket.bucket_id, key, asked._replace(scheme=scheme), default)
        if scheme == SSE_S3:
            return self._seal(
                self._keyring.of_server(), Binding(SSE_S3, bucket.bucket_id, key), Encryption(SSE_S3, b"")
            )
        return None

    def _begin_customer(self, call: Call, bucket_id: BucketId, key: bytes, customer: CustomerKey) -> Sealed:
        self._check_secure(call)
        encryption = Encryption(SSE_C, b"", key_md5=customer.md5)
        return self._seal(WrappingKey(customer.key, 0, ""), Binding(SSE_C, bucket_id, key), encryption)

    def _begin_kms(self, bucket_id: BucketId, key: bytes, asked: Asked, default: DefaultEncryption) -> Sealed:
        """What the request leaves open the bucket's rule fills in, the key only where the methods agree."""
        same = asked.scheme == default.scheme
        wrapping = self._keyring.named(asked.key_name or (default.key_name if same else ""))
        bucket_key = default.bucket_key if asked.bucket_key is None else asked.bucket_key
        encryption = Encryption(asked.scheme, b"", wrapping.arn, context=asked.context, bucket_key=bucket_key)
        return self._seal(wrapping, Binding(asked.scheme, bucket_id, key, asked.context), encryption)

    def _seal(self, wrapping: WrappingKey, binding: Binding, encryption: Encryption) -> Sealed:
        data_key = self._random(KEY_BYTES)
        wrapped = wrap(wrapping.material, wrapping.version, binding, self._random(SEAL_ID_BYTES), data_key)
        return Sealed(encryption._replace(wrapped=wrapped), DataKey(data_key, binding.bucket_id))

    # --- reading

    def open(self, call: Call, version: Version, copy_source: bool = False) -> DataKey | None:
        """The data key of a version to be read, None when it lies in the clear. `copy_source`: the key of SSE-C is in
        the headers that speak of a copy's source.

        Raises InvalidRequest (the key of SSE-C is missing, wrong, or not wanted), AccessDenied (nobody asks for a KMS
        key's object), KMS.*, Corrupt.
        """
        customer = customer_key(call.facts.headers, COPY_SOURCE_CUSTOMER if copy_source else CUSTOMER)
        encryption = version.attributes.encryption
        if encryption is None or encryption.scheme != SSE_C:
            if customer is not None:
                raise S3Error("InvalidRequest", "The encryption parameters are not applicable to this object.")
            if encryption is None:
                return None
        elif customer is None:
            text = "The object was stored using a form of Server Side Encryption. The correct parameters must be "
            raise S3Error("InvalidRequest", text + "provided to retrieve the object.")
        else:
            self._check_secure(call)
        if encryption.scheme in KMS_SCHEMES:
            _refuse_nobody(call)
        return DataKey(self._data_key(encryption, version.bucket_id, version.key, customer), version.bucket_id)

    def check(self, call: Call, version: Version, copy_source: bool = False) -> None:
        """As open, for who is told of the version and not its bytes: no KMS key is needed for that."""
        encryption = version.attributes.encryption
        if encryption is None or encryption.scheme == SSE_C:
            self.open(call, version, copy_source)
        elif customer_key(call.facts.headers, COPY_SOURCE_CUSTOMER if copy_source else CUSTOMER) is not None:
            raise S3Error("InvalidRequest", "The encryption parameters are not applicable to this object.")

    def renewed(self, version: Version, key: bytes) -> Sealed | None:
        """The same encryption for a version that takes another key of its bucket, under a fresh data key; None when it
        lies in the clear. Raises InvalidRequest for SSE-C, whose key a rename cannot bring; KMS.*."""
        encryption = version.attributes.encryption
        if encryption is None:
            return None
        if encryption.scheme == SSE_C:
            raise S3Error("InvalidRequest", "Objects encrypted with customer-provided keys cannot be renamed.")
        servers = encryption.scheme == SSE_S3
        wrapping = self._keyring.of_server() if servers else self._keyring.named(encryption.key_id)
        return self._seal(wrapping, Binding(encryption.scheme, version.bucket_id, key, encryption.context), encryption)

    # --- uploads

    def of_part(self, call: Call, upload: Upload) -> Sealed | None:
        """The upload's own encryption, for a part of it. Raises InvalidRequest when the part does not bring the key of
        SSE-C the upload began with; KMS.*. What a part says of other methods is not looked at: the upload decided."""
        encryption = upload.attributes.encryption
        customer = customer_key(call.facts.headers, CUSTOMER)
        if customer is not None and (encryption is None or encryption.scheme != SSE_C):
            text = "The multipart upload initiate did not request encryption. Please resend the request without "
            raise S3Error("InvalidRequest", text + "sending encryption parameters.")
        if encryption is None:
            return None
        if encryption.scheme == SSE_C:
            if customer is None:
                text = "The multipart upload initiate requested encryption. Subsequent part requests must include the "
                raise S3Error("InvalidRequest", text + "appropriate encryption parameters.")
            self._check_secure(call)
        data_key = self._data_key(encryption, upload.bucket_id, upload.key, customer)
        return Sealed(encryption, DataKey(data_key, upload.bucket_id))

    def check_completion(self, call: Call, upload: Upload) -> None:
        """A completion brings the key of SSE-C as every part did, whoever completes. Raises as of_part.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
        """
        encryption = upload.attributes.encryption
        if encryption is not None and encryption.scheme == SSE_C:
            self.of_part(call, upload)

    # --- opening data keys

    def _data_key(self, encryption: Encryption, bucket_id: BucketId, key: bytes, customer: CustomerKey | None) -> bytes:
        binding = Binding(encryption.scheme, bucket_id, key, encryption.context)
        if customer is not None:
            return _by_customer(encryption, binding, customer)
        version = wrapping_version(encryption.wrapped)
        if encryption.scheme == SSE_S3:
            material = self._keyring.server_version(version)
        else:
            material = self._keyring.named_version(encryption.key_id, version)
        return unwrap(material, binding, encryption.wrapped)

    def _check_secure(self, call: Call) -> None:
        if not call.facts.secure and not self._over_http:
            text = "Requests specifying Server Side Encryption with Customer provided keys must be made over a secure "
            raise S3Error("InvalidRequest", text + "connection.")


def _by_customer(encryption: Encryption, binding: Binding, customer: CustomerKey) -> bytes:
    """Only a key that is not the object's is the client's mistake; one whose wrap does not open is damage."""
    if not compare_digest(customer.md5, encryption.key_md5):
        raise S3Error("InvalidRequest", "The provided encryption parameters did not match the ones used originally.")
    return unwrap(customer.key, binding, encryption.wrapped)


def _refuse_nobody(call: Call) -> None:
    """A KMS key is used for those who sign, whatever else is public.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
    """
    if call.caller.principal is ANONYMOUS:
        raise S3Error("AccessDenied", reason="a KMS key is not used for anonymous callers")
