"""The account as a whole: its summary, and everything in it at once. Knows element names only."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from app.core import limits
from app.core.cluster import Account, Group, ManagedPolicy, Role, User
from app.faces.http.query.answers import Entries, Values
from app.faces.http.query.iam import shown
from app.faces.http.query.iam.ask import Act, Ask
from app.faces.http.query.iam.held import attached
from app.faces.http.query.iam.paging import paged
from app.services.identity.commanding import CommandRefused

_QUOTAS: Final[Mapping[str, int]] = {
    "AccessKeysPerUserQuota": limits.ACCESS_KEYS_MAX,
    "AssumeRolePolicySizeQuota": limits.TRUST_POLICY_CHARS_MAX,
    "AttachedPoliciesPerGroupQuota": limits.ATTACHED_POLICIES_MAX,
    "AttachedPoliciesPerRoleQuota": limits.ATTACHED_POLICIES_MAX,
    "AttachedPoliciesPerUserQuota": limits.ATTACHED_POLICIES_MAX,
    "GroupPolicySizeQuota": limits.GROUP_INLINE_CHARS_MAX,
    "GroupsPerUserQuota": limits.GROUPS_OF_USER_MAX,
    "GroupsQuota": limits.GROUPS_MAX,
    "PoliciesQuota": limits.POLICIES_MAX,
    "PolicySizeQuota": limits.MANAGED_POLICY_CHARS_MAX,
    "RolePolicySizeQuota": limits.ROLE_INLINE_CHARS_MAX,
    "RolesQuota": limits.ROLES_MAX,
    "UserPolicySizeQuota": limits.USER_INLINE_CHARS_MAX,
    "UsersQuota": limits.USERS_MAX,
    "VersionsPerPolicyQuota": limits.POLICY_VERSIONS_MAX,
}


def get_account_summary(ask: Ask) -> Values:
    """What there is, of how much there may be."""
    ask.demand("*")
    account = ask.account
    counted = {
        "AccountAccessKeysPresent": int(bool(account.keys)),
        "AccountMFAEnabled": 0,
        "AccountSigningCertificatesPresent": 0,
        "Groups": len(account.groups),
        "InstanceProfiles": 0,
        "MFADevices": 0,
        "MFADevicesInUse": 0,
        "Policies": len(account.policies),
        "PolicyVersionsInUse": sum(len(one.versions) for one in account.policies.values()),
        "Providers": len(account.oidc_providers),
        "Roles": len(account.roles),
        "ServerCertificates": 0,
        "Users": len(account.users),
    }
    return {"SummaryMap": Entries(sorted({**counted, **_QUOTAS}.items()))}


def list_account_aliases(ask: Ask) -> Values:
    """There are none."""
    ask.demand("*")
    return {"AccountAliases": [], "IsTruncated": False}


def get_account_authorization_details(ask: Ask) -> Values:
    """Every user, group, role and policy with its permissions, a page over all of them."""
    ask.demand("*")
    wanted = ask.members("Filter")
    if not set(wanted) <= _DETAILS.keys():
        raise CommandRefused("ValidationError", f"Filter must be some of {', '.join(_DETAILS)}.")
    account = ask.account
    found, more = paged(ask, _everything(account, wanted or tuple(_DETAILS)))
    told: dict[str, list[Values]] = {"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": []}
    detail = _Detail(account)
    for kind, one in found:
        element, tell = _DETAILS[kind]
        told[element].append(tell(detail, one))
    return {**told, **more}


def _everything(account: Account, kinds: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, object]]]:
    there: Mapping[str, Mapping[str, object]] = {
        "User": account.users,
        "Group": account.groups,
        "Role": account.roles,
        "LocalManagedPolicy": account.policies,
        "AWSManagedPolicy": {one.name: one for one in shown.BUILT_INS.values()},
    }
    for kind in dict.fromkeys(kinds):
        for name, one in there[kind].items():
            yield f"{kind}/{name}", (kind, one)


class _Detail:
    """One entity with its permissions."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._uses = shown.uses(account)

    def user(self, one: User) -> Values:
        return {
            **shown.user(self._account, one),
            **_held("User", one),
            "GroupList": list(one.groups),
        }

    def group(self, one: Group) -> Values:
        return {**shown.group(self._account, one), **_held("Group", one)}

    def role(self, one: Role) -> Values:
        return {**shown.role(self._account, one), **_held("Role", one), "InstanceProfileList": []}

    def policy(self, one: ManagedPolicy) -> Values:
        versions = [shown.version(one, version) for version in one.versions]
        return {**shown.policy(self._account, one, self._uses), "PolicyVersionList": versions}


def _held(word: str, one: User | Group | Role) -> Values:
    inline: list[Values] = [
        {"PolicyName": name, "PolicyDocument": shown.document(text)} for name, text in sorted(one.inline.items())
    ]
    return {f"{word}PolicyList": inline, "AttachedManagedPolicies": [attached(one) for one in one.attached]}


_DETAILS: Final[Mapping[str, tuple[str, Callable[..., Values]]]] = {
    "User": ("UserDetailList", _Detail.user),
    "Group": ("GroupDetailList", _Detail.group),
    "Role": ("RoleDetailList", _Detail.role),
    "LocalManagedPolicy": ("Policies", _Detail.policy),
    "AWSManagedPolicy": ("Policies", _Detail.policy),
}

ACTIONS: Final[Mapping[str, Act]] = {
    "GetAccountAuthorizationDetails": get_account_authorization_details,
    "GetAccountSummary": get_account_summary,
    "ListAccountAliases": list_account_aliases,
}
