"""Builds what holds requests to rates, and what operators see and set of limits.

Knows where a node's workers count together. Must not know how rates are judged.
"""

from time import monotonic

from app.adapters.cluster.remote import RemoteCluster
from app.adapters.shared_tally import SharedTally
from app.core import cluster_limits
from app.faces.http.admin import buckets, limits
from app.faces.http.admin.endpoints import Endpoint
from app.ports.cluster import Cluster
from app.ports.metadata import MetadataStore
from app.runtime.telemetry import metrics
from app.services.identity.commanding import Desk
from app.services.limits.overview import Overview
from app.services.limits.rates import Rates
from app.services.limits.settings import LimitSettings
from roles.data_dir import DataDir
from roles.running import Running


def rates(running: Running, cluster: Cluster) -> Rates:
    """Of a worker."""
    tally = SharedTally(DataDir(running.told.settings.data_dir).rates)
    running.at_end(tally.close)
    if tally.alone:
        running.log.write("warning", "each worker counts rates alone", reason="no space left on device")
    return Rates(cluster.state, tally, monotonic, metrics.limited)


def count_gateways(running: Running, cluster: RemoteCluster) -> None:
    """Tell this node's workers how many gateways share what may be taken. Of a gateway's keeper: it hears the
    managers. While they are away the number stays as it was."""
    tally = SharedTally(DataDir(running.told.settings.data_dir).rates, counts=False)
    running.at_end(tally.close)

    def step() -> None:
        up = sum(
            one.up and one.report is not None and one.report.role == "metadata" for one in cluster.health().values()
        )
        if up:
            tally.tell_gateways(up)

    running.every("gateways", cluster_limits.HEARTBEAT_SECONDS, step)


def setting(desk: Desk) -> list[Endpoint]:
    """Where commands are taken."""
    return limits.endpoints(LimitSettings(desk))


def seeing(store: MetadataStore, cluster: Cluster) -> list[Endpoint]:
    """Where the database is."""
    return buckets.endpoints(Overview(store, cluster))
