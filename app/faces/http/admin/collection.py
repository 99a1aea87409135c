"""Collection of freed chunks: its status, and running it now. Knows paths and JSON only."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response

from app.faces.http.admin.gate import Gate
from app.faces.http.admin.json_wire import answer

Told = Callable[[], Mapping[str, Any]]


def add(face: Blueprint, gate: Gate, status: Told, run: Told) -> None:
    """Both give plain values."""

    @face.get("/admin/v1/gc")
    def gc_status() -> Response:
        gate.admitted()
        return answer(status())

    @face.post("/admin/v1/gc")
    def gc_run() -> Response:
        gate.admitted()
        return answer(run())
