"""Temporary credentials for people of somebody else's: those an OIDC issuer speaks for, and those of a directory.

Knows that a role's trust policy has the last word, and as what the two are known to it: an issuer by the ARN of the
account's provider, the directory as "ldap". Must not know HTTP, LDAP or signatures of tokens (app/ports/federation).
Nobody signs these requests: everything here may be asked by strangers. Source:
https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from app.core import limits
from app.core.cluster import Account, OidcProvider
from app.core.cluster.identities import arn
from app.core.errors import S3Error
from app.core.policy.keys import canonical_key
from app.core.policy.principal import Principal
from app.core.sessions.session import LDAP, OIDC_PROVIDER, WEB_IDENTITY, Party
from app.ports.cluster import Cluster
from app.ports.federation import Directories, IdentityRefused, Person, WebIdentities
from app.services.call import Call
from app.services.gate.slowing import Slowing
from app.services.identity.commanding import CommandRefused
from app.services.identity.issuing import Begun, Issued, Issuing
from app.services.identity.sessions import Wanted, check_names, found_role, party, seconds_of
from app.services.identity.trust import Taking, check_trust

DIRECTORY: Final = "ldap"
_TAGS_CLAIM: Final = "https://aws.amazon.com/tags"
_SOURCE_CLAIM: Final = "https://aws.amazon.com/source_identity"
_KEPT_CLAIMS: Final = ("aud", "sub", "amr", "oaud")
_NOT_IN_NAMES: Final = re.compile(r"[^\w+=,.@-]", re.ASCII)
_NOT_BELIEVED: Final = "The username or password is wrong, or no role is given to this person."


class WebIssued(NamedTuple):
    """`subject`, `audience`: as the token has them; `provider`: the issuer."""

    issued: Issued
    subject: str
    audience: str
    provider: str


class RoleOf(NamedTuple):
    """Which role is given to an entry of the directory: a group's members, or a person. `dn` in lower case."""

    dn: str
    role_arn: str


class WebLogins:
    """One per process. Raises CommandRefused InvalidIdentityToken, ExpiredTokenException, IDPCommunicationError and
    what Issuing raises; S3Error AccessDenied."""

    def __init__(self, cluster: Cluster, issuing: Issuing, identities: WebIdentities) -> None:
        self._cluster = cluster
        self._issuing = issuing
        self._identities = identities

    def assume_role(self, call: Call, role_arn: str, token: str, wanted: Wanted) -> WebIssued:
        """Credentials of a role for the bearer of an issuer's token. The issuer is a provider of the role's account."""
        check_names(wanted, "role_session_name")
        action = "sts:AssumeRoleWithWebIdentity"
        account, role = found_role(self._cluster, call, Principal("web-identity", "", ""), action, role_arn)
        try:
            issuer = self._identities.issuer_of(token)
            provider = _provider(account, issuer)
            claims = self._identities.claims(token, issuer, provider.client_ids)
        except IdentityRefused as refused:
            raise CommandRefused(refused.code, refused.message) from None
        keys = _keys_of(account, provider, claims)
        tags, transitive = _tags_of(claims)
        source = claims.get(_SOURCE_CLAIM)
        source_identity = source if isinstance(source, str) else ""
        check_names(Wanted(wanted.name, source_identity=source_identity), "role_session_name")
        taking = Taking(account, role, wanted.name, tags, transitive, source_identity)
        principal = Principal("web-identity", "", "", name=arn(account.account_id, provider), keys=keys)
        check_trust(call, principal, action, taking)
        began = Party(OIDC_PROVIDER, account.account_id, account.created_ms, provider.name, str(provider.created_ms))
        kept = {"aws:federatedprovider", *(f"{provider.name}:{claim}" for claim in _KEPT_CLAIMS)}
        begun = Begun(
            WEB_IDENTITY,
            party(account, role),
            (began,),
            wanted.name,
            seconds_of(wanted.seconds, limits.ROLE_SESSION_SECONDS, role.session_seconds_max),
            {name: values for name, values in keys.items() if name in kept},
            source_identity,
        )
        issued = self._issuing.issue(account, begun, wanted.policy, wanted.policy_arns, tags, transitive)
        audience = keys.get(canonical_key(f"{provider.name}:aud"), ("",))[0]
        return WebIssued(issued, str(claims.get("sub", "")), audience, issuer)


