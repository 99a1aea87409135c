"""Who may use the admin face.

Knows credentials' form and the signed request as WSGI has it. Must not know what any path does. The service of a
signature's scope is this face's own, so that no request captured on its way to S3 is worth anything here.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from flask import request

from app.core.auth import sigv4
from app.core.cluster import Account, ClusterState, holder_of
from app.core.errors import S3Error
from app.core.limits import ADMIN_BODY_BYTES_MAX

SERVICE: Final = "zapfs"


@dataclass(frozen=True, slots=True)
class Gate:
    """Who may pass: root by its signature (SigV4, service zapfs), a scraper by its token.

    `state` and `secret_of(access_key, sealed)` give what a signature is checked against. `metrics_open` lets anybody
    read the metrics; `metrics_token` of "" opens them to no token.
    """

    state: Callable[[], ClusterState]
    secret_of: Callable[[str, bytes], str]
    now_s: Callable[[], float]
    metrics_token: str = ""
    metrics_open: bool = False

    def check_root(self, asked: sigv4.SignedRequest) -> None:
        """Raises S3Error: AccessDenied when unsigned or not root, else what is wrong with the signature."""
        claim = sigv4.parse(asked, SERVICE)
        # A presigned URL may live for a week, and is made to be handed on.
        if claim is None or claim.expires_s is not None:
            raise S3Error("AccessDenied", f"Sign this request with the root credentials (SigV4, service {SERVICE}).")
        account, user = holder_of(self.state(), claim.access_key) or (None, None)
        sigv4.verify(claim, asked, self._secret(account, claim.access_key), self.now_s())
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

    def admitted(self) -> bytes:
        """The body of a request of root's. Raises S3Error for anybody else's."""
        content = body()
        self.check_root(signed(content))
        return content


def body() -> bytes:
    """The whole body of the request. Raises S3Error MaxMessageLengthExceeded."""
    content = request.stream.read(ADMIN_BODY_BYTES_MAX + 1)
    if len(content) > ADMIN_BODY_BYTES_MAX:
        raise S3Error("MaxMessageLengthExceeded")
    return bytes(content)


def signed(content: bytes) -> sigv4.SignedRequest:
    """The request as its signature covers it: the raw target, not the decoded path."""
    path, _, query = str(request.environ["RAW_URI"]).partition("?")
    headers = {name.lower(): value for name, value in request.headers.items()}
    return sigv4.SignedRequest(request.method, path, query, headers, sha256(content).hexdigest())
