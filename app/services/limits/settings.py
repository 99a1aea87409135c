"""The use cases of operators about limits: list, read, set and take them away.

Knows scopes. Must not know wires, nor who enforces them.
"""

from app.core.cluster import NO_LIMITS, Limits, SetLimits
from app.core.cluster.limits import BUCKET, Scope
from app.core.s3.bucket_rules import check_bucket_name
from app.services.identity.commanding import CommandRefused, Desk


class LimitSettings:
    """Every change is durable on return and in force in every worker within a second. Raises Unavailable, Full."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def all(self) -> list[tuple[Scope, Limits]]:
        """By kind and name."""
        return [
            (Scope(*key.split("/", 1)), limits) for key, limits in sorted(self._desk.cluster.state().limits.items())
        ]

    def get(self, scope: Scope) -> Limits:
        """NO_LIMITS where none were set."""
        return self._desk.cluster.state().limits_of(scope)

    def put(self, scope: Scope, limits: Limits) -> None:
        """Instead of what was set. Raises CommandRefused: InvalidInput for limits that limit nothing, NoSuchEntity for
        an account that is not there, LimitExceeded. A bucket may be limited before it is made; S3Error
        InvalidBucketName for one that never can be."""
        if limits == NO_LIMITS:
            raise CommandRefused("InvalidInput", "At least one limit must be more than 0.")
        if scope.kind == BUCKET:
            check_bucket_name(scope.name)
        self._desk.submit(lambda command_id: SetLimits(command_id, scope, limits))

    def delete(self, scope: Scope) -> None:
        """Without limits again; no error when it was."""
        if self.get(scope) != NO_LIMITS:
            self._desk.submit(lambda command_id: SetLimits(command_id, scope, NO_LIMITS))
