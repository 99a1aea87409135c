"""Doing some things beside each other, a few at a time. Knows greenlets and the bound; nothing that fails is lost."""

from collections.abc import Callable, Iterable

import gevent
from gevent.pool import Pool

from app.core import cluster_limits


def abreast(jobs: Iterable[Callable[[], object]]) -> None:
    """Run all, HEAL_AT_ONCE at a time; then raise what the first that failed raised. A pool's own join forgets the
    failures of whoever ended before it was called, and what was not judged would pass for whole."""
    pool = Pool(cluster_limits.HEAL_AT_ONCE)
    running = [pool.spawn(job) for job in jobs]
    gevent.joinall(running)
    for each in running:
        each.get()
