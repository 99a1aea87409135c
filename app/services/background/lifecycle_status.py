"""What operators are told of lifecycle rules: each bucket's last pass, and what a pass would do now.

Knows plain values for JSON. Must not know wires; asks nobody's permission, as the admin face has done.
"""

from collections.abc import Mapping
from typing import Any

from app.core import limits
from app.core.errors import Missing, S3Error
from app.core.s3.configs.lifecycle import LIFECYCLE
from app.core.types import Bucket
from app.ports.metadata import MetadataStore
from app.services.background.lifecycle import KIND, Lifecycle


class LifecycleStatus:
    """Errors: S3Error NoSuchBucket; Corrupt when rules cannot be read."""

    def __init__(self, store: MetadataStore, lifecycle: Lifecycle) -> None:
        self._store = store
        self._lifecycle = lifecycle

    def status(self, name: str) -> Mapping[str, Any]:
        """Every rule with its counts in the last pass (matched, acted, kept, failed), and the times of passes."""
        bucket = self._bucket(name)
        told = dict(self._lifecycle.status(bucket))
        counts = told.pop("rules")
        rules = LIFECYCLE.stored(bucket.configs[KIND]).nodes("Rule") if KIND in bucket.configs else []
        zero = {"matched": 0, "acted": 0, "kept": 0, "failed": 0}
        shown = [
            {"id": rule.text("ID"), "status": rule.text("Status"), **zero, **counts.get(rule.text("ID"), {})}
            for rule in rules
        ]
        return {"bucket": bucket.name, **told, "rules": shown}

    def dry_run(self, name: str) -> Mapping[str, Any]:
        """What would be done now, nothing of it done; at most DRY_RUN_MAX actions, `truncated` when there are more."""
        bucket = self._bucket(name)
        planned = []
        if KIND in bucket.configs:
            planned = list(self._lifecycle.dry_run(bucket, limits.DRY_RUN_MAX + 1))
        shown = [
            {
                "action": each.action.kind,
                "rule": each.action.rule_id,
                "key": each.key.decode("utf-8", "replace"),
                "size": each.size,
                "due_ms": each.action.due_ms,
                "storage_class": each.action.storage_class,
            }
            for each in planned[: limits.DRY_RUN_MAX]
        ]
        return {"bucket": bucket.name, "actions": shown, "truncated": len(planned) > limits.DRY_RUN_MAX}

    def _bucket(self, name: str) -> Bucket:
        """Raises S3Error NoSuchBucket."""
        try:
            return self._store.bucket_get(name)
        except Missing:
            raise S3Error("NoSuchBucket") from None
