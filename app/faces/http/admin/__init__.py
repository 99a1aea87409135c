"""The admin face: health, metrics and the /v1 endpoints, as JSON over HTTP for operators, the command and curl.

Knows how a role's endpoints become one face, and the error edge. Must not know what they do. Closed by default: see
gate.py.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from flask import Blueprint, Flask, Response, request

from app.core.errors import Conflict, Full, Missing, S3Error, StoreError
from app.faces.http.admin import openapi, probes
from app.faces.http.admin.endpoints import Endpoint, bind
from app.faces.http.admin.gate import Gate
from app.faces.http.admin.json_wire import failure
from app.faces.http.admin.probes import Probed
from app.services.identity.commanding import CommandRefused

__all__ = ["Face", "Gate", "Probed", "admin_application"]

_STORE_STATUS: Final = {Missing: 404, Conflict: 409, Full: 507}


@dataclass(frozen=True, slots=True)
class Face:
    """What a role shows."""

    probed: Probed
    endpoints: Sequence[Endpoint] = ()


def admin_application(gate: Gate, face: Face, report: Callable[[BaseException], None]) -> Flask:
    """The face as a WSGI application. Every error leaves as {"error", "message"}; bugs are told to `report`."""
    flask = Flask("zapfs-admin", static_folder=None)
    # No page of another origin administers: there is nothing to ask first.
    flask.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    flask.url_map.merge_slashes = False  # a path with too many is another path, not a page that says where to go
    flask.before_request(_refuse_slashes)
    blueprint = Blueprint("admin", __name__)
    probes.add(blueprint, gate, face.probed)
    if face.endpoints:
        bind(blueprint, gate.handle, openapi.described(face.endpoints))
    _add_errors(blueprint, report)
    flask.register_blueprint(blueprint)
    return flask


def _refuse_slashes() -> Response | None:
    """Routing takes "//v1" for "/v1"; who keeps strangers from "/v1" at a proxy does not."""
    return _no_path() if str(request.environ["PATH_INFO"]).startswith("//") else None


def _no_path() -> Response:
    return failure(404, "NoSuchPath", "There is no such path on the admin face.")


def _add_errors(face: Blueprint, report: Callable[[BaseException], None]) -> None:
    @face.app_errorhandler(404)
    def unknown(_: Exception) -> Response:
        return _no_path()

    @face.app_errorhandler(405)
    def not_allowed(_: Exception) -> Response:
        return failure(405, "MethodNotAllowed", "This path does not take this method.")

    @face.app_errorhandler(Exception)
    def failed(error: Exception) -> Response:
        if isinstance(error, S3Error | CommandRefused):
            told = failure(error.status, error.code, error.message)
            told.headers.update(getattr(error, "headers", {}))
            if error.status == 401:  # only a bearer token is answered so, as RFC 6750 (3.1) has it
                told.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
            return told
        if isinstance(error, StoreError):
            status = next((s for kind, s in _STORE_STATUS.items() if isinstance(error, kind)), 503)
            return failure(status, type(error).__name__, str(error))
        report(error)
        return failure(500, "InternalError", "This is a bug; the log has its traceback.")
