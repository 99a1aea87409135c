"""The use cases of temporary credentials for who has an account here: take a role, get a session of one's own, get one
for somebody else.

Knows who may take a role, and the bounds of sessions. Must not know wires, nor how tokens are sealed. What a session
may do is decided with each of its requests (core/sessions/standing). Source:
https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from app.core import limits
from app.core.cluster import Account, Role
from app.core.cluster.identities import arn
from app.core.errors import S3Error
from app.core.policy.principal import Principal
from app.core.sessions.session import ASSUMED_ROLE, FEDERATED_USER, ROLE, ROOT, SESSION, USER, Party
from app.ports.cluster import Cluster
from app.services.call import Call
from app.services.gate.permits import Deed, demand
from app.services.identity.commanding import CommandRefused, Rule, rules
from app.services.identity.issuing import Begun, Issued, Issuing
from app.services.identity.trust import Taking, check_trust

_ROOT_TAKES_NONE: Final = "Roles may not be assumed by root accounts."
_RULES: Final[Mapping[str, Rule]] = rules(
    role_session_name=(r"[\w+=,.@-]{2,64}", "2..64 letters, digits or one of _+=,.@-"),
    name=(r"[\w+=,.@-]{2,32}", "2..32 letters, digits or one of _+=,.@-"),
    source_identity=(r"(?!aws:)[\w+=,.@-]{2,64}", "2..64 letters, digits or one of _+=,.@-"),
    external_id=(r"[\w+=,.@:/-]{2,1224}", "2..1224 letters, digits or one of _+=,.@:/-"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for besides who one is. `name`: of the session. `policy`: the text of an inline session policy;
    `policy_arns`: managed ones. `seconds`: None for the usual time. "" and () for what is not asked."""

    name: str = ""
    policy: str = ""
    policy_arns: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive: tuple[str, ...] = ()
    source_identity: str = ""
    external_id: str = ""
    seconds: int | None = None


class Identity(NamedTuple):
    """Who calls, as GetCallerIdentity tells."""

    account_id: str
    user_id: str
    arn: str


class Sessions:
    """One per process. Nothing is written: what is issued is a token. Raises CommandRefused with STS's codes
    (ValidationError, MalformedPolicyDocument, PackedPolicyTooLarge), S3Error AccessDenied."""

    def __init__(self, cluster: Cluster, issuing: Issuing) -> None:
        self._cluster = cluster
        self._issuing = issuing

    def caller_identity(self, call: Call) -> Identity:
        """Nobody needs a permission to ask who they are, but must be somebody."""
        caller = known(call)
        return Identity(caller.account_id, caller.unique_id, caller.arn)

    def account_of_key(self, call: Call, access_key: str) -> str:
        """The id of the account a long-term access key belongs to. ValidationError for one nobody has."""
        known(call)
        demand(call, Deed("sts:GetAccessKeyInfo", "*", call.caller.account_id))
        state = self._cluster.state()
        holder = state.by_access_key.get(access_key)
        if holder is None:
            raise CommandRefused("ValidationError", "There is no such access key.")
        return state.accounts[holder.account].account_id

    def assume_role(self, call: Call, role_arn: str, wanted: Wanted) -> Issued:
        """Credentials of a role. The role's trust policy must allow the caller; of another account's, the caller's own
        policies too. A role taken by a role's session lasts an hour at most; tags that go on, go on."""
        check_names(wanted, "role_session_name")
        principal = known(call)
        session = call.caller.session
        if principal.kind == "root":
            raise S3Error("AccessDenied", _ROOT_TAKES_NONE)
        account, role = found_role(self._cluster, call, principal, "sts:AssumeRole", role_arn)
        chained = session is not None and session.acts.kind == ROLE
        handed_on = {name: session.tags[name] for name in session.transitive if name in session.tags} if session else {}
        if any(wanted.tags.get(name, value) != value for name, value in handed_on.items()):
            raise CommandRefused("ValidationError", "A tag the session handed on cannot be changed.")
        identity = session.source_identity if session else ""
        if identity and wanted.source_identity not in ("", identity):
            raise S3Error("AccessDenied", "The source identity of a session cannot be changed.")
        identity = identity or wanted.source_identity
        tags = {**wanted.tags, **handed_on}
        transitive = tuple(dict.fromkeys((*wanted.transitive, *handed_on)))
        taking = Taking(account, role, wanted.name, tags, transitive, identity, wanted.external_id)
        check_trust(call, principal, "sts:AssumeRole", taking)
        most = limits.SESSION_ROOT_SECONDS_MAX if chained else role.session_seconds_max
        begun = Begun(
            ASSUMED_ROLE,
            party(account, role),
            self._began(call),
            wanted.name,
            seconds_of(wanted.seconds, limits.ROLE_SESSION_SECONDS, most),
            source_identity=identity,
        )
        if len(begun.chain) > limits.SESSION_CHAIN_MAX:
            raise S3Error("AccessDenied", "Too many roles were taken one by the other's session.")
        return self._issuing.issue(account, begun, wanted.policy, wanted.policy_arns, tags, transitive)

    def session_token(self, call: Call, seconds: int | None) -> Issued:
        """Credentials for oneself, with all one's permissions but those on IAM and STS, and no session policy."""
        principal = self._long_term(call, "sts:GetSessionToken")
        account, most = self._account(call), limits.SESSION_SECONDS_MAX
        usual = limits.SESSION_SECONDS
        if principal.kind == "root":
            usual = most = limits.SESSION_ROOT_SECONDS_MAX
        begun = Begun(SESSION, self._party(call), (), "", seconds_of(seconds, usual, most))
        return self._issuing.issue(account, begun, "", ())

    def federation_token(self, call: Call, wanted: Wanted) -> Issued:
        """Credentials for somebody else, named `wanted.name`: what both the caller's and the session policies allow."""
        check_names(wanted, "name")
        principal = self._long_term(call, "sts:GetFederationToken")
        account, most = self._account(call), limits.SESSION_SECONDS_MAX
        usual = limits.SESSION_SECONDS
        if principal.kind == "root":
            usual = most = limits.SESSION_ROOT_SECONDS_MAX
        resource = f"arn:aws:sts::{account.account_id}:federated-user/{wanted.name}"
        keys = {f"aws:requesttag/{name}": (value,) for name, value in wanted.tags.items()}
        for action in ("sts:GetFederationToken", *(("sts:TagSession",) if wanted.tags else ())):
            demand(call, Deed(action, resource, account.account_id, keys))
        begun = Begun(FEDERATED_USER, self._party(call), (), wanted.name, seconds_of(wanted.seconds, usual, most))
        return self._issuing.issue(account, begun, wanted.policy, wanted.policy_arns, wanted.tags)

    def _long_term(self, call: Call, action: str) -> Principal:
        principal = known(call)
        if call.caller.session is not None:
            raise S3Error("AccessDenied", f"Cannot call {action.partition(':')[2]} with session credentials")
        return principal

    def _account(self, call: Call) -> Account:
        state = self._cluster.state()
        return state.accounts[state.by_account_id[call.caller.account_id]]

    def _party(self, call: Call) -> Party:
        """The holder of a long-term key."""
        account, access_key, who = self._account(call), call.caller.access_key_id, call.caller.identity
        users = (one for one in account.users.values() if one.unique_id == who.unique_id)
        keys = account.keys if who.kind == "root" else next((one.keys for one in users), ())
        key_ms = next((key.created_ms for key in keys if key.access_key == access_key), 0)
        if who.kind == "root":
            return Party(ROOT, account.account_id, account.created_ms, access_key=access_key, key_ms=key_ms)
        return Party(USER, account.account_id, account.created_ms, who.name, who.unique_id, access_key, key_ms)

    def _began(self, call: Call) -> tuple[Party, ...]:
        session = call.caller.session
        return (self._party(call),) if session is None else (*session.chain, session.acts)


