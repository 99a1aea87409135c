"""Accounts, and the access keys of accounts and users. Knows paths and JSON; a secret is in the answer that made it
and in no other.
"""

from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, Response

from app.core.cluster import AccessKey, Account, Holder
from app.faces.http.admin.gate import Gate
from app.faces.http.admin.json_wire import answer, done, fields, needed
from app.services.identity.control import Control, CreatedKey, NewAccount

_CHOICES: Final[Mapping[str, type]] = dict.fromkeys(NewAccount.__dataclass_fields__, str)
_ACCOUNTS: Final = "/admin/v1/accounts"
_OF_ACCOUNT: Final = f"{_ACCOUNTS}/<account>/keys"
_OF_USER: Final = f"{_ACCOUNTS}/<account>/users/<user>/keys"


def add(face: Blueprint, gate: Gate, control: Control) -> None:
    """The routes."""

    @face.get(_ACCOUNTS)
    def list_accounts() -> Response:
        gate.admitted()
        return answer({"accounts": [_shown(account) for account in control.accounts()]})

    @face.post(_ACCOUNTS)
    def create_account() -> Response:
        account, key = control.create(NewAccount(**{"name": "", **fields(gate.admitted(), **_CHOICES)}))
        return answer({**_shown(account), **_secret(key)}, 201)

    @face.delete(f"{_ACCOUNTS}/<account>")
    def delete_account(account: str) -> Response:
        gate.admitted()
        control.delete(account)
        return done()

    _add_keys(face, gate, control)


def _add_keys(face: Blueprint, gate: Gate, control: Control) -> None:
    @face.get(_OF_ACCOUNT)
    @face.get(_OF_USER)
    def list_keys(account: str, user: str = "") -> Response:
        gate.admitted()
        return answer({"keys": [shown_key(key) for key in control.keys(Holder(account, user))]})

    @face.post(_OF_ACCOUNT)
    @face.post(_OF_USER)
    def create_key(account: str, user: str = "") -> Response:
        chosen = fields(gate.admitted(), access_key=str, secret_key=str)
        return answer(_secret(control.add_key(Holder(account, user), **chosen)), 201)

    @face.put(f"{_OF_ACCOUNT}/<key>")
    @face.put(f"{_OF_USER}/<key>")
    def update_key(account: str, key: str, user: str = "") -> Response:
        active = needed(gate.admitted(), "active", bool)
        control.set_key_active(Holder(account, user), key, active)
        return done()

    @face.delete(f"{_OF_ACCOUNT}/<key>")
    @face.delete(f"{_OF_USER}/<key>")
    def delete_key(account: str, key: str, user: str = "") -> Response:
        gate.admitted()
        control.remove_key(Holder(account, user), key)
        return done()


def shown_key(key: AccessKey) -> dict[str, Any]:
    """A key without its secret."""
    return {"access_key": key.access_key, "status": key.status, "created_ms": key.created_ms}


def _shown(account: Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "account_id": account.account_id,
        "canonical_id": account.canonical_id,
        "display_name": account.shown_name,
        "email": account.email,
        "created_ms": account.created_ms,
        "root": account.root,
        "access_keys": [key.access_key for key in account.keys],
    }


def _secret(key: CreatedKey) -> dict[str, str]:
    return {"access_key": key.access_key, "secret_key": key.secret_key}
