"""Names of condition keys: how they are compared, which of them S3 has, which bear a tag's name.

Knows names only. Key names know no case, but a tag's name behind the slash does; so the canonical form is lower-case
up to the first slash. Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
"""

from typing import Final

OBJECT_TAG: Final = "s3:existingobjecttag"

S3_KEYS: Final = frozenset(
    {
        "s3:accessgrantsinstancearn",
        "s3:accesspointnetworkorigin",
        "s3:accesspointtag",
        "s3:authtype",
        "s3:buckettag",
        "s3:dataaccesspointaccount",
        "s3:dataaccesspointarn",
        "s3:delimiter",
        "s3:existingobjecttag",
        "s3:if-match",
        "s3:if-none-match",
        "s3:inventoryaccessibleoptionalfields",
        "s3:isreplicationpauserequest",
        "s3:jobsuspendedcause",
        "s3:locationconstraint",
        "s3:max-keys",
        "s3:object-lock-legal-hold",
        "s3:object-lock-mode",
        "s3:object-lock-remaining-retention-days",
        "s3:object-lock-retain-until-date",
        "s3:objectcreationoperation",
        "s3:prefix",
        "s3:requestobjecttag",
        "s3:requestobjecttagkeys",
        "s3:resourceaccount",
        "s3:signatureage",
        "s3:signatureversion",
        "s3:tlsversion",
        "s3:versionid",
        "s3:x-amz-acl",
        "s3:x-amz-bucket-namespace",
        "s3:x-amz-content-sha256",
        "s3:x-amz-copy-source",
        "s3:x-amz-grant-full-control",
        "s3:x-amz-grant-read",
        "s3:x-amz-grant-read-acp",
        "s3:x-amz-grant-write",
        "s3:x-amz-grant-write-acp",
        "s3:x-amz-metadata-directive",
        "s3:x-amz-object-ownership",
        "s3:x-amz-server-side-encryption",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
        "s3:x-amz-server-side-encryption-customer-algorithm",
        "s3:x-amz-storage-class",
        "s3:x-amz-website-redirect-location",
    }
)


def canonical_key(name: str) -> str:
    """`aws:PrincipalTag/Team` -> `aws:principaltag/Team`."""
    family, slash, tag = name.partition("/")
    return family.lower() + slash + tag


def is_known(key: str) -> bool:
    """Whether a bucket policy may ask for the (canonical) key: S3's own, or any global one."""
    family = key.partition("/")[0]
    return family in S3_KEYS or (family.startswith("aws:") and len(family) > len("aws:"))


def asks_object_tags(key: str) -> bool:
    """Whether the key's value lies with the object."""
    return key.partition("/")[0] == OBJECT_TAG
