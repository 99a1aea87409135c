"""The words of `zapfs admin` that explain decisions: of a request that was, and of one that might be. Knows arguments
and the requests they become."""

from typing import Any, Final

from app.cli.documents import pairs, policy
from app.cli.words import Content, Given, Word, chosen


def _question(given: Given) -> Content:
    content: dict[str, Any] = dict(chosen("principal", "action", "resource")(given))
    if context := pairs(given, "context"):
        content["context"] = context
    if given.get("resource_policy"):
        content["resource_policy"] = policy(given["resource_policy"])
    if given.get("session_policy"):
        content["session_policies"] = [policy(file) for file in given["session_policy"]]
    return content


SIMULATE: Final = Word(
    "what would be decided, by which statement, or what was missing; nothing is done",
    "POST",
    "/v1/iam/simulate",
    ("principal", "action", "resource"),
    ("context*", "resource_policy", "session_policy*"),
    _question,
    account=True,
)
REQUEST: Final = Word(
    "what became of a recent request: who, what was decided and why, where its time went; asked of its gateway",
    "GET",
    "/v1/requests/{request_id}",
    ("request_id",),
)
