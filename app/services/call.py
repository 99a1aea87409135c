"""What every use case is told about its request: who calls, under which id, and where its time goes.

Knows no wire and no store. Time and randomness come in through `Sources`, made by the builders in roles/.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Final, NamedTuple

from app.core.policy.evaluation import Decision, Effect
from app.core.policy.principal import ANONYMOUS, SERVICE, Principal, account_root
from app.core.sessions.session import Session


@dataclass(frozen=True, slots=True)
class Sources:
    """Where ids and the time come from: `now_ms()` since the epoch, `new_id()` 16 time-ordered unique bytes."""

    now_ms: Callable[[], int]
    new_id: Callable[[], bytes]


class Caller(NamedTuple):
    """Whom the system believes to be calling. `canonical_id`: of the account, "" for nobody (anonymous).

    `root` may act on every bucket (the operator's account). `principal`: as policies see the caller; None stands for
    the account's root (`identity` gives it). `session`: the temporary credentials used, None for a long-term key.
    """

    account_id: str
    canonical_id: str
    display_name: str
    access_key_id: str
    root: bool = False
    principal: Principal | None = None
    session: Session | None = None

    @property
    def identity(self) -> Principal:
        """The principal."""
        return self.principal or account_root(self.account_id)


NOBODY = Caller("", "", "", "", principal=ANONYMOUS)
SYSTEM = Caller("", "", "", "", root=True, principal=SERVICE)


class Facts(NamedTuple):
    """What a policy's conditions may ask of the request, besides who calls. Defaults: a call without a wire.

    `headers`: lower-case names (a form's fields stand for headers). `parameters`: of the query, decoded. `remote`: the
    peer's address. `auth_type`: REST-HEADER, REST-QUERY-STRING, POST or "". `signature_version`: AWS4-HMAC-SHA256, AWS
    or "". `signature_age_ms`: of a presigned request, else None. `given`: values of condition keys (canonical) that
    count instead of what the request says, for a request that is only thought of.
    """

    headers: Mapping[str, str] = {}
    parameters: Mapping[str, str] = {}
    remote: str = ""
    secure: bool = False
    auth_type: str = ""
    signature_version: str = ""
    signature_age_ms: int | None = None
    given: Mapping[str, tuple[str, ...]] = {}


NO_FACTS = Facts()


OWNERS: Final = Decision(Effect.ALLOW, "owner")
"""Nobody was asked: root keys of the bucket's owner or of the operator, and no policy that could say no."""


class Stages:
    """Seconds spent by named stage of one request, for the log line and the metrics; and what the answer must say:
    `charged`, that the requester pays for it.

    What a trace tells besides: `decision`, the last one on whether it may be done (None: none was come to);
    `resource`, what an administrative deed was done to; `chunks`, how many were read or written.
    """

    __slots__ = ("charged", "chunks", "decision", "resource", "seconds")

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.charged = False
        self.decision: Decision | None = None
        self.resource = ""
        self.chunks = 0

    def add(self, name: str, seconds: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        begun = perf_counter()
        try:
            yield
        finally:
            self.add(name, perf_counter() - begun)


class Call(NamedTuple):
    """One request as the services see it. `now_ms` is its time: everything it writes is dated so."""

    caller: Caller
    request_id: str
    now_ms: int
    stages: Stages
    facts: Facts = NO_FACTS
