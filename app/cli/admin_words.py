"""The words of `zapfs admin`: each verb with its arguments, and the request it becomes.

Knows the admin face's methods and paths (docs/admin.md). Must not know how requests are signed or answers printed.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from app.cli.layout_words import CLUSTER_WORDS
from app.cli.manager_words import MANAGER_WORDS
from app.cli.words import Content, Given, Word


def add_words(subjects: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """A parser for every subject and verb; "manager add" is the verb add of the group manager."""
    for subject, words in WORDS.items():
        parser = subjects.add_parser(subject, help=_SUBJECTS[subject])
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        groups: dict[str, Any] = {}
        for verb, word in words.items():
            group, _, last = verb.rpartition(" ")
            if group and group not in groups:
                groups[group] = verbs.add_parser(group, help=f"{group}s").add_subparsers(required=True, metavar="VERB")
            one = groups.get(group, verbs).add_parser(last, parents=[common], help=word.text)
            one.set_defaults(verb=verb)
            for name in word.names:
                one.add_argument(name.rstrip("?*"), nargs=name[-1] if name[-1] in "?*" else None)
            for option in word.options:
                flag = "--" + option.rstrip("*!").replace("_", "-")
                if option.endswith("*"):
                    one.add_argument(flag, action="append", metavar="KEY=VALUE")
                elif option.endswith("!"):
                    one.add_argument(flag, action="store_true")
                else:
                    one.add_argument(flag)


def _chosen(*names: str) -> Callable[[Given], Content]:
    """The arguments of these names that were given."""
    return lambda given: {name: given[name] for name in names if given.get(name)}


def _document(given: Given) -> Content:
    """A policy from the file named. Raises OSError, ValueError."""
    return {"document": json.loads(Path(given["file"]).read_text())}


def _tags(given: Given) -> dict[str, str]:
    pairs = (one.partition("=") for one in given.get("tag") or ())
    return {key: value for key, _, value in pairs}


def _with_tags(given: Given) -> Content:
    tags = {"tags": _tags(given)} if given.get("tag") else {}
    return {**_chosen("name", "path", "boundary")(given), **tags}


def _role(given: Given) -> Content:
    seconds = {"session_seconds_max": int(given["session_seconds"])} if given.get("session_seconds") else {}
    return {**_with_tags(given), "trust": _document(given)["document"], **seconds}


def _user(given: Given) -> Content:
    """A user's name has a field of its own."""
    chosen = dict(_with_tags(given))
    return {"username": chosen.pop("name"), **chosen}


def _of(path: str) -> str:
    """A path about one account, which the operator names."""
    return path + "?account={account}"


def _key(tail: str = "") -> Callable[[Given], str]:
    """Keys of an account, or of its user with --user."""
    of_account, of_user = "/v1/accounts/{account}/access-keys", "/v1/iam/users/{user}/access-keys"
    return lambda given: _of(of_user + tail) if given.get("user") else of_account + tail


def _holder(room: str) -> dict[str, Word]:
    """What users, groups and roles have alike."""
    one = f"/v1/iam/{room}/{{name}}"
    who, inline = ("account", "name"), ("account", "name", "policy")
    return {
        "list": Word("those of an account", "GET", _of(f"/v1/iam/{room}"), ("account",)),
        "show": Word("everything about one", "GET", _of(one), who),
        "delete": Word("remove one that holds nothing any more", "DELETE", _of(one), who),
        "attach": Word("attach a managed policy", "PUT", _of(one + "/attached-policies/{arn}"), (*who, "arn")),
        "detach": Word("detach a managed policy", "DELETE", _of(one + "/attached-policies/{arn}"), (*who, "arn")),
        "policies": Word("inline policies with their texts", "GET", _of(one + "/inline-policies"), who),
        "put-policy": Word(
            "inline policy from a file", "PUT", _of(one + "/inline-policies/{policy}"), (*inline, "file"), (), _document
        ),
        "delete-policy": Word("remove an inline policy", "DELETE", _of(one + "/inline-policies/{policy}"), inline),
    }


def _tagged(room: str) -> dict[str, Word]:
    """What users and roles have alike."""
    one = f"/v1/iam/{room}/{{name}}"
    who = ("account", "name")
    return {
        "boundary": Word("permission boundary", "PUT", _of(one + "/boundary"), (*who, "arn"), (), _chosen("arn")),
        "unbound": Word("take the permission boundary away", "DELETE", _of(one + "/boundary"), who),
        "tag": Word(
            "replace all tags", "PUT", _of(one + "/tags"), who, ("tag*",), lambda given: {"tags": _tags(given)}
        ),
    }


_KEYS: Final = ("access_key", "secret_key")
_IDENTITY: Final = ("account_id", "canonical_id", "display_name", "email")
_SUBJECTS: Final = {
    "account": "who owns buckets, and may use the store",
    "user": "who acts for an account, by policies",
    "group": "users that share policies",
    "role": "permissions to be taken for a time",
    "policy": "managed policies of an account",
    "key": "access keys of an account, or of its user with --user",
    "kms": "the keyring's keys",
    "cluster": "the machines of a cluster",
    "gc": "collection of freed chunks",
    "lifecycle": "how a bucket's lifecycle rules went, and what they would do now",
}
_SWITCHES: Final = {"activate": True, "deactivate": False}
_MEMBER: Final = _of("/v1/iam/groups/{name}/members/{user}")
_POLICY: Final = "/v1/iam/policies/{name}"
_KMS: Final = "/v1/kms/keys"
_KMS_KEY: Final = _KMS + "/{key}"

