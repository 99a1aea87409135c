"""Health, readiness and metrics.

Only /health and /ready answer strangers, with nothing but whether the server is up and able.
"""

from collections.abc import Callable

from flask import Blueprint, Response, request

from app.faces.http.admin.gate import Gate


def add(face: Blueprint, gate: Gate, unready: Callable[[], str], exposition: Callable[[], tuple[bytes, str]]) -> None:
    """`unready()` says why the server cannot serve, "" when it can; `exposition()` gives text and content type."""

    @face.get("/health")
    def health() -> Response:
        return Response("up\n", content_type="text/plain")

    @face.get("/ready")
    def ready() -> Response:
        reason = unready()
        return Response(f"{reason or 'ready'}\n", 503 if reason else 200, content_type="text/plain")

    @face.get("/metrics")
    def metrics() -> Response:
        if not gate.opens_metrics(request.headers.get("Authorization", "")):
            gate.admitted()
        text, content_type = exposition()
        return Response(text, content_type=content_type)
