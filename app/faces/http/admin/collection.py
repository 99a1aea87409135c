"""Collection of freed chunks: its status, and running it now. Knows paths and shapes only."""

from collections.abc import Callable, Mapping
from typing import Any

from app.faces.http.admin.endpoints import SYSTEM, Endpoint, Told

Gives = Callable[[], Mapping[str, Any]]


def endpoints(status: Gives, run: Gives) -> list[Endpoint]:
    """Both give plain values. Served where the database is."""
    return [
        Endpoint(
            "GET",
            "/gc",
            "GetCollection",
            "What waits to be collected, and how the last run went.",
            lambda _: Told(dict(status())),
            SYSTEM,
            returned=Told,
        ),
        Endpoint(
            "POST",
            "/gc",
            "RunCollection",
            "Collect now what was freed.",
            lambda _: Told(dict(run())),
            SYSTEM,
            returned=Told,
        ),
    ]
