"""Which tests of ceph/s3-tests belong to this release, and to which family each belongs.

A test belongs when neither its markers, its name, nor anything it (or a helper it calls) asks of S3 lies in the lists
of later releases below. Reads the suite's source; must not run it.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

FILES = ("s3tests/functional/test_s3.py", "s3tests/functional/test_headers.py")

LATER_MARKERS = {
    *(
        "fails_on_aws",
        "fails_on_rgw",
        "auth_aws2",
        "abac_test",
        "appendobject",
        "bucket_policy",
        "bucket_encryption",
        "bucket_logging",
    ),
    *("bucket_logging_cleanup", "cloud_transition", "cloud_restore", "target_by_bucket", "encryption", "group"),
    *("group_policy", "iam_account", "iam_cross_account", "iam_role", "iam_tenant", "iam_user", "lifecycle"),
    *("lifecycle_expiration", "lifecycle_transition", "object_lock", "object_ownership", "role_policy", "s3select"),
    *("session_policy", "s3website", "s3website_routing_rules", "s3website_redirect_location", "sns", "sse_s3"),
    *("storage_class", "tagging", "test_of_sts", "user_policy", "versioning", "webidentity_test", "delete_marker"),
}
"""Markers of features of later releases, of tests that AWS itself fails, and of tests that by their own notes do not
send what they mean to (fails_on_rgw)."""

LATER_NAMES = re.compile(
    r"acl|grant|policy|post_object|cors|anon|unauthenticated|public|tagging|_tags|object_lock|lifecycle|website|logging"
    r"|ownership|sse|encrypt|kms|torrent|restore|notification|request_payment|version(?!_id_null)|tenant|_iam_|account"
    r"|read_through|cloud|select|replication|usage"
)
"""Words in a test's name that mean a feature of a later release."""

LATER_CALLS = re.compile(
    r"(put|get|delete)_(bucket|object|public)_(acl|policy|policy_status|versioning|encryption|lifecycle\w*|cors|website"
    r"|tagging|logging|notification\w*|request_payment|ownership\w*|replication|lock\w*|retention|legal_hold"
    r"|access_block|accelerate\w*|torrent)|list_object_versions|get_unauthenticated_client|get_tenant_\w+"
    r"|check_configure_versioning_retry|get_iam\w*|get_sts\w*|_setup_access|get_v2_client"
)
"""Calls of a test or its helpers that need a feature of a later release."""

LATER_ARGUMENTS = re.compile(
    r"ACL|Grant\w+|Tagging|ServerSideEncryption|SSE\w+|ObjectLock\w+|Website\w+|BucketKeyEnabled"
)
"""Arguments of boto3 calls that need one."""

FAMILIES = (
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


NOT_BASE64 = "a checksum that is no base64 of its length is InvalidRequest, as AWS answers; the suite wants BadDigest"
DIFFERENT = {
    "test_multipart_checksum_sha256": NOT_BASE64,
    "test_object_checksum_sha256": NOT_BASE64,
    "test_object_checksum_crc64nvme": NOT_BASE64,
    "test_non_multipart_get_part": "a part beyond the last is 416 InvalidPartNumber; the suite wants 400 InvalidPart",
    "test_object_raw_put_authenticated_expired": "a negative X-Amz-Expires is malformed, 400, as AWS answers",
}
"""Tests that fail because this store and the suite read AWS differently, and in what."""


@dataclass(slots=True)
class Used:
    """What a function of the suite mentions: names it calls or refers to, and keyword arguments."""

    names: set[str] = field(default_factory=set)
    arguments: set[str] = field(default_factory=set)
    markers: set[str] = field(default_factory=set)


def family_of(name: str) -> str:
    """The family a test's name falls into."""
    return next(family for family, pattern in FAMILIES if re.search(pattern, name))


def select(suite: Path) -> dict[str, str]:
    """Every test of FILES: node id -> "" when it belongs to this release, else why not."""
    reasons: dict[str, str] = {}
    shared = dict(_functions(suite / "s3tests/functional/__init__.py"))
    for file in FILES:
        functions = shared | dict(_functions(suite / file))
        for name, used in functions.items():
            if name.startswith("test_"):
                reasons[f"{file}::{name}"] = _reason(name, used, functions)
    return reasons


def _reason(name: str, used: Used, functions: dict[str, Used]) -> str:
    if marked := used.markers & LATER_MARKERS:
        return f"marker {min(marked)}"
    if found := LATER_NAMES.search(name):
        return f"name: {found[0]}"
    for one in _reached(name, functions):
        for mentioned in sorted(functions[one].names):
            if LATER_CALLS.fullmatch(mentioned):
                return f"calls {mentioned}"
        for argument in sorted(functions[one].arguments):
            if LATER_ARGUMENTS.fullmatch(argument):
                return f"argument {argument}"
    return ""


def _reached(name: str, functions: dict[str, Used]) -> Iterable[str]:
    """The function and every helper it reaches."""
    seen, waiting = set(), [name]
    while waiting:
        one = waiting.pop()
        if one in functions and one not in seen and one not in ("setup", "teardown", "setup_teardown"):
            seen.add(one)
            waiting += functions[one].names
    return seen


def _functions(path: Path) -> Iterator[tuple[str, Used]]:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            used = Used()
            for decorator in node.decorator_list:
                used.markers |= {one.attr for one in ast.walk(decorator) if isinstance(one, ast.Attribute)}
            for one in (inner for statement in node.body for inner in ast.walk(statement)):
                if isinstance(one, ast.Attribute):
                    used.names.add(one.attr)
                elif isinstance(one, ast.Name):
                    used.names.add(one.id)
                elif isinstance(one, ast.keyword) and one.arg:
                    used.arguments.add(one.arg)
            yield node.name, used
