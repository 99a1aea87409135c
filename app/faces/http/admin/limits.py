"""Quotas and rates of accounts, buckets and everybody together. Knows paths and shapes only."""

from typing import Annotated, Final

from pydantic import Field

from app.core.cluster import Limits
from app.core.cluster.limits import ACCOUNT, ALL, BUCKET, Scope
from app.core.errors import S3Error
from app.core.limits import LIMIT_MAX
from app.faces.http.admin import endpoints as kinds
from app.faces.http.admin.endpoints import SYSTEM, Asked, Endpoint, Shape
from app.services.limits.settings import LimitSettings

_Amount = Annotated[int, Field(ge=0, le=LIMIT_MAX)]


class LimitsShape(Shape):
    """0 is no limit. `bytes`, `objects`: of all versions stored. `bytes_per_s`: of bodies in both directions."""

    bytes: _Amount = 0
    objects: _Amount = 0
    requests_per_s: _Amount = 0
    bytes_per_s: _Amount = 0


class ScopeLimitsShape(LimitsShape):
    """`kind`: account, bucket or all. `name`: "" of all."""

    kind: str
    name: str


class AllLimitsShape(Shape):
    """Every scope with limits, by kind and name."""

    limits: list[ScopeLimitsShape]


def shown(limits: Limits) -> LimitsShape:
    """Limits as they are told."""
    return LimitsShape(
        bytes=limits.bytes,
        objects=limits.objects,
        requests_per_s=limits.requests_per_s,
        bytes_per_s=limits.bytes_per_s,
    )


def endpoints(settings: LimitSettings) -> list[Endpoint]:
    """Served where commands are taken."""

    def every(asked: Asked) -> AllLimitsShape:
        found = [
            ScopeLimitsShape(kind=scope.kind, name=scope.name, **shown(limits).model_dump())
            for scope, limits in settings.all()
        ]
        return AllLimitsShape(limits=found)

    listing = Endpoint(
        "GET", "/limits", "ListLimits", "Every quota and rate that was set.", every, SYSTEM, returned=AllLimitsShape
    )
    return [listing, *(one for kind in (ACCOUNT, BUCKET, ALL) for one in _of_kind(settings, kind))]


_PATHS: Final = {ACCOUNT: "/limits/account/{name}", BUCKET: "/limits/bucket/{name}", ALL: "/limits/all"}


def _of_kind(settings: LimitSettings, kind: str) -> list[Endpoint]:
    """An account may read its own limits; everything else is the operator's."""

    def scope(asked: Asked) -> Scope:
        return Scope(kind, asked.names.get("name", ""))

    def get(asked: Asked) -> LimitsShape:
        whose = scope(asked)
        if kind == ACCOUNT and not asked.call.caller.root and whose.name != asked.account:
            raise S3Error("AccessDenied")
        return shown(settings.get(whose))

    def put(asked: Asked) -> None:
        settings.put(scope(asked), Limits(**asked.body.model_dump()))

    def delete(asked: Asked) -> None:
        settings.delete(scope(asked))

    path, suffix = _PATHS[kind], "" if kind == ALL else f" of one {kind}"
    reader = kinds.ACCOUNT if kind == ACCOUNT else SYSTEM
    return [
        Endpoint("GET", path, "GetLimits", f"Quotas and rates{suffix}.", get, reader, returned=LimitsShape),
        Endpoint("PUT", path, "PutLimits", f"Set quotas and rates{suffix} anew.", put, SYSTEM, body=LimitsShape),
        Endpoint("DELETE", path, "DeleteLimits", "Without limits again.", delete, SYSTEM),
    ]
