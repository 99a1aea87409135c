"""Who calls, and what their signature says of the body.

Knows accounts, signatures and framings. Must not know whose a bucket is (services/buckets does) or wires.

Every request with a signature has it verified before anything else is looked at, whatever its payload is (the rules of
S3_SURFACE.md). A caller without one is nobody in this release: AccessDenied.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from app.core import integrity
from app.core.auth import payload, sigv2, sigv4
from app.core.auth.stream import AwsChunkedBody
from app.core.body import Body
from app.core.checksums import Hasher
from app.core.cluster import Account
from app.core.errors import S3Error
from app.core.limits import OFFLOAD_BYTES_MIN
from app.ports.cluster import Cluster
from app.runtime.offload import Offload
from app.services.call import Caller
from app.services.objects import Incoming

Unseal = Callable[[str, bytes], str]
"""(access key, sealed secret) -> secret. Raises Corrupt."""


class Identity(NamedTuple):
    """A caller whose claim was verified; `seed` signs the frames of a streamed body, None in a URL of version 2."""

    caller: Caller
    seed: sigv4.Seed | None

    def __repr__(self) -> str:
        """Without the seed, which holds a signing key."""
        return f"Identity({self.caller!r})"


class Access:
    """Authenticates requests from memory: no store is asked. One per worker process."""

    def __init__(self, cluster: Cluster, unseal: Unseal, offload: Offload) -> None:
        self._cluster = cluster
        self._unseal = unseal
        self._offload = offload

    def authenticate(self, request: sigv4.SignedRequest, now_ms: int) -> Identity:
        """Believe the request's claim or raise: AccessDenied (anonymous, expired, unsigned headers),
        InvalidAccessKeyId, SignatureDoesNotMatch, RequestTimeTooSkewed and what a malformed claim is answered with."""
        claim = sigv2.parse(request) or sigv4.parse(request)
        if claim is None:
            raise S3Error("AccessDenied", reason="anonymous")
        account = self._cluster.state().by_access_key.get(claim.access_key)
        secret = None if account is None else self._secret(account, claim.access_key)
        seed = None
        if isinstance(claim, sigv2.Claim):
            sigv2.verify(claim, request, secret, now_ms / 1000)
        else:
            sigv4.verify(claim, request, secret, now_ms / 1000)
            seed = None if secret is None else sigv4.seed(claim, secret)
        if account is None:
            raise S3Error("InvalidAccessKeyId")
        return Identity(_caller(account, claim.access_key), seed)

    def _secret(self, account: Account, access_key: str) -> str | None:
        for key in account.keys:
            if key.access_key == access_key and key.active:
                return self._unseal(access_key, key.sealed_secret)
        return None

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


def _caller(account: Account, access_key: str) -> Caller:
    return Caller(
        account_id=account.account_id,
        canonical_id=account.canonical_id,
        display_name=account.display_name or account.name,
        access_key_id=access_key,
        root=account.root,
    )
