"""What commands do inside one account: users, groups, roles, managed policies and what ties them.

Knows IAM's rules of existence, conflict and size. Must not know other accounts (a managed policy is attached in its
own account only) or what a policy means. Raises Refused; transitions.apply makes an outcome of it.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from app.core import limits
from app.core.cluster import commands
from app.core.cluster.built_in import BUILT_IN
from app.core.cluster.commands import Who
from app.core.cluster.identities import (
    KINDS,
    ROOMS,
    Account,
    Entity,
    Group,
    ManagedPolicy,
    OidcProvider,
    Role,
    User,
    arn,
)
from app.core.cluster.refusals import Refused, check_limit, no_such, with_entry, without_entries

_MOST: Final = {
    "user": limits.USERS_MAX,
    "group": limits.GROUPS_MAX,
    "role": limits.ROLES_MAX,
    "policy": limits.POLICIES_MAX,
    "oidc-provider": limits.OIDC_PROVIDERS_MAX,
}
_INLINE_CHARS_MAX: Final = {
    User: limits.USER_INLINE_CHARS_MAX,
    Group: limits.GROUP_INLINE_CHARS_MAX,
    Role: limits.ROLE_INLINE_CHARS_MAX,
}


def changed(account: Account, command: commands.EntityCommand) -> Account:
    """The account after the command. Raises Refused."""
    return COMMANDS[type(command)](account, command)


def find(account: Account, who: Who) -> Any:
    """The user, group, role or policy. Raises Refused NoSuchEntity."""
    found = getattr(account, ROOMS[who.kind]).get(who.name)
    if found is None:
        raise no_such(who.kind, who.name)
    return found


def policy_named(account: Account, policy_arn: str) -> ManagedPolicy | None:
    """The account's own managed policy of that ARN; None for any other, the built-in ones too."""
    policy = account.policies.get(policy_arn.rpartition("/")[2])
    return policy if policy is not None and arn(account.account_id, policy) == policy_arn else None


def attached_to(account: Account, policy_arn: str) -> list[str]:
    """ARNs of what the policy is attached to, or is the boundary of."""
    holders: list[User | Group | Role] = [*account.users.values(), *account.groups.values(), *account.roles.values()]
    return [
        arn(account.account_id, one)
        for one in holders
        if policy_arn in one.attached or (not isinstance(one, Group) and one.boundary == policy_arn)
    ]


def _put(account: Account, entity: Entity) -> Account:
    room = ROOMS[KINDS[type(entity)]]
    fields: dict[str, Any] = {room: with_entry(getattr(account, room), entity.name, entity)}
    return replace(account, **fields)


def _create(account: Account, command: commands.Create) -> Account:
    entity = command.entity
    kind = KINDS[type(entity)]
    there: Mapping[str, Entity] = getattr(account, ROOMS[kind])
    # IAM's names keep their case and are unique without it.
    if entity.name in there or any(name.lower() == entity.name.lower() for name in there):
        raise Refused("EntityAlreadyExists", f"{kind.capitalize()} with name {entity.name} already exists.")
    check_limit(len(there) + 1, _MOST[kind], ROOMS[kind].capitalize() + "PerAccount")
    if isinstance(entity, ManagedPolicy):
        _check_size(entity.text, limits.MANAGED_POLICY_CHARS_MAX, "PolicySize")
    if isinstance(entity, Role):
        _check_size(entity.trust, limits.TRUST_POLICY_CHARS_MAX, "ACLSizePerRole")
    if isinstance(entity, OidcProvider):
        _check_audiences(entity.client_ids, entity.thumbprints)
    if not isinstance(entity, Group):
        check_limit(len(entity.tags), limits.ENTITY_TAGS_MAX, "TagsPerEntity")
    if isinstance(entity, User | Role) and entity.boundary:
        _check_policy(account, entity.boundary)
    return _put(account, entity)


def _delete(account: Account, command: commands.Delete) -> Account:
    entity = find(account, command.who)
    if isinstance(entity, ManagedPolicy):
        _check_loose_policy(account, entity)
    elif not isinstance(entity, OidcProvider):
        _check_empty(account, entity)
    room = ROOMS[command.who.kind]
    fields: dict[str, Any] = {room: without_entries(getattr(account, room), entity.name)}
    return replace(account, **fields)


