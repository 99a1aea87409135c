"""Who an access key stands for in the control state of now, and the secret its holder signs with.

Knows keys, sessions, disabled holders and opened secrets. Must not know requests or how they are signed:
services/gate/access has it for S3, the admin face's gate for administration.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from app.core.cluster import Account, ClusterState, User, holder_of, principal_of
from app.core.errors import S3Error
from app.core.limits import CALLERS_KEPT_MAX
from app.core.sessions.session import Session
from app.core.sessions.standing import standing
from app.ports.cluster import Cluster
from app.services.call import Caller

Unseal = Callable[[str, bytes], str]
"""(access key, sealed secret) -> secret. Raises Corrupt."""


class Tokens(NamedTuple):
    """How session tokens are read. `open`: raises S3Error InvalidToken for one that is none of this cluster's.
    `catch_up`: returns when this process has a version of the control state, or will not have it soon."""

    open: Callable[[str], Session]
    now_ms: Callable[[], int]
    catch_up: Callable[[int], object] = lambda _: None


@dataclass(frozen=True, slots=True)
class Known:
    """`secret`: None when no signature with the key is believed: it is inactive, or its holder disabled."""

    caller: Caller
    secret: str | None = field(repr=False)


class _Kept(NamedTuple):
    """A caller as of one control state. `sealed`: the secret, None as above."""

    caller: Caller
    sealed: bytes | None


class Callers:
    """From memory: no store is asked. One per process."""

    def __init__(self, cluster: Cluster, unseal: Unseal, tokens: Tokens | None = None) -> None:
        """`tokens`: None where no session is believed."""
        self._cluster = cluster
        self._unseal = unseal
        self._tokens = tokens
        self._missed = 0
        self._state: ClusterState | None = None
        self._kept: OrderedDict[str, _Kept] = OrderedDict()  # of that state

    def find(self, access_key: str, token: str = "") -> Known | None:
        """The holder of a key in the state of now; None when nobody is. `token`: of a session, "" for none. Raises
        S3Error InvalidToken, also for a token of another key's or of somebody no longer believed; ExpiredToken;
        Corrupt when a secret does not open."""
        if token:
            return self._in_session(access_key, token)
        kept = self._holder(access_key)
        if kept is None:
            return None
        return Known(kept.caller, None if kept.sealed is None else self._unseal(access_key, kept.sealed))

    def _in_session(self, access_key: str, token: str) -> Known:
        if self._tokens is None:
            raise S3Error("InvalidToken")
        session = self._tokens.open(token)
        if session.access_key != access_key:
            raise S3Error("InvalidToken")
        if self._tokens.now_ms() >= session.expires_ms:
            raise S3Error("ExpiredToken")
        state = self._as_of(session.version, self._tokens)
        kept = self._kept.get(token)
        if kept is None:
            caller = _of_session(state, session)
            if caller is None:
                raise S3Error("InvalidToken", reason="who the session rests on is gone or disabled")
            kept = self._keep(token, _Kept(caller, None))
        return Known(kept.caller, session.secret)

    def _as_of(self, version: int, tokens: Tokens) -> ClusterState:
        """The state of now, and if it can be had soon no older than that version: what a session was issued for, at
        another worker a moment ago, may be new. A version nobody has (of before a backup) is waited for once."""
        state = self._now()
        if self._missed < version > state.version:
            tokens.catch_up(version)
            state = self._now()
            if state.version < version:
                self._missed = version
        return state

    def _holder(self, access_key: str) -> _Kept | None:
        state = self._now()
        kept = self._kept.get(access_key)
        if kept is None:
            kept = _gathered(state, access_key)
            if kept is not None:
                self._keep(access_key, kept)
        return kept

    def _now(self) -> ClusterState:
        state = self._cluster.state()
        if state is not self._state:
            # By the object, not by its version: a restored backup gives a number a second time.
            self._kept.clear()
            self._state = state
        return state

    def _keep(self, name: str, kept: _Kept) -> _Kept:
        """`name`: an access key or a token, which is longer than any key and has no holder's name."""
        self._kept[name] = kept
        while len(self._kept) > CALLERS_KEPT_MAX:
            self._kept.popitem(last=False)
        return kept


def _gathered(state: ClusterState, access_key: str) -> _Kept | None:
    """The caller an access key stands for, with every policy that speaks of them."""
    found = holder_of(state, access_key)
    if found is None:
        return None
    account, user = found
    believed = not account.disabled and not (user is not None and user.disabled)
    keys = account.keys if user is None else user.keys
    sealed = next((key.sealed_secret for key in keys if key.access_key == access_key and key.active), None)
    return _Kept(caller_of(account, user, access_key), sealed if believed else None)


def _of_session(state: ClusterState, session: Session) -> Caller | None:
    found = standing(state, session)
    if found is None:
        return None
    account, principal = found
    # Only a root's own session is root; a federated user of the root's has what its session policy says.
    root = account.root and principal.kind == "root"
    return caller_of(account, None, session.access_key)._replace(root=root, principal=principal, session=session)


def caller_of(account: Account, user: User | None, access_key: str) -> Caller:
    """Who acts for an account, or is its user, by an access key."""
    return Caller(
        account_id=account.account_id,
        canonical_id=account.canonical_id,
        display_name=account.shown_name,
        access_key_id=access_key,
        # A user of the operator's account has the permissions its policies give, and no others.
        root=account.root and user is None,
        principal=None if user is None else principal_of(account, user),
    )
