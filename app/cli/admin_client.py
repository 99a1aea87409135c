"""Requests to an admin face: signed (SigV4) or with a bearer token, and what came back.

Knows HTTP, signatures and the form of errors. Must not know what a path means, or where credentials come from
(admin_identity.py).
"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from http.client import HTTPException
from typing import Any, Final, NoReturn
from urllib.parse import quote, urlsplit

from app.core.auth import canonical, timestamps

_SECONDS_MAX: Final = 60  # a collection may take a while
_SERVICE: Final = "zapfs"  # the admin face's own: see app/faces/http/admin/gate.py
_WHERE: Final = "of a cluster, gateways have buckets, lifecycle, gc and requests, managers the rest"
_NOT_NOW: Final = frozenset({429, 502, 503, 504, 507})


class Refused(Exception):
    """The server answered with an error; the text is its code and message."""


class Unreachable(Refused):
    """There was no answer, or the server cannot serve now: the same may succeed later."""


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom to ask: a key (`session_token` goes with a temporary one), or a bearer `token`, which wins."""

    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """Raises ValueError, which does not quote them, for credentials that no header takes."""
        if not all(one.isascii() and one.isprintable() for one in (self.access_key, self.session_token, self.token)):
            raise ValueError("the access key or token has characters that none has")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """An admin face sends nobody elsewhere; who does is not to be handed the credentials too."""

    def redirect_request(self, *_: Any) -> None:
        """Without another request the answer stays the error that it is."""


_OPENER: Final = urllib.request.build_opener(_NoRedirects)


class AdminClient:
    """Requests to one admin face in one name."""

    def __init__(self, endpoint: str, identity: Identity, region: str) -> None:
        """Raises ValueError for an endpoint that is no address of HTTP."""
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError(f"the endpoint must be http://HOST:PORT or https://HOST:PORT, not {endpoint!r}")
        self._endpoint = endpoint.rstrip("/")
        self._identity = identity
        self._region = region

    def ask(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> Any:
        """The answer's JSON, None when it has none. Raises Refused."""
        text = self.send(method, path, b"" if content is None else json.dumps(content).encode())
        try:
            answer = json.loads(text) if text else None
        except ValueError:
            self._is_no_face("with something else than JSON")
        if answer is not None and not isinstance(answer, dict):
            self._is_no_face("with something else than an object")
        return answer

    def ask_all(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> Any:
        """As `ask`, with every page of a list in one answer. Raises Refused."""
        answer = self.ask(method, path, content)
        whole = answer
        while isinstance(answer, dict) and isinstance(answer.get("next"), str) and answer["next"]:
            further = f"{path}{'&' if '?' in path else '?'}after={quote(answer['next'], '')}"
            answer = self.ask(method, further, content)
            for name, value in answer.items():
                whole[name] = whole[name] + value if isinstance(value, list) else value
        return whole

    def send(self, method: str, path: str, body: bytes = b"") -> bytes:
        """The answer's bytes. Raises Refused."""
        request = urllib.request.Request(  # noqa: S310 -- the operator's own endpoint
            self._endpoint + path, body or None, self._headers(method, path, body), method=method
        )
        try:
            with _OPENER.open(request, timeout=_SECONDS_MAX) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            self._refuse(error, f"{method} {path.partition('?')[0]}")
        except HTTPException as error:
            raise Unreachable(f"{self._endpoint} broke off, or speaks no HTTP: {type(error).__name__}") from error
        except (OSError, ValueError) as error:
            raise Unreachable(f"{self._endpoint} does not answer: {getattr(error, 'reason', error)}") from error

    def _refuse(self, error: urllib.error.HTTPError, asked: str) -> NoReturn:
        """Raises Refused or Unreachable, by what an answer of an error says."""
        try:
            told = json.loads(error.read())
            code, reason = told["error"], f"{told['error']}: {told['message']}"
        except (ValueError, KeyError, TypeError, OSError, HTTPException):
            if error.code in _NOT_NOW:
                raise Unreachable(f"{self._endpoint} answered {error.code}") from error
            self._is_no_face(f"{error.code}")
        if code == "NoSuchPath":
            reason = f"{code}: {self._endpoint} has no {asked}; {_WHERE}"
        raise (Unreachable if error.code in _NOT_NOW else Refused)(reason) from error

    def _is_no_face(self, how: str) -> NoReturn:
        raise Unreachable(f"{self._endpoint} answers, but no admin face does ({how})")

    def _headers(self, method: str, path: str, body: bytes) -> dict[str, str]:
        kind = {"content-type": "application/json"}
        if self._identity.token:
            return {"authorization": f"Bearer {self._identity.token}", **kind}
        return {**self._signed(method, path, body), **kind}

    def _signed(self, method: str, path: str, body: bytes) -> dict[str, str]:
        """The headers of a signed request, Authorization among them."""
        target, _, query = path.partition("?")
        timestamp = timestamps.basic(time.time())
        digest = sha256(body).hexdigest()  # sent too: a large body is read for who signed its hash only
        headers = {"host": urlsplit(self._endpoint).netloc, "x-amz-content-sha256": digest, "x-amz-date": timestamp}
        if self._identity.session_token:
            headers["x-amz-security-token"] = self._identity.session_token
        signed = ";".join(sorted(headers))
        meant = canonical.path(target), canonical.query(canonical.pairs(query))
        scope = (timestamp[:8], self._region, _SERVICE)
        text = canonical.string_to_sign(
            timestamp,
            "/".join((*scope, "aws4_request")),
            canonical.request(method, meant, headers, signed, digest),
        )
        signature = canonical.sign(canonical.signing_key(self._identity.secret_key, *scope), text)
        credential = f"{self._identity.access_key}/{'/'.join(scope)}/aws4_request"
        headers["authorization"] = (
            f"{canonical.ALGORITHM} Credential={credential}, SignedHeaders={signed}, Signature={signature}"
        )
        return headers
