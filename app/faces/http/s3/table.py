"""The handler table: every operation that works, by S3's name, and the method that answers it.

Knows which handler belongs to which operation; tests hold it to core/s3/operations_table.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from app.faces.http.exchange import Handler
from app.faces.http.s3 import acting, configs
from app.faces.http.s3.acls import AclHandlers
from app.faces.http.s3.acting import Acting
from app.faces.http.s3.buckets import BucketHandlers
from app.faces.http.s3.cors import Crossing
from app.faces.http.s3.deletes import DeleteHandlers
from app.faces.http.s3.listings import ListingHandlers
from app.faces.http.s3.locks import LockHandlers
from app.faces.http.s3.multipart import MultipartHandlers
from app.faces.http.s3.objects import ObjectHandlers
from app.faces.http.s3.policies import PolicyHandlers
from app.faces.http.s3.posts import PostHandlers
from app.faces.http.s3.public_access import PublicAccessHandlers
from app.faces.http.s3.renames import RenameHandlers
from app.faces.http.s3.tagging import TaggingHandlers
from app.services.buckets.buckets import Buckets
from app.services.buckets.configs import Configs
from app.services.gate.bucket_access import BucketAccess
from app.services.gate.bucket_policies import BucketPolicies
from app.services.gate.directory import Directory
from app.services.gate.guard import Guard
from app.services.gate.object_acls import ObjectAcls
from app.services.objects.appending import Appends
from app.services.objects.copying import Copying
from app.services.objects.deleting import Deleting
from app.services.objects.listing import Listing
from app.services.objects.locks import Locks
from app.services.objects.multipart import Multipart
from app.services.objects.objects import Objects
from app.services.objects.renaming import Renaming
from app.services.objects.tagging import Tagging


@dataclass(frozen=True, slots=True)
class UseCases:
    """What the handlers call, and the regions buckets may live in (the server's own is `region`)."""

    guard: Guard
    buckets: Buckets
    objects: Objects
    deleting: Deleting
    appends: Appends
    renaming: Renaming
    copying: Copying
    multipart: Multipart
    listing: Listing
    configs: Configs
    tagging: Tagging
    locks: Locks
    crossing: Crossing
    directory: Directory
    bucket_access: BucketAccess
    bucket_policies: BucketPolicies
    object_acls: ObjectAcls
    acting: Acting
    region: str = "us-east-1"
    regions: Collection[str] = field(default_factory=tuple)


def handlers(use_cases: UseCases) -> dict[str, Handler]:
    """Handlers by operation name."""
    buckets = BucketHandlers(use_cases.buckets, use_cases.region, use_cases.regions)
    objects = ObjectHandlers(use_cases.objects, use_cases.copying, use_cases.appends, use_cases.guard)
    deletes = DeleteHandlers(use_cases.deleting, use_cases.guard)
    multipart = MultipartHandlers(use_cases.multipart, use_cases.guard, use_cases.directory.display_name)
    listings = ListingHandlers(use_cases.listing, use_cases.directory.display_name)
    tagging = TaggingHandlers(use_cases.tagging)
    others = configs.handlers(use_cases.configs) | acting.handlers(use_cases.acting) | _permissions(use_cases)
    others |= _locks(use_cases.locks)
    return others | {
        "AbortMultipartUpload": multipart.abort_multipart_upload,
        "CompleteMultipartUpload": multipart.complete_multipart_upload,
        "CopyObject": objects.copy_object,
        "CreateBucket": buckets.create_bucket,
        "CreateMultipartUpload": multipart.create_multipart_upload,
        "DeleteBucket": buckets.delete_bucket,
        "DeleteObject": deletes.delete_object,
        "DeleteObjectTagging": tagging.delete_object_tagging,
        "DeleteObjects": deletes.delete_objects,
        "GetBucketLocation": buckets.get_bucket_location,
        "GetBucketVersioning": buckets.get_bucket_versioning,
        "GetObject": objects.get_object,
        "GetObjectAttributes": objects.get_object_attributes,
        "GetObjectTagging": tagging.get_object_tagging,
        "HeadBucket": buckets.head_bucket,
        "HeadObject": objects.head_object,
        "ListBuckets": buckets.list_buckets,
        "ListMultipartUploads": listings.list_multipart_uploads,
        "ListObjectVersions": listings.list_object_versions,
        "ListObjects": listings.list_objects,
        "ListObjectsV2": listings.list_objects_v2,
        "ListParts": multipart.list_parts,
        "OptionsBucket": use_cases.crossing.preflight,
        "OptionsObject": use_cases.crossing.preflight,
        "PutBucketVersioning": buckets.put_bucket_versioning,
        "PostObject": PostHandlers(use_cases.objects).post_object,
        "PutObject": objects.put_object,
        "PutObjectTagging": tagging.put_object_tagging,
        "RenameObject": RenameHandlers(use_cases.renaming).rename_object,
        "UploadPart": multipart.upload_part,
        "UploadPartCopy": multipart.upload_part_copy,
    }


def _permissions(use_cases: UseCases) -> dict[str, Handler]:
    """Who may do what: lists, ownership, public access."""
    acls = AclHandlers(use_cases.bucket_access, use_cases.object_acls, use_cases.directory.display_name)
    public = PublicAccessHandlers(use_cases.bucket_access)
    policies = PolicyHandlers(use_cases.bucket_policies)
    return {
        "DeleteBucketPolicy": policies.delete_bucket_policy,
        "GetBucketPolicy": policies.get_bucket_policy,
        "GetBucketPolicyStatus": policies.get_bucket_policy_status,
        "PutBucketPolicy": policies.put_bucket_policy,
        "DeleteBucketOwnershipControls": public.delete_bucket_ownership_controls,
        "DeletePublicAccessBlock": public.delete_public_access_block,
        "GetBucketAcl": acls.get_bucket_acl,
        "GetBucketOwnershipControls": public.get_bucket_ownership_controls,
        "GetObjectAcl": acls.get_object_acl,
        "GetPublicAccessBlock": public.get_public_access_block,
        "PutBucketAcl": acls.put_bucket_acl,
        "PutBucketOwnershipControls": public.put_bucket_ownership_controls,
        "PutObjectAcl": acls.put_object_acl,
        "PutPublicAccessBlock": public.put_public_access_block,
    }


def _locks(locks: Locks) -> dict[str, Handler]:
    """Object lock."""
    lock = LockHandlers(locks)
    return {
        "GetObjectLegalHold": lock.get_object_legal_hold,
        "GetObjectLockConfiguration": lock.get_object_lock_configuration,
        "GetObjectRetention": lock.get_object_retention,
        "PutObjectLegalHold": lock.put_object_legal_hold,
        "PutObjectLockConfiguration": lock.put_object_lock_configuration,
        "PutObjectRetention": lock.put_object_retention,
    }
