"""Builds the admin face of a manager: identities, keys and the cluster itself, over the managers' control plane.

Knows which rooms administer a cluster. It is a client of the core beside it and of the other managers: with that core
or its leader gone it goes on reading what it knows, and answers 503 to what would have to be written.
"""

from contextlib import suppress
from typing import Final

from app.adapters.cluster.remote import RemoteCluster
from app.adapters.cluster.sealing import Sealer
from app.config import Settings
from app.config_values import Bind
from app.core import cluster_limits
from app.core.errors import Unavailable
from app.faces.http.admin import (
    Face,
    Probed,
    accounts,
    admin_application,
    identities,
    kms,
    manager_seats,
    permissions,
)
from app.faces.http.admin import cluster as layout
from app.runtime.telemetry import metrics
from app.services.control.cluster_changes import ClusterChanges
from app.services.control.cluster_status import ClusterStatus
from app.services.control.membership import Membership
from app.services.identity.control import Control
from app.services.identity.iam import Iam
from app.services.identity.kms_keys import KmsKeys
from roles import admin_gate, control_backups, control_plane, explaining, following, limiting, master_keys
from roles.following import followed
from roles.handover import Handover
from roles.running import SOURCES, Application, Running, now_ms

_THREADS: Final = 2  # one writes the followed state while one answers
_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- recognised, not bound


def build(told: Handover) -> Application:
    """The admin application of this process."""
    settings = told.settings
    running = Running(told, _THREADS)
    cluster = followed(running, own_address(settings))
    sealer = master_keys.sealer(running)
    gate = admin_gate.gate(running, cluster, sealer)
    running.every("health", cluster_limits.HEARTBEAT_SECONDS, lambda: _hear(cluster))
    face = _face(running, cluster, sealer)
    flask = admin_application(gate, face, lambda error: running.log.failure("admin request failed", error))
    return Application(flask.wsgi_app, running)


def _face(running: Running, cluster: RemoteCluster, sealer: Sealer) -> Face:
    """What a manager administers."""
    settings = running.told.settings
    desk = control_plane.desk(cluster, SOURCES)
    backing = control_backups.begin(running, desk, sealer, control_backups.leading(cluster, settings.node_id))
    gauges = metrics.Gauges(lambda: {**following.gauges(cluster), **backing.gauges()})
    control, iam = Control(desk, sealer.seal), Iam(desk)
    kms_keys = KmsKeys(desk, sealer.seal_material, settings.region)
    status, changes = ClusterStatus(cluster, cluster, now_ms), ClusterChanges(desk, cluster)
    membership = Membership(cluster)

    def exposed() -> tuple[bytes, str]:
        return metrics.exposition(gauges), metrics.CONTENT_TYPE

    return Face(
        Probed(lambda: unready(cluster), exposed),
        [
            *accounts.endpoints(control, iam),
            *identities.endpoints(iam, control),
            *permissions.endpoints(iam),
            *kms.endpoints(kms_keys),
            *manager_seats.endpoints(membership),
            *layout.endpoints(status, changes),
            *backing.endpoints,
            *explaining.without_buckets(cluster),
            *limiting.setting(desk),
            *admin_gate.configuring(settings),
            *admin_gate.making_tokens(cluster, sealer),
        ],
    )


def _hear(cluster: RemoteCluster) -> None:
    """Know how the nodes are, as the leader last told; without one it is as old as it says."""
    with suppress(Unavailable):
        cluster.ask_health()


def own_address(settings: Settings) -> str:
    """Where this machine's own manager core is reached."""
    bind = settings.grpc_bind
    return str(Bind(_ANY.get(bind.host, bind.host), bind.port))


def unready(cluster: RemoteCluster) -> str:
    """Why this manager cannot administer; "" when it can."""
    if not cluster.current():
        return "no manager that hears a leader answers; what is known can be read, nothing can be changed"
    return "" if cluster.state().cluster_id else "no cluster has been founded yet"
