"""Who may use the admin face, and the one way in: `Gate.handle` admits, asks the endpoint, answers and tells.

Knows credentials' form, the signed request as WSGI has it, and whose account a call is about. Must not know what any
endpoint does. The service of a signature's scope is this face's own, so that no request captured on its way to S3 is
worth anything here.
"""

import hmac
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final, NamedTuple

from flask import Response, request
from pydantic import BaseModel, ValidationError

from app.core.auth import sigv4
from app.core.errors import S3Error
from app.core.limits import ADMIN_BODY_BYTES_MAX
from app.faces.http.admin.endpoints import NO_KEYS, SYSTEM, Asked, Endpoint, Raw
from app.faces.http.admin.json_wire import answer
from app.ports.cluster import Cluster
from app.services.call import Call, Caller, Facts, Sources, Stages
from app.services.gate.callers import Callers
from app.services.gate.permits import Deed, demand, on_entity
from app.services.gate.slowing import Slowing
from app.services.identity.commanding import CommandRefused
from app.services.identity.tokens import PREFIX, BearerTokens

SERVICE: Final = "zapfs"
_LARGE_BYTES: Final = 1 << 20  # a body of more is read for who is believed only
_GUESSES: Final = frozenset(
    {"SignatureDoesNotMatch", "InvalidAccessKeyId", "InvalidToken", "InvalidBearerToken", "AccessDenied"}
)
_BEARER: Final = "bearer "
_OF_TOKENS: Final = "bearer tokens"  # counted as one access key, which no key is called
_OPERATORS_ONLY: Final = "Only the operator's account may do this."


class Told(NamedTuple):
    """One call of an endpoint that is over, for the audit log: no body and no header is in it, so no secret is.

    `arn`, `account_id`, `access_key_id`: of who asked, "" for somebody who was not believed. `error`: the code, "" for
    success.
    """

    request_id: str
    at_ms: int
    action: str
    resource: str
    arn: str
    account_id: str
    access_key_id: str
    remote: str
    status: int
    error: str


Tell = Callable[[Told], object]


class Scraping(NamedTuple):
    """Who reads the metrics without a signature: whoever has the token ("" is none), or where `open` anybody."""

    token: str = ""
    open: bool = False


class Gate:
    """One per process. `tell`: is told of each call when it is over. `bearers`: None where no token is believed."""

    def __init__(
        self,
        cluster: Cluster,
        callers: Callers,
        sources: Sources,
        *,
        scraping: Scraping = Scraping(),  # noqa: B008 -- a value that cannot change
        tell: Tell = lambda _: None,
        bearers: BearerTokens | None = None,
    ) -> None:
        self._cluster = cluster
        self._callers = callers
        self._sources = sources
        self._scraping = scraping
        self._tell = tell
        self._bearers = bearers
        self._slowing = Slowing(sources.now_ms)

    def handle(self, endpoint: Endpoint, names: Mapping[str, str]) -> Response:
        """One call: who asks, whether they may, what it answers. What is raised is answered by the face's error edge
        (`admin_application`), and told first."""
        call = Call(NOBODY_YET, self._sources.new_id()[-8:].hex().upper(), self._sources.now_ms(), Stages())
        resource, status, error = "", 500, "InternalError"
        try:
            self._check_ahead(endpoint)
            content = body(endpoint.body_bytes_max)
            call = call._replace(caller=self.caller(content), facts=_facts())
            account, account_id = self._about(endpoint, call.caller)
            meant = _meant(endpoint, content)
            resource = endpoint.arn(account_id, names, meant)
            for deed in _deeds(endpoint, Deed("", resource, account_id), names, meant):
                demand(call, deed)
            made = endpoint.answers(Asked(call, account, names, request.args, meant, content))
            response = _answered(endpoint, made)
            status, error = response.status_code, ""
        except Exception as raised:
            status, error = getattr(raised, "status", 500), getattr(raised, "code", type(raised).__name__)
            raise
        finally:
            identity = call.caller.identity
            self._tell(
                Told(
                    call.request_id,
                    call.now_ms,
                    endpoint.action,
                    resource,
                    identity.arn,
                    identity.account_id,
                    call.caller.access_key_id,
                    request.remote_addr or "",
                    status,
                    error,
                )
            )
        response.headers["x-amz-request-id"] = call.request_id
        return response

    def _check_ahead(self, endpoint: Endpoint) -> None:
        """A body that is large is read for somebody only: who signed the hash it is said to have. The hash it has is
        checked with everybody's."""
        if endpoint.body_bytes_max > _LARGE_BYTES and (request.content_length or _LARGE_BYTES + 1) > _LARGE_BYTES:
            said = request.headers.get("x-amz-content-sha256", "")
            if not said:
                raise S3Error("AccessDenied", "Send x-amz-content-sha256 with a body of this size.")
            self._signer(_asked(said))

    def caller(self, content: bytes) -> Caller:
        """Who signed the request, or has a bearer token. Raises S3Error: AccessDenied when nobody did, else what is
        wrong with signature or token; TooManyFailures while nobody is heard from there."""
        return self._signer(signed(content))

    def _signer(self, asked: sigv4.SignedRequest) -> Caller:
        if (token := bearer_token()) is not None:
            return self._slowed(_OF_TOKENS, lambda: self._bearer(token))
        claim = sigv4.parse(asked, SERVICE)
        # A presigned URL may live for a week, and is made to be handed on.
        if claim is None or claim.expires_s is not None:
            raise S3Error("AccessDenied", f"Sign this request (SigV4, service {SERVICE}).")
        return self._slowed(claim.access_key, lambda: self._verified(claim, asked))

    def _verified(self, claim: sigv4.Claim, asked: sigv4.SignedRequest) -> Caller:
        known = self._callers.find(claim.access_key, claim.token)
        sigv4.verify(claim, asked, None if known is None else known.secret, self._sources.now_ms() / 1000)
        if known is None:
            raise S3Error("InvalidAccessKeyId")
        return known.caller

    def _bearer(self, token: str) -> Caller:
        if not token.startswith(PREFIX):
            raise S3Error("InvalidBearerToken", "This is no token of this face.")
        opened = None if self._bearers is None else self._bearers.opened(token)
        known = None if opened is None else self._callers.find(opened.access_key)
        if opened is None or known is None or known.secret is None or not opened.is_of(known.secret):
            raise S3Error("InvalidBearerToken", reason="whose token it is, is gone or disabled")
        return known.caller

    def _slowed(self, access_key: str, believe: Callable[[], Caller]) -> Caller:
        """Who is believed. A guess is counted, and after some of them the next is not even looked at."""
        address = request.remote_addr or ""
        self._slowing.check(address, access_key)
        try:
            caller = believe()
        except S3Error as error:
            if error.code in _GUESSES:
                self._slowing.failed(address, access_key)
            raise
        self._slowing.believed(address, access_key)
        return caller

    def _about(self, endpoint: Endpoint, caller: Caller) -> tuple[str, str]:
        """Name and id of the account a call is about. Raises AccessDenied for another one than the caller's."""
        state = self._cluster.state()
        own = state.accounts[state.by_account_id[caller.account_id]]
        if own.root:
            name = request.args.get("account", own.name)
            if name not in state.accounts:
                raise CommandRefused("NoSuchEntity", f"The account with name {name} cannot be found.")
            return name, "" if endpoint.scope == SYSTEM else state.accounts[name].account_id
        if endpoint.scope == SYSTEM or request.args.get("account", own.name) != own.name:
            raise S3Error("AccessDenied", _OPERATORS_ONLY)
        return own.name, own.account_id

    def opens_metrics(self, authorization: str) -> bool:
        """Whether /metrics is open to a request with this Authorization header, without a signature."""
        wanted = f"Bearer {self._scraping.token}".encode()
        return self._scraping.open or (
            bool(self._scraping.token) and hmac.compare_digest(authorization.encode("latin-1", "replace"), wanted)
        )

    def admitted(self) -> bytes:
        """The body of a request of root's. Raises S3Error for anybody else's."""
        content = body()
        caller = self.caller(content)
        if not caller.root or caller.session is not None:
            raise S3Error("AccessDenied", "Only the root account administers.")
        return content


