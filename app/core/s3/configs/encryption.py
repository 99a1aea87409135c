"""A bucket's default encryption: the grammar of its configuration, and the rule a write takes from it.

Knows the document's elements. Must not know requests (core/s3/encryption) or keys: a key named here need not exist yet,
as on AWS; the writes that would need it fail instead. Source:
https://docs.aws.amazon.com/AmazonS3/latest/API/API_ServerSideEncryptionConfiguration.html
"""

from functools import lru_cache
from typing import Final, NamedTuple

from app.core import limits
from app.core.errors import S3Error
from app.core.s3.configs.grammar import Field, Grammar, Node, Record
from app.core.s3.configs.leaves import flag, text, word
from app.core.s3.encryption import KMS_SCHEMES, SSE_C, SSE_KMS, SSE_KMS_DOUBLE, SSE_S3


class DefaultEncryption(NamedTuple):
    """`scheme`: AES256, aws:kms, aws:kms:dsse or "" (none). `key_name`: "" for the default key. `blocks_customer_keys`:
    writes that bring a key of their own (SSE-C) are refused."""

    scheme: str = ""
    key_name: str = ""
    bucket_key: bool = False
    blocks_customer_keys: bool = False


def _check_default(node: Node) -> None:
    if node.get("KMSMasterKeyID") is not None and node.text("SSEAlgorithm") not in KMS_SCHEMES:
        raise S3Error(
            "InvalidArgument",
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
            fields={"ArgumentName": "ApplyServerSideEncryptionByDefault"},
        )


_DEFAULT: Final = Record(
    Field("SSEAlgorithm", word(SSE_S3, SSE_KMS, SSE_KMS_DOUBLE), least=1),
    Field("KMSMasterKeyID", text(1, limits.KMS_KEY_NAME_CHARS_MAX)),
    rule=_check_default,
)
_RULE: Final = Record(
    Field("ApplyServerSideEncryptionByDefault", _DEFAULT),
    Field("BucketKeyEnabled", flag()),
    Field("BlockedEncryptionTypes", Record(Field("EncryptionType", word("NONE", SSE_C), most=2))),
)
GRAMMAR: Final = Grammar("ServerSideEncryptionConfiguration", Record(Field("Rule", _RULE, least=1)))


@lru_cache(limits.CONFIGS_PARSED_MAX)
def default_encryption(document: bytes) -> DefaultEncryption:
    """The rule of a stored configuration. Raises Corrupt: what cannot be read must not mean "in the clear"."""
    rule = GRAMMAR.stored(document).nodes("Rule")[0]
    blocked = rule.node("BlockedEncryptionTypes")
    default = rule.node("ApplyServerSideEncryptionByDefault") or Node(())
    return DefaultEncryption(
        default.text("SSEAlgorithm"),
        default.text("KMSMasterKeyID"),
        rule.flag("BucketKeyEnabled"),
        blocked is not None and SSE_C in blocked.texts("EncryptionType"),
    )
