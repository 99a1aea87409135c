"""One database for all gateways of a cluster: it has an id, the control state names it, and no other is served from.

Knows the note in the database and the command that binds it. A gateway on a database of its own would take the bytes of
all others for orphans, and they its: so it neither serves nor collects.
"""

from typing import Final

from app.core.cluster import ClusterState
from app.core.cluster.layout_commands import BindDatabase
from app.core.errors import Conflict, Missing, StoreError, Unavailable
from app.ports.cluster import Cluster
from app.ports.metadata import MetadataStore
from app.services.call import Sources

_NOTE: Final = "database"
_LEASE_MS: Final = 60_000


def foreign(store: MetadataStore, state: ClusterState) -> str:
    """Why this database is not the cluster's; "" when it is, or when the cluster has none yet. Raises StoreError."""
    if not state.database_id:
        return ""
    found = _id_of(store)
    if found == state.database_id:
        return ""
    what = f"database {found}" if found else "a database without an id"
    return f"metadata_url leads to {what}; the rows of this cluster lie in database {state.database_id}"


class OneDatabase:
    """Binds the database at the cluster's first gateway, in its keeper."""

    def __init__(self, store: MetadataStore, cluster: Cluster, holder: str, sources: Sources) -> None:
        self._store = store
        self._cluster = cluster
        self._holder = holder
        self._sources = sources
        self._bound = False

    def step(self) -> None:
        """To be called about every second; costs nothing once bound. Raises StoreError while it has to wait, Conflict
        on the wrong database."""
        state = self._cluster.state()
        if self._bound or not state.cluster_id:
            return
        if not state.database_id:
            command = BindDatabase(self._sources.new_id().hex(), self._made())
            outcome = self._cluster.submit(command)
            if outcome.error:
                raise Conflict(outcome.message)
            state = self._cluster.state()
        problem = foreign(self._store, state)
        if problem:
            raise Conflict(problem)
        self._bound = bool(state.database_id)

    def require(self) -> None:
        """Raises Unavailable unless this is known to be the cluster's database."""
        if not self._bound:
            raise Unavailable(self.reason())

    def reason(self) -> str:
        """Why it is not known to be; "" when it is."""
        if self._bound:
            return ""
        try:
            return foreign(self._store, self._cluster.state()) or "the managers have not named this database yet"
        except StoreError as error:
            return f"the metadata store cannot be asked: {type(error).__name__}"

    def _made(self) -> str:
        """The id of the database, made under a lease: two gateways that begin together must not make two."""
        if not self._store.lease_take(_NOTE, self._holder, self._sources.now_ms(), _LEASE_MS):
            raise Unavailable("another gateway names the database just now")
        found = _id_of(self._store)
        if not found:
            found = self._sources.new_id().hex()
            self._store.note_put(_NOTE, found.encode())
        return found


def _id_of(store: MetadataStore) -> str:
    try:
        return store.note_get(_NOTE).decode()
    except Missing:
        return ""
