"""How much of the system somebody may take: quotas on what is stored, rates of what is asked.

Knows values only. Enforced by whoever serves requests (docs/design/limits.md says how closely).
"""

from dataclasses import dataclass
from typing import Final, NamedTuple


class Scope(NamedTuple):
    """Whom limits are for. `kind`: account or bucket, with its name; or all, with ""."""

    kind: str
    name: str = ""

    @property
    def key(self) -> str:
        """As the state's index has it: "account/alice", "all/"."""
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class Limits:
    """0 is no limit. `bytes`, `objects`: of all versions stored, quotas. `requests_per_s`, `bytes_per_s`: rates, the
    latter of bodies in both directions together."""

    bytes: int = 0
    objects: int = 0
    requests_per_s: int = 0
    bytes_per_s: int = 0


NO_LIMITS: Final = Limits()
ACCOUNT: Final = "account"
BUCKET: Final = "bucket"
ALL: Final = "all"
