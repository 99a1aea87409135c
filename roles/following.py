"""Follows the managers in the one process of a node that does, and keeps what they say on disk for the others.

Knows how a control plane and its mirror go together. Must not know what the state is for.
"""

from time import monotonic

from app.adapters.cluster import relay
from app.adapters.cluster.mirror import Mirror
from app.adapters.cluster.remote import Door, RemoteCluster
from app.ports.cluster import Cluster
from roles.data_dir import DataDir
from roles.running import Running


def take_commands(running: Running, cluster: Cluster) -> None:
    """Submit for the node's workers, from now on. Raises Unavailable."""
    directory = DataDir(running.told.settings.data_dir).cluster
    desk = relay.Desk(directory, cluster, lambda error: running.log.failure("command failed", error))
    running.at_end(desk.close)


def gauges(cluster: RemoteCluster) -> dict[str, tuple[str, float]]:
    """How far the control state is, and how long nobody confirmed it."""
    return {
        "zapfs_control_version": ("Of the control state known here.", float(cluster.state().version)),
        "zapfs_control_unconfirmed_seconds": (
            "Since a manager that hears the leader confirmed the control state; 0 while one does.",
            cluster.unconfirmed_s(),
        ),
    }


def remark(cluster: RemoteCluster) -> str:
    """What is to be known of a node that serves with what it has; "" when it has the newest."""
    silent_s = int(cluster.unconfirmed_s())
    return f"cut off from the managers for {silent_s} s, and serving with what was known then" if silent_s else ""


def followed(running: Running, *first: str) -> RemoteCluster:
    """The control plane of this process, followed from now on and kept in the node's data directory for its workers.

    `first`: addresses to be asked before those of the settings."""
    settings, log = running.told.settings, running.log
    mirror = Mirror(DataDir(settings.data_dir).cluster, running.offload.call)
    kept = mirror.kept()
    cluster_id = kept.cluster_id if kept is not None else ""
    door = Door((*first, *settings.managers), settings.node_id, settings.cluster_secret, cluster_id)
    cluster = RemoteCluster(door, monotonic)
    mirror.start(lambda error: log.write("warning", "control state not kept", reason=str(error)))
    cluster.start(mirror.take, lambda line: log.write("warning", "manager lost", reason=line), kept)
    running.at_end(mirror.close)
    running.at_end(cluster.close)
    return cluster
