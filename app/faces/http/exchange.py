"""One S3 request under way: what a handler is given, and what is recorded of it when it is over.

Knows shapes, and how a body that is a document is read. Must not know what any operation does.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from app.core import integrity
from app.core.errors import S3Error
from app.core.limits import HELD_BODY_BYTES_MAX
from app.core.s3.operation import Operation
from app.core.s3.version_ids import parse_version
from app.core.types import VersionPlace
from app.faces.http.wire import Headers, Request, Response, held
from app.services.call import Call, Caller, Stages
from app.services.gate.access import Access, Identity
from app.services.gate.guard import Guard
from app.services.objects.objects import Incoming, Target


class Exchange(NamedTuple):
    """A request for a known operation, by a caller who was believed or who is nobody."""

    request: Request
    operation: Operation
    call: Call
    identity: Identity
    access: Access

    @property
    def headers(self) -> Mapping[str, str]:
        return self.request.headers

    @property
    def parameters(self) -> Mapping[str, str]:
        return self.operation.parameters

    @property
    def expected_owner(self) -> str:
        """`x-amz-expected-bucket-owner`: an account's id, or "" when none is expected."""
        return self.request.headers.get("x-amz-expected-bucket-owner", "")

    def target(self) -> Target:
        """The object addressed. Raises InvalidArgument for a version that cannot be."""
        version = version_named(self.parameters.get("versionId"))
        return Target(self.operation.bucket, self.operation.key, version, self.expected_owner)

    def incoming(self, guard: Guard) -> Incoming:
        """The body as an object's content; reads nothing of it yet.

        But for a small one in HTTP's chunked coding, which tells no length: it is held whole, once the caller is known
        to be welcome in the bucket. Raises MissingContentLength for a larger one, and where nothing says that there is
        a body.
        """
        incoming = self.access.incoming(self.identity, self.headers, self.request.body)
        if incoming.body is not self.request.body or "content-length" in self.headers:
            return incoming
        if "transfer-encoding" not in self.headers:
            raise S3Error("MissingContentLength")
        guard.admit(self.call, self.operation.bucket, "s3:PutObject", self.operation.key, self.expected_owner)
        body = held(incoming.body, HELD_BODY_BYTES_MAX)
        if body is None:
            raise S3Error("MissingContentLength")
        return incoming._replace(body=body)

    def document(self, bytes_max: int, checksum_is_of_body: bool = True) -> bytes:
        """The body held whole, verified against what was declared of it.

        `checksum_is_of_body`: False where an `x-amz-checksum-*` header speaks of an object instead. Raises
        MaxMessageLengthExceeded, BadDigest and what the body raises.
        """
        headers = self.headers
        if not checksum_is_of_body:
            headers = {name: value for name, value in headers.items() if not name.startswith("x-amz-checksum-")}
        incoming = self.access.incoming(self.identity, headers, self.request.body)
        length = incoming.body.length
        if length is not None and length > bytes_max:
            raise _too_long(bytes_max)
        buffer = memoryview(bytearray(bytes_max + 1 if length is None else length))
        size = incoming.body.receive(buffer)
        if size > bytes_max or incoming.body.receive(memoryview(bytearray(1))):
            raise _too_long(bytes_max)
        document = bytes(buffer[:size])
        integrity.verify_body(incoming.integrity, document, incoming.trailers())
        return document


def _too_long(bytes_max: int) -> S3Error:
    return S3Error("MaxMessageLengthExceeded", fields={"MaxMessageLengthBytes": str(bytes_max)})


def version_named(text: str | None) -> VersionPlace | None:
    """The version a request names, None for the current one. Raises InvalidArgument for what is no version id."""
    return None if text is None else parse_version(text)


Handler = Callable[[Exchange], Response]
Cross = Callable[[str, str, Mapping[str, str]], Headers]
"""(bucket or "", method, headers): what the answer to a request with an Origin bears."""


class Surface(NamedTuple):
    """What a door serves: handlers by operation name, and what answers from other origins bear."""

    handlers: Mapping[str, Handler]
    cross: Cross | None = None


class Details(NamedTuple):
    """What an access log tells of a request besides, made only when a bucket keeps one; never part of the product's
    own log. `target`: as on the wire, without signatures, tokens and customers' keys. `requester`: ARN, "" for nobody.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html"""

    key: bytes
    version_id: str
    target: str
    canonical_id: str
    requester: str
    signature_version: str
    auth_type: str
    host: str
    user_agent: str
    referer: str
    host_id: str

    @classmethod
    def of(cls, request: Request, operation: Operation, identity: Identity, host_id: str) -> "Details":
        """From what the door knows at the request's end."""
        headers = request.headers
        return cls(
            key=operation.key,
            version_id=operation.parameters.get("versionId", ""),
            target=_SECRET.sub(r"\1=-", request.target),
            canonical_id=identity.caller.canonical_id,
            requester=identity.caller.identity.arn,
            signature_version=identity.signature_version,
            auth_type=identity.auth_type,
            host=headers.get("host", ""),
            user_agent=headers.get("user-agent", ""),
            referer=headers.get("referer", ""),
            host_id=host_id,
        )


_SECRET: Final = re.compile(
    r"(?i)(?<=[?&])((?:X-Amz-)?Signature|X-Amz-Security-Token|[^=&]*customer-key(?:-md5)?|[^=&]*%[^=&]*)=[^&]*"
)
"""Parameters that are kept to themselves, among them whatever name is spelled so that it cannot be told from these."""


class Record(NamedTuple):
    """One answered request, for the log, the metrics, traces and the audit log. No query and no header is in it, so no
    secret is; `key` and `caller` are for those who may be shown them, never for the log.

    `seconds`: from the head's arrival to the last piece handed over. `code`, `reason`: of an error, else "".
    `access_key_id` is "" for a caller who was not believed. `stages`: seconds by stage. `details`: makes the rest.
    `marks`: what the use cases left of their decision.
    """

    request_id: str
    operation: str
    method: str
    bucket: str
    status: int
    code: str
    reason: str
    access_key_id: str
    remote: str
    bytes_in: int
    bytes_out: int
    seconds: float
    stages: Mapping[str, float]
    details: Callable[[], Details]
    caller: Caller
    key: bytes
    marks: Stages


Observe = Callable[[Record], None]
Report = Callable[[str, BaseException], None]
"""(request id, error): one traceback in the log."""
