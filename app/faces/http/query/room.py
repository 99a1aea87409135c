"""The room of the query API: a form to its action, signed as IAM or STS wants it, and what comes of it to a document.

Knows the order (form, service, signature, action) and the error edge of this API. Must not know what actions do. A
service is a table of actions for one Version; further ones join by their tables.
"""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from app.core.auth.sigv4 import SignedRequest
from app.core.errors import Full, S3Error, Unavailable
from app.core.limits import QUERY_BODY_BYTES_MAX
from app.faces.http.query import answers
from app.faces.http.query.answers import Values
from app.faces.http.query.form import Form, is_form, read_form
from app.faces.http.wire import Request, Response, held
from app.services.call import NOBODY, Call
from app.services.gate.access import ANONYMOUS, Access, Identity
from app.services.identity.commanding import CommandRefused

Action = Callable[[Call, Form], Values]
_XML: Final = ("Content-Type", "text/xml")


class Service(NamedTuple):
    """`name`: as signatures' scopes have it. `unsigned`: actions strangers may ask; `presigned`: those a URL may."""

    name: str
    version: str
    namespace: str
    actions: Mapping[str, Action]
    unsigned: frozenset[str] = frozenset()
    presigned: frozenset[str] = frozenset()


class Noted(NamedTuple):
    """What the door tells of a request: "sts:AssumeRole", "" before that is known."""

    operation: str
    identity: Identity
    error: S3Error | None


class QueryRoom:
    """One per worker process."""

    def __init__(self, services: Sequence[Service], access: Access) -> None:
        self._services = {service.version: service for service in services}
        self._access = access

    def is_meant(self, request: Request) -> bool:
        """Whether a request is for this room. Asked of every request."""
        return request.target[:2] in ("/", "/?") and is_form(
            request.method, request.target, request.headers.get("content-type", "")
        )

    def answer(self, request: Request, call: Call, note: Callable[[Noted], None]) -> Response:
        """`call`: of nobody yet. Bugs pass through; everything else is answered."""
        namespace, operation, identity = "", "CallIdentityService", ANONYMOUS
        try:
            body, form = _form(request)
            service, action = self._action(form)
            namespace, operation = service.namespace, f"{service.name}:{form['Action']}"
            identity = self._believed(request, body, service, form["Action"], call.now_ms)
            facts = call.facts._replace(auth_type=identity.auth_type, signature_version=identity.signature_version)
            values = action(call._replace(caller=identity.caller, facts=facts), form)
            document = answers.result(form["Action"], namespace, values, call.request_id)
            note(Noted(operation, identity, None))
            return Response(200, [_XML], (document,), len(document))
        except S3Error as raised:
            note(Noted(operation, identity, raised))
            return _refusal(call, namespace, raised.code, raised.status, raised.message)
        except CommandRefused as raised:
            told = S3Error("InvalidRequest", reason=f"{raised.code}: {raised.message}")
            note(Noted(operation, identity, told))
            return _refusal(call, namespace, raised.code, raised.status, raised.message)
        except (Full, Unavailable) as raised:
            note(Noted(operation, identity, S3Error("ServiceUnavailable", reason=str(raised))))
            return _refusal(call, namespace, "ServiceUnavailable", 503, "Please try again.")

    def _action(self, form: Form) -> tuple[Service, Action]:
        service = self._services.get(form.get("Version", ""))
        action = None if service is None else service.actions.get(form.get("Action", ""))
        if service is None or action is None:
            name = form.get("Action", "")[:80]
            text = f"Could not find operation {name} for version {form.get('Version', '')[:20]}"
            raise CommandRefused("InvalidAction", text)
        return service, action

    def _believed(self, request: Request, body: bytes, service: Service, action: str, now_ms: int) -> Identity:
        path, _, query = request.target.partition("?")
        signed = SignedRequest(request.method, path, query, request.headers, sha256(body).hexdigest())
        identity = self._access.authenticate_query(signed, service.name, now_ms)
        if identity.caller is NOBODY and action not in service.unsigned:
            raise S3Error("MissingAuthenticationToken")
        if identity.signature_age_ms is not None and action not in service.presigned:
            # A URL may live for a week, and is made to be handed on.
            raise S3Error("AccessDenied", "Sign this request in its header.")
        return identity


def _form(request: Request) -> tuple[bytes, Form]:
    """The body, and the form in it, or in the query where there is none."""
    declared = request.body.length
    if declared is not None and declared > QUERY_BODY_BYTES_MAX:
        raise S3Error("MaxMessageLengthExceeded")
    found = held(request.body, QUERY_BODY_BYTES_MAX)
    if found is None:
        raise S3Error("MaxMessageLengthExceeded")
    body = bytearray(found.length or 0)
    found.receive(memoryview(body))
    encoded = bytes(body) or request.target.partition("?")[2].encode("latin-1")
    return bytes(body), read_form(encoded)


def _refusal(call: Call, namespace: str, code: str, status: int, message: str) -> Response:
    code, status, message = answers.named(code, status, message)
    document = answers.error(code, status, message, namespace, call.request_id)
    return Response(status, [_XML], (document,), len(document))