def _check_loose_policy(account: Account, policy: ManagedPolicy) -> None:
    if attached_to(account, arn(account.account_id, policy)):
        raise Refused("DeleteConflict", "Cannot delete a policy attached to entities.")
    if len(policy.versions) > 1:
        text = (
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions."
        )
        raise Refused("DeleteConflict", f"{text} The default version is deleted with the policy.")


def _check_empty(account: Account, entity: User | Group | Role) -> None:
    if entity.attached:
        raise Refused("DeleteConflict", "Cannot delete entity, must detach all policies first.")
    if entity.inline:
        raise Refused("DeleteConflict", "Cannot delete entity, must delete policies first.")
    if isinstance(entity, User) and entity.keys:
        raise Refused("DeleteConflict", "Cannot delete entity, must delete access keys first.")
    if isinstance(entity, User) and entity.groups:
        raise Refused("DeleteConflict", "Cannot delete entity, must remove users from group first.")
    if isinstance(entity, Group) and any(entity.name in user.groups for user in account.users.values()):
        raise Refused("DeleteConflict", "Cannot delete entity, must remove users from group first.")


def _put_inline(account: Account, command: commands.PutInline) -> Account:
    entity = find(account, command.who)
    inline = with_entry(entity.inline, command.policy, command.text)
    _check_size("".join(inline.values()), _INLINE_CHARS_MAX[type(entity)], f"{command.who.kind} inline policies")
    return _put(account, replace(entity, inline=inline))


def _delete_inline(account: Account, command: commands.DeleteInline) -> Account:
    entity = find(account, command.who)
    if command.policy not in entity.inline:
        raise no_such("policy", command.policy)
    return _put(account, replace(entity, inline=without_entries(entity.inline, command.policy)))


def _attach(account: Account, command: commands.Attach) -> Account:
    entity = find(account, command.who)
    _check_policy(account, command.policy_arn)
    if command.policy_arn in entity.attached:
        return account
    check_limit(len(entity.attached) + 1, limits.ATTACHED_POLICIES_MAX, f"PoliciesPer{command.who.kind.capitalize()}")
    return _put(account, replace(entity, attached=(*entity.attached, command.policy_arn)))


def _detach(account: Account, command: commands.Detach) -> Account:
    entity = find(account, command.who)
    if command.policy_arn not in entity.attached:
        raise Refused("NoSuchEntity", f"Policy {command.policy_arn} was not found.")
    return _put(account, replace(entity, attached=tuple(one for one in entity.attached if one != command.policy_arn)))


def _set_boundary(account: Account, command: commands.SetBoundary) -> Account:
    entity = find(account, command.who)
    if command.policy_arn:
        _check_policy(account, command.policy_arn)
    return _put(account, replace(entity, boundary=command.policy_arn))


def _set_tags(account: Account, command: commands.SetTags) -> Account:
    entity = find(account, command.who)
    check_limit(len(command.tags), limits.ENTITY_TAGS_MAX, "TagsPerEntity")
    return _put(account, replace(entity, tags=command.tags))


def _set_trust(account: Account, command: commands.SetTrust) -> Account:
    role = find(account, command.who)
    _check_size(command.trust, limits.TRUST_POLICY_CHARS_MAX, "ACLSizePerRole")
    return _put(account, replace(role, trust=command.trust, session_seconds_max=command.session_seconds_max))


def _set_description(account: Account, command: commands.SetDescription) -> Account:
    return _put(account, replace(find(account, command.who), description=command.description))


def _set_oidc_trust(account: Account, command: commands.SetOidcTrust) -> Account:
    provider = find(account, command.who)
    _check_audiences(command.client_ids, command.thumbprints)
    return _put(account, replace(provider, client_ids=command.client_ids, thumbprints=command.thumbprints))


def _check_audiences(client_ids: tuple[str, ...], thumbprints: tuple[str, ...]) -> None:
    check_limit(len(client_ids), limits.OIDC_CLIENTS_MAX, "ClientIdsPerOpenIdConnectProvider")
    check_limit(len(thumbprints), limits.OIDC_THUMBPRINTS_MAX, "ThumbprintsPerOpenIdConnectProvider")


