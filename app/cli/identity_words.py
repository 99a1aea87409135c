"""The words of `zapfs admin` for users, groups, roles and OIDC providers. Knows arguments and the requests they
become; policies' words are in policy_words.py."""

from collections.abc import Mapping
from typing import Any, Final

from app.cli.documents import document, policy, tags
from app.cli.words import Content, Given, Word, chosen, fixed, number

_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "users": ("username", "path", "groups", "attached_policies", "inline_policies", "disabled", "created"),
    "groups": ("name", "path", "members", "attached_policies", "inline_policies", "created"),
    "roles": ("name", "path", "attached_policies", "inline_policies", "session_seconds_max", "created"),
}


def of_account(text: str, method: str, path: str, *names: str, **more: Any) -> Word:
    """A word about the asker's own account, or one the operator names by --account."""
    return Word(text, method, path, names, account=True, **more)


def _user(given: Given) -> Content:
    """A user's name has a field of its own."""
    return {"username": given["name"], **chosen("path", "boundary")(given), **tags(given)}


def _change(given: Given) -> Content:
    return {f"new_{field}": given[option] for option, field in (("to", "username"), ("path", "path")) if given[option]}


def _moved(given: Given) -> Content:
    return {f"new_{field}": given[option] for option, field in (("to", "name"), ("path", "path")) if given[option]}


def _role(given: Given) -> Content:
    seconds = number(given, "session_seconds", "session_seconds_max")
    given_so = chosen("name", "path", "boundary", "description")(given)
    return {**given_so, **tags(given), **seconds, "trust": policy(given["file"])}


def _trust(given: Given) -> Content:
    return {**document(given), **number(given, "session_seconds", "session_seconds_max")}


def _provider(given: Given) -> Content:
    lists = {"client_ids": given.get("client_id"), "thumbprints": given.get("thumbprint")}
    return {**chosen("name")(given), **{name: found for name, found in lists.items() if found}}


def _audiences(given: Given) -> Content:
    return {"client_ids": given.get("client_id") or [], "thumbprints": given.get("thumbprint") or []}


def _holder(room: str, one: str) -> dict[str, Word]:
    """What users, groups and roles have alike."""
    path = f"/v1/iam/{room}/{{name}}"
    inline, attached = path + "/inline-policies", path + "/attached-policies/{arn}"
    listed = Word(
        f"every {one}, by name",
        "GET",
        f"/v1/iam/{room}",
        options=("path_prefix",),
        account=True,
        query=("path_prefix",),
        columns=_COLUMNS[room],
    )
    return {
        "list": listed,
        "show": of_account(f"everything about a {one}, but policies' texts", "GET", path, "name"),
        "delete": of_account(f"remove a {one} that holds nothing any more", "DELETE", path, "name"),
        "attach": of_account("attach a managed policy", "PUT", attached, "name", "arn"),
        "detach": of_account("detach a managed policy", "DELETE", attached, "name", "arn"),
        "policies": of_account("inline policies with their texts", "GET", inline, "name"),
        "show-policy": of_account("one inline policy", "GET", inline + "/{policy}", "name", "policy"),
        "put-policy": of_account(
            "an inline policy from a file, new or replaced",
            "PUT",
            inline + "/{policy}",
            "name",
            "policy",
            "file",
            content=document,
        ),
        "delete-policy": of_account("remove an inline policy", "DELETE", inline + "/{policy}", "name", "policy"),
    }


def tagged(room: str) -> Word:
    """Replacing all tags."""
    path = f"/v1/iam/{room}/{{name}}/tags"
    options = {"options": ("tag*",), "content": lambda given: {"tags": {}, **tags(given)}}
    return of_account("replace all tags", "PUT", path, "name", **options)


def _bound(room: str) -> dict[str, Word]:
    """What users and roles have alike."""
    path = f"/v1/iam/{room}/{{name}}/boundary"
    return {
        "boundary": of_account("what it may do at most", "PUT", path, "name", "arn", content=chosen("arn")),
        "unbound": of_account("take the permission boundary away", "DELETE", path, "name"),
        "tag": tagged(room),
    }


_USER: Final = "/v1/iam/users/{name}"
_MEMBER: Final = "/v1/iam/groups/{name}/members/{user}"
_PROVIDERS: Final = "/v1/iam/oidc-providers"

IDENTITY_WORDS: Final[Mapping[str, Mapping[str, Word]]] = {
    "user": {
        "create": of_account(
            "make a user without keys",
            "POST",
            "/v1/iam/users",
            "name",
            options=("path", "boundary", "tag*"),
            content=_user,
        ),
        **_holder("users", "user"),
        **_bound("users"),
        "rename": of_account(
            "another name (--to) or path", "PATCH", _USER, "name", options=("to", "path"), content=_change
        ),
        "disable": of_account(
            "believe none of its keys and sessions", "PATCH", _USER, "name", content=fixed(disabled=True)
        ),
        "enable": of_account("believe them again", "PATCH", _USER, "name", content=fixed(disabled=False)),
    },
    "group": {
        "create": of_account(
            "make a group", "POST", "/v1/iam/groups", "name", options=("path",), content=chosen("name", "path")
        ),
        **_holder("groups", "group"),
        "rename": of_account(
            "another name (--to) or path",
            "PATCH",
            "/v1/iam/groups/{name}",
            "name",
            options=("to", "path"),
            content=_moved,
        ),
        "add": of_account("put a user in", "PUT", _MEMBER, "name", "user"),
        "remove": of_account("take a user out", "DELETE", _MEMBER, "name", "user"),
    },
    "role": {
        "create": of_account(
            "make a role with the trust policy of a file",
            "POST",
            "/v1/iam/roles",
            "name",
            "file",
            options=("path", "boundary", "description", "session_seconds", "tag*"),
            content=_role,
        ),
        **_holder("roles", "role"),
        **_bound("roles"),
        "trust": of_account(
            "replace the trust policy",
            "PUT",
            "/v1/iam/roles/{name}/trust",
            "name",
            "file",
            options=("session_seconds",),
            content=_trust,
        ),
        "describe": of_account(
            "say what it is for",
            "PATCH",
            "/v1/iam/roles/{name}",
            "name",
            "description",
            content=chosen("description"),
        ),
    },
    "oidc-provider": {
        "create": of_account(
            "believe an issuer, named by its URL without https://",
            "POST",
            _PROVIDERS,
            "name",
            options=("client_id*", "thumbprint*"),
            content=_provider,
        ),
        "list": Word("every issuer that is believed", "GET", _PROVIDERS, account=True),
        "show": of_account("one issuer", "GET", _PROVIDERS + "/{name}", "name"),
        "update": of_account(
            "replace its audiences and thumbprints",
            "PATCH",
            _PROVIDERS + "/{name}",
            "name",
            options=("client_id*", "thumbprint*"),
            content=_audiences,
        ),
        "delete": of_account("believe it no more", "DELETE", _PROVIDERS + "/{name}", "name"),
    },
}