def _deeds(endpoint: Endpoint, deed: Deed, names: Mapping[str, str], meant: Any) -> Iterator[Deed]:
    """Everything a call is, all of which must be allowed. `deed`: its resource and account."""
    there = None if endpoint.there is None else endpoint.there(deed.account_id, names)
    keys = NO_KEYS if endpoint.keys is None else endpoint.keys(names, meant)
    yield on_entity(replace(deed, action=f"admin:{endpoint.action}", keys=keys), there)
    if endpoint.also is not None:
        for one in endpoint.also(deed.account_id, names, meant):
            action = f"admin:{one.action or endpoint.action}"
            yield on_entity(Deed(action, one.resource, deed.account_id, one.keys), there)


NOBODY_YET: Final = Caller("", "", "", "")


def _facts() -> Facts:
    headers = {name.lower(): value for name, value in request.headers.items()}
    signed_by = ("", "") if bearer_token() is not None else ("REST-HEADER", "AWS4-HMAC-SHA256")
    return Facts(headers, request.args, request.remote_addr or "", False, *signed_by)


def bearer_token() -> str | None:
    """The token a request has instead of a signature (RFC 6750, 2.1)."""
    said = request.headers.get("Authorization", "")
    return said[len(_BEARER) :].strip() if said[: len(_BEARER)].lower() == _BEARER else None


def _meant(endpoint: Endpoint, content: bytes) -> Any:
    """The body as the endpoint's shape. Raises S3Error InvalidRequest naming the first field that is wrong."""
    if endpoint.body is None:
        return None
    try:
        return endpoint.body.model_validate_json(content or b"{}")
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise S3Error("InvalidRequest", f"{where}: {first['msg']}" if where else first["msg"]) from None


def _answered(endpoint: Endpoint, made: BaseModel | Raw | None) -> Response:
    if made is None:
        return Response(status=204)
    if isinstance(made, Raw):
        return Response(made.content, endpoint.status, content_type=made.content_type)
    return answer(made.model_dump(mode="json"), endpoint.status)


def body(bytes_max: int = ADMIN_BODY_BYTES_MAX) -> bytes:
    """The whole body of the request. Raises S3Error MaxMessageLengthExceeded."""
    content = request.stream.read(bytes_max + 1)
    if len(content) > bytes_max:
        raise S3Error("MaxMessageLengthExceeded")
    return bytes(content)


def signed(content: bytes) -> sigv4.SignedRequest:
    """The request as its signature covers it: the raw target, not the decoded path."""
    return _asked(sha256(content).hexdigest())


def _asked(digest: str) -> sigv4.SignedRequest:
    path, _, query = str(request.environ["RAW_URI"]).partition("?")
    headers = {name.lower(): value for name, value in request.headers.items()}
    return sigv4.SignedRequest(request.method, path, query, headers, digest)
