"""Recent requests of the S3 port: who asked, what was decided and why, where the time went. Knows paths and shapes
only."""

from app.core.s3.times import iso_time
from app.faces.http.admin.endpoints import Asked, Endpoint, Shape
from app.services.gate.requests import Requests


class RequestShape(Shape):
    """`decision`: allow, explicit deny or implicit deny, "" when none was come to; `why`: by whose word. `stages`:
    seconds. `chunks`: read or written, as far as was looked ahead. `arn`: "" of nobody."""

    request_id: str
    time: str
    operation: str
    method: str
    bucket: str
    key: str
    status: int
    code: str
    reason: str
    arn: str
    account_id: str
    access_key_id: str
    remote: str
    decision: str
    why: str
    bytes_in: int
    bytes_out: int
    seconds: float
    stages: dict[str, float]
    chunks: int
    node: str
    worker: int


def endpoints(requests: Requests) -> list[Endpoint]:
    """Served where a node's workers leave their traces."""

    def told(asked: Asked) -> RequestShape:
        found = dict(requests.get(asked.call.caller, asked.names["request_id"]))
        found["time"] = iso_time(found.pop("time_ms"))
        return RequestShape(**found)

    return [
        Endpoint(
            "GET",
            "/requests/{request_id}",
            "GetRequest",
            "What is known of a recent request to this node: for the operator and the account that made it.",
            told,
            returned=RequestShape,
        )
    ]
