"""The links between members as a test cuts and mends them. Knows the switchboard's orders (switchboard.py)."""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.integration.server import ROOT

HOLD = "hold"
DELAY = "delay"
BREAK = "break"


@dataclass(slots=True)
class Links:
    """`ports`: port -> member. Rules are by (source, target): bytes that source sends to target."""

    ports: Mapping[int, str]
    rules: dict[tuple[str, str], tuple[str, float]] = field(default_factory=dict)
    _members: dict[int, str] = field(default_factory=dict)
    _process: "subprocess.Popen[str] | None" = None

    def start(self) -> None:
        """Returns when every port is listened on."""
        ports = json.dumps({str(port): name for port, name in self.ports.items()})
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.cluster.switchboard", ports],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._expect("ready")

    def know(self, members: Mapping[int, str]) -> None:
        """Tell whose each session is; nothing happens when that is known."""
        if dict(members) != self._members:
            self._members = dict(members)
            self._order({"members": {str(session): name for session, name in members.items()}})

    def set(self, sources: Iterable[str], targets: Iterable[str], action: str, seconds: float = 0.0) -> None:
        """A rule for what each of the sources sends to each of the targets."""
        for source in sources:
            for target in targets:
                if source != target:
                    self.rules[source, target] = (action, seconds)
        self._send()

    def part(self, some: Iterable[str], others: Iterable[str], action: str = HOLD) -> None:
        """Nothing passes between some and others, either way."""
        some, others = list(some), list(others)
        self.set(some, others, action)
        self.set(others, some, action)

    def clear(self, sources: Iterable[str], targets: Iterable[str]) -> None:
        """Take away the rules between these, both ways."""
        some, others = set(sources), set(targets)
        for source, target in list(self.rules):
            if (source in some and target in others) or (source in others and target in some):
                del self.rules[source, target]
        self._send()

    def mend(self) -> None:
        """No rules: everything passes."""
        self.rules.clear()
        self._send()

    def close(self) -> None:
        """End the switchboard."""
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(5)
            self._process = None

    def _send(self) -> None:
        self._order({"rules": [[*pair, *rule] for pair, rule in self.rules.items()]})

    def _order(self, order: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        self._expect("done")

    def _expect(self, word: str) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        answer = self._process.stdout.readline().strip()
        assert answer == word, f"the switchboard said {answer!r}, not {word!r}"
