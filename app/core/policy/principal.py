"""Who acts, as policies see it: a principal with the policies attached to it.

Knows values only. Policies are carried as their texts; `grammar.parse` keeps what it parsed. Source:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class AttachedPolicy(NamedTuple):
    """`kind`: managed, inline, group-managed, group-inline, boundary or session. `name`: of the policy, for the log."""

    kind: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Principal:
    """`kind`: root (the account itself), user, role (an assumed role's session), federated (a federated user's),
    web-identity (whoever another issuer's token speaks of, before they are anybody here; `name`: of the issuer),
    anonymous or service (the system's own background work, which no policy stops).

    `arn`: arn:aws:iam::ACCOUNT:root, :user/PATH/NAME, arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION, "" for anonymous.
    `name`: aws:username, users only. `unique_id`: aws:userid. `tags`: aws:PrincipalTag. `identity`: an allow in any of
    them allows; `boundary`, and one of `session` if there are any, must allow too. A role's own ARN is in `role_arn`.
    `keys`: condition keys temporary credentials bring, canonical.
    """

    kind: str
    arn: str
    account_id: str
    name: str = ""
    unique_id: str = ""
    role_arn: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    identity: tuple[AttachedPolicy, ...] = ()
    boundary: AttachedPolicy | None = None
    session: tuple[AttachedPolicy, ...] = ()
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


NOBODYS_ID = "anonymous"
"""aws:userid of whoever signs nothing."""

ANONYMOUS = Principal("anonymous", "", "")
SERVICE = Principal("service", "", "")


def account_root(account_id: str) -> Principal:
    """The account itself, by its root keys."""
    return Principal("root", f"arn:aws:iam::{account_id}:root", account_id, unique_id=account_id)
