"""A session: temporary credentials as a value, and the document a sealed token holds of it.

Knows shapes only. Must not know how tokens are sealed (app/adapters/sessions), nor who is believed now (standing.py).
There is no table of sessions: what a token says is all there is of it. Source:
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, NamedTuple

ASSUMED_ROLE: Final = "assumed-role"
FEDERATED_USER: Final = "federated-user"
SESSION: Final = "session"
WEB_IDENTITY: Final = "web-identity"
LDAP: Final = "ldap"

ROOT: Final = "root"
USER: Final = "user"
ROLE: Final = "role"
OIDC_PROVIDER: Final = "oidc-provider"

_FORM: Final = 1


class Party(NamedTuple):
    """Somebody a session rests on; when one of them is gone or no longer believed, so is the session.

    `kind`: root, user, role or oidc-provider. `account_ms`: when the account was made, so that another one of the same
    id is not taken for it; `unique_id` does this for users and roles (of a provider: when it was made). `access_key`:
    the long-term key the session began with, "" for none; `key_ms`: when that was made, for another one may be called
    the same.
    """

    kind: str
    account_id: str
    account_ms: int
    name: str = ""
    unique_id: str = ""
    access_key: str = ""
    key_ms: int = 0


@dataclass(frozen=True, slots=True)
class Session:
    """`kind`: one of the five above. `acts`: whose permissions it has. `chain`: who began it, the first first; for a
    session of a user itself empty. `name`: of the session. `policies`: session policies' texts, `policy_arns` managed
    ones, of the account of `acts`. `tags`: of the session; those in `transitive` go on to the next. `keys`: condition
    keys the issuer vouches for, canonical. Times in milliseconds since the epoch. `version`: of the control state it
    was issued under, so that who is behind that knows.
    """

    kind: str
    access_key: str
    secret: str = field(repr=False)
    acts: Party
    issued_ms: int
    expires_ms: int
    chain: tuple[Party, ...] = ()
    name: str = ""
    policies: tuple[str, ...] = ()
    policy_arns: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive: tuple[str, ...] = ()
    source_identity: str = ""
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    version: int = 0


def encode(session: Session) -> bytes:
    """The document of a session; `decode` gives it back."""
    values = {one.name: getattr(session, one.name) for one in fields(session)}
    kept = {name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items() if value}
    return json.dumps([_FORM, kept], separators=(",", ":"), ensure_ascii=False).encode()


def decode(document: bytes) -> Session:
    """Only ever asked of what this system sealed. Raises ValueError for another form."""
    form, kept = json.loads(document)
    if form != _FORM:
        raise ValueError("a session of another form")
    values: dict[str, Any] = dict(kept)
    try:
        values["acts"] = Party(*values["acts"])
        values["chain"] = tuple(Party(*one) for one in values.get("chain", ()))
        for name in ("policies", "policy_arns", "transitive"):
            values[name] = tuple(values.get(name, ()))
        values["keys"] = {name: tuple(found) for name, found in values.get("keys", {}).items()}
        return Session(**values)
    except (KeyError, TypeError) as error:
        raise ValueError("no session") from error
