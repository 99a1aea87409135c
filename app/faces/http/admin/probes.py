"""Health, readiness and metrics.

Only /health and /ready answer strangers, with nothing but whether the server is up and able.
"""

from collections.abc import Callable
from typing import NamedTuple

from flask import Blueprint, Response, request

from app.faces.http.admin.gate import Gate


class Probed(NamedTuple):
    """`unready()` says why the server cannot serve, "" when it can; `remark()` what is to be known although it can.
    `exposition()` gives the metrics' text and content type."""

    unready: Callable[[], str]
    exposition: Callable[[], tuple[bytes, str]]
    remark: Callable[[], str] = str


def add(face: Blueprint, gate: Gate, probed: Probed) -> None:
    """The routes."""

    @face.get("/health")
    def health() -> Response:
        return Response("up\n", content_type="text/plain")

    @face.get("/ready")
    def ready() -> Response:
        reason = probed.unready()
        told = reason or "; ".join(filter(None, ("ready", probed.remark())))
        return Response(f"{told}\n", 503 if reason else 200, content_type="text/plain")

    @face.get("/metrics")
    def metrics() -> Response:
        if not gate.opens_metrics(request.headers.get("Authorization", "")):
            gate.admitted()
        text, content_type = probed.exposition()
        return Response(text, content_type=content_type)
