"""Lifecycle rules: how a bucket's last pass went, and what one would do now. Knows paths and JSON only."""

from flask import Blueprint, Response

from app.faces.http.admin.gate import Gate
from app.faces.http.admin.json_wire import answer
from app.services.background.lifecycle_status import LifecycleStatus


def add(face: Blueprint, gate: Gate, lifecycle: LifecycleStatus) -> None:
    """GET tells the status, POST makes a dry run."""

    @face.get("/admin/v1/lifecycle/<bucket>")
    def lifecycle_status(bucket: str) -> Response:
        gate.admitted()
        return answer(lifecycle.status(bucket))

    @face.post("/admin/v1/lifecycle/<bucket>/dry-run")
    def lifecycle_dry_run(bucket: str) -> Response:
        gate.admitted()
        return answer(lifecycle.dry_run(bucket))
