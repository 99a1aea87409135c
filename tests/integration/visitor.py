"""A visitor without a signature: what a browser sends, and what it gets."""

import http.client
from collections.abc import Mapping
from typing import NamedTuple

import pytest
from botocore.exceptions import ClientError

from tests.integration.server import Server


class Seen(NamedTuple):
    """What a browser got. Header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def browse(
    server: Server, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> Seen:
    """One request without a signature."""
    connection = http.client.HTTPConnection("127.0.0.1", server.s3_port, timeout=20)
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        return Seen(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])
