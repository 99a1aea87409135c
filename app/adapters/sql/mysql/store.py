"""The MetadataStore on MySQL or MariaDB, for any number of gateways."""

from collections.abc import Callable
from time import monotonic

from app.adapters.sql.mysql.address import address_of
from app.adapters.sql.mysql.database import MysqlDatabase
from app.adapters.sql.mysql.pool import Pool
from app.adapters.sql.mysql.server import Unsupported, connect
from app.adapters.sql.store import SqlStore
from app.core.limits import BUCKETS_REMEMBERED_MAX, BUCKETS_REMEMBERED_SECONDS
from app.core.types import Bucket

__all__ = ["MysqlStore", "Unsupported"]


class MysqlStore(SqlStore):
    """On a migrated database (`zapfs migrate`). Built after the fork; opens its connections as they are needed."""

    def __init__(self, url: str, connections: int) -> None:
        """`url`: see address_of. `connections`: at one time, at most. The first is made here, so that a server that
        is away (Unavailable) or unfit (Unsupported) is known at once."""
        address = address_of(url)
        pool = Pool(lambda: connect(address), connections)
        pool.give(pool.take(), sound=True)
        super().__init__(MysqlDatabase(pool), FreshNamespace())


class FreshNamespace:
    """Buckets are read once for each request. A mark that says when to forget one would itself have to be read from the
    database, at the price of the bucket: a trip costs ten times what the row does."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Bucket, float]] = {}

    def get(self, name: str, look_up: Callable[[str], Bucket]) -> Bucket:
        """See session.Namespace."""
        self._seen.pop(name, None)
        began = monotonic()
        bucket = look_up(name)
        if len(self._seen) >= BUCKETS_REMEMBERED_MAX:
            self._seen.clear()
        self._seen[name] = bucket, began
        return bucket

    def lately(self, name: str, look_up: Callable[[str], Bucket]) -> Bucket:
        """See session.Namespace."""
        bucket, since = self._seen.get(name, (None, 0.0))
        if bucket is None or monotonic() - since > BUCKETS_REMEMBERED_SECONDS:
            return self.get(name, look_up)
        return bucket

    def changed(self) -> None:
        """See session.Namespace."""
        self._seen.clear()
