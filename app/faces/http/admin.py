"""The admin face: health, metrics, accounts and collection, as JSON over HTTP for operators and the zapfs command.

Knows paths, credentials' form and JSON. Must not know how accounts are kept or what collection does. Closed by default:
only /health and /ready answer strangers, with nothing but whether the server is up and able.
"""

import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Final

from flask import Blueprint, Response, request

from app.core.auth import sigv4
from app.core.cluster import Account, ClusterState, holder_of
from app.core.errors import Conflict, Full, Missing, S3Error, StoreError
from app.core.limits import ADMIN_BODY_BYTES_MAX
from app.services.control import Control, CreatedAccount, NewAccount

_STORE_STATUS: Final = {Missing: 404, Conflict: 409, Full: 507}
_CHOICES: Final = frozenset(NewAccount.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Gate:
    """Who may pass: root by its signature (SigV4, service s3), a scraper by its token.

    `state` and `secret_of(access_key, sealed)` give what a signature is checked against. `metrics_open` lets anybody
    read the metrics; `metrics_token` of "" opens them to no token.
    """

    state: Callable[[], ClusterState]
    secret_of: Callable[[str, bytes], str]
    now_s: Callable[[], float]
    metrics_token: str = ""
    metrics_open: bool = False

    def check_root(self, signed: sigv4.SignedRequest) -> None:
        """Raises S3Error: AccessDenied when unsigned or not root, else what is wrong with the signature."""
        claim = sigv4.parse(signed)
        # A presigned URL may live for a week, and is made to be handed on.
        if claim is None or claim.expires_s is not None:
            raise S3Error("AccessDenied", "Sign this request with the root credentials (SigV4, service s3).")
        account, user = holder_of(self.state(), claim.access_key) or (None, None)
        sigv4.verify(claim, signed, self._secret(account, claim.access_key), self.now_s())
        if account is None or user is not None or not account.root:
            raise S3Error("AccessDenied", "Only the root account administers.")

    def opens_metrics(self, authorization: str) -> bool:
        """Whether /metrics is open to a request with this Authorization header, without a signature."""
        wanted = f"Bearer {self.metrics_token}".encode()
        return self.metrics_open or (
            bool(self.metrics_token) and hmac.compare_digest(authorization.encode("latin-1", "replace"), wanted)
        )

    def _secret(self, account: Account | None, access_key: str) -> str | None:
        keys = account.keys if account is not None else ()
        sealed = next((k.sealed_secret for k in keys if k.access_key == access_key and k.active), None)
        return None if sealed is None else self.secret_of(access_key, sealed)


@dataclass(frozen=True, slots=True)
class Services:
    """What the face stands on. `unready()` says why the server cannot serve, "" when it can; `exposition()` gives the
    metrics' text and its content type; the two of collection give plain values."""

    control: Control
    unready: Callable[[], str]
    exposition: Callable[[], tuple[bytes, str]]
    gc_status: Callable[[], Mapping[str, Any]]
    gc_run: Callable[[], Mapping[str, Any]]
    report: Callable[[BaseException], None]


def admin_blueprint(gate: Gate, services: Services) -> Blueprint:
    """The routes. Every error leaves as {"code", "message"}."""
    face = Blueprint("admin", __name__)
    _add_probes(face, gate, services)
    _add_accounts(face, gate, services.control)
    _add_gc(face, gate, services)

    @face.app_errorhandler(404)
    def unknown(_: Exception) -> Response:
        return _error(404, "NoSuchPath", "There is no such path on the admin face.")

    @face.app_errorhandler(405)
    def not_allowed(_: Exception) -> Response:
        return _error(405, "MethodNotAllowed", "This path does not take this method.")

    @face.app_errorhandler(Exception)
    def failed(error: Exception) -> Response:
        if isinstance(error, S3Error):
            return _error(error.status, error.code, error.message)
        if isinstance(error, StoreError):
            status = next((s for kind, s in _STORE_STATUS.items() if isinstance(error, kind)), 503)
            return _error(status, type(error).__name__, str(error))
        services.report(error)
        return _error(500, "InternalError", "This is a bug; the log has its traceback.")

    return face


def _add_probes(face: Blueprint, gate: Gate, services: Services) -> None:
    @face.get("/health")
    def health() -> Response:
        return Response("up\n", content_type="text/plain")

    @face.get("/ready")
    def ready() -> Response:
        reason = services.unready()
        return Response(f"{reason or 'ready'}\n", 503 if reason else 200, content_type="text/plain")

    @face.get("/metrics")
    def metrics() -> Response:
        if not gate.opens_metrics(request.headers.get("Authorization", "")):
            gate.check_root(_signed(b""))
        text, content_type = services.exposition()
        return Response(text, content_type=content_type)


def _add_accounts(face: Blueprint, gate: Gate, control: Control) -> None:
    @face.get("/admin/v1/accounts")
    def list_accounts() -> Response:
        gate.check_root(_signed(_body()))
        return _json({"accounts": [_shown(account) for account in control.accounts()]})

    @face.post("/admin/v1/accounts")
    def create_account() -> Response:
        body = _body()
        gate.check_root(_signed(body))
        return _json(_created(control.create(_wanted(body))), 201)

    @face.delete("/admin/v1/accounts/<name>")
    def delete_account(name: str) -> Response:
        gate.check_root(_signed(_body()))
        control.delete(name)
        return Response(status=204)


def _add_gc(face: Blueprint, gate: Gate, services: Services) -> None:
    @face.get("/admin/v1/gc")
    def gc_status() -> Response:
        gate.check_root(_signed(_body()))
        return _json(services.gc_status())

    @face.post("/admin/v1/gc")
    def gc_run() -> Response:
        gate.check_root(_signed(_body()))
        return _json(services.gc_run())


def _body() -> bytes:
    """The whole body. Raises S3Error MaxMessageLengthExceeded."""
    body = request.stream.read(ADMIN_BODY_BYTES_MAX + 1)
    if len(body) > ADMIN_BODY_BYTES_MAX:
        raise S3Error("MaxMessageLengthExceeded")
    return bytes(body)


def _signed(body: bytes) -> sigv4.SignedRequest:
    """The request as its signature covers it: the raw target, not the decoded path."""
    path, _, query = str(request.environ["RAW_URI"]).partition("?")
    headers = {name.lower(): value for name, value in request.headers.items()}
    return sigv4.SignedRequest(request.method, path, query, headers, sha256(body).hexdigest())


def _wanted(body: bytes) -> NewAccount:
    try:
        plain = json.loads(body)
    except ValueError:
        raise S3Error("InvalidRequest", "The body must be a JSON object.") from None
    if not isinstance(plain, dict) or not all(isinstance(value, str) for value in plain.values()):
        raise S3Error("InvalidRequest", "The body must be a JSON object of texts.")
    unknown = sorted(plain.keys() - _CHOICES)
    if unknown:
        raise S3Error("InvalidArgument", f"There is no choice named {unknown[0]}.")
    return NewAccount(**{"name": "", **plain})


def _shown(account: Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "account_id": account.account_id,
        "canonical_id": account.canonical_id,
        "display_name": account.display_name or account.name,
        "email": account.email,
        "created_ms": account.created_ms,
        "root": account.root,
        "access_keys": [key.access_key for key in account.keys],
    }


def _created(created: CreatedAccount) -> dict[str, Any]:
    return {**_shown(created.account), "access_key": created.access_key, "secret_key": created.secret_key}


def plain(value: Any) -> Mapping[str, Any]:
    """A value of a service as JSON values."""
    return asdict(value)


def _json(content: Mapping[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(content) + "\n", status, content_type="application/json")


def _error(status: int, code: str, message: str) -> Response:
    return _json({"code": code, "message": message}, status)
