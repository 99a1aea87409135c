"""How a session is made and sealed: its key, its secret, its policies, its bounds. Every use case that gives temporary
credentials ends here.

Knows what may be in a session. Must not know who may have one (sessions, federation), nor the sealing.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from app.core import limits
from app.core.cluster import Account
from app.core.cluster.principals import policy_text
from app.core.policy import grammar
from app.core.sessions.session import FEDERATED_USER, ROLE, Party, Session
from app.ports.cluster import Cluster
from app.services.call import Sources
from app.services.identity.commanding import CommandRefused, Identities
from app.services.identity.iam import judged

_TAG_KEY: Final = re.compile(r"[\w\s.:/=+@-]{1,128}")
_TAG_VALUE: Final = re.compile(r"[\w\s.:/=+@-]{0,256}")
_NO_TAGS: Final[Mapping[str, str]] = {}


class Begun(NamedTuple):
    """Who gets a session. As of Session (core/sessions); `seconds` it lasts."""

    kind: str
    acts: Party
    chain: tuple[Party, ...]
    name: str
    seconds: int
    keys: Mapping[str, tuple[str, ...]] = {}
    source_identity: str = ""


class Issued(NamedTuple):
    """Credentials, shown this once. `arn`, `unique_id`: of whom they make the caller. `packed_percent`: of the longest
    token there may be."""

    session: Session
    token: str
    arn: str
    unique_id: str
    packed_percent: int

    def __repr__(self) -> str:
        """Without the token: reprs end up in logs."""
        return f"Issued({self.arn!r})"


class Issuing:
    """One per process. `seal`: the token of a session."""

    def __init__(
        self, cluster: Cluster, seal: Callable[[Session], str], sources: Sources, identities: Identities
    ) -> None:
        self._cluster = cluster
        self._seal = seal
        self._sources = sources
        self._identities = identities

    def issue(
        self,
        account: Account,
        begun: Begun,
        policy: str,
        policy_arns: tuple[str, ...],
        tags: Mapping[str, str] = _NO_TAGS,
        transitive: tuple[str, ...] = (),
    ) -> Issued:
        """`policy`, `policy_arns`: session policies, the managed ones of `account`. Raises CommandRefused
        MalformedPolicyDocument, PackedPolicyTooLarge, ValidationError."""
        _check_policies(account, policy, policy_arns)
        _check_tags(tags, transitive)
        now_ms = self._sources.now_ms()
        session = Session(
            begun.kind,
            "ASIA" + self._identities.access_key()[4:],
            self._identities.secret_key(),
            begun.acts,
            issued_ms=now_ms,
            # Whole seconds, as they are told.
            expires_ms=now_ms // 1000 * 1000 + begun.seconds * 1000,
            chain=begun.chain,
            name=begun.name,
            policies=(policy,) if policy else (),
            policy_arns=policy_arns,
            tags=tags,
            transitive=transitive,
            source_identity=begun.source_identity,
            keys=begun.keys,
            version=self._cluster.state().version,
        )
        token = self._seal(session)
        if len(token) > limits.SESSION_TOKEN_CHARS_MAX:
            raise CommandRefused("PackedPolicyTooLarge", "The session's policies and tags are too large together.")
        percent = -(-100 * len(token) // limits.SESSION_TOKEN_CHARS_MAX)
        return Issued(session, token, *_named(account.account_id, session), percent)


def _named(account_id: str, session: Session) -> tuple[str, str]:
    """ARN and unique id of who uses the session, as answers tell them; "" for a session of one's own."""
    if session.acts.kind == ROLE:
        name = f"{session.acts.name}/{session.name}"
        return f"arn:aws:sts::{account_id}:assumed-role/{name}", f"{session.acts.unique_id}:{session.name}"
    if session.kind == FEDERATED_USER:
        return f"arn:aws:sts::{account_id}:federated-user/{session.name}", f"{account_id}:{session.name}"
    return "", ""


def _check_policies(account: Account, policy: str, policy_arns: tuple[str, ...]) -> None:
    if len(policy) > limits.SESSION_POLICY_CHARS_MAX:
        most = limits.SESSION_POLICY_CHARS_MAX
        raise CommandRefused("ValidationError", f"A session policy has {most} characters at most.")
    if policy:
        judged(policy, grammar.IDENTITY)
    if len(policy_arns) > limits.SESSION_POLICY_ARNS_MAX:
        raise CommandRefused("ValidationError", f"A session has {limits.SESSION_POLICY_ARNS_MAX} managed policies.")
    for policy_arn in policy_arns:
        if not policy_text(account, policy_arn):
            raise CommandRefused("ValidationError", f"There is no policy {policy_arn[:300]} in the session's account.")


def _check_tags(tags: Mapping[str, str], transitive: tuple[str, ...]) -> None:
    if len(tags) > limits.ENTITY_TAGS_MAX:
        raise CommandRefused("ValidationError", f"A session has {limits.ENTITY_TAGS_MAX} tags at most.")
    if len({name.lower() for name in tags}) < len(tags):
        raise CommandRefused("ValidationError", "Keys of tags differ in more than case.")
    for key, value in tags.items():
        if not _TAG_KEY.fullmatch(key) or not _TAG_VALUE.fullmatch(value) or key.lower().startswith("aws:"):
            raise CommandRefused("ValidationError", "A tag is not well-formed.")
    if set(transitive) - tags.keys():
        raise CommandRefused("ValidationError", "A transitive tag key names no tag.")
