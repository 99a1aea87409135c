"""Managed policies and their versions: IAM's actions on them, the built-in ones among them.

Knows that built-in policies are read only, and that other accounts' are not there. Must not know what policies mean.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from app.core.cluster import Group, ManagedPolicy, Role, User, Who, arn
from app.core.cluster.built_in import PREFIX
from app.core.cluster.entities import policy_named
from app.core.errors import S3Error
from app.faces.http.query.answers import Values
from app.faces.http.query.iam import shown
from app.faces.http.query.iam.ask import Act, Ask, Keys, Kind, tag_keys
from app.faces.http.query.iam.held import listed_tags, with_tags, without_tags
from app.faces.http.query.iam.paging import paged
from app.services.identity.commanding import CommandRefused
from app.services.identity.iam import Wanted

_POLICY: Final = Kind("policy", "PolicyName", "Policy")
_SCOPES: Final = ("All", "AWS", "Local")
_USAGES: Final = ("PermissionsPolicy", "PermissionsBoundary")
_FILTERS: Final = ("User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy")


def create_policy(ask: Ask) -> Values:
    name = ask.needed("PolicyName")
    tags = ask.demand_creation(_POLICY, name)
    wanted = Wanted(
        path=ask.text("Path", "/"),
        tags=tags,
        document=ask.needed("PolicyDocument"),
        description=ask.text("Description"),
    )
    made = ask.use.iam.create(Who(ask.account.name, "policy", name), wanted)
    assert isinstance(made, ManagedPolicy)
    return {"Policy": shown.policy(ask.account, made, shown.uses(ask.account))}


def get_policy(ask: Ask) -> Values:
    return {"Policy": shown.policy(ask.account, _found(ask), shown.uses(ask.account))}


def list_policies(ask: Ask) -> Values:
    prefix, scope = ask.path_prefix(), ask.one_of("Scope", *_SCOPES)
    usage, only_attached = ask.one_of("PolicyUsageFilter", *_USAGES), ask.flag("OnlyAttached")
    ask.demand(ask.arn(f"policy{prefix}"))
    account, counted = ask.account, shown.uses(ask.account)
    own = {} if scope == "AWS" else {arn(account.account_id, one): one for one in account.policies.values()}
    built_in = {} if scope == "Local" else shown.BUILT_INS

    def wanted(policy_arn: str, one: ManagedPolicy) -> bool:
        attached, bounding = counted.attached[policy_arn], counted.boundaries[policy_arn]
        used = {"PermissionsPolicy": attached, "PermissionsBoundary": bounding}.get(usage, attached + bounding)
        return one.path.startswith(prefix) and (used > 0 or not (only_attached or usage))

    there = (
        (_place(policy_arn, one), one) for policy_arn, one in {**built_in, **own}.items() if wanted(policy_arn, one)
    )
    found, more = paged(ask, there)
    return {"Policies": [shown.policy(account, one, counted, whole=False) for one in found], **more}


def _place(policy_arn: str, one: ManagedPolicy) -> str:
    """By name; an own policy may be called as a built-in one."""
    return f"{one.name} {policy_arn.startswith(PREFIX)}"


def delete_policy(ask: Ask) -> Values:
    ask.use.iam.delete(_own(ask))
    return {}


def create_policy_version(ask: Ask) -> Values:
    who, default = _own(ask), ask.flag("SetAsDefault")
    ask.use.iam.add_version(who, ask.needed("PolicyDocument"), default)
    policy = ask.account.policies[who.name]
    return {"PolicyVersion": shown.version(policy, policy.versions[-1], whole=False)}


def get_policy_version(ask: Ask) -> Values:
    policy, version_id = _found(ask), ask.needed("VersionId")
    version = next((one for one in policy.versions if one.version_id == version_id), None)
    if version is None:
        text = f"Policy {ask.text('PolicyArn')} version {version_id} does not exist or is not attachable."
        raise CommandRefused("NoSuchEntity", text)
    return {"PolicyVersion": shown.version(policy, version)}


def list_policy_versions(ask: Ask) -> Values:
    policy = _found(ask)
    numbered = ((f"{int(one.version_id[1:]):09d}", one) for one in policy.versions)
    found, more = paged(ask, numbered)
    return {"Versions": [shown.version(policy, one, whole=False) for one in found], **more}


def delete_policy_version(ask: Ask) -> Values:
    ask.use.iam.remove_version(_own(ask), ask.needed("VersionId"))
    return {}


def set_default_policy_version(ask: Ask) -> Values:
    ask.use.iam.set_default_version(_own(ask), ask.needed("VersionId"))
    return {}


def list_entities_for_policy(ask: Ask) -> Values:
    _found(ask)
    policy_arn, prefix = ask.needed("PolicyArn"), ask.path_prefix()
    wanted, usage = ask.one_of("EntityFilter", *_FILTERS), ask.one_of("PolicyUsageFilter", *_USAGES)
    there = (
        (f"{kind}/{one.name}", (kind, one))
        for kind, one in _holders(ask)
        if wanted in ("", kind) and one.path.startswith(prefix) and _uses(one, policy_arn, usage)
    )
    found, more = paged(ask, there)
    named: dict[str, list[Values]] = {"Group": [], "User": [], "Role": []}
    for kind, one in found:
        named[kind].append({f"{kind}Name": one.name, f"{kind}Id": one.unique_id})
    return {"PolicyGroups": named["Group"], "PolicyUsers": named["User"], "PolicyRoles": named["Role"], **more}


def _holders(ask: Ask) -> Iterator[tuple[str, User | Group | Role]]:
    account = ask.account
    for user in account.users.values():
        yield "User", user
    for group in account.groups.values():
        yield "Group", group
    for role in account.roles.values():
        yield "Role", role


def _uses(one: User | Group | Role, policy_arn: str, usage: str) -> bool:
    bounded = not isinstance(one, Group) and one.boundary == policy_arn
    if usage == "PermissionsBoundary":
        return bounded
    return policy_arn in one.attached or (bounded and not usage)


def tag_policy(ask: Ask) -> Values:
    given = ask.tags()
    who = _own(ask, tag_keys(given))
    ask.use.iam.set_tags(who, with_tags(ask.account.policies[who.name].tags, given))
    return {}


def untag_policy(ask: Ask) -> Values:
    taken = ask.members("TagKeys")
    who = _own(ask, tag_keys(taken))
    ask.use.iam.set_tags(who, without_tags(ask.account.policies[who.name].tags, taken))
    return {}


def list_policy_tags(ask: Ask) -> Values:
    return listed_tags(ask, _found(ask).tags)


def _found(ask: Ask, keys: Keys | None = None) -> ManagedPolicy:
    """The policy of an ARN, which the caller may. NoSuchEntity after AccessDenied."""
    policy_arn = ask.needed("PolicyArn")
    policy = shown.BUILT_INS.get(policy_arn) or policy_named(ask.account, policy_arn)
    ask.demand(policy_arn, policy, keys or {})
    if policy is None:
        raise CommandRefused("NoSuchEntity", f"Policy {policy_arn} was not found.")
    return policy


def _own(ask: Ask, keys: Keys | None = None) -> Who:
    """The same, to be changed: AccessDenied for a built-in one, as on IAM."""
    policy = _found(ask, keys)
    if ask.text("PolicyArn") in shown.BUILT_INS:
        raise S3Error("AccessDenied", "Built-in policies cannot be changed.")
    return Who(ask.account.name, "policy", policy.name)


ACTIONS: Final[Mapping[str, Act]] = {
    "CreatePolicy": create_policy,
    "CreatePolicyVersion": create_policy_version,
    "DeletePolicy": delete_policy,
    "DeletePolicyVersion": delete_policy_version,
    "GetPolicy": get_policy,
    "GetPolicyVersion": get_policy_version,
    "ListEntitiesForPolicy": list_entities_for_policy,
    "ListPolicies": list_policies,
    "ListPolicyTags": list_policy_tags,
    "ListPolicyVersions": list_policy_versions,
    "SetDefaultPolicyVersion": set_default_policy_version,
    "TagPolicy": tag_policy,
    "UntagPolicy": untag_policy,
}