def renamed(account: Account, who: Who, name: str, path: str) -> Account:
    """The account with a user or group under another name and path. Raises Refused."""
    entity: User | Group = find(account, who)
    room = ROOMS[who.kind]
    others = without_entries(getattr(account, room), who.name)
    if any(one.lower() == name.lower() for one in others):
        raise Refused("EntityAlreadyExists", f"{who.kind.capitalize()} with name {name} already exists.")
    fields: dict[str, Any] = {room: with_entry(others, name, replace(entity, name=name, path=path))}
    changed = replace(account, **fields)
    if isinstance(entity, Group):
        members = {
            user.name: replace(user, groups=tuple(name if one == who.name else one for one in user.groups))
            for user in changed.users.values()
        }
        changed = replace(changed, users=members)
    return changed


def _set_member(account: Account, command: commands.SetMember) -> Account:
    user: User = find(account, Who(account.name, "user", command.user))
    find(account, Who(account.name, "group", command.group))
    groups = tuple(name for name in user.groups if name != command.group)
    if command.member:
        check_limit(len(groups) + 1, limits.GROUPS_OF_USER_MAX, "GroupsPerUser")
        groups = (*groups, command.group)
    return _put(account, replace(user, groups=groups))


def _add_version(account: Account, command: commands.AddPolicyVersion) -> Account:
    policy: ManagedPolicy = find(account, command.who)
    check_limit(len(policy.versions) + 1, limits.POLICY_VERSIONS_MAX, "VersionsPerPolicy")
    _check_size(command.version.text, limits.MANAGED_POLICY_CHARS_MAX, "PolicySize")
    version = replace(command.version, version_id=f"v{policy.last + 1}")
    default = version.version_id if command.default else policy.default
    return _put(account, replace(policy, versions=(*policy.versions, version), default=default, last=policy.last + 1))


def _remove_version(account: Account, command: commands.RemovePolicyVersion) -> Account:
    policy = _with_version(account, command.who, command.version_id)
    if command.version_id == policy.default:
        raise Refused("DeleteConflict", "Cannot delete the default version of a policy.")
    kept = tuple(one for one in policy.versions if one.version_id != command.version_id)
    return _put(account, replace(policy, versions=kept))


def _set_default(account: Account, command: commands.SetDefaultVersion) -> Account:
    policy = _with_version(account, command.who, command.version_id)
    return _put(account, replace(policy, default=command.version_id))


def _with_version(account: Account, who: Who, version_id: str) -> ManagedPolicy:
    policy: ManagedPolicy = find(account, who)
    if all(one.version_id != version_id for one in policy.versions):
        raise Refused("NoSuchEntity", f"Policy version {version_id} was not found.")
    return policy


def _check_policy(account: Account, policy_arn: str) -> None:
    """A managed policy of the account, or a built-in one."""
    if policy_arn not in BUILT_IN and policy_named(account, policy_arn) is None:
        raise Refused("NoSuchEntity", f"Policy {policy_arn} does not exist or is not attachable. Name it by its ARN.")


def _check_size(text: str, most: int, what: str) -> None:
    """Blanks are not counted, as on IAM."""
    check_limit(len("".join(text.split())), most, what)


COMMANDS: Final[Mapping[type, Callable[[Account, Any], Account]]] = {
    commands.Create: _create,
    commands.Delete: _delete,
    commands.PutInline: _put_inline,
    commands.DeleteInline: _delete_inline,
    commands.Attach: _attach,
    commands.Detach: _detach,
    commands.SetBoundary: _set_boundary,
    commands.SetTags: _set_tags,
    commands.SetTrust: _set_trust,
    commands.SetDescription: _set_description,
    commands.SetOidcTrust: _set_oidc_trust,
    commands.SetMember: _set_member,
    commands.AddPolicyVersion: _add_version,
    commands.RemovePolicyVersion: _remove_version,
    commands.SetDefaultVersion: _set_default,
}
"""Command -> what it does to an account."""
