"""A holder of access keys as the policy engine sees it: the policies that speak for and against it, gathered.

Knows where each policy of a user stands. Must not know what policies mean. What cannot be found gives nothing: an
attachment without its policy is left out, a boundary without its policy allows nothing.
"""

from collections.abc import Iterator
from typing import Final

from app.core.cluster.built_in import BUILT_IN
from app.core.cluster.entities import policy_named
from app.core.cluster.identities import Account, Group, Role, User, arn
from app.core.policy.principal import AttachedPolicy, Principal, account_root

NOTHING: Final = '{"Version":"2012-10-17","Statement":[]}'


def principal_of(account: Account, user: User | None) -> Principal:
    """The principal of a user, or of the account itself when `user` is None."""
    if user is None:
        return account_root(account.account_id)
    return Principal(
        "user",
        arn(account.account_id, user),
        account.account_id,
        name=user.name,
        unique_id=user.unique_id,
        tags=user.tags,
        identity=(*_own(account, user), *_of_groups(account, user)),
        boundary=_boundary(account, user),
    )


def principal_of_role(account: Account, role: Role) -> Principal:
    """A role's permissions, before a session gives them a name: app/core/sessions has that."""
    return Principal(
        "role",
        arn(account.account_id, role),
        account.account_id,
        unique_id=role.unique_id,
        tags=role.tags,
        identity=tuple(_own(account, role)),
        boundary=_boundary(account, role),
    )


def _own(account: Account, entity: User | Role) -> Iterator[AttachedPolicy]:
    for name, text in entity.inline.items():
        yield AttachedPolicy("inline", name, text)
    yield from _attached(account, entity, "managed")


def _of_groups(account: Account, user: User) -> Iterator[AttachedPolicy]:
    for group in (account.groups[name] for name in user.groups if name in account.groups):
        for name, text in group.inline.items():
            yield AttachedPolicy("group-inline", f"{group.name}/{name}", text)
        yield from _attached(account, group, "group-managed")


def _attached(account: Account, entity: User | Group | Role, kind: str) -> Iterator[AttachedPolicy]:
    for policy_arn in entity.attached:
        text = policy_text(account, policy_arn)
        if text:
            yield AttachedPolicy(kind, policy_arn, text)


def _boundary(account: Account, entity: User | Role) -> AttachedPolicy | None:
    if not entity.boundary:
        return None
    return AttachedPolicy("boundary", entity.boundary, policy_text(account, entity.boundary) or NOTHING)


def policy_text(account: Account, policy_arn: str) -> str:
    """The text in force of a managed policy of the account or a built-in one; "" when there is none."""
    policy = policy_named(account, policy_arn)
    return BUILT_IN.get(policy_arn, "") if policy is None else policy.text
