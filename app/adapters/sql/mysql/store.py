"""The MetadataStore on MySQL or MariaDB, for any number of gateways."""

from collections.abc import Callable

from app.adapters.sql.mysql.address import address_of
from app.adapters.sql.mysql.database import MysqlDatabase
from app.adapters.sql.mysql.pool import Pool
from app.adapters.sql.mysql.server import Unsupported, connect
from app.adapters.sql.store import SqlStore
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
        super().__init__(MysqlDatabase(pool), Unremembered())


class Unremembered:
    """Buckets are read for each request. A mark that says when to forget one would itself have to be read from the
    database, at the price of the bucket: a trip costs ten times what the row does."""

    def get(self, name: str, look_up: Callable[[str], Bucket]) -> Bucket:
        """See session.Namespace."""
        return look_up(name)

    def changed(self) -> None:
        """Nobody remembers."""
