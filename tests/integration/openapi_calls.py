"""Calls of the admin face that schemathesis makes up from its OpenAPI document, against a real server.

By itself: python -m tests.integration.openapi_calls --calls 10000. Ends with 1 when an answer is a bug's (500), or not
what the document says.
"""

import argparse
import http.client
import json
import sys
from collections import Counter
from hashlib import sha256
from typing import Any, Final

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from tests.integration.server import Server, temporary_directory
from tests.wire.signer import Signer

_CHECKS: Final = [response_schema_conformance, status_code_conformance]
_EXPECTED: Final = (501, 503, 507)  # told in words; nothing broke


def ask(server: Server, method: str, path: str, content: bytes = b"", token: str = "") -> tuple[int, Any]:
    """Status and JSON content of one call, signed as root or with a bearer token."""
    host = f"127.0.0.1:{server.admin_port}"
    head = {"host": host}
    signed = Signer(server.credentials, service="zapfs").sign(method, path, head, sha256(content).hexdigest())
    connection = http.client.HTTPConnection(host, timeout=30)
    try:
        connection.request(method, path, content, {"authorization": f"Bearer {token}"} if token else signed)
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, json.loads(body) if body else None
    finally:
        connection.close()


class Calls:
    """Made-up calls, and what came of them. `statuses`: how many answers had each. `bad`: one line for each finding."""

    def __init__(self, server: Server) -> None:
        _, made = ask(server, "POST", "/v1/tokens", b'{"seconds": 43200}')
        self._token = made["token"]
        self._base = f"http://127.0.0.1:{server.admin_port}"
        _, self.document = ask(server, "GET", "/v1/openapi.json")
        self.statuses: Counter[int] = Counter()
        self.bad: list[str] = []

    def make(self, calls: int, number: int = 0) -> None:
        """About so many, spread over all operations; `number` chooses which."""
        schema = schemathesis.openapi.from_dict(self.document)
        operations = [found.ok() for found in schema.get_all_operations()]
        each = max(1, calls // len(operations))
        for operation in operations:
            one = given(case=operation.as_strategy())(self._one)
            bounds = settings(
                max_examples=each,
                database=None,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            seed(number)(bounds(one))()

    def _one(self, case: Case) -> None:
        response = case.call(base_url=self._base, headers={"Authorization": f"Bearer {self._token}"})
        self.statuses[response.status_code] += 1
        checks = _CHECKS if response.status_code in _EXPECTED else [*_CHECKS, not_a_server_error]
        try:
            case.validate_response(response, checks=checks)
        except FailureGroup as group:
            for failure in group.exceptions:
                self._found(case, response.status_code, failure)

    def _found(self, case: Case, status: int, error: Exception) -> None:
        self.bad.append(f"{case.method} {case.formatted_path}: {status}: {str(error)[:300]}")


def main(arguments: list[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    given_ = parser.parse_args(arguments)
    with temporary_directory() as directory, Server(directory / "data", dev=True, workers=1) as server:
        calls = Calls(server)
        calls.make(given_.calls, given_.seed)
    sys.stdout.write(f"{calls.statuses.total()} calls: {dict(sorted(calls.statuses.items()))}\n")
    sys.stdout.write("".join(f"{line}\n" for line in calls.bad[:50]))
    return 1 if calls.bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
