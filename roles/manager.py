"""Builds the manager: the one process that writes the control state, collects garbage and answers operators."""

import http.client
import os
from collections.abc import Mapping
from dataclasses import asdict
from time import monotonic, time
from typing import Any

from flask import Flask

from app.adapters.cluster.local import Writer
from app.adapters.cluster.sealing import Sealer
from app.adapters.read_board import FileReadBoard
from app.core import limits
from app.core.errors import StoreError
from app.faces.http.admin import (
    Gate,
    Room,
    accounts,
    admin_blueprint,
    collection,
    identities,
    kms,
    lifecycle,
    probes,
    refuse_other_origins,
)
from app.ports.metadata import MetadataStore
from app.runtime.telemetry import metrics
from app.services.background.gc import Gc, GcSettings
from app.services.content.keyring import Keyring
from app.services.content.sealing import Sealing
from app.services.gate.directory import Directory
from app.services.identity.control import Control
from app.services.identity.iam import Iam
from app.services.identity.kms_keys import KmsKeys
from roles import backgrounds, control_plane, stores
from roles.data_dir import DataDir
from roles.handover import Handover
from roles.running import SOURCES, Application, Running, now_ms

_THREADS = 2  # one collects while one writes the control state


def build(told: Handover) -> Application:
    """The admin application of this process. Raises StoreError when a store cannot be opened."""
    settings, directory = told.settings, DataDir(told.settings.data_dir)
    running = Running(told, _THREADS)
    sealer = Sealer(told.master_key, os.urandom)
    cluster = Writer(directory.cluster, running.offload.call)
    running.at_end(cluster.close)
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

    gate = Gate(cluster.state, sealer.unseal, time, settings.metrics_token, metrics_open=settings.dev)
    desk = control_plane.desk(cluster, SOURCES)
    gauges = metrics.Gauges(lambda: {**_gauges(gc), **acting.gauges()})
    control, iam, kms_keys = Control(desk, sealer.seal), Iam(desk), KmsKeys(desk, sealer.seal_material, settings.region)
    unready = Readiness(told, store).reason
    rooms: list[Room] = [
        lambda face, gate: probes.add(face, gate, unready, lambda: (metrics.exposition(gauges), metrics.CONTENT_TYPE)),
        lambda face, gate: accounts.add(face, gate, control),
        lambda face, gate: identities.add(face, gate, iam),
        lambda face, gate: kms.add(face, gate, kms_keys),
        lambda face, gate: collection.add(face, gate, lambda: asdict(gc.status()), lambda: asdict(gc.run(hurry=True))),
        lambda face, gate: lifecycle.add(face, gate, acting.lifecycle),
    ]
    flask = refuse_other_origins(Flask("zapfs-admin", static_folder=None))
    flask.register_blueprint(
        admin_blueprint(gate, rooms, lambda error: running.log.failure("admin request failed", error))
    )
    return Application(flask.wsgi_app, running)


class Readiness:
    """Whether the server can serve: the data plane answers and the metadata store takes a durable write."""

    def __init__(self, told: Handover, store: MetadataStore) -> None:
        host = told.settings.s3_bind.host
        self._s3 = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), told.s3_port  # noqa: S104 -- recognised only
        self._store = store
        self._asked = -limits.READY_CACHE_SECONDS
        self._reason = ""

    def reason(self) -> str:
        """Why not; "" when it can. An answer holds for READY_CACHE_SECONDS."""
        if monotonic() - self._asked >= limits.READY_CACHE_SECONDS:
            self._reason = self._unwritable() or self._unreachable()
            self._asked = monotonic()
        return self._reason

    def _unwritable(self) -> str:
        try:
            self._store.lease_take("ready", "manager", now_ms(), 1_000)
        except StoreError as error:
            return f"the metadata store takes no writes: {type(error).__name__}"
        return ""

    def _unreachable(self) -> str:
        connection = http.client.HTTPConnection(*self._s3, timeout=limits.PROBE_SECONDS_MAX)
        try:
            connection.request("GET", "/")
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            return f"the S3 workers do not answer: {type(error).__name__}"
        finally:
            connection.close()
        return f"the S3 workers answer {status}" if status >= 500 else ""


def _gauges(gc: Gc) -> Mapping[str, tuple[str, float]]:
    status: Any = gc.status()
    return {
        "zapfs_gc_waiting_intents": ("Attempts not committed yet.", status.waiting.intents),
        "zapfs_gc_waiting_contents": ("Released contents not collected yet.", status.waiting.outbox),
        "zapfs_gc_waiting_blobs": ("Freed blobs in their grace.", status.waiting.blobs_waiting),
        "zapfs_chunks": ("Live chunks.", status.waiting.chunks),
        "zapfs_chunk_references": ("References to chunks.", status.waiting.chunk_references),
        "zapfs_chunk_bytes_live": ("Bytes of blobs stored.", status.chunks.bytes_live),
        "zapfs_chunk_bytes_allocated": ("Bytes of disk the chunk store holds.", status.chunks.bytes_allocated),
        "zapfs_disk_free_bytes": ("Bytes that may still be written.", status.chunks.bytes_free),
    }
