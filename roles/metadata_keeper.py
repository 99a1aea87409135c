"""Builds a gateway's keeper: it follows the managers for its workers, sweeps the database, and answers operators.

Knows which bricks a gateway's background stands on. Sweeps of several gateways take turns by leases in the database.
"""

import os
from dataclasses import asdict
from typing import Final

from app.adapters.cluster.remote import RemoteCluster
from app.adapters.cluster.sealing import Sealer
from app.adapters.read_board import FileReadBoard
from app.core import cluster_limits, limits
from app.core.cluster import ClusterState
from app.core.errors import Corrupt
from app.core.layout.reports import NodeReport
from app.faces.http.admin import (
    Face,
    Probed,
    admin_application,
    bucket_profiles,
    collection,
    lifecycle,
    redundancy,
)
from app.runtime.telemetry import metrics
from app.services.background.gc import Gc, GcReport, GcSettings
from app.services.background.one_database import OneDatabase
from app.services.background.shared_reads import SharedReads
from app.services.content.bucket_profiles import BucketProfiles
from app.services.content.keyring import Keyring
from app.services.content.profiles import Profiles
from app.services.content.sealing import Sealing
from app.services.gate.directory import Directory
from app.services.healing.bucket_redundancy import RedundancyOfBuckets
from app.services.healing.view import View
from roles import admin_gate, backgrounds, explaining, following, limiting, master_keys, placed, stores
from roles.data_dir import DataDir
from roles.following import followed
from roles.handover import Handover
from roles.readiness import Readiness
from roles.running import SOURCES, Application, Running, now_ms

_THREADS: Final = 4  # one collects, one writes the followed state, two make bytes lie otherwise


def build(told: Handover) -> Application:
    """The operations application of this process. Raises StoreError when a store cannot be opened."""
    settings = told.settings
    running = Running(told, _THREADS)
    cluster = followed(running)
    following.take_commands(running, cluster)
    running.every("heartbeat", cluster_limits.HEARTBEAT_SECONDS, lambda: _beat(cluster, told))
    store = stores.open_metadata(settings)
    running.at_end(store.close)
    bytes_of = placed.opened(running, lambda: cluster.state().placement, cluster.health)
    reads = SharedReads(store, FileReadBoard(DataDir(settings.data_dir).reads), settings.node_id, SOURCES)
    running.every("reads", limits.SHARED_READS_SECONDS, reads.tell)
    gc = Gc(store, bytes_of.chunks, reads, SOURCES, GcSettings(settings.node_id, settings.gc_grace_s * 1000))
    database = OneDatabase(store, cluster, settings.node_id, SOURCES)
    running.every("database", cluster_limits.HEARTBEAT_SECONDS, database.step).poke()

    def collect(hurry: bool = False) -> GcReport:
        database.require()
        return gc.run(hurry=hurry)

    running.every("gc", settings.gc_interval_s, collect)
    limiting.count_gateways(running, cluster)
    sealer = master_keys.sealer(running)
    sealing = Sealing(Keyring(cluster.state, sealer.open_material), os.urandom, over_http=False)
    profiles = Profiles(lambda: cluster.state().placement)
    ground = backgrounds.Ground(store, bytes_of.chunks, Directory(cluster), sealing, profiles)
    acting = backgrounds.start(running, ground)

    gauges = metrics.Gauges(
        lambda: {**backgrounds.collection_gauges(gc), **acting.gauges(), **following.gauges(cluster)}
    )
    unready = Readiness(told, store, lambda: _unknowing(cluster.state(), sealer) or database.reason()).reason
    view = lambda: View(cluster.state().placement, frozenset(), cluster.health())  # noqa: E731 -- asked each time
    face = Face(
        Probed(unready, lambda: (metrics.exposition(gauges), metrics.CONTENT_TYPE), lambda: following.remark(cluster)),
        [
            *collection.endpoints(lambda: asdict(gc.status()), lambda: asdict(collect(hurry=True))),
            *lifecycle.endpoints(acting.lifecycle),
            *explaining.endpoints(running, cluster, store),
            *bucket_profiles.endpoints(BucketProfiles(store, lambda: cluster.state().placement)),
            *redundancy.endpoints(RedundancyOfBuckets(store, bytes_of.hosts.device, view)),
            *limiting.seeing(store, cluster),
            *admin_gate.configuring(settings),
        ],
    )
    gate = admin_gate.gate(running, cluster, sealer)
    flask = admin_application(gate, face, lambda error: running.log.failure("operations request failed", error))
    return Application(flask.wsgi_app, running)


def _beat(cluster: RemoteCluster, told: Handover) -> None:
    state, settings = cluster.state(), told.settings
    address = settings.advertise or str(settings.s3_bind)
    cluster.beat(NodeReport(settings.node_id, "metadata", now_ms(), state.placement.current.epoch, address))


def _unknowing(state: ClusterState, sealer: Sealer) -> str:
    """What is known from an earlier run serves while the managers are away; nothing at all does not."""
    if not state.cluster_id:
        return "the control state is not known yet: no manager has answered"
    root = next((account for account in state.accounts.values() if account.root), None)
    try:
        for key in root.keys if root else ():
            sealer.unseal(key.access_key, key.sealed_secret)
    except Corrupt:
        return "iam_master_key is not the managers' own: no signature can be checked"
    if not state.placement.profiles:
        return "no device has been added to the cluster yet"
    return ""
