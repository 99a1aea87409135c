"""The admin face's endpoints as values: path, action, shapes and the function that answers, all in one place.

Knows how an endpoint becomes a route that nobody passes unasked. Must not know what any endpoint does. What is written
here is all there is to know of an endpoint: the routes, the permissions (`admin:` and the action) and the OpenAPI
document (openapi.py) are made of it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

from flask import Blueprint, Response
from pydantic import BaseModel, ConfigDict, RootModel

from app.core.cluster import Entity
from app.services.call import Call

PREFIX: Final = "/v1"
ACCOUNT: Final = "account"
SYSTEM: Final = "system"


class Shape(BaseModel):
    """What a body or an answer looks like. Unknown fields are refused, and no text becomes a number."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Told(RootModel[dict[str, Any]]):
    """An answer that is told as its use case gives it: an object whose fields the endpoint's text names."""


class Raw(NamedTuple):
    """An answer that is no JSON."""

    content: bytes
    content_type: str


class Asked(NamedTuple):
    """One call of an endpoint by somebody who may make it.

    `account`: name of the account it is about: the caller's own, or the one ?account= names where the operator's
    account asks. `names`: of the path. `query`: parameters given. `body`: of the endpoint's shape. `content`: the bytes
    of the body.
    """

    call: Call
    account: str
    names: Mapping[str, str]
    query: Mapping[str, str]
    body: Any = None
    content: bytes = b""


Answers = Callable[[Asked], BaseModel | Raw | None]
ResourceOf = Callable[[str, Mapping[str, str], Any], str]
"""(id of the account it is about, names of the path, body) -> the ARN policies name the resource by."""
KeysOf = Callable[[Mapping[str, str], Any], Mapping[str, tuple[str, ...]]]
"""(names of the path, body) -> condition keys of the action's own ("iam:policyarn")."""
ThereOf = Callable[[str, Mapping[str, str]], Entity | None]
"""(id of the account it is about, names of the path) -> what is there, whose tags and boundary policies may ask for."""


class Further(NamedTuple):
    """Something else that must be allowed too. `action`: "" for the endpoint's own."""

    resource: str
    action: str = ""
    keys: Mapping[str, tuple[str, ...]] = {}


AlsoOf = Callable[[str, Mapping[str, str], Any], Sequence[Further]]
"""(id of the account it is about, names of the path, body) -> what must be allowed besides."""
NO_KEYS: Final[Mapping[str, tuple[str, ...]]] = {}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`path`: below PREFIX, "/iam/users/{name}"; "{name*}" takes slashes too. `action`: "CreateUser", which policies
    name "admin:CreateUser". `scope`: ACCOUNT may be asked by everybody about their own account and by the operator's
    about any; SYSTEM by the operator's account only. `status`: of success; 204 where nothing is `returned`. `query`:
    parameter -> what it says. `resource`: None names "arn:aws:zapfs:::" and the path.
    """

    method: str
    path: str
    action: str
    text: str
    answers: Answers
    scope: str = ACCOUNT
    body: type[BaseModel] | None = None
    returned: type[BaseModel] | str | None = None
    status: int = 200
    query: Mapping[str, str] = field(default_factory=dict)
    resource: ResourceOf | None = None
    keys: KeysOf | None = None
    there: ThereOf | None = None
    also: AlsoOf | None = None
    body_bytes_max: int = 1 << 20

    @property
    def rule(self) -> str:
        """As Flask writes the path."""
        parts = self.path.replace("*}", "}").split("/")
        slashed = {part.strip("{}*") for part in self.path.split("/") if part.endswith("*}")}
        turned = (
            f"<{'path:' if part[1:-1] in slashed else ''}{part[1:-1]}>" if part.startswith("{") else part
            for part in parts
        )
        return PREFIX + "/".join(turned)

    def arn(self, account_id: str, names: Mapping[str, str], body: Any) -> str:
        """The resource of a call."""
        if self.resource is not None:
            return self.resource(account_id, names, body)
        return "arn:aws:zapfs:::" + self.path.replace("*}", "}").lstrip("/").format(**names)


Row = tuple[str, str, str, str, Answers, type[BaseModel] | None, "type[BaseModel] | str | None"]
"""(method, path, action, text, answers, body, returned)."""


def rows(common: Mapping[str, Any], *given: Row) -> list[Endpoint]:
    """Endpoints that have some fields in common. Those that create answer 201."""
    return [
        Endpoint(
            method,
            path,
            action,
            text,
            answers,
            body=body,
            returned=returned,
            status=201 if action.startswith("Create") else 200,
            **common,
        )
        for method, path, action, text, answers, body, returned in given
    ]


OF_SYSTEM: Final[Mapping[str, Any]] = {"scope": SYSTEM}
"""What endpoints of the operator's account only have in common."""

Handle = Callable[[Endpoint, Mapping[str, str]], Response]
"""(endpoint, names of the path) -> the answer: admits, asks and answers. See gate.py."""


def _called(handle: Handle, endpoint: Endpoint, **names: str) -> Response:
    return handle(endpoint, names)


def bind(face: Blueprint, handle: Handle, endpoints: Sequence[Endpoint]) -> None:
    """Routes for the endpoints."""
    for endpoint in endpoints:
        face.add_url_rule(
            endpoint.rule,
            endpoint=f"{endpoint.action}{endpoint.method}{endpoint.path}".replace(".", "-"),
            view_func=partial(_called, handle, endpoint),
            methods=[endpoint.method],
        )
