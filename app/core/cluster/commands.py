"""The commands of the control plane: everything that may be asked of the state, one value each.

Knows shapes only. A command carries its own id, time and every random value, so that applying it twice or elsewhere
gives the same. Accounts, users, groups, roles and policies are named by their names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from app.core.cluster.identities import AccessKey, Account, Entity, Holder, PolicyVersion
from app.core.cluster.keys import KmsKey
from app.core.cluster.layout_commands import LayoutCommand
from app.core.cluster.limits import Limits, Scope
from app.core.cluster.manager_commands import ManagerCommand
from app.core.cluster.restore_commands import RestoreCommand


class Who(NamedTuple):
    """A user, group, role, managed policy or OIDC provider of an account. `kind`: user, group, role, policy or
    oidc-provider."""

    account: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class CreateAccount:
    command_id: str
    account: Account


@dataclass(frozen=True, slots=True)
class DeleteAccount:
    """Remove the account of that name with all that is in it. The root account cannot be removed."""

    command_id: str
    name: str


@dataclass(frozen=True, slots=True)
class PutRoot:
    """Create the root account, or replace its keys and keep its identity."""

    command_id: str
    account: Account


@dataclass(frozen=True, slots=True)
class AddKey:
    command_id: str
    holder: Holder
    key: AccessKey


@dataclass(frozen=True, slots=True)
class RemoveKey:
    command_id: str
    holder: Holder
    access_key: str


@dataclass(frozen=True, slots=True)
class SetKeyActive:
    command_id: str
    holder: Holder
    access_key: str
    active: bool


@dataclass(frozen=True, slots=True)
class Create:
    """A user, group, role, managed policy or OIDC provider."""

    command_id: str
    account: str
    entity: Entity


@dataclass(frozen=True, slots=True)
class Delete:
    """Only what holds nothing and is held by nothing goes (DeleteConflict), as on IAM."""

    command_id: str
    who: Who


@dataclass(frozen=True, slots=True)
class PutInline:
    """An inline policy of a user, group or role, new or replaced."""

    command_id: str
    who: Who
    policy: str
    text: str


@dataclass(frozen=True, slots=True)
class DeleteInline:
    command_id: str
    who: Who
    policy: str


@dataclass(frozen=True, slots=True)
class Attach:
    """Of a managed policy to a user, group or role; again is no error."""

    command_id: str
    who: Who
    policy_arn: str


@dataclass(frozen=True, slots=True)
class Detach:
    command_id: str
    who: Who
    policy_arn: str


@dataclass(frozen=True, slots=True)
class SetBoundary:
    """The permission boundary of a user or role; "" takes it away."""

    command_id: str
    who: Who
    policy_arn: str


@dataclass(frozen=True, slots=True)
class SetTags:
    """All tags of a user, role, managed policy or OIDC provider."""

    command_id: str
    who: Who
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SetTrust:
    """The trust policy of a role and the longest session it gives."""

    command_id: str
    who: Who
    trust: str
    session_seconds_max: int


@dataclass(frozen=True, slots=True)
class SetDescription:
    """Of a role."""

    command_id: str
    who: Who
    description: str


@dataclass(frozen=True, slots=True)
class SetOidcTrust:
    """The audiences and thumbprints of an OIDC provider."""

    command_id: str
    who: Who
    client_ids: tuple[str, ...]
    thumbprints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rename:
    """Another name and path for a user or group, which keeps its unique id and all that is tied to it."""

    command_id: str
    who: Who
    name: str
    path: str


@dataclass(frozen=True, slots=True)
class SetDisabled:
    """Whether an account, or one of its users, is believed. The root account itself cannot be disabled."""

    command_id: str
    holder: Holder
    disabled: bool


@dataclass(frozen=True, slots=True)
class SetMember:
    """Whether a user is in a group; as it is already is no error."""

    command_id: str
    account: str
    group: str
    user: str
    member: bool


@dataclass(frozen=True, slots=True)
class AddPolicyVersion:
    """The version's id is given while applying: `version.version_id` is not looked at."""

    command_id: str
    who: Who
    version: PolicyVersion
    default: bool


@dataclass(frozen=True, slots=True)
class RemovePolicyVersion:
    """The default version cannot be removed (DeleteConflict)."""

    command_id: str
    who: Who
    version_id: str


@dataclass(frozen=True, slots=True)
class SetDefaultVersion:
    command_id: str
    who: Who
    version_id: str


@dataclass(frozen=True, slots=True)
class CreateKmsKey:
    command_id: str
    key: KmsKey


@dataclass(frozen=True, slots=True)
class RotateKmsKey:
    """New material becomes the newest version; what older ones sealed still opens.

    Material is sealed for its version: `expected` is the number of versions there were when it was (Conflict else).
    """

    command_id: str
    key_id: str
    expected: int
    sealed: bytes


@dataclass(frozen=True, slots=True)
class SetKmsKeyState:
    """`state`: Enabled, Disabled or PendingDeletion, with `deletion_ms`."""

    command_id: str
    key_id: str
    state: str
    deletion_ms: int = 0


@dataclass(frozen=True, slots=True)
class SetLimits:
    """How much of the system an account, a bucket or everybody together may take; NO_LIMITS takes limits away. Limits
    of a bucket are its name's: they may be there before it, and stay after it."""

    command_id: str
    scope: Scope
    limits: Limits


class Resealed(NamedTuple):
    """A secret sealed anew. It takes the place of `old`, and of nothing else."""

    name: str
    old: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Reseal:
    """Secrets of access keys (`name`: the key), sealed under another master key; those that changed meanwhile stay."""

    command_id: str
    secrets: tuple[Resealed, ...]


@dataclass(frozen=True, slots=True)
class ResealMaterial:
    """The same for the material of a key of the keyring. `versions`: all of them, in order, each name "" and free."""

    command_id: str
    key_id: str
    versions: tuple[Resealed, ...]


AccountCommand = CreateAccount | DeleteAccount | PutRoot | AddKey | RemoveKey | SetKeyActive | SetDisabled | Rename
EntityCommand = (
    Create
    | Delete
    | PutInline
    | DeleteInline
    | Attach
    | Detach
    | SetBoundary
    | SetTags
    | SetTrust
    | SetDescription
    | SetOidcTrust
    | SetMember
    | AddPolicyVersion
    | RemovePolicyVersion
    | SetDefaultVersion
)
KmsCommand = CreateKmsKey | RotateKmsKey | SetKmsKeyState
SystemCommand = SetLimits | Reseal | ResealMaterial
Command = AccountCommand | EntityCommand | KmsCommand | SystemCommand | LayoutCommand | ManagerCommand | RestoreCommand
