"""The promise of the tally: how much was asked and moved so far in the name of each scope, by all workers of a node.

Knows sums that only workers of one run add to. Must not know limits or clocks.
"""

from typing import Protocol


class Tally(Protocol):
    """Nothing here waits for another worker. What a worker added stays counted when it is gone."""

    def cell(self, key: str) -> int:
        """Where a scope is counted, the same in every worker of the run."""
        ...

    def add(self, cell: int, requests: int, size: int) -> None:
        """Count requests and bytes of this worker; negative ones take back what was counted too much."""

    def total(self, cell: int) -> tuple[int, int]:
        """(requests, bytes) of all workers so far, a moment old at most."""
        ...

    def gateways(self) -> int:
        """How many gateways are up, this one among them, as this node last heard; 1 before it did."""
        ...
