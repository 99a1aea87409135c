"""The condition keys of an S3 request, each made when a policy asks for it.

Knows what each key reads: the wire, who calls, the time, what is acted on. Must not know policies, nor fetch anything:
tags of objects are handed in by who has read them.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple, Protocol

from app.core.errors import S3Error
from app.core.policy.principal import NOBODYS_ID, Principal
from app.core.s3.lock import UNTIL_HEADER
from app.core.s3.tags import HEADER as TAGGING_HEADER
from app.core.s3.tags import header_tags
from app.core.s3.times import iso_time

Values = tuple[str, ...] | None
_DAY_MS: Final = 86_400_000
_NO_TAGS: Final[Mapping[str, str]] = {}


class Wire(Protocol):
    """What the request said: services.call.Facts, without core knowing of services."""

    @property
    def headers(self) -> Mapping[str, str]:
        """By lower-case name."""

    @property
    def parameters(self) -> Mapping[str, str]:
        """Of the query, decoded."""

    @property
    def remote(self) -> str:
        """The peer's address."""

    @property
    def secure(self) -> bool:
        """Whether it came over TLS."""

    @property
    def auth_type(self) -> str:
        """REST-HEADER, REST-QUERY-STRING, POST or ""."""

    @property
    def signature_version(self) -> str:
        """AWS4-HMAC-SHA256, AWS or ""."""

    @property
    def signature_age_ms(self) -> int | None:
        """Of a presigned request."""


class Acted(NamedTuple):
    """What is acted on. `account_id`: of the bucket's owner. `object_tags`: of the version there is, {} for none.

    `resource_tags`: of the bucket. `more`: keys only the use case knows (s3:locationconstraint, aws:sourcearn).
    """

    account_id: str = ""
    object_tags: Mapping[str, str] = _NO_TAGS
    resource_tags: Mapping[str, str] = _NO_TAGS
    more: Mapping[str, tuple[str, ...]] = {}


