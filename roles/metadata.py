"""Builds a gateway's worker: S3 over the database and the file hosts, in one process of many.

It follows the control state its keeper keeps on disk, and so goes on while managers are away.
"""

from typing import Final

from app.core import limits
from app.services.background import one_database
from roles import placed, s3, stores
from roles.handover import Handover
from roles.running import Application, Running

_HALT: Final = 4  # gunicorn's own code for "no worker of this application will ever start"


def build(told: Handover) -> Application:
    """The S3 application of this process. Raises StoreError when a store cannot be opened."""
    running = Running(told, limits.OFFLOAD_THREADS)
    cluster = s3.following(running)
    store = stores.open_metadata(told.settings)
    running.at_end(store.close)
    wrong = one_database.foreign(store, cluster.state())
    if wrong:
        running.log.write("error", "wrong database", reason=wrong)
        running.log.flush()
        raise SystemExit(_HALT)
    chunks = placed.opened(running, lambda: cluster.state().placement).chunks
    return s3.application(running, s3.Ground(cluster, store, chunks))