WORDS: Final[Mapping[str, Mapping[str, Word]]] = {
    "account": {
        "create": Word(
            "make an account with one access key; what is not given is generated",
            "POST",
            "/v1/accounts",
            ("name",),
            (*_KEYS, *_IDENTITY),
            _chosen("name", *_KEYS, *_IDENTITY),
        ),
        "list": Word("every account", "GET", "/v1/accounts"),
        "delete": Word("remove an account and all that is in it", "DELETE", "/v1/accounts/{name}", ("name",)),
    },
    "user": {
        "create": Word(
            "make a user", "POST", _of("/v1/iam/users"), ("account", "name"), ("path", "boundary", "tag*"), _user
        ),
        **_holder("users"),
        **_tagged("users"),
    },
    "group": {
        "create": Word(
            "make a group", "POST", _of("/v1/iam/groups"), ("account", "name"), ("path",), _chosen("name", "path")
        ),
        **_holder("groups"),
        "add": Word("put a user in", "PUT", _MEMBER, ("account", "name", "user")),
        "remove": Word("take a user out", "DELETE", _MEMBER, ("account", "name", "user")),
    },
    "role": {
        "create": Word(
            "make a role with the trust policy of a file",
            "POST",
            _of("/v1/iam/roles"),
            ("account", "name", "file"),
            ("path", "boundary", "session_seconds", "tag*"),
            _role,
        ),
        **_holder("roles"),
        **_tagged("roles"),
        "trust": Word(
            "replace the trust policy",
            "PUT",
            _of("/v1/iam/roles/{name}/trust"),
            ("account", "name", "file"),
            (),
            _document,
        ),
    },
    "policy": {
        "create": Word(
            "make a managed policy from a file",
            "POST",
            _of("/v1/iam/policies"),
            ("account", "name", "file"),
            ("path",),
            lambda given: {**_chosen("name", "path")(given), **_document(given)},
        ),
        "list": Word("those of an account", "GET", _of("/v1/iam/policies"), ("account",)),
        "show": Word("everything about one", "GET", _of(_POLICY), ("account", "name")),
        "delete": Word("remove one that is attached to nothing", "DELETE", _of(_POLICY), ("account", "name")),
        "update": Word(
            "make a file its newest version, in force at once",
            "POST",
            _of(_POLICY + "/versions"),
            ("account", "name", "file"),
            (),
            lambda given: {**_document(given), "default": True},
        ),
        "default": Word(
            "put a version in force",
            "PUT",
            _of(_POLICY + "/default"),
            ("account", "name", "version"),
            (),
            _chosen("version"),
        ),
        "delete-version": Word(
            "remove a version", "DELETE", _of(_POLICY + "/versions/{version}"), ("account", "name", "version")
        ),
    },
    "key": {
        "create": Word("one more key", "POST", _key(), ("account",), ("user", *_KEYS), _chosen(*_KEYS)),
        "list": Word("keys without their secrets", "GET", _key(), ("account",), ("user",)),
        "delete": Word("remove a key", "DELETE", _key("/{key}"), ("account", "key"), ("user",)),
        **{
            verb: Word(
                f"{verb} a key",
                "PATCH",
                _key("/{key}"),
                ("account", "key"),
                ("user",),
                lambda given: {"active": _SWITCHES[given["verb"]]},
            )
            for verb in _SWITCHES
        },
    },
    "kms": {
        "create": Word(
            "make a key",
            "POST",
            _KMS,
            (),
            ("key_id", "alias", "description"),
            _chosen("key_id", "alias", "description"),
        ),
        "list": Word("every key", "GET", _KMS),
        "rotate": Word("new material for what is encrypted from now on", "POST", _KMS + "/{key}/rotate", ("key",)),
        "enable": Word(
            "let it encrypt and decrypt", "PATCH", _KMS + "/{key}", ("key",), (), lambda _: {"enabled": True}
        ),
        "disable": Word("let it do nothing", "PATCH", _KMS_KEY, ("key",), (), lambda _: {"enabled": False}),
        "delete": Word(
            "schedule its deletion",
            "DELETE",
            _KMS + "/{key}",
            ("key",),
            ("days",),
            lambda given: {"days": int(given["days"])} if given.get("days") else {},
        ),
    },
    "cluster": {**CLUSTER_WORDS, **MANAGER_WORDS},
    "lifecycle": {
        "status": Word("the last pass, by rule", "GET", "/v1/lifecycle/{bucket}", ("bucket",)),
        "dry-run": Word("what would be done now", "POST", "/v1/lifecycle/{bucket}/dry-run", ("bucket",)),
    },
    "gc": {
        "status": Word("what waits to be collected", "GET", "/v1/gc"),
        "run": Word(
            "collect now, without waiting for the grace; what was released in the last seconds stays",
            "POST",
            "/v1/gc",
        ),
    },
}
