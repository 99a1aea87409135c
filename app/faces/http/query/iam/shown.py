"""IAM's entities as its answers have them. Knows element names and forms only.

Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_Types.html; texts of policies are percent-encoded.
"""

import hashlib
from base64 import b32encode
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import quote

from app.core.cluster import AccessKey, Account, Group, ManagedPolicy, PolicyVersion, Role, User, arn
from app.core.cluster.built_in import BUILT_IN, PREFIX
from app.core.s3.times import iso_time
from app.faces.http.query.answers import Values

BUILT_IN_MS: Final = 1_423_247_986_000
"""When AWS made AdministratorAccess; the others have its time here."""


def document(text: str) -> str:
    """A policy's text, percent-encoded as RFC 3986 has it."""
    return quote(text, safe="")


def tags(found: Mapping[str, str]) -> list[Values]:
    """Tags by key."""
    return [{"Key": key, "Value": value} for key, value in sorted(found.items())]


def _more(entity: User | Role, tagged: bool) -> dict[str, Values | Sequence[Values]]:
    more: dict[str, Values | Sequence[Values]] = {}
    if entity.boundary:
        more["PermissionsBoundary"] = {
            "PermissionsBoundaryType": "Policy",
            "PermissionsBoundaryArn": entity.boundary,
        }
    if tagged and entity.tags:
        more["Tags"] = tags(entity.tags)
    return more


def user(account: Account, one: User, *, tagged: bool = True) -> Values:
    """`tagged`: whether its tags are told, as lists do not."""
    return {
        "Path": one.path,
        "UserName": one.name,
        "UserId": one.unique_id,
        "Arn": arn(account.account_id, one),
        "CreateDate": iso_time(one.created_ms),
        **_more(one, tagged),
    }


def root(account: Account) -> Values:
    """The account itself, as GetUser tells of it."""
    return {
        "Path": "/",
        "UserId": account.account_id,
        "Arn": f"arn:aws:iam::{account.account_id}:root",
        "CreateDate": iso_time(account.created_ms),
    }


def group(account: Account, one: Group) -> Values:
    """A group."""
    return {
        "Path": one.path,
        "GroupName": one.name,
        "GroupId": one.unique_id,
        "Arn": arn(account.account_id, one),
        "CreateDate": iso_time(one.created_ms),
    }


def role(account: Account, one: Role, *, tagged: bool = True) -> Values:
    """A role."""
    described = {"Description": one.description} if one.description else {}
    return {
        "Path": one.path,
        "RoleName": one.name,
        "RoleId": one.unique_id,
        "Arn": arn(account.account_id, one),
        "CreateDate": iso_time(one.created_ms),
        "AssumeRolePolicyDocument": document(one.trust),
        **described,
        "MaxSessionDuration": one.session_seconds_max,
        **_more(one, tagged),
    }


def key(holder: str, one: AccessKey) -> Values:
    """An access key without its secret. `holder`: the user's name, "" for the account's own."""
    named = {"UserName": holder} if holder else {}
    return {
        **named,
        "AccessKeyId": one.access_key,
        "Status": one.status,
        "CreateDate": iso_time(one.created_ms),
    }


class Uses(NamedTuple):
    """How often each managed policy is attached, and is a boundary, by its ARN."""

    attached: Counter[str]
    boundaries: Counter[str]


def uses(account: Account) -> Uses:
    """Counted once for a whole list."""
    holders: list[User | Group | Role] = [*account.users.values(), *account.groups.values(), *account.roles.values()]
    bounded: list[User | Role] = [*account.users.values(), *account.roles.values()]
    return Uses(
        Counter(policy_arn for one in holders for policy_arn in one.attached),
        Counter(one.boundary for one in bounded if one.boundary),
    )


def policy(account: Account, one: ManagedPolicy, counted: Uses, *, whole: bool = True) -> Values:
    """A managed policy of the account's or a built-in one. `whole`: with what lists leave out."""
    policy_arn = arn_of_policy(account, one)
    told: dict[str, str | Sequence[Values]] = {}
    if whole and one.description:
        told["Description"] = one.description
    if whole and one.tags:
        told["Tags"] = tags(one.tags)
    return {
        "PolicyName": one.name,
        "PolicyId": one.unique_id,
        "Arn": policy_arn,
        "Path": one.path,
        "DefaultVersionId": one.default,
        "AttachmentCount": counted.attached[policy_arn],
        "PermissionsBoundaryUsageCount": counted.boundaries[policy_arn],
        "IsAttachable": True,
        "CreateDate": iso_time(one.created_ms),
        "UpdateDate": iso_time(max(version.created_ms for version in one.versions)),
        **told,
    }


def version(found: ManagedPolicy, one: PolicyVersion, *, whole: bool = True) -> Values:
    """A version of a managed policy. `whole`: with its text."""
    text = {"Document": document(one.text)} if whole else {}
    return {
        **text,
        "VersionId": one.version_id,
        "IsDefaultVersion": one.version_id == found.default,
        "CreateDate": iso_time(one.created_ms),
    }


def arn_of_policy(account: Account, one: ManagedPolicy) -> str:
    """Of a policy of the account's, or a built-in one."""
    built_in = BUILT_INS.get(PREFIX + one.name)
    return PREFIX + one.name if built_in is one else arn(account.account_id, one)


def _built_in(name: str, text: str) -> ManagedPolicy:
    letters = b32encode(hashlib.sha256(name.encode()).digest()).decode()[:17]
    return ManagedPolicy(name, f"ANPA{letters}", BUILT_IN_MS, (PolicyVersion("v1", text, BUILT_IN_MS),))


BUILT_INS: Final[Mapping[str, ManagedPolicy]] = {
    policy_arn: _built_in(policy_arn.removeprefix(PREFIX), text) for policy_arn, text in BUILT_IN.items()
}
"""The built-in policies by ARN, as if somebody had made them."""
