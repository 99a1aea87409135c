"""What stands in the way of removing a version for good: its lock, unless governance is bypassed by one who may.

Knows whom to ask for the bypass. The rule itself is core/s3/lock's; every path that removes or replaces a version for
good hands a check made here to the store, which asks it inside the transaction.
"""

from app.core.s3 import lock
from app.core.types import Bucket, Version, Versioning
from app.ports.metadata import Check
from app.services.call import Call
from app.services.gate.guard import Guard


def removal_check(call: Call, bypass: bool = False) -> Check:
    """Refuses to remove a locked version. `bypass`: of governance mode, by a caller who may."""
    now_ms = call.now_ms

    def check(version: Version | None) -> None:
        if version is not None:
            lock.check_removal(version, now_ms, bypass)

    return check


def replacing_check(call: Call, bucket: Bucket) -> Check | None:
    """For a write that may replace the null version: None where no version can be locked, as a lock needs versioning
    and a bucket that has it never loses it again."""
    return None if bucket.versioning is Versioning.OFF else removal_check(call)


def may_bypass(guard: Guard, call: Call, bucket: Bucket, key: bytes, asked: bool) -> bool:
    """`asked`: x-amz-bypass-governance-retention. It counts only with the permission."""
    return asked and guard.allows(call, bucket, "s3:BypassGovernanceRetention", key)
