"""Builds a data worker: S3 on the stores of this machine, in one process of many."""

from app.core import limits
from roles import s3, stores
from roles.handover import Handover
from roles.running import Application, Running


def build(told: Handover) -> Application:
    """The S3 application of this process. Raises StoreError when a store cannot be opened."""
    running = Running(told, limits.OFFLOAD_THREADS)
    cluster = s3.following(running)
    store = stores.open_metadata(told.settings)
    running.at_end(store.close)
    chunks = stores.open_chunks(told.settings, running.offload)
    running.at_end(chunks.close)
    return s3.application(running, s3.Ground(cluster, store, chunks))
