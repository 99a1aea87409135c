"""What would be decided, if somebody asked: the gate's own answer to a request that is only thought of.

Knows how a principal, an action and an ARN become a call of it. Must not know policies' language or wires. Nothing is
decided here: the guard is asked where a bucket has a say, permits where none has, so that what is foretold is what is
served. Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, Protocol

from app.core.acl.settings import POLICY
from app.core.cluster import Account
from app.core.cluster.identities import arn
from app.core.cluster.principals import principal_of_role
from app.core.errors import Missing, S3Error
from app.core.limits import SIMULATED_CONTEXT_MAX, SIMULATED_POLICIES_MAX
from app.core.policy.actions import S3_ACTIONS
from app.core.policy.evaluation import Decision, Effect
from app.core.policy.grammar import BUCKET, IDENTITY, check_bucket_policy, parse
from app.core.policy.keys import canonical_key
from app.core.policy.principal import AttachedPolicy
from app.core.types import Bucket, BucketId, Version
from app.ports.cluster import Cluster
from app.services.call import NOBODY, Call, Caller, Facts, Sources, Stages
from app.services.gate.callers import caller_of
from app.services.gate.directory import Directory
from app.services.gate.guard import Guard, spelled
from app.services.gate.permits import Deed
from app.services.gate.permits import decision as permitted
from app.services.identity.commanding import CommandRefused

_BUCKETS: Final = "arn:aws:s3:::"
_UNBORN: Final = frozenset({"s3:createbucket", "s3:listallmybuckets"})
_WORDS: Final = {Effect.ALLOW: "allowed", Effect.EXPLICIT_DENY: "explicitDeny", Effect.IMPLICIT_DENY: "implicitDeny"}
_SILENCE: Final = Decision(Effect.IMPLICIT_DENY, missing="identity")
ANONYMOUS: Final = "anonymous"


class Stored(Protocol):
    """Where buckets and objects are looked up: a MetadataStore."""

    def bucket_get(self, name: str, /) -> Bucket:
        """Missing when there is none."""

    def current(self, bucket_id: BucketId, key: bytes, /) -> Version:
        """Missing when there is none."""


@dataclass(frozen=True, slots=True)
class Question:
    """`principal`: ARN of a user, a role or an account's root, or "anonymous". `context`: condition keys -> values
    that count instead of what a request says. `resource_policy`: a text that stands for the bucket's policy, None for
    the bucket's own. `session_policies`: texts that narrow what the principal has."""

    principal: str
    action: str
    resource: str
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    resource_policy: str | None = None
    session_policies: tuple[str, ...] = ()


class Foretold(NamedTuple):
    """`decision`: allowed, explicitDeny or implicitDeny. `kind`, `policy`, `statement` (its Sid, else its number): what
    decided, "" for nothing. `missing`: the kind of policy whose allow was wanting. `considered`: (kind, name) of the
    policies asked. `resource_policy`: "its own", "given", "none", or "not known here"."""

    decision: str
    kind: str
    policy: str
    statement: str
    missing: str
    message: str
    considered: tuple[tuple[str, str], ...]
    resource_policy: str


class _OneBucket(NamedTuple):
    """What the guard finds: the bucket as it is thought of."""

    bucket: Bucket

    def bucket_get(self, _: str, /) -> Bucket:
        """That one."""
        return self.bucket

    def bucket_lately(self, _: str, /) -> Bucket:
        """That one."""
        return self.bucket


