"""What stands before the operations: hosts, proxies, rates, buckets served as websites, IAM's and STS's query API.

Knows where each is asked. Must not know their rules: whoever serves them is handed in by the builders.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from app.faces.http.peers import NO_PROXY, Peers
from app.faces.http.query.room import QueryRoom
from app.faces.http.wire import Request, Response
from app.services.call import Call
from app.services.limits.rates import Rates


class Websites(Protocol):
    """Buckets served as websites, under hosts of their own."""

    def bucket_of(self, host: str) -> str:
        """The bucket a website host names, "" for every other host. Asked of every request."""

    def visit(self, request: Request, bucket: str, call: Call) -> Response:
        """The answer to a browser, who is nobody. Raises S3Error only where XML is the right answer."""


@dataclass(frozen=True, slots=True)
class Porch:
    """`domains`: suffixes whose sub-domains are buckets, lower case."""

    domains: Sequence[str] = ()
    peers: Peers = NO_PROXY
    websites: Websites | None = None
    query: QueryRoom | None = None
    rates: Rates | None = None


OPEN_PORCH: Final = Porch()
