"""Who an access key stands for in the control state of now, and the secret its holder signs with.

Knows keys, disabled holders and opened secrets. Must not know requests or how they are signed: services/gate/access has
it for S3, the admin face's gate for administration.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from app.core.cluster import Account, ClusterState, User, holder_of, principal_of
from app.core.errors import S3Error
from app.core.limits import CALLERS_KEPT_MAX
from app.ports.cluster import Cluster
from app.services.call import Caller

Unseal = Callable[[str, bytes], str]
"""(access key, sealed secret) -> secret. Raises Corrupt."""


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

    def __init__(self, cluster: Cluster, unseal: Unseal) -> None:
        self._cluster = cluster
        self._unseal = unseal
        self._state: ClusterState | None = None
        self._kept: OrderedDict[str, _Kept] = OrderedDict()  # of that state

    def find(self, access_key: str, token: str = "") -> Known | None:
        """The holder of a key in the state of now; None when nobody is. `token`: of a session, "" for none. Raises
        S3Error InvalidToken; Corrupt when a secret does not open."""
        if token:
            raise S3Error("InvalidToken")
        kept = self._holder(access_key)
        if kept is None:
            return None
        return Known(kept.caller, None if kept.sealed is None else self._unseal(access_key, kept.sealed))

    def _holder(self, access_key: str) -> _Kept | None:
        state = self._cluster.state()
        if state is not self._state:
            # By the object, not by its version: a restored backup gives a number a second time.
            self._kept.clear()
            self._state = state
        kept = self._kept.get(access_key)
        if kept is None:
            kept = _gathered(state, access_key)
            if kept is not None:
                self._kept[access_key] = kept
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
