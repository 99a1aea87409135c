"""The configuration in force. Knows a path and a shape only."""

from collections.abc import Mapping
from typing import Any

from app.faces.http.admin.endpoints import SYSTEM, Endpoint, Shape


class ConfigurationShape(Shape):
    """`settings`: by name; of a secret only whether there is one."""

    settings: dict[str, Any]


def endpoints(settings: Mapping[str, Any]) -> list[Endpoint]:
    """`settings`: what may be shown of them."""
    shown = ConfigurationShape(settings=dict(settings))
    text = "The settings this process was started with, secrets masked."
    return [Endpoint("GET", "/config", "GetConfiguration", text, lambda _: shown, SYSTEM, returned=ConfigurationShape)]
