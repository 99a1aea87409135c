"""OIDC issuers over HTTPS: discovery, their keys, and the verification of their tokens (PyJWT).

Knows JWT and JWKS. Must not know accounts or roles. Whoever may register a provider says which host is asked, and
strangers say when: so what is asked is a GET without anything of ours in it, to https on an address that is not this
machine's own (but in development), of bounded size and time, and not again before a while has passed; the answer is
shown to nobody, and redirects are not followed.
Sources: https://openid.net/specs/openid-connect-discovery-1_0.html, RFC 7515, 7517, 7519, 8725.
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from app.core import limits
from app.core.errors import Unavailable
from app.ports.federation import IdentityRefused

ALGORITHMS: Final = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", "")),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
}
"""Of signatures believed -> the kind and curve of their keys. None of them is "none", none has a shared secret."""
_RSA_BITS_MIN: Final = 2048
_CLOCK_LEEWAY_SECONDS: Final = 60
_DISCOVERY: Final = "/.well-known/openid-configuration"

Fetch = Callable[[str], bytes]
"""URL -> the body of its 200. Raises Unavailable."""


class _Keys(NamedTuple):
    """An issuer's keys by id. `at_s`: when they were asked for; `failed`: why there are none, "" if there are."""

    at_s: float
    by_id: Mapping[str, dict[str, Any]]
    failed: str = ""