class DirectoryLogins:
    """One per process. `roles`: which are given, the first that fits counts. `slowing`: of who guesses passwords, which
    would reach the directory and lock people out there. Raises as WebLogins; TooManyFailures; Unavailable when the
    directory does not answer."""

    def __init__(
        self,
        cluster: Cluster,
        issuing: Issuing,
        directory: Directories | None,
        roles: tuple[RoleOf, ...],
        slowing: Slowing,
    ) -> None:
        self._cluster = cluster
        self._issuing = issuing
        self._directory = directory
        self._roles = roles
        self._slowing = slowing

    def assume_role(self, call: Call, username: str, password: str, wanted: Wanted) -> Issued:
        """Credentials of the role that is given to a person of the directory, if the role's trust policy agrees."""
        if self._directory is None:
            raise CommandRefused("InvalidAction", "There is no directory to ask.")
        person = self._person(self._directory, call.facts.remote, username, password)
        role_arn = "" if person is None else self._role_of(person)
        if person is None or not role_arn:
            raise S3Error("AccessDenied", _NOT_BELIEVED)
        action = "sts:AssumeRoleWithLDAPIdentity"
        keys = _keys_of_person(person, username)
        principal = Principal("web-identity", "", "", name=DIRECTORY, keys=keys)
        account, role = found_role(self._cluster, call, principal, action, role_arn)
        name = _NOT_IN_NAMES.sub("-", username)[:64].ljust(2, "-")
        check_trust(call, principal, action, Taking(account, role, name))
        seconds = seconds_of(wanted.seconds, limits.ROLE_SESSION_SECONDS, role.session_seconds_max)
        kept = {key: values for key, values in keys.items() if key != "ldap:groups"}
        begun = Begun(LDAP, party(account, role), (), name, seconds, kept)
        return self._issuing.issue(account, begun, wanted.policy, wanted.policy_arns)

    def _person(self, directory: Directories, address: str, username: str, password: str) -> Person | None:
        # A directory takes a name with an empty password for a stranger who asks nothing, and says yes.
        if not username or not password or len(username) + len(password) > limits.LDAP_NAME_CHARS_MAX:
            return None
        name = username.strip().lower()  # as directories compare them
        self._slowing.check(address, name)
        person = directory.person(username, password)
        if person is None:
            self._slowing.failed(address, name)
        else:
            self._slowing.believed(address, name)
        return person

    def _role_of(self, person: Person) -> str:
        names = {person.dn.lower(), *(group.lower() for group in person.groups)}
        return next((one.role_arn for one in self._roles if one.dn in names), "")


def _provider(account: Account, issuer: str) -> OidcProvider:
    provider = account.oidc_providers.get(issuer.partition("://")[2])
    if provider is None:
        text = f"No OpenIDConnect provider found in your account for {issuer[:200]}"
        raise CommandRefused("InvalidIdentityToken", text)
    return provider


def _keys_of(account: Account, provider: OidcProvider, claims: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    """The claims as condition keys, `ISSUER:claim`; azp stands for aud where there is one, as on AWS."""
    keys: dict[str, tuple[str, ...]] = {"aws:federatedprovider": (arn(account.account_id, provider),)}
    told = dict(list(claims.items())[: limits.OIDC_CLAIMS_MAX])
    if isinstance(claims.get("azp"), str):
        told |= {"aud": claims["azp"], "oaud": claims.get("aud")}
    for name, value in told.items():
        values = tuple(_text(one) for one in (value if isinstance(value, list) else [value]))
        if values and all(values):
            keys[canonical_key(f"{provider.name}:{name}")] = values
    return keys


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)[: limits.POLICY_PATTERN_CHARS_MAX] if isinstance(value, str | int | float) else ""


def _tags_of(claims: Mapping[str, object]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Session tags the issuer gives. InvalidIdentityToken for what is no such claim.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html
    """
    found = claims.get(_TAGS_CLAIM)
    if found is None:
        return {}, ()
    wrong = CommandRefused("InvalidIdentityToken", "The token's session tags are not well-formed.")
    if not isinstance(found, dict):
        raise wrong
    tags, transitive = found.get("principal_tags", {}), found.get("transitive_tag_keys", [])
    if not isinstance(tags, dict) or not isinstance(transitive, list):
        raise wrong
    values = {name: value[0] if isinstance(value, list) and len(value) == 1 else value for name, value in tags.items()}
    if not all(isinstance(one, str) for one in (*values.values(), *transitive)):
        raise wrong
    return values, tuple(transitive)


def _keys_of_person(person: Person, username: str) -> dict[str, tuple[str, ...]]:
    keys: dict[str, tuple[str, ...]] = {
        "aws:federatedprovider": (DIRECTORY,),
        "ldap:user": (person.dn,),
        "ldap:username": (username,),
    }
    return keys | ({"ldap:groups": person.groups} if person.groups else {})
