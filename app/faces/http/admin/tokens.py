"""Bearer tokens: one call makes one. Knows a path and shapes only."""

from app.core.errors import S3Error
from app.core.limits import BEARER_SECONDS
from app.faces.http.admin.endpoints import Asked, Endpoint, Shape
from app.faces.http.admin.times import shown_time
from app.services.gate.callers import Callers
from app.services.identity.tokens import BearerTokens


class NewTokenShape(Shape):
    """`seconds`: how long it is to be good for, 900..43200."""

    seconds: int = BEARER_SECONDS


class TokenShape(Shape):
    """For `Authorization: Bearer`; shown this once."""

    token: str
    expires: str


def endpoints(bearers: BearerTokens, callers: Callers) -> list[Endpoint]:
    """Served by managers."""

    def create(asked: Asked) -> TokenShape:
        # A token that made the next one would never end.
        if not asked.call.facts.signature_version:
            raise S3Error("AccessDenied", "Sign this request: a token makes no tokens.")
        caller = asked.call.caller
        known = None if caller.session is not None else callers.find(caller.access_key_id)
        secret = "" if known is None or known.secret is None else known.secret
        made = bearers.mint(caller, secret, asked.body.seconds)
        return TokenShape(token=made.token, expires=shown_time(made.expires_ms))

    text = "A token worth what the access key is worth that signs this; it dies with the key."
    return [
        Endpoint("POST", "/tokens", "CreateToken", text, create, body=NewTokenShape, returned=TokenShape, status=201)
    ]
