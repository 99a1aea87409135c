"""Builds the manager: the one process that writes the control state, collects garbage and answers operators."""

import os
from dataclasses import asdict

from app.adapters.cluster.local import Writer
from app.adapters.read_board import FileReadBoard
from app.faces.http.admin import (
    Face,
    Probed,
    accounts,
    admin_application,
    collection,
    identities,
    kms,
    lifecycle,
    permissions,
)
from app.runtime.telemetry import metrics
from app.services.background.gc import Gc, GcSettings
from app.services.content.keyring import Keyring
from app.services.content.sealing import Sealing
from app.services.gate.directory import Directory
from app.services.identity.control import Control
from app.services.identity.iam import Iam
from app.services.identity.kms_keys import KmsKeys
from roles import (
    admin_gate,
    backgrounds,
    control_backups,
    control_plane,
    explaining,
    following,
    limiting,
    master_keys,
    stores,
)
from roles.data_dir import DataDir
from roles.handover import Handover
from roles.readiness import Readiness
from roles.running import SOURCES, Application, Running

_THREADS = 2  # one collects while one writes the control state


def build(told: Handover) -> Application:
    """The admin application of this process. Raises StoreError when a store cannot be opened."""
    settings, directory = told.settings, DataDir(told.settings.data_dir)
    running = Running(told, _THREADS)
    sealer = master_keys.sealer(running)
    cluster = Writer(directory.cluster, running.offload.call)
    running.at_end(cluster.close)
    following.take_commands(running, cluster)
    store = stores.open_metadata(settings)
    running.at_end(store.close)
    chunks = stores.open_chunks(settings, running.offload)
    running.at_end(chunks.close)
    board = FileReadBoard(directory.reads)
    gc = Gc(store, chunks, board, SOURCES, GcSettings(backgrounds.holder(settings), settings.gc_grace_s * 1000))
    running.every("gc", settings.gc_interval_s, gc.run)
    keyring = Keyring(cluster.state, sealer.open_material)
    sealing = Sealing(keyring, os.urandom, over_http=False)
    acting = backgrounds.start(running, backgrounds.Ground(store, chunks, Directory(cluster), sealing))

    gate = admin_gate.gate(running, cluster, sealer)
    desk = control_plane.desk(cluster, SOURCES)
    owns = lambda owner: bool(store.buckets_scan(owner, "", "", 1))  # noqa: E731 -- a question, asked once
    backing = control_backups.begin(running, desk, sealer, owns=owns)
    gauges = metrics.Gauges(lambda: {**backgrounds.collection_gauges(gc), **acting.gauges(), **backing.gauges()})
    control, iam, kms_keys = Control(desk, sealer.seal), Iam(desk), KmsKeys(desk, sealer.seal_material, settings.region)
    unready = Readiness(told, store).reason
    face = Face(
        Probed(unready, lambda: (metrics.exposition(gauges), metrics.CONTENT_TYPE)),
        [
            *accounts.endpoints(control, iam),
            *identities.endpoints(iam, control),
            *permissions.endpoints(iam),
            *kms.endpoints(kms_keys),
            *collection.endpoints(lambda: asdict(gc.status()), lambda: asdict(gc.run(hurry=True))),
            *lifecycle.endpoints(acting.lifecycle),
            *explaining.endpoints(running, cluster, store),
            *backing.endpoints,
            *limiting.setting(desk),
            *limiting.seeing(store, cluster),
            *admin_gate.configuring(settings),
            *admin_gate.making_tokens(cluster, sealer),
        ],
    )
    flask = admin_application(gate, face, lambda error: running.log.failure("admin request failed", error))
    return Application(flask.wsgi_app, running)
