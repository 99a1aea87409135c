"""Who calls, and what their signature says of the body.

Knows accounts, users, signatures and framings. Must not know whose a bucket is, what a caller may do
(services/gate/guard) or wires.

Every request with a signature has it verified before anything else is looked at, whatever its payload is (the rules of
S3_SURFACE.md). A caller without one is NOBODY; a malformed claim is an error, never nobody.
"""

from collections.abc import Mapping
from typing import NamedTuple

from app.core import integrity
from app.core.auth import payload, post_policy, sigv2, sigv4
from app.core.auth.canonical import ALGORITHM
from app.core.auth.stream import AwsChunkedBody
from app.core.body import Body
from app.core.checksums import Hasher
from app.core.errors import S3Error
from app.core.limits import OFFLOAD_BYTES_MIN
from app.runtime.offload import Offload
from app.services.call import NOBODY, Caller
from app.services.gate.callers import Callers
from app.services.objects.objects import Incoming


class Identity(NamedTuple):
    """A caller whose claim was verified; `seed` signs the frames of a streamed body, None but in version 4.

    The rest is what policies ask of the claim, see `Facts` (services/call).
    """

    caller: Caller
    seed: sigv4.Seed | None
    auth_type: str = ""
    signature_version: str = ""
    signature_age_ms: int | None = None

    def __repr__(self) -> str:
        """Without the seed, which holds a signing key."""
        return f"Identity({self.caller!r})"


ANONYMOUS = Identity(NOBODY, None)


class Access:
    """Authenticates requests from memory: no store is asked. One per worker process."""

    def __init__(self, callers: Callers, offload: Offload) -> None:
        self._callers = callers
        self._offload = offload

    def authenticate(self, request: sigv4.SignedRequest, now_ms: int) -> Identity:
        """Believe the request's claim, or raise: AccessDenied (expired, unsigned headers), InvalidAccessKeyId (also
        for an inactive key), SignatureDoesNotMatch, RequestTimeTooSkewed, InvalidToken, ExpiredToken and what a
        malformed claim is answered with. ANONYMOUS for a request without a claim."""
        claim = sigv2.parse(request) or sigv4.parse(request)
        if claim is None:
            return ANONYMOUS
        known = self._callers.find(claim.access_key, claim.token)
        secret = None if known is None else known.secret
        if isinstance(claim, sigv2.Claim):
            sigv2.verify(claim, request, secret, now_ms / 1000)
        else:
            sigv4.verify(claim, request, secret, now_ms / 1000)
        if known is None or secret is None:
            raise S3Error("InvalidAccessKeyId")
        if isinstance(claim, sigv2.Claim):
            return Identity(known.caller, None, _auth_type(claim.presigned), "AWS")
        presigned = claim.expires_s is not None
        age_ms = now_ms - claim.time_s * 1000 if presigned else None
        return Identity(known.caller, sigv4.seed(claim, secret), _auth_type(presigned), ALGORITHM, age_ms)

    def authenticate_query(self, request: sigv4.SignedRequest, service: str, now_ms: int) -> Identity:
        """Believe a request of the query API, whose body the signature covers (`body_sha256`): version 4 only, for that
        service. Raises as `authenticate`; ANONYMOUS for a request without a claim."""
        claim = sigv4.parse(request, service)
        if claim is None:
            return ANONYMOUS
        known = self._callers.find(claim.access_key, claim.token)
        sigv4.verify(claim, request, None if known is None else known.secret, now_ms / 1000)
        if known is None:
            raise S3Error("InvalidAccessKeyId")
        presigned = claim.expires_s is not None
        age_ms = now_ms - claim.time_s * 1000 if presigned else None
        return Identity(known.caller, None, _auth_type(presigned), ALGORITHM, age_ms)

    def authenticate_form(self, claim: post_policy.Claim) -> Identity:
        """Believe the claim of an HTML form, or raise InvalidAccessKeyId, SignatureDoesNotMatch, InvalidToken,
        ExpiredToken."""
        known = self._callers.find(claim.access_key, claim.token)
        secret = None if known is None else known.secret
        post_policy.verify(claim, secret)
        if known is None:
            raise S3Error("InvalidAccessKeyId")
        return Identity(known.caller, None, "POST", "AWS" if claim.scope is None else ALGORITHM)

    def incoming(self, identity: Identity, headers: Mapping[str, str], body: Body) -> Incoming:
        """The body as content: aws-chunked framing taken off and verified, with what the client declared about it.

        Reads nothing yet. Raises MissingContentLength, InvalidDigest, InvalidRequest for malformed declarations.
        """
        declared = integrity.parse(headers)
        framing = payload.framing_of(headers)
        if framing is None:
            return Incoming(body, declared)
        decoded = AwsChunkedBody(
            body,
            payload.decoded_length(headers),
            framing,
            seed=identity.seed,
            announced=payload.announced_trailers(headers),
            hash_update=self._hash_update,
        )
        return Incoming(decoded, declared, lambda: decoded.trailers)

    def _hash_update(self, hasher: Hasher, view: memoryview) -> None:
        """Signed frames are hashed as they arrive; big pieces off the hub's thread."""
        if len(view) < OFFLOAD_BYTES_MIN:
            hasher.update(view)
        else:
            self._offload.call(hasher.update, view)


def _auth_type(presigned: bool) -> str:
    return "REST-QUERY-STRING" if presigned else "REST-HEADER"