class Simulating:
    """One per process. `store`: None where no database is, then of buckets only names are known."""

    def __init__(self, cluster: Cluster, sources: Sources, store: Stored | None) -> None:
        self._cluster = cluster
        self._sources = sources
        self._store = store

    def simulate(self, question: Question, within: str = "") -> Foretold:
        """`within`: id of the account whose principals may be asked about, "" for any. Of a bucket of another account
        only the bare decision is told.

        Raises CommandRefused (NoSuchEntity, ValidationError), S3Error MalformedPolicy, NoSuchBucket.
        """
        action = spelled(question.action)
        if action.lower().startswith("s3:") and action.lower() not in S3_ACTIONS:
            raise CommandRefused("ValidationError", f"There is no action {action}.")
        caller = self._caller(question, within)
        given = _given(question.context)
        call = Call(caller, "", self._sources.now_ms(), Stages(), Facts(given=given))
        if not action.lower().startswith("s3:"):
            deed = Deed(question.action, question.resource, caller.account_id, given)
            return _foretold(question, call, permitted(call, deed), "none")
        bucket, key = self._bucket(question, caller, within)
        decision = self._asked(call, action, bucket, key)
        if within and Directory(self._cluster).account_id(bucket.owner) != within:
            return Foretold(_WORDS[decision.effect], "", "", "", "", "Access Denied", (), "not told")
        return _foretold(question, call, decision, self._whose_policy(question, bucket))

    def within(self, caller: Caller, account: str) -> str:
        """Whose principals somebody may ask about, as `simulate` wants it; `account`: name of the one it is about."""
        state = self._cluster.state()
        own = state.accounts.get(state.by_account_id.get(caller.account_id, ""))
        return "" if own is not None and own.root else state.accounts[account].account_id

    def _asked(self, call: Call, action: str, bucket: Bucket, key: bytes) -> Decision:
        """What the guard says, word for word: it leaves its decision in the stages."""
        guard = Guard(_OneBucket(bucket), Directory(self._cluster))
        try:
            if action.lower() in _UNBORN:
                if not call.caller.canonical_id:
                    return _SILENCE
                guard.require(call, bucket, action)
            else:
                guard.admit(call, bucket.name, action, key).seen(self._object(bucket, key))
        except S3Error as error:
            if error.code != "AccessDenied":
                raise
        return call.stages.decision or _SILENCE

    def _object(self, bucket: Bucket, key: bytes) -> Version:
        """The object that is there, or else one of the bucket owner's without tags."""
        if self._store is not None and bucket.bucket_id:
            try:
                return self._store.current(bucket.bucket_id, key)
            except Missing:
                pass
        return Version(bucket.bucket_id, key, bytes(16), 1, bytes(16), 0, "", 0, bucket.owner)

    def _bucket(self, question: Question, caller: Caller, within: str) -> tuple[Bucket, bytes]:
        """The bucket and key of the ARN, with the policy that is to count."""
        name, _, key = question.resource.removeprefix(_BUCKETS).partition("/")
        unborn = question.action.lower() in _UNBORN
        if not unborn and (not question.resource.startswith(_BUCKETS) or not name or "*" in name):
            raise CommandRefused("ValidationError", "resource must be the ARN of one bucket, or of an object in it.")
        owner = caller.canonical_id or self._canonical_id(within)
        bucket = Bucket(b"", name, owner, 0)
        if self._store is not None and not unborn:
            try:
                bucket = self._store.bucket_get(name)
            except Missing:
                raise S3Error("NoSuchBucket", fields={"BucketName": name}) from None
        if question.resource_policy is not None:
            check_bucket_policy(parse(question.resource_policy, BUCKET), name)
            bucket = replace(bucket, configs={**bucket.configs, POLICY: question.resource_policy.encode()})
        return bucket, key.encode()

    def _whose_policy(self, question: Question, bucket: Bucket) -> str:
        if question.resource_policy is not None:
            return "given"
        if self._store is None:
            return "not known here"
        return "its own" if POLICY in bucket.configs else "none"

    def _canonical_id(self, account_id: str) -> str:
        state = self._cluster.state()
        account = state.accounts.get(state.by_account_id.get(account_id, ""))
        return "" if account is None else account.canonical_id

    def _caller(self, question: Question, within: str) -> Caller:
        caller = NOBODY if question.principal == ANONYMOUS else self._of_arn(question.principal, within)
        texts = question.session_policies
        if not texts:
            return caller
        if caller is NOBODY or len(texts) > SIMULATED_POLICIES_MAX:
            raise CommandRefused("ValidationError", "These session policies are nobody's, or too many.")
        for text in texts:
            parse(text, IDENTITY)
        session = tuple(AttachedPolicy("session", str(number), text) for number, text in enumerate(texts))
        return caller._replace(principal=replace(caller.identity, session=session))

    def _of_arn(self, principal: str, within: str) -> Caller:
        state = self._cluster.state()
        parts = principal.split(":", 5)
        account_id = parts[4] if len(parts) == 6 else ""
        account = state.accounts.get(state.by_account_id.get(account_id, ""))
        found = None if account is None or (within and account_id != within) else _holder(account, principal)
        if found is None:
            raise CommandRefused("NoSuchEntity", f"The principal {principal[:256]} cannot be found.")
        return found


def _holder(account: Account, principal: str) -> Caller | None:
    """The caller an ARN names, as if with a key of its own."""
    if principal == f"arn:aws:iam::{account.account_id}:root":
        return caller_of(account, None, "")
    for user in account.users.values():
        if arn(account.account_id, user) == principal:
            return caller_of(account, user, "")
    for role in account.roles.values():
        if (role_arn := arn(account.account_id, role)) == principal:
            acts = replace(principal_of_role(account, role), role_arn=role_arn)
            return caller_of(account, None, "")._replace(root=False, principal=acts)
    return None


def _given(context: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    if len(context) > SIMULATED_CONTEXT_MAX or any(len(values) > SIMULATED_CONTEXT_MAX for values in context.values()):
        raise CommandRefused("ValidationError", f"At most {SIMULATED_CONTEXT_MAX} context keys, and values of one.")
    return {canonical_key(name): values for name, values in context.items()}


def _foretold(question: Question, call: Call, decision: Decision, whose: str) -> Foretold:
    principal = call.caller.identity
    asked = (*principal.identity, *((principal.boundary,) if principal.boundary else ()), *principal.session)
    considered = [(policy.kind, policy.name) for policy in asked]
    if whose in ("its own", "given"):
        considered.append(("resource", whose))
    statement = "" if decision.statement < 0 else decision.sid or str(decision.statement)
    told = decision.reason
    if not decision.allowed:
        told = decision.message(principal.arn or ANONYMOUS, question.action, question.resource)
    return Foretold(
        _WORDS[decision.effect],
        decision.kind,
        decision.name,
        statement,
        decision.missing,
        told,
        tuple(considered),
        whose,
    )
