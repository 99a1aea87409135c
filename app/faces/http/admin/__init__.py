"""The admin face: health, metrics, identities, keys and collection, as JSON over HTTP for operators and the command.

Knows which rooms there are and the error edge. Must not know what they do. Closed by default: see gate.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, Response

from app.core.errors import Conflict, Full, Missing, S3Error, StoreError
from app.faces.http.admin import accounts, collection, identities, kms, lifecycle, probes
from app.faces.http.admin.gate import Gate
from app.faces.http.admin.json_wire import failure
from app.services.background.lifecycle_status import LifecycleStatus
from app.services.identity.commanding import CommandRefused
from app.services.identity.control import Control
from app.services.identity.iam import Iam
from app.services.identity.kms_keys import KmsKeys

__all__ = ["Gate", "Services", "admin_blueprint"]

_STORE_STATUS: Final = {Missing: 404, Conflict: 409, Full: 507}


@dataclass(frozen=True, slots=True)
class Services:
    """What the face stands on. `unready()` says why the server cannot serve, "" when it can; `exposition()` gives the
    metrics' text and its content type; the two of collection give plain values."""

    control: Control
    iam: Iam
    kms_keys: KmsKeys
    unready: Callable[[], str]
    exposition: Callable[[], tuple[bytes, str]]
    gc_status: Callable[[], Mapping[str, Any]]
    gc_run: Callable[[], Mapping[str, Any]]
    lifecycle: LifecycleStatus
    report: Callable[[BaseException], None]


def admin_blueprint(gate: Gate, services: Services) -> Blueprint:
    """The routes. Every error leaves as {"code", "message"}."""
    face = Blueprint("admin", __name__)
    probes.add(face, gate, services.unready, services.exposition)
    accounts.add(face, gate, services.control)
    identities.add(face, gate, services.iam)
    kms.add(face, gate, services.kms_keys)
    collection.add(face, gate, services.gc_status, services.gc_run)
    lifecycle.add(face, gate, services.lifecycle)
    _add_errors(face, services.report)
    return face


def _add_errors(face: Blueprint, report: Callable[[BaseException], None]) -> None:
    @face.app_errorhandler(404)
    def unknown(_: Exception) -> Response:
        return failure(404, "NoSuchPath", "There is no such path on the admin face.")

    @face.app_errorhandler(405)
    def not_allowed(_: Exception) -> Response:
        return failure(405, "MethodNotAllowed", "This path does not take this method.")

    @face.app_errorhandler(Exception)
    def failed(error: Exception) -> Response:
        if isinstance(error, S3Error | CommandRefused):
            return failure(error.status, error.code, error.message)
        if isinstance(error, StoreError):
            status = next((s for kind, s in _STORE_STATUS.items() if isinstance(error, kind)), 503)
            return failure(status, type(error).__name__, str(error))
        report(error)
        return failure(500, "InternalError", "This is a bug; the log has its traceback.")
