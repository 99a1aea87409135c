"""The words of `zapfs admin` for managed policies, and for what policies allow. Knows arguments and the requests they
become."""

from collections.abc import Mapping
from typing import Final

from app.cli.documents import document
from app.cli.identity_words import of_account, tagged
from app.cli.words import Content, Given, Word, chosen

_POLICIES: Final = "/v1/iam/policies"
_POLICY: Final = _POLICIES + "/{name}"


def _policy(given: Given) -> Content:
    return {**chosen("name", "path", "description")(given), **document(given)}


POLICY_WORDS: Final[Mapping[str, Word]] = {
    "create": of_account(
        "make a managed policy from a file",
        "POST",
        _POLICIES,
        "name",
        "file",
        options=("path", "description"),
        content=_policy,
    ),
    "list": Word(
        "every policy of the account, by name",
        "GET",
        _POLICIES,
        options=("path_prefix",),
        account=True,
        query=("path_prefix",),
        columns=("name", "arn", "default_version", "versions", "attached_to", "created"),
    ),
    "show": of_account("everything about one, but its texts", "GET", _POLICY, "name"),
    "delete": of_account("remove one that is attached to nothing", "DELETE", _POLICY, "name"),
    "versions": of_account("every version with its text", "GET", _POLICY + "/versions", "name"),
    "show-version": of_account("one version with its text", "GET", _POLICY + "/versions/{version}", "name", "version"),
    "update": of_account(
        "make a file its newest version, in force at once",
        "POST",
        _POLICY + "/versions",
        "name",
        "file",
        content=lambda given: {**document(given), "default": True},
    ),
    "default": of_account(
        "put a version in force", "PUT", _POLICY + "/default", "name", "version", content=chosen("version")
    ),
    "delete-version": of_account(
        "remove a version that is not in force", "DELETE", _POLICY + "/versions/{version}", "name", "version"
    ),
    "tag": tagged("policies"),
}