class OidcIssuers:
    """WebIdentities. `monotonic`: seconds; `now_s`: since the epoch. `plain_http`: issuers at http:// are asked too."""

    def __init__(
        self, fetch: Fetch, monotonic: Callable[[], float], now_s: Callable[[], float], *, plain_http: bool = False
    ) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._now_s = now_s
        self._schemes = ("https://", "http://") if plain_http else ("https://",)
        self._known: OrderedDict[str, _Keys] = OrderedDict()
        self._asked: dict[str, threading.Lock] = {}  # issuers being asked, each once at a time
        self._asking = threading.BoundedSemaphore(limits.OIDC_ASKED_AT_ONCE_MAX)

    def issuer_of(self, token: str) -> str:
        """See WebIdentities."""
        if len(token) > limits.OIDC_TOKEN_CHARS_MAX:
            raise _invalid("The token is too long.")
        try:
            told = jwt.decode(token, options={"verify_signature": False})
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise _invalid("The token is no JSON Web Token.") from None
        issuer = told.get("iss")
        if not isinstance(issuer, str) or not issuer.startswith(self._schemes):
            raise _invalid("The token names no issuer by an https URL.")
        return issuer

    def claims(self, token: str, issuer: str, audiences: tuple[str, ...]) -> Mapping[str, object]:
        """See WebIdentities."""
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise _invalid("The token is no JSON Web Token.") from None
        algorithm = header.get("alg")
        if algorithm not in ALGORITHMS:
            raise _invalid("The token is not signed in a way that is believed.")
        key = self._key(issuer, str(header.get("kid", "")), algorithm)
        try:
            claims: dict[str, object] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                issuer=issuer,
                options={"require": ["iss", "sub", "aud", "exp", "iat"], "verify_aud": False, "verify_exp": False},
                leeway=_CLOCK_LEEWAY_SECONDS,
            )
        except (jwt.PyJWTError, ValueError):
            raise _invalid("Couldn't verify the token: its signature, issuer or times are wrong.") from None
        self._check(claims, audiences)
        return claims

    def _check(self, claims: Mapping[str, object], audiences: tuple[str, ...]) -> None:
        expires = claims["exp"]
        if not isinstance(expires, int | float) or expires + _CLOCK_LEEWAY_SECONDS <= self._now_s():
            raise IdentityRefused("ExpiredTokenException", "The token has expired.")
        audience = claims.get("azp") or claims["aud"]
        named = audience if isinstance(audience, list) else [audience]
        if not any(one in audiences for one in named if isinstance(one, str)):
            raise _invalid("Incorrect token audience")
        if not isinstance(claims["sub"], str) or not claims["sub"]:
            raise _invalid("The token names nobody.")

    def _key(self, issuer: str, key_id: str, algorithm: str) -> Any:
        found = self._find(self._keys(issuer), key_id, algorithm)
        if found is None:
            # Perhaps the issuer has changed its keys since.
            found = self._find(self._keys(issuer, limits.OIDC_REFRESH_SECONDS_MIN), key_id, algorithm)
        if found is None:
            raise _invalid("The issuer has no key of the token's.")
        try:
            key = jwt.PyJWK(found, algorithm).key
        except (jwt.PyJWTError, ValueError, KeyError, TypeError):
            raise _invalid("The issuer's key cannot be read.") from None
        if isinstance(key, RSAPublicKey) and key.key_size < _RSA_BITS_MIN:
            raise _invalid("The issuer's key is too short.")
        return key

    def _find(self, keys: _Keys, key_id: str, algorithm: str) -> dict[str, Any] | None:
        kind, curve = ALGORITHMS[algorithm]
        fitting = {
            name: key
            for name, key in keys.by_id.items()
            if key.get("kty") == kind
            and key.get("crv", "") == curve
            and key.get("use", "sig") == "sig"
            and key.get("alg", algorithm) == algorithm
        }
        if not key_id and len(fitting) == 1:
            return next(iter(fitting.values()))
        return fitting.get(key_id)

    def _keys(self, issuer: str, age_s_max: float = limits.OIDC_KEYS_SECONDS) -> _Keys:
        """The issuer's keys, asked for when they are older than that; what failed is not asked again for a while."""
        known = self._fresh(issuer, age_s_max)
        if known is None:
            if not self._asking.acquire(blocking=False):
                raise _away("Too many issuers are being asked. Try again.")
            try:
                with self._asked.setdefault(issuer, threading.Lock()):
                    known = self._fresh(issuer, age_s_max) or self._ask(issuer)
            finally:
                self._asked.pop(issuer, None)
                self._asking.release()
        if known.failed:
            raise _away(known.failed)
        return known

    def _fresh(self, issuer: str, age_s_max: float) -> _Keys | None:
        known = self._known.get(issuer)
        if known is None:
            return None
        most = limits.OIDC_RETRY_SECONDS if known.failed else age_s_max
        return known if self._monotonic() - known.at_s < most else None

    def _ask(self, issuer: str) -> _Keys:
        before = self._known.get(issuer)
        try:
            discovered = _object(self._fetch(issuer.rstrip("/") + _DISCOVERY))
            where = discovered.get("jwks_uri")
            if discovered.get("issuer") != issuer or not isinstance(where, str) or not where.startswith(self._schemes):
                raise ValueError("the issuer's configuration is another's")
            found = _object(self._fetch(where)).get("keys")
            keys = found[: limits.OIDC_KEYS_MAX] if isinstance(found, list) else []
            by_id = {str(key.get("kid", "")): key for key in keys if isinstance(key, dict)}
            known = _Keys(self._monotonic(), by_id)
        except (Unavailable, ValueError, RecursionError):
            # Keys once known are believed on: an issuer that is away has not taken them back.
            kept = before.by_id if before is not None else {}
            known = _Keys(self._monotonic(), kept, "" if kept else "The issuer's keys could not be fetched.")
        self._known[issuer] = known
        self._known.move_to_end(issuer)
        while len(self._known) > limits.OIDC_ISSUERS_KEPT_MAX:
            self._known.popitem(last=False)
        return known


def _object(document: bytes) -> dict[str, Any]:
    found = json.loads(document)
    if not isinstance(found, dict):
        raise ValueError("no JSON object")
    return found


def _invalid(message: str) -> IdentityRefused:
    return IdentityRefused("InvalidIdentityToken", message)


def _away(message: str) -> IdentityRefused:
    return IdentityRefused("IDPCommunicationError", message)
