"""The words of `zapfs admin` for accounts and for access keys. Knows arguments and the requests they become."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from app.cli.words import Word, chosen, fixed

_KEY: Final = ("access_key", "secret_key")
_IDENTITY: Final = ("account_id", "canonical_id", "display_name", "email")
_ACCOUNT: Final = "/v1/accounts/{name}"


def _keys(path: str, make: Callable[..., Word], prefix: str = "") -> dict[str, Word]:
    """The keys of somebody whose `path` this is."""
    one = path + "/{key}"
    words = {
        "create": make("one more key; its secret is shown now only", "POST", path, ("name",), _KEY, chosen(*_KEY)),
        "list": make("keys without their secrets", "GET", path, ("name",)),
        "activate": make("believe a key again", "PATCH", one, ("name", "key"), (), fixed(active=True)),
        "deactivate": make("believe a key no more", "PATCH", one, ("name", "key"), (), fixed(active=False)),
        "delete": make("remove a key for good", "DELETE", one, ("name", "key")),
    }
    return {prefix + verb: word for verb, word in words.items()}


_of_user: Final = partial(Word, account=True)


ACCOUNT_WORDS: Final[Mapping[str, Word]] = {
    "create": Word(
        "make an account with one access key; what is not given is generated",
        "POST",
        "/v1/accounts",
        ("name",),
        (*_KEY, *_IDENTITY),
        chosen("name", *_KEY, *_IDENTITY),
    ),
    "list": Word(
        "every account",
        "GET",
        "/v1/accounts",
        columns=("name", "account_id", "canonical_id", "display_name", "email", "disabled", "created"),
    ),
    "show": Word("one account with its own keys", "GET", _ACCOUNT, ("name",)),
    "disable": Word("believe nobody of it", "PATCH", _ACCOUNT, ("name",), content=fixed(disabled=True)),
    "enable": Word("believe its people again", "PATCH", _ACCOUNT, ("name",), content=fixed(disabled=False)),
    "delete": Word("remove an account and all that is in it; its buckets stay", "DELETE", _ACCOUNT, ("name",)),
    **_keys(_ACCOUNT + "/access-keys", Word, "key "),
}
KEY_WORDS: Final[Mapping[str, Word]] = _keys("/v1/iam/users/{name}/access-keys", _of_user)
