"""The use cases on what is in an account: users, groups, roles, managed policies, and what ties them.

Knows well-formed names, paths and tags, and that a policy's text is judged here, before it becomes part of a command.
Must not know wires or secrets (services/identity/control), nor who may: every face asks that first.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from app.core import limits
from app.core.cluster import (
    Account,
    AddPolicyVersion,
    Attach,
    Create,
    Delete,
    DeleteInline,
    Detach,
    Entity,
    Group,
    Holder,
    ManagedPolicy,
    OidcProvider,
    PolicyVersion,
    PutInline,
    RemovePolicyVersion,
    Rename,
    Role,
    SetBoundary,
    SetDefaultVersion,
    SetDescription,
    SetDisabled,
    SetMember,
    SetOidcTrust,
    SetTags,
    SetTrust,
    User,
    Who,
    arn,
)
from app.core.cluster.identities import ROOMS
from app.core.errors import S3Error
from app.core.policy import grammar
from app.services.identity.commanding import CommandRefused, Desk, Rule, rules

_RULES: Final[Mapping[str, Rule]] = rules(
    user=(r"[A-Za-z0-9+=,.@_-]{1,64}", "1..64 letters, digits or one of +=,.@_-"),
    role=(r"[A-Za-z0-9+=,.@_-]{1,64}", "1..64 letters, digits or one of +=,.@_-"),
    group=(r"[A-Za-z0-9+=,.@_-]{1,128}", "1..128 letters, digits or one of +=,.@_-"),
    policy=(r"[A-Za-z0-9+=,.@_-]{1,128}", "1..128 letters, digits or one of +=,.@_-"),
    path=(r"/|/[\x21-\x7e]{1,510}/", '"/", or up to 512 printable characters between two of them'),
    tag_key=(r"[\w\s.:/=+@-]{1,128}", "1..128 letters, digits, blanks or one of _.:/=+@-"),
    tag_value=(r"[\w\s.:/=+@-]{0,256}", "up to 256 letters, digits, blanks or one of _.:/=+@-"),
    description=(r"[\t\n\r\x20-\x7e\xa1-\xff]{0,1000}", "up to 1000 printable characters of Latin-1"),
    client_id=(r"\S{1,255}", "1..255 characters without blanks"),
    thumbprint=(r"[0-9A-Za-z]{40}", "40 hex digits"),
    # Claims become condition keys by the issuer's name in front: none may pass for a key of the system's own.
    **{
        "oidc-provider": (
            r"(?!(aws|s3|iam|sts|kms|ldap|saml|admin|zapfs)([:/]|$))[a-z0-9.:-]{1,200}(/[\x21-\x7e]{0,50})?",
            "an issuer's URL without https://, and not called as a service of this system",
        )
    },
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is chosen for a user, group, role or managed policy, as far as its kind has it. `document`: a managed
    policy's text, or the trust policy of a role. `boundary`: the ARN of a managed policy. `client_ids`, `thumbprints`:
    of an OIDC provider."""

    path: str = "/"
    tags: Mapping[str, str] = field(default_factory=dict)
    boundary: str = ""
    document: str = ""
    session_seconds_max: int = limits.ROLE_SESSION_SECONDS
    description: str = ""
    client_ids: tuple[str, ...] = ()
    thumbprints: tuple[str, ...] = ()


