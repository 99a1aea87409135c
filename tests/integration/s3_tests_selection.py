"""Which tests of ceph/s3-tests are asked of ZapFS, to which family each belongs, and where the suite reads AWS
otherwise.

Everything but what AWS itself, or the suite's own reference server, fails by the suite's markers, and what speaks of
that server's own extensions: tiering to another cloud, and its form of access logs. Reads the suite's source; must not
run it.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

FILES: Final = ("s3tests/functional/test_s3.py", "s3tests/functional/test_headers.py")

LEFT_OUT: Final = {
    "fails_on_aws": "by the suite's own marker AWS answers otherwise",
    "fails_on_rgw": "by its own note the test does not send what it means to",
    "cloud_transition": "tiering to another cloud is the reference server's own extension",
    "cloud_restore": "tiering to another cloud is the reference server's own extension",
    "bucket_logging": "the reference server's own extensions of access logs",
    "bucket_logging_cleanup": "the reference server's own extensions of access logs",
}
"""Markers of tests that are not run, and why."""

FAMILIES: Final = (
    ("POST object", r"post_object"),
    ("versioning", r"version"),
    ("object lock", r"object_lock|legal_hold|retention"),
    ("encryption", r"sse|encrypt|kms"),
    ("lifecycle", r"lifecycle"),
    ("tagging", r"tagging|_tags|_tag_"),
    ("CORS", r"cors"),
    ("policy and public access", r"policy|public|block|account|_iam_|tenant"),
    ("ACLs and ownership", r"acl|grant|ownership|anon|unauthenticated|access_bucket"),
    ("logging", r"logging"),
    ("append", r"append"),
    ("multipart", r"multipart|upload_part|abort_|complete_"),
    ("conditional", r"ifmatch|ifnonematch|ifmodified|ifunmodified|if_match|conditional|_if_|current_object_if"),
    ("copy", r"copy"),
    ("listing", r"^test_(bucket_list|bucket_listv2|list_|basic_key_count)"),
    ("multi-delete", r"multi_object|delete_objects|deletes"),
    ("ranges", r"range"),
    ("checksums", r"checksum|sha256|crc"),
    ("headers", r"bad_|_headers?_|header"),
    ("presigned and raw", r"raw|presigned"),
    ("atomic", r"atomic"),
    ("buckets", r"bucket|buckets"),
    ("objects", r""),
)
"""Family of a test by the first pattern found in its name."""

NOT_BASE64: Final = (
    "a checksum that is no base64 of its length is InvalidRequest, as AWS answers; the suite wants BadDigest"
)
RECREATED: Final = "creating again what one has is 200 in us-east-1, as AWS answers; the suite wants 409"
TENANT: Final = "one namespace of buckets, as AWS has; `tenant:bucket` is the reference server's own"
BEYOND: Final = "a part beyond the last is 416 InvalidPartNumber, as AWS answers; the suite wants 400 InvalidPart"
EXPIRES: Final = "an X-Amz-Expires out of its range is malformed, 400, as AWS answers; the suite wants 403"
DIFFERENT: Final = {
    "test_multipart_checksum_sha256": NOT_BASE64,
    "test_object_checksum_sha256": NOT_BASE64,
    "test_object_checksum_crc64nvme": NOT_BASE64,
    "test_non_multipart_get_part": BEYOND,
    "test_multipart_get_part": BEYOND,
    "test_multipart_single_get_part": BEYOND,
    "test_non_multipart_sse_c_get_part": BEYOND,
    "test_object_raw_get_x_amz_expires_out_max_range": EXPIRES,
    "test_object_raw_get_x_amz_expires_out_positive_range": EXPIRES,
    "test_object_raw_put_authenticated_expired": EXPIRES,
    "test_get_object_torrent": "torrents are refused by name, 501, as all that is not there; the suite wants 404",
    "test_bucket_recreate_overwrite_acl": RECREATED,
    "test_bucket_recreate_new_acl": RECREATED,
    "test_bucket_policy_different_tenant": TENANT,
    "test_bucket_policy_tenanted_bucket": TENANT,
    "test_post_object_tags_anonymous_request": (
        "a form's tags need s3:PutObjectTagging, which no list gives; the suite's reference server asks nobody for it"
    ),
    "test_bucket_policy_deny_self_denied_policy_confirm_header": (
        "no bucket policy takes Get-, Put- and DeleteBucketPolicy from the account's root, as AWS documents"
    ),
    "test_multipart_sse_c_get_part": "the last request brings no key: InvalidRequest, whatever else it asks",
    "test_sse_kms_no_key": "aws:kms without a key takes the default key, as on AWS",
}
"""Tests that fail because this store and the suite read AWS differently, and in what."""


def family_of(name: str) -> str:
    """The family a test's name falls into."""
    return next(family for family, pattern in FAMILIES if re.search(pattern, name))


def select(suite: Path) -> dict[str, str]:
    """Every test of FILES: node id -> "" when it is run, else why not."""
    return {
        f"{file}::{name}": next((reason for marker, reason in LEFT_OUT.items() if marker in markers), "")
        for file in FILES
        for name, markers in _tests(suite / file)
    }


def _tests(path: Path) -> Iterator[tuple[str, set[str]]]:
    """Name and markers of every test."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            inside = (one for decorator in node.decorator_list for one in ast.walk(decorator))
            yield node.name, {one.attr for one in inside if isinstance(one, ast.Attribute)}
