"""Builds the admin face of a manager: identities, keys and the cluster itself, over the managers' control plane.

Knows which rooms administer a cluster. It is a client of the core beside it and of the other managers: with that core
or its leader gone it goes on reading what it knows, and answers 503 to what would have to be written.
"""

import os
from time import monotonic, time
from typing import Final

from flask import Flask

from app.adapters.cluster.mirror import Mirror
from app.adapters.cluster.remote import Door, RemoteCluster
from app.adapters.cluster.sealing import Sealer
from app.config import Settings
from app.config_values import Bind
from app.faces.http.admin import (
    Gate,
    Room,
    accounts,
    admin_blueprint,
    identities,
    kms,
    manager_seats,
    probes,
    refuse_other_origins,
)
from app.runtime.telemetry import metrics
from app.services.control.membership import Membership
from app.services.identity.control import Control
from app.services.identity.iam import Iam
from app.services.identity.kms_keys import KmsKeys
from roles import control_plane
from roles.data_dir import DataDir
from roles.handover import Handover
from roles.running import SOURCES, Application, Running

_THREADS: Final = 2  # one writes the followed state while one answers
_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- recognised, not bound


def build(told: Handover) -> Application:
    """The admin application of this process."""
    settings = told.settings
    running = Running(told, _THREADS)
    cluster = followed(running, own_address(settings))
    sealer = Sealer(told.master_key, os.urandom)
    gate = Gate(cluster.state, sealer.unseal, time, settings.metrics_token, metrics_open=settings.dev)
    gauges = metrics.Gauges(lambda: {"zapfs_control_version": ("Of the state.", float(cluster.state().version))})
    exposition = lambda: (metrics.exposition(gauges), metrics.CONTENT_TYPE)  # noqa: E731 -- one of the rooms' lambdas
    desk = control_plane.desk(cluster, SOURCES)
    control, iam, kms_keys = Control(desk, sealer.seal), Iam(desk), KmsKeys(desk, sealer.seal_material, settings.region)
    membership = Membership(cluster)
    rooms: list[Room] = [
        lambda face, gate: probes.add(face, gate, lambda: unready(cluster), exposition),
        lambda face, gate: accounts.add(face, gate, control),
        lambda face, gate: identities.add(face, gate, iam),
        lambda face, gate: kms.add(face, gate, kms_keys),
        lambda face, gate: manager_seats.add(face, gate, membership),
    ]
    flask = refuse_other_origins(Flask("zapfs-admin", static_folder=None))
    flask.register_blueprint(
        admin_blueprint(gate, rooms, lambda error: running.log.failure("admin request failed", error))
    )
    return Application(flask.wsgi_app, running)


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


def own_address(settings: Settings) -> str:
    """Where this machine's own manager core is reached."""
    bind = settings.grpc_bind
    return str(Bind(_ANY.get(bind.host, bind.host), bind.port))


def unready(cluster: RemoteCluster) -> str:
    """Why this manager cannot administer; "" when it can."""
    if not cluster.current():
        return "no manager that hears a leader answers; what is known can be read, nothing can be changed"
    return "" if cluster.state().cluster_id else "no cluster has been founded yet"
