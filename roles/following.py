"""Follows the managers in the one process of a node that does, and keeps what they say on disk for the others.

Knows how a control plane and its mirror go together. Must not know what the state is for.
"""

from time import monotonic

from app.adapters.cluster.mirror import Mirror
from app.adapters.cluster.remote import Door, RemoteCluster
from roles.data_dir import DataDir
from roles.running import Running


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
