"""Who there is: accounts, and in each of them users, groups, roles and managed policies.

Knows values and their names only. Policies are carried as texts; what they mean is app/core/policy's. Secrets are
sealed bytes, see app/adapters/cluster/sealing.py. Source for shapes and names:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from app.core.limits import ROLE_SESSION_SECONDS

ACTIVE: Final = "Active"
INACTIVE: Final = "Inactive"


@dataclass(frozen=True, slots=True)
class AccessKey:
    """`sealed_secret`: bound to the access key. `created_ms` is 0 for keys made before their time was kept."""

    access_key: str
    sealed_secret: bytes
    active: bool = True
    created_ms: int = 0

    @property
    def status(self) -> str:
        """As IAM names it."""
        return ACTIVE if self.active else INACTIVE


@dataclass(frozen=True, slots=True)
class User:
    """`path`: begins and ends with "/". `unique_id`: AIDA and 17 characters, never used again. `inline`: policy name ->
    text. `attached`: ARNs of managed policies; `boundary` one, "" for none. `groups`: names. A disabled one's keys are
    not believed, nor sessions they began.
    """

    name: str
    unique_id: str
    created_ms: int
    path: str = "/"
    tags: Mapping[str, str] = field(default_factory=dict)
    inline: Mapping[str, str] = field(default_factory=dict)
    attached: tuple[str, ...] = ()
    boundary: str = ""
    groups: tuple[str, ...] = ()
    keys: tuple[AccessKey, ...] = ()
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """As a user, with an AGPA id; its members are the users that name it."""

    name: str
    unique_id: str
    created_ms: int
    path: str = "/"
    inline: Mapping[str, str] = field(default_factory=dict)
    attached: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Role:
    """As a user, with an AROA id. `trust`: text of the policy that says who may take the role."""

    name: str
    unique_id: str
    created_ms: int
    trust: str
    path: str = "/"
    tags: Mapping[str, str] = field(default_factory=dict)
    inline: Mapping[str, str] = field(default_factory=dict)
    attached: tuple[str, ...] = ()
    boundary: str = ""
    session_seconds_max: int = ROLE_SESSION_SECONDS
    description: str = ""


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """`version_id`: v1, v2, … A number is never used again in its policy."""

    version_id: str
    text: str
    created_ms: int


@dataclass(frozen=True, slots=True)
class ManagedPolicy:
    """`unique_id`: ANPA and 17 characters. `versions`: oldest first. `last`: the highest version number ever given."""

    name: str
    unique_id: str
    created_ms: int
    versions: tuple[PolicyVersion, ...]
    default: str = "v1"
    path: str = "/"
    last: int = 1
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The text in force; "" should the default version be missing, which no policy engine reads as an allow."""
        return next((one.text for one in self.versions if one.version_id == self.default), "")


@dataclass(frozen=True, slots=True)
class OidcProvider:
    """Whose tokens AssumeRoleWithWebIdentity believes. `name`: the issuer's URL without its scheme. `client_ids`: the
    audiences taken. `thumbprints`: kept for who asks; what the system trusts decides about TLS. It has no unique id.
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateOpenIDConnectProvider.html"""

    name: str
    created_ms: int
    client_ids: tuple[str, ...] = ()
    thumbprints: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    path: str = "/"
    unique_id: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """`account_id`: 12 digits. `canonical_id`: the Owner ID of S3, 64 hex digits unless chosen otherwise. `root` may
    administer the system. `display_name`: what S3 shows beside the id; the name when "". `keys`: of the account itself.
    Users, groups, roles, managed policies and OIDC providers by name. Nobody of a disabled account is believed.
    """

    account_id: str
    canonical_id: str
    name: str
    email: str
    created_ms: int
    keys: tuple[AccessKey, ...] = ()
    root: bool = False
    display_name: str = ""
    users: Mapping[str, User] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)
    policies: Mapping[str, ManagedPolicy] = field(default_factory=dict)
    disabled: bool = False
    oidc_providers: Mapping[str, OidcProvider] = field(default_factory=dict)

    @property
    def shown_name(self) -> str:
        """What S3 shows beside the canonical id."""
        return self.display_name or self.name


Entity = User | Group | Role | ManagedPolicy | OidcProvider
ROOMS: Final[Mapping[str, str]] = {
    "user": "users",
    "group": "groups",
    "role": "roles",
    "policy": "policies",
    "oidc-provider": "oidc_providers",
}
"""Kind of an entity -> the account's field that holds its like."""
KINDS: Final[Mapping[type, str]] = {
    User: "user",
    Group: "group",
    Role: "role",
    ManagedPolicy: "policy",
    OidcProvider: "oidc-provider",
}


class Holder(NamedTuple):
    """Whose an access key is: the account's own when `user` is "". Both by name."""

    account: str
    user: str = ""


def arn(account_id: str, entity: Entity) -> str:
    """The ARN of a user, group, role, managed policy or OIDC provider."""
    return f"arn:aws:iam::{account_id}:{KINDS[type(entity)]}{entity.path}{entity.name}"