class S3Context:
    """A Context. Cheap to make: it holds what it is given."""

    __slots__ = ("_acted", "_now_ms", "_principal", "_wire")

    def __init__(self, wire: Wire, principal: Principal, now_ms: int, acted: Acted) -> None:
        self._wire = wire
        self._principal = principal
        self._now_ms = now_ms
        self._acted = acted

    def get(self, key: str, /) -> Values:
        """See Context."""
        found = self._acted.more.get(key)
        if found is not None:
            return found
        family, slash, tag = key.partition("/")
        if slash:
            # The name of another issuer, in front of its claims, may have slashes too.
            return self._tag(family, tag) or self._principal.keys.get(key)
        header = _HEADERS.get(key)
        if header is not None:
            return _one(self._wire.headers.get(header))
        parameter = _PARAMETERS.get(key)
        if parameter is not None:
            return _one(self._wire.parameters.get(parameter))
        make = _MAKERS.get(key)
        return self._principal.keys.get(key, _UNNAMED.get(key)) if make is None else make(self)

    def _tag(self, family: str, tag: str) -> Values:
        """Tags of objects know case; those of principals, buckets and IAM's entities do not."""
        if family in ("aws:requesttag", "iam:resourcetag"):
            wanted = f"{family}/{tag}".lower()
            found = next((values for name, values in self._acted.more.items() if name.lower() == wanted), None)
            if found is not None:
                return found
        if family == "s3:existingobjecttag":
            return _one(self._acted.object_tags.get(tag))
        if family == "s3:requestobjecttag":
            return _one(self._requested_tags().get(tag))
        if family == "aws:principaltag":
            return _one(_folded(self._principal.tags, tag))
        if family in ("aws:resourcetag", "s3:buckettag"):
            return _one(_folded(self._acted.resource_tags, tag))
        if family == "aws:requesttag":
            return _one(_folded(self._requested_tags(), tag))
        return None

    def _requested_tags(self) -> Mapping[str, str]:
        header = self._wire.headers.get(TAGGING_HEADER)
        if not header:
            return _NO_TAGS
        try:
            return header_tags(header)
        except S3Error:
            return _NO_TAGS  # the request fails for it a little later

    def _tag_keys(self) -> Values:
        return tuple(self._requested_tags()) or None

    def _current_time(self) -> Values:
        return (iso_time(self._now_ms),)

    def _epoch_time(self) -> Values:
        return (str(self._now_ms // 1000),)

    def _secure(self) -> Values:
        return ("true" if self._wire.secure else "false",)

    def _remote(self) -> Values:
        return _one(self._wire.remote or None)

    def _user_name(self) -> Values:
        return _one(self._principal.name if self._principal.kind == "user" else None)

    def _user_id(self) -> Values:
        return (NOBODYS_ID,) if self._principal.kind == "anonymous" else _one(self._principal.unique_id or None)

    def _principal_arn(self) -> Values:
        return _one(self._principal.role_arn or self._principal.arn or None)

    def _principal_account(self) -> Values:
        return _one(self._principal.account_id or None)

    def _principal_type(self) -> Values:
        return _one(_TYPES.get(self._principal.kind))

    def _is_service(self) -> Values:
        return ("true" if self._principal.kind == "service" else "false",)

    def _never(self) -> Values:
        return ("false",)

    def _auth_type(self) -> Values:
        return _one(self._wire.auth_type or None)

    def _signature_version(self) -> Values:
        return _one(self._wire.signature_version or None)

    def _signature_age(self) -> Values:
        age = self._wire.signature_age_ms
        return None if age is None else (str(age),)

    def _resource_account(self) -> Values:
        return _one(self._acted.account_id or None)

    def _retention_days(self) -> Values:
        """Whole days until the date asked for, as AWS counts the remaining ones: a day begun counts."""
        text = self._wire.headers.get(UNTIL_HEADER)
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
        until_ms = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000
        return (str(int(-((self._now_ms - until_ms) // _DAY_MS))),)


_TYPES: Final = {
    "root": "Account",
    "user": "User",
    "role": "AssumedRole",
    "federated": "FederatedUser",
    "anonymous": "Anonymous",
    "service": "Service",
}

_UNNAMED: Final[Mapping[str, tuple[str, ...]]] = {"sts:authentication": ("false",)}
"""What a request without temporary credentials answers: a key of Ceph's, whose policies ask it."""

_HEADERS: Final = {
    "aws:useragent": "user-agent",
    "aws:referer": "referer",
    "s3:if-match": "if-match",
    "s3:if-none-match": "if-none-match",
} | {
    f"s3:{name}": name if name.startswith("x-amz-") else f"x-amz-{name}"
    for name in (
        "x-amz-acl",
        "x-amz-content-sha256",
        "x-amz-copy-source",
        "x-amz-grant-full-control",
        "x-amz-grant-read",
        "x-amz-grant-read-acp",
        "x-amz-grant-write",
        "x-amz-grant-write-acp",
        "x-amz-metadata-directive",
        "x-amz-object-ownership",
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-aws-kms-key-id",
        "x-amz-server-side-encryption-customer-algorithm",
        "x-amz-storage-class",
        "x-amz-website-redirect-location",
        "object-lock-mode",
        "object-lock-retain-until-date",
        "object-lock-legal-hold",
    )
}

_PARAMETERS: Final = {
    "s3:prefix": "prefix",
    "s3:delimiter": "delimiter",
    "s3:max-keys": "max-keys",
    "s3:versionid": "versionId",
}

_MAKERS: Final[dict[str, Callable[[S3Context], Values]]] = {
    "aws:currenttime": S3Context._current_time,
    "aws:epochtime": S3Context._epoch_time,
    "aws:principalaccount": S3Context._principal_account,
    "aws:principalarn": S3Context._principal_arn,
    "aws:principalisawsservice": S3Context._is_service,
    "aws:principaltype": S3Context._principal_type,
    "aws:resourceaccount": S3Context._resource_account,
    "aws:securetransport": S3Context._secure,
    "aws:sourceip": S3Context._remote,
    "aws:tagkeys": S3Context._tag_keys,
    "aws:userid": S3Context._user_id,
    "aws:username": S3Context._user_name,
    "aws:viaawsservice": S3Context._never,
    "s3:authtype": S3Context._auth_type,
    "s3:object-lock-remaining-retention-days": S3Context._retention_days,
    "s3:requestobjecttagkeys": S3Context._tag_keys,
    "s3:resourceaccount": S3Context._resource_account,
    "s3:signatureage": S3Context._signature_age,
    "s3:signatureversion": S3Context._signature_version,
}


def _one(value: str | None) -> Values:
    """A header or parameter that is there but empty is a value; what is unknown is none."""
    return None if value is None else (value,)


def _folded(tags: Mapping[str, str], name: str) -> str | None:
    wanted = name.lower()
    return next((value for key, value in tags.items() if key.lower() == wanted), None)
