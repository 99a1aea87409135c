"""The OpenAPI 3.1 document of a face, made of its endpoints.

Knows OpenAPI's words. Must not know what endpoints do: what is told here is what endpoints.py says of them.
Source: https://spec.openapis.org/oas/v3.1.0
"""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app.faces.http.admin.endpoints import PREFIX, SYSTEM, Endpoint, Raw, Shape

VERSION: Final = "1.0.0"
_COMPONENTS: Final = "#/components/schemas/"
_JSON: Final = "application/json"
_SECURITY: Final = {
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "AWS Signature Version 4, service zapfs: curl --aws-sigv4 aws:amz:REGION:zapfs --user K:S",
    },
    "token": {"type": "http", "scheme": "bearer", "description": "What POST /v1/tokens gives."},
}


class ErrorShape(Shape):
    """Why not. `error`: a code to go by; `message`: for people."""

    error: str
    message: str


def described(endpoints: Sequence[Endpoint]) -> list[Endpoint]:
    """The endpoints, and the one that tells of them all."""
    told: dict[str, bytes] = {}

    def document_of(_: object) -> Raw:
        if not told:
            told["document"] = json.dumps(document(every)).encode()
        return Raw(told["document"], _JSON)

    own = Endpoint("GET", "/openapi.json", "GetApi", "This document.", document_of, returned=_JSON)
    every = [*endpoints, own]
    return every


def document(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The document of these endpoints."""
    shapes = {shape for one in endpoints for shape in (one.body, one.returned) if isinstance(shape, type)}
    ordered = sorted(shapes | {ErrorShape}, key=lambda shape: shape.__name__)
    _, definitions = models_json_schema(
        [(shape, "validation") for shape in ordered], ref_template=_COMPONENTS + "{model}"
    )
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        path = PREFIX + endpoint.path.replace("*}", "}")
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": "ZapFS administration", "version": VERSION, "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "security": [{name: []} for name in _SECURITY],
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": _SECURITY,
            "responses": {
                "error": {"description": "Refused; the body says why.", "content": _told_why()},
                "unbelieved": {
                    "description": "The bearer token is none, is over, or its key or holder is gone or disabled.",
                    "headers": {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}},
                    "content": _told_why(),
                },
            },
        },
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    who = (
        "the operator's account"
        if endpoint.scope == SYSTEM
        else "an account about itself, and the operator's about any"
    )
    operation: dict[str, Any] = {
        "operationId": endpoint.action,
        "summary": endpoint.text,
        "description": f"For {who}. Policies name it admin:{endpoint.action}.",
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            for name in re.findall(r"\{(\w+)\*?\}", endpoint.path)
        ]
        + [
            {"name": name, "in": "query", "required": False, "description": text, "schema": {"type": "string"}}
            for name, text in endpoint.query.items()
        ],
        "responses": {
            **_success(endpoint),
            "401": _refused("unbelieved"),
            **{status: _refused("error") for status in ("4XX", "503", "507")},
        },
    }
    if endpoint.body is not None:
        operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": _of(endpoint.body)}}}
    return operation


def _success(endpoint: Endpoint) -> dict[str, Any]:
    if endpoint.returned is None:
        return {"204": {"description": "It is done."}}
    if isinstance(endpoint.returned, str):
        return {str(endpoint.status): {"description": "As it is.", "content": {endpoint.returned: {}}}}
    return {str(endpoint.status): {"description": "Done.", "content": {_JSON: {"schema": _of(endpoint.returned)}}}}


def _of(shape: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _COMPONENTS + shape.__name__}


def _told_why() -> dict[str, Any]:
    return {_JSON: {"schema": _of(ErrorShape)}}


def _refused(how: str) -> dict[str, str]:
    return {"$ref": f"#/components/responses/{how}"}