def known(call: Call) -> Principal:
    """Who calls. Raises S3Error MissingAuthenticationToken for nobody."""
    if not call.caller.account_id:
        raise S3Error("MissingAuthenticationToken")
    return call.caller.identity


def check_names(wanted: Wanted, name: str) -> None:
    """Names that were chosen are well-formed. ValidationError."""
    given = {name: wanted.name, "source_identity": wanted.source_identity, "external_id": wanted.external_id}
    for what, value in given.items():
        if (value or what == name) and not _RULES[what].pattern.fullmatch(value):
            raise CommandRefused("ValidationError", f"{what} must be {_RULES[what].text}")


def seconds_of(asked: int | None, usual: int, most: int) -> int:
    """How long a session lasts. ValidationError for a time out of bounds."""
    seconds = min(usual, most) if asked is None else asked
    if not limits.SESSION_SECONDS_MIN <= seconds <= most:
        raise CommandRefused(
            "ValidationError", f"The requested DurationSeconds must lie in {limits.SESSION_SECONDS_MIN}..{most}."
        )
    return seconds


def found_role(cluster: Cluster, call: Call, principal: Principal, action: str, role_arn: str) -> tuple[Account, Role]:
    """The role of an ARN. Raises AccessDenied also where there is none: strangers learn nothing."""
    state = cluster.state()
    pieces = role_arn.split(":", 5)
    if len(pieces) != 6 or pieces[:4] != ["arn", "aws", "iam", ""] or not pieces[5].startswith("role/"):
        raise CommandRefused("ValidationError", f"{role_arn[:80]} is not the ARN of a role")
    account = state.accounts.get(state.by_account_id.get(pieces[4], ""))
    role = None if account is None else account.roles.get(role_arn.rpartition("/")[2])
    if account is None or role is None or account.disabled or arn(account.account_id, role) != role_arn:
        who = principal.arn or "the bearer of the token"
        raise S3Error("AccessDenied", f"User: {who} is not authorized to perform: {action} on resource: {role_arn}")
    return account, role


def party(account: Account, role: Role) -> Party:
    """A role as what a session rests on."""
    return Party(ROLE, account.account_id, account.created_ms, role.name, role.unique_id)
