"""Accounts, and the access keys of accounts themselves. Knows paths and shapes only.

Of the operator's account only: whoever makes accounts decides who may own anything at all.
"""

from app.core.cluster import AccessKey, Account, Holder
from app.core.errors import S3Error
from app.faces.http.admin.endpoints import OF_SYSTEM, Asked, Endpoint, Shape, rows
from app.faces.http.admin.times import shown_time
from app.services.identity.control import Control, CreatedKey, NewAccount
from app.services.identity.iam import Iam


class NewAccountShape(Shape):
    """What is not given is generated; e-mail and display name stay empty."""

    name: str
    access_key: str = ""
    secret_key: str = ""
    account_id: str = ""
    canonical_id: str = ""
    display_name: str = ""
    email: str = ""


class KeyShape(Shape):
    """An access key without its secret. `status`: Active or Inactive."""

    access_key: str
    status: str
    created: str


class CreatedKeyShape(KeyShape):
    """An access key and its secret, for the only time it is shown."""

    secret_key: str


class NewKeyShape(Shape):
    """What is not given is generated."""

    access_key: str = ""
    secret_key: str = ""


class KeyChangeShape(Shape):
    """Whether signatures with the key are believed."""

    active: bool


class KeysShape(Shape):
    """Every key of a holder."""

    access_keys: list[KeyShape]


class AccountShape(Shape):
    """`canonical_id`: the Owner ID of S3. `root`: whether it is the operator's."""

    name: str
    account_id: str
    canonical_id: str
    display_name: str
    email: str
    created: str
    root: bool
    disabled: bool
    access_keys: list[KeyShape]


class CreatedAccountShape(AccountShape):
    """An account, and its first key's secret for the only time it is shown."""

    access_key: str
    secret_key: str


class AccountsShape(Shape):
    """Every account, by name."""

    accounts: list[AccountShape]


class AccountChangeShape(Shape):
    """Nobody of a disabled account is believed, by no key and no session."""

    disabled: bool


_ALL = "/accounts"
_ONE = "/accounts/{name}"
_KEYS = _ONE + "/access-keys"
_KEY = _KEYS + "/{access_key}"


def endpoints(control: Control, iam: Iam) -> list[Endpoint]:
    """Accounts and their keys."""

    def create(asked: Asked) -> CreatedAccountShape:
        account, key = control.create(NewAccount(**asked.body.model_dump()))
        shown = _shown(account).model_dump()
        return CreatedAccountShape(**shown, access_key=key.access_key, secret_key=key.secret_key)

    def change(asked: Asked) -> AccountShape:
        iam.set_disabled(Holder(asked.names["name"]), asked.body.disabled)
        return _shown(iam.account(asked.names["name"]))

    def listed(_: Asked) -> AccountsShape:
        return AccountsShape(accounts=[_shown(one) for one in control.accounts()])

    def get(asked: Asked) -> AccountShape:
        return _shown(iam.account(asked.names["name"]))

    def delete(asked: Asked) -> None:
        control.delete(asked.names["name"])

    gone = "Remove an account with all in it; its buckets stay."
    accounts = rows(
        OF_SYSTEM,
        ("GET", _ALL, "ListAccounts", "Every account.", listed, None, AccountsShape),
        ("POST", _ALL, "CreateAccount", "One with a key.", create, NewAccountShape, CreatedAccountShape),
        ("GET", _ONE, "GetAccount", "One account.", get, None, AccountShape),
        ("PATCH", _ONE, "UpdateAccount", "Disable it, or not.", change, AccountChangeShape, AccountShape),
        ("DELETE", _ONE, "DeleteAccount", gone, delete, None, None),
    )
    return accounts + _key_endpoints(control, iam)


def _key_endpoints(control: Control, iam: Iam) -> list[Endpoint]:
    def holder(asked: Asked) -> Holder:
        """Keys of the operator are its root's alone: whoever makes one may do everything, whatever bounds them now."""
        if iam.account(asked.names["name"]).root and not asked.call.caller.root:
            raise S3Error("AccessDenied", "Only the operator itself changes its keys.")
        return Holder(asked.names["name"])

    def listed(asked: Asked) -> KeysShape:
        return KeysShape(access_keys=[shown_key(key) for key in control.keys(Holder(asked.names["name"]))])

    def create(asked: Asked) -> CreatedKeyShape:
        return made_key(control, holder(asked), asked.body)

    def change(asked: Asked) -> None:
        control.set_key_active(holder(asked), asked.names["access_key"], asked.body.active)

    def delete(asked: Asked) -> None:
        control.remove_key(holder(asked), asked.names["access_key"])

    return rows(
        OF_SYSTEM,
        ("GET", _KEYS, "ListAccountKeys", "Keys of an account itself.", listed, None, KeysShape),
        ("POST", _KEYS, "CreateAccountKey", "One more of them.", create, NewKeyShape, CreatedKeyShape),
        ("PATCH", _KEY, "UpdateAccountKey", "Switch a key on or off.", change, KeyChangeShape, None),
        ("DELETE", _KEY, "DeleteAccountKey", "Remove a key for good.", delete, None, None),
    )


def made_key(control: Control, holder: Holder, wanted: NewKeyShape) -> CreatedKeyShape:
    """A new key of a holder."""
    created: CreatedKey = control.add_key(holder, wanted.access_key, wanted.secret_key)
    key = next(one for one in control.keys(holder) if one.access_key == created.access_key)
    return CreatedKeyShape(**shown_key(key).model_dump(), secret_key=created.secret_key)


def shown_key(key: AccessKey) -> KeyShape:
    """A key without its secret."""
    return KeyShape(access_key=key.access_key, status=key.status, created=shown_time(key.created_ms))


def _shown(account: Account) -> AccountShape:
    return AccountShape(
        name=account.name,
        account_id=account.account_id,
        canonical_id=account.canonical_id,
        display_name=account.shown_name,
        email=account.email,
        created=shown_time(account.created_ms),
        root=account.root,
        disabled=account.disabled,
        access_keys=[shown_key(key) for key in account.keys],
    )
