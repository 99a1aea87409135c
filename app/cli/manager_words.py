"""The words of `zapfs admin cluster manager`. Knows arguments and the requests they become."""

from collections.abc import Mapping
from typing import Any, Final

from app.cli.words import Word

_PATH: Final = "/v1/cluster/managers"
_SEAT: Final = ("node_id", "grpc_address", "raft_address")


def _content(*names: str) -> Any:
    def content(given: Mapping[str, Any]) -> Mapping[str, Any]:
        return {name: given[name] for name in names}

    return content


MANAGER_WORDS: Final[Mapping[str, Word]] = {
    "manager list": Word("the managers, and which of them leads", "GET", _PATH),
    "manager add": Word("let a manager vote", "POST", _PATH + "/add", _SEAT, (), _content(*_SEAT)),
    "manager remove": Word("take a manager's vote", "POST", _PATH + "/remove", ("node_id",), (), _content("node_id")),
    "manager replace": Word(
        "let a manager vote in place of another",
        "POST",
        _PATH + "/replace",
        ("replaced", *_SEAT),
        (),
        _content("replaced", *_SEAT),
    ),
}
