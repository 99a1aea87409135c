"""When work of a cluster that goes on after its command is done, and showing how far it is meanwhile.

Knows the answer of GET /v1/cluster and terminals. Must not know which command began the work. Waiting changes nothing:
who stops waiting stops no work.
"""

import sys
import time
from collections.abc import Callable
from typing import Any, Final, TextIO

from app.cli.sizes import amount
from app.cli.words import Settled

_POLL_SECONDS: Final = 1.0
_CALM_POLLS: Final = 3  # hosts tell with their heartbeats: one answer without work may be older than the command
_WIDTH: Final = 30
Told = tuple[float, str] | None


def moved(answer: Any) -> Told:
    """Until no transition is in flight."""
    transition = answer["transition"]
    if transition is None:
        return None
    return transition["complete_percent"] / 100, f"{transition['groups_pending']} groups to go"


def mended(answer: Any) -> Told:
    """Until nothing is short that can be made whole: what is lost stays lost."""
    sums = {name: sum(one[name] for one in answer["profiles"]) for name in ("full", "reduced", "critical", "unswept")}
    short = sums["reduced"] + sums["critical"] + sums["unswept"]
    if not short:
        return None
    return sums["full"] / (sums["full"] + short), f"{short} to go"


def verified(answer: Any) -> Told:
    """Until no host has anything left of its pass."""
    work = next(one for one in answer["work"] if one["kind"] == "scrub")
    if not work["waiting"]:
        return None
    return work["done"] / (work["done"] + work["waiting"]), f"{work['waiting']} to go, {amount(work['bytes_per_s'])}/s"


def wait(look: Callable[[], Any], settled: Settled, what: str, pause: Callable[[float], None] = time.sleep) -> None:
    """Return when the work is done; `look` gives an answer of GET /v1/cluster. Shows it on stderr: a bar on a terminal,
    else a line for each step. Raises what `look` raises, and KeyboardInterrupt."""
    steps, calm = Steps(what, sys.stderr), 0
    try:
        while calm < _CALM_POLLS:
            told = settled(look())
            calm = calm + 1 if told is None else 0
            if told is not None:
                steps.show(*told)
            if calm < _CALM_POLLS:
                pause(_POLL_SECONDS)
        steps.show(1.0, "done")
    finally:
        steps.close()


class Steps:
    """How far something is, told once for each change."""

    def __init__(self, what: str, out: TextIO) -> None:
        self._what = what
        self._out = out
        self._bar = out.isatty()
        self._last = ""

    def show(self, share: float, left: str) -> None:
        """`share`: 0..1. `left`: what there is to do, for people."""
        percent = f"{share * 100:3.0f} %  {left}"
        if percent == self._last:
            return
        self._last = percent
        if self._bar:
            filled = round(share * _WIDTH)
            self._out.write(f"\r{self._what}  [{'#' * filled}{'.' * (_WIDTH - filled)}] {percent}\033[K")
        else:
            self._out.write(f"{self._what}: {percent.strip()}\n")
        self._out.flush()

    def close(self) -> None:
        """Leave the terminal's line."""
        if self._bar and self._last:
            self._out.write("\n")
            self._out.flush()
