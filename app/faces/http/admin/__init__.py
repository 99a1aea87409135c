"""The admin face: health, metrics, identities, keys and collection, as JSON over HTTP for operators and the command.

Knows how a role's rooms become one face, and the error edge. Must not know what they do. Closed by default: gate.py.
"""

from collections.abc import Callable, Iterable
from typing import Final

from flask import Blueprint, Flask, Response

from app.core.errors import Conflict, Full, Missing, S3Error, StoreError
from app.faces.http.admin.gate import Gate
from app.faces.http.admin.json_wire import failure
from app.services.identity.commanding import CommandRefused

__all__ = ["Gate", "Room", "admin_blueprint", "refuse_other_origins"]

_STORE_STATUS: Final = {Missing: 404, Conflict: 409, Full: 507}


Room = Callable[[Blueprint, Gate], None]
"""Adds its routes to the face: `accounts.add` and its like, with the use cases given."""


def admin_blueprint(gate: Gate, rooms: Iterable[Room], report: Callable[[BaseException], None]) -> Blueprint:
    """The routes of one role's face. Every error leaves as {"error", "message"}; bugs are told to `report`."""
    face = Blueprint("admin", __name__)
    for add in rooms:
        add(face, gate)
    _add_errors(face, report)
    return face


def refuse_other_origins(flask: Flask) -> Flask:
    """No page of another origin administers: there is nothing to ask first."""
    flask.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    return flask


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