class Iam:
    """Every change is durable on return and effective in every worker within a second.

    Raises CommandRefused with IAM's codes (InvalidInput, MalformedPolicyDocument, EntityAlreadyExists, NoSuchEntity,
    DeleteConflict, LimitExceeded), Unavailable, Full.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def account(self, name: str) -> Account:
        """The account of that name. NoSuchEntity."""
        account = self._desk.cluster.state().accounts.get(name)
        if account is None:
            raise CommandRefused("NoSuchEntity", f"The account with name {name} cannot be found.")
        return account

    def account_of_id(self, account_id: str) -> Account:
        """The account of those 12 digits. NoSuchEntity."""
        state = self._desk.cluster.state()
        account = state.accounts.get(state.by_account_id.get(account_id, ""))
        if account is None:
            raise CommandRefused("NoSuchEntity", f"The account with id {account_id} cannot be found.")
        return account

    def holder_of(self, access_key: str) -> Holder | None:
        """Whose an access key is; None for one nobody has."""
        return self._desk.cluster.state().by_access_key.get(access_key)

    def find(self, who: Who) -> Entity:
        """A user, group, role, managed policy or OIDC provider. NoSuchEntity."""
        found: Entity | None = getattr(self.account(who.account), ROOMS[who.kind]).get(who.name)
        if found is None:
            raise CommandRefused("NoSuchEntity", f"The {who.kind} with name {who.name} cannot be found.")
        return found

    def arn_of(self, account_id: str, kind: str, name: str) -> str:
        """The ARN of what has that name, or of what would have it at the path "/"."""
        state = self._desk.cluster.state()
        account = state.accounts.get(state.by_account_id.get(account_id, ""))
        entity: Entity | None = None if account is None else getattr(account, ROOMS[kind]).get(name)
        return f"arn:aws:iam::{account_id}:{kind}/{name}" if entity is None else arn(account_id, entity)

    def create(self, who: Who, wanted: Wanted) -> Entity:
        """A user, group, role, managed policy or OIDC provider, as `who` says."""
        _RULES[who.kind].check("name", who.name)
        _RULES["path"].check("path", wanted.path)
        _check_tags(wanted.tags)
        _RULES["description"].check("description", wanted.description)
        entity = _MAKERS[who.kind](self, who.name, wanted)
        self._desk.submit(lambda command_id: Create(command_id, who.account, entity))
        return entity

    def _user(self, name: str, wanted: Wanted) -> User:
        made = self._desk
        unique_id = made.unique_id("AIDA")
        return User(name, unique_id, made.now_ms(), wanted.path, wanted.tags, boundary=wanted.boundary)

    def _group(self, name: str, wanted: Wanted) -> Group:
        return Group(name, self._desk.unique_id("AGPA"), self._desk.now_ms(), wanted.path)

    def _role(self, name: str, wanted: Wanted) -> Role:
        return Role(
            name=name,
            unique_id=self._desk.unique_id("AROA"),
            created_ms=self._desk.now_ms(),
            trust=judged(wanted.document, grammar.TRUST),
            path=wanted.path,
            tags=wanted.tags,
            boundary=wanted.boundary,
            session_seconds_max=_session(wanted.session_seconds_max),
            description=wanted.description,
        )

    def _oidc_provider(self, name: str, wanted: Wanted) -> OidcProvider:
        _check_oidc(wanted.client_ids, wanted.thumbprints)
        return OidcProvider(name, self._desk.now_ms(), wanted.client_ids, wanted.thumbprints, wanted.tags)

    def _policy(self, name: str, wanted: Wanted) -> ManagedPolicy:
        now_ms = self._desk.now_ms()
        first = PolicyVersion("v1", judged(wanted.document, grammar.IDENTITY), now_ms)
        return ManagedPolicy(
            name,
            self._desk.unique_id("ANPA"),
            now_ms,
            (first,),
            path=wanted.path,
            description=wanted.description,
            tags=wanted.tags,
        )

    def delete(self, who: Who) -> None:
        """DeleteConflict while it holds or is held by anything."""
        self._desk.submit(lambda command_id: Delete(command_id, who))

    def put_inline(self, who: Who, policy: str, text: str) -> None:
        """New or replaced."""
        _RULES["policy"].check("policy name", policy)
        document = judged(text, grammar.IDENTITY)
        self._desk.submit(lambda command_id: PutInline(command_id, who, policy, document))

    def delete_inline(self, who: Who, policy: str) -> None:
        """NoSuchEntity when it has no such policy."""
        self._desk.submit(lambda command_id: DeleteInline(command_id, who, policy))

    def attach(self, who: Who, policy_arn: str) -> None:
        """A managed policy of the same account, or a built-in one."""
        self._desk.submit(lambda command_id: Attach(command_id, who, policy_arn))

    def detach(self, who: Who, policy_arn: str) -> None:
        """NoSuchEntity when it is not attached."""
        self._desk.submit(lambda command_id: Detach(command_id, who, policy_arn))

    def set_boundary(self, who: Who, policy_arn: str) -> None:
        """Of a user or role; "" takes it away."""
        self._check_kind(who, "user", "role")
        self._desk.submit(lambda command_id: SetBoundary(command_id, who, policy_arn))

    def set_tags(self, who: Who, tags: Mapping[str, str]) -> None:
        """All tags of a user, role, managed policy or OIDC provider."""
        self._check_kind(who, "user", "role", "policy", "oidc-provider")
        _check_tags(tags)
        self._desk.submit(lambda command_id: SetTags(command_id, who, tags))

    def set_trust(self, who: Who, document: str, session_seconds_max: int) -> None:
        """Of a role."""
        text, seconds = judged(document, grammar.TRUST), _session(session_seconds_max)
        self._desk.submit(lambda command_id: SetTrust(command_id, who, text, seconds))

    def set_description(self, who: Who, description: str) -> None:
        """Of a role."""
        self._check_kind(who, "role")
        _RULES["description"].check("description", description)
        self._desk.submit(lambda command_id: SetDescription(command_id, who, description))

    def set_oidc_trust(self, who: Who, client_ids: tuple[str, ...], thumbprints: tuple[str, ...]) -> None:
        """The audiences and thumbprints of an OIDC provider."""
        _check_oidc(client_ids, thumbprints)
        self._desk.submit(lambda command_id: SetOidcTrust(command_id, who, client_ids, thumbprints))

    def rename(self, who: Who, name: str, path: str) -> None:
        """Another name and path for a user or group; its keys, policies and unique id stay. EntityAlreadyExists."""
        self._check_kind(who, "user", "group")
        _RULES[who.kind].check("name", name)
        _RULES["path"].check("path", path)
        self._desk.submit(lambda command_id: Rename(command_id, who, name, path))

    def set_disabled(self, holder: Holder, disabled: bool) -> None:
        """Whether an account, or a user of it, is believed, with all keys and sessions. DeleteConflict for root."""
        self._desk.submit(lambda command_id: SetDisabled(command_id, holder, disabled))

    def set_member(self, account: str, group: str, user: str, member: bool) -> None:
        """Put a user into a group or take it out."""
        self._desk.submit(lambda command_id: SetMember(command_id, account, group, user, member))

    def add_version(self, who: Who, document: str, default: bool) -> None:
        """A further version of a managed policy."""
        version = PolicyVersion("", judged(document, grammar.IDENTITY), self._desk.now_ms())
        self._desk.submit(lambda command_id: AddPolicyVersion(command_id, who, version, default))

    def remove_version(self, who: Who, version_id: str) -> None:
        """DeleteConflict for the default one."""
        self._desk.submit(lambda command_id: RemovePolicyVersion(command_id, who, version_id))

    def set_default_version(self, who: Who, version_id: str) -> None:
        """The version whose text is in force."""
        self._desk.submit(lambda command_id: SetDefaultVersion(command_id, who, version_id))

    @staticmethod
    def _check_kind(who: Who, *kinds: str) -> None:
        if who.kind not in kinds:
            raise CommandRefused("InvalidInput", f"a {who.kind} has none")


_MAKERS: Final[Mapping[str, Callable[[Iam, str, Wanted], Entity]]] = {
    "user": Iam._user,
    "group": Iam._group,
    "role": Iam._role,
    "policy": Iam._policy,
    "oidc-provider": Iam._oidc_provider,
}


def judged(text: str, kind: str) -> str:
    """The text of a well-formed policy. `kind`: of grammar.parse. Raises CommandRefused MalformedPolicyDocument."""
    try:
        grammar.parse(text, kind)
    except S3Error as error:
        raise CommandRefused("MalformedPolicyDocument", error.message) from None
    return text


def _check_tags(tags: Mapping[str, str]) -> None:
    for key, value in tags.items():
        _RULES["tag_key"].check("a tag's key", key)
        _RULES["tag_value"].check("a tag's value", value)


def _check_oidc(client_ids: tuple[str, ...], thumbprints: tuple[str, ...]) -> None:
    for client_id in client_ids:
        _RULES["client_id"].check("a client id", client_id)
    for thumbprint in thumbprints:
        _RULES["thumbprint"].check("a thumbprint", thumbprint)


def _session(seconds: int) -> int:
    if not limits.ROLE_SESSION_SECONDS <= seconds <= limits.ROLE_SESSION_SECONDS_MAX:
        most = limits.ROLE_SESSION_SECONDS_MAX
        raise CommandRefused("InvalidInput", f"a session lasts {limits.ROLE_SESSION_SECONDS}..{most} seconds at most")
    return seconds
