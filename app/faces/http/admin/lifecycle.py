"""Lifecycle rules: how a bucket's last pass went, and what one would do now. Knows paths and JSON only."""

from flask import Blueprint, Response, request

from app.core.errors import S3Error
from app.faces.http.admin.gate import Gate
from app.faces.http.admin.json_wire import answer
from app.services.lifecycle_status import LifecycleStatus


def add(face: Blueprint, gate: Gate, lifecycle: LifecycleStatus) -> None:
    """GET tells the status, POST makes a dry run; both of the bucket named in the query."""

    @face.get("/admin/v1/lifecycle")
    def lifecycle_status() -> Response:
        gate.admitted()
        return answer(lifecycle.status(_bucket()))

    @face.post("/admin/v1/lifecycle/dry-run")
    def lifecycle_dry_run() -> Response:
        gate.admitted()
        return answer(lifecycle.dry_run(_bucket()))


def _bucket() -> str:
    name = request.args.get("bucket", "")
    if not name:
        raise S3Error("InvalidRequest", "Name a bucket: ?bucket=NAME.")
    return name
