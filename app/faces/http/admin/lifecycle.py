"""Lifecycle rules: how a bucket's last pass went, and what one would do now. Knows paths and shapes only."""

from app.faces.http.admin.endpoints import SYSTEM, Endpoint, Told
from app.services.background.lifecycle_status import LifecycleStatus


def endpoints(lifecycle: LifecycleStatus) -> list[Endpoint]:
    """Served where the database is."""
    return [
        Endpoint(
            "GET",
            "/lifecycle/{bucket}",
            "GetLifecycleStatus",
            "Every rule of a bucket with its counts in the last pass.",
            lambda asked: Told(dict(lifecycle.status(asked.names["bucket"]))),
            SYSTEM,
            returned=Told,
        ),
        Endpoint(
            "POST",
            "/lifecycle/{bucket}/dry-run",
            "DryRunLifecycle",
            "What a pass would do now; nothing is done.",
            lambda asked: Told(dict(lifecycle.dry_run(asked.names["bucket"]))),
            SYSTEM,
            returned=Told,
        ),
    ]
