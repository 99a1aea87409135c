"""Builds the S3 application of a data worker: every use case and handler, on whatever stores stand behind the ports.

Knows which bricks S3 stands on. Must not know where bytes and rows lie: all.py and metadata.py do.
"""

import os
from typing import NamedTuple

from flask import Flask

from app.adapters.cluster.local import Follower
from app.adapters.cluster.relay import Relayed
from app.adapters.cluster.sealing import Sealer
from app.adapters.read_board import FileReadBoard
from app.adapters.sessions import SessionTokens
from app.config import Settings
from app.core import limits
from app.faces.http.app import S3Door
from app.faces.http.exchange import Record, Surface
from app.faces.http.peers import Peers
from app.faces.http.porch import Porch
from app.faces.http.query.iam import table
from app.faces.http.query.iam.ask import UseCases as IamUseCases
from app.faces.http.query.room import QueryRoom
from app.faces.http.s3.cors import Crossing
from app.faces.http.s3.table import UseCases, handlers
from app.faces.http.s3.website import Sites
from app.ports.chunks import ChunkStore
from app.ports.cluster import Cluster
from app.ports.metadata import MetadataStore
from app.runtime.buffers import BufferPool
from app.runtime.telemetry import metrics
from app.runtime.telemetry.traces import Traces
from app.services.background.access_logs import AccessLogs
from app.services.buckets.buckets import Buckets, Defaults
from app.services.buckets.configs import Configs
from app.services.content.blobs import Blobs
from app.services.content.keyring import Keyring
from app.services.content.profiles import Profiles
from app.services.content.reading import Reading
from app.services.content.sealing import Sealing
from app.services.gate.access import Access
from app.services.gate.bucket_access import Amending, BucketAccess
from app.services.gate.bucket_policies import BucketPolicies
from app.services.gate.callers import Callers, Tokens
from app.services.gate.directory import Directory
from app.services.gate.guard import Guard
from app.services.gate.object_acls import ObjectAcls
from app.services.gate.ownership import Ownership
from app.services.identity.control import Control
from app.services.identity.iam import Iam
from app.services.limits.quotas import Quotas
from app.services.objects.appending import Appends
from app.services.objects.copying import Copying
from app.services.objects.deleting import Deleting
from app.services.objects.drafts import Drafts
from app.services.objects.listing import Listing
from app.services.objects.locks import Locks
from app.services.objects.multipart import Multipart
from app.services.objects.objects import Objects
from app.services.objects.renaming import Renaming
from app.services.objects.tagging import Tagging
from roles import backgrounds, control_plane, limiting, master_keys, sessions
from roles.auditing import Auditing
from roles.data_dir import DataDir
from roles.running import SOURCES, Application, Running


class Ground(NamedTuple):
    """What S3 stands on. The stores are closed by who opened them."""

    cluster: Relayed
    store: MetadataStore
    chunks: ChunkStore


def following(running: Running) -> Relayed:
    """The control state of this node, as the one process that writes it here last did; what is to change is handed to
    that process. Raises StoreError."""
    directory = DataDir(running.told.settings.data_dir).cluster
    cluster = Relayed(directory, Follower(directory, running.offload.call))
    running.every("cluster", limits.CLUSTER_POLL_SECONDS, cluster.refresh)
    return cluster


def application(running: Running, ground: Ground) -> Application:
    """The S3 application of this process."""
    settings = running.told.settings
    cluster, store, _ = ground
    sealer = master_keys.sealer(running)
    tokens = SessionTokens(sealer)
    access = Access(Callers(cluster, sealer.unseal, Tokens(tokens.open, SOURCES.now_ms, cluster.see)), running.offload)
    keyring = Keyring(cluster.state, sealer.open_material)
    sealing = Sealing(keyring, os.urandom, over_http=settings.sse_c_over_http or settings.dev)
    surface, logs = _surface(running, ground, sealing)
    domains = settings.website_domain
    sites = Sites(domains, surface.handlers, access, store.bucket_get) if domains else None
    query = _query(settings, sealer, cluster, tokens, access)
    door = S3Door(
        surface,
        access,
        SOURCES,
        Observer(running, logs, Auditing(running)).observe,
        lambda request_id, error: running.log.failure("request failed", error, request_id=request_id),
        Porch(settings.s3_domain, Peers(settings.trusted_proxies), sites, query, limiting.rates(running, cluster)),
    )
    # Flask stays the application gunicorn serves; S3 needs none of its routing, which costs more than S3's own work.
    flask = Flask("zapfs", static_folder=None)
    flask.wsgi_app = door  # type: ignore[assignment, method-assign]
    return Application(flask.wsgi_app, running)


def _query(settings: Settings, sealer: Sealer, cluster: Cluster, tokens: SessionTokens, access: Access) -> QueryRoom:
    """IAM's and STS's query API."""
    desk = control_plane.desk(cluster, SOURCES)
    iam = table.service(IamUseCases(Iam(desk), Control(desk, sealer.seal)))
    return QueryRoom([iam, sessions.actions(settings, cluster, tokens).service()], access)


def _surface(running: Running, ground: Ground, sealing: Sealing) -> tuple[Surface, AccessLogs]:
    """Every operation's handler, and the writer of access logs."""
    settings = running.told.settings
    cluster, store, chunks = ground
    directory = Directory(cluster)
    guard, ownership = Guard(store, directory), Ownership(directory)
    amending = Amending(store, guard)
    buckets = Buckets(
        store, guard, ownership, SOURCES, Defaults(settings.object_ownership, settings.block_public_access)
    )
    profiles = Profiles(lambda: cluster.state().placement)
    quotas = Quotas(store, cluster.state, metrics.limited)
    drafts = Drafts(guard, ownership, sealing, settings.storage_classes, profiles, quotas)
    blobs = Blobs(store, chunks, BufferPool(settings.buffer_budget_bytes), running.offload, SOURCES)
    reading = Reading(store, chunks, SOURCES)
    board = FileReadBoard(DataDir(settings.data_dir).reads)
    running.every("reads", limits.READ_BOARD_SECONDS, lambda: board.publish(reading.oldest_ms()))
    objects = Objects(store, blobs, reading, guard, drafts, settings.inline_bytes)
    copying = Copying(objects, blobs, reading, guard, drafts)
    multipart = Multipart(store, blobs, guard, drafts, copying, SOURCES)
    listing = Listing(store, guard)
    crossing = Crossing(store.bucket_get)
    use_cases = UseCases(
        guard=guard,
        buckets=buckets,
        objects=objects,
        deleting=Deleting(store, guard, SOURCES),
        appends=Appends(store, blobs, objects, guard, drafts),
        renaming=Renaming(objects, blobs, reading, guard, sealing),
        copying=copying,
        multipart=multipart,
        listing=listing,
        configs=Configs(store, guard),
        acting=backgrounds.acting(settings, store, guard, directory),
        tagging=Tagging(store, guard),
        locks=Locks(store, guard),
        crossing=crossing,
        directory=directory,
        bucket_access=BucketAccess(amending, ownership),
        bucket_policies=BucketPolicies(amending, guard),
        object_acls=ObjectAcls(store, guard, ownership),
        region=settings.region,
        regions=settings.regions,
    )
    logs = backgrounds.access_logs(running, store, objects, directory)
    return Surface(handlers(use_cases), crossing.answer_headers), logs


class Observer:
    """Turns every answered request into a log line, numbers and a trace, and tells the audit log and its bucket's."""

    def __init__(self, running: Running, logs: AccessLogs, auditing: Auditing) -> None:
        settings = running.told.settings
        self._log = running.log
        self._logs = logs
        self._wanted = running.log.wants("info")
        self._audit = auditing.observe
        self._traces: Traces | None = None
        if settings.request_traces:
            self._traces = Traces(DataDir(settings.data_dir).traces, settings.node_id)
            running.every("traces", limits.LOG_FLUSH_SECONDS, self._traces.flush)
            running.at_end(self._traces.flush)

    def observe(self, record: Record) -> None:
        """One request is over."""
        metrics.request(
            record.operation, record.status, record.bytes_in, record.bytes_out, record.seconds, record.stages
        )
        if self._wanted or record.status >= 500:
            self._log.request("error" if record.status >= 500 else "info", record)
        if self._traces is not None:
            self._traces.add(record, SOURCES.now_ms())
        self._audit(record)
        logged = self._logs.keeps(record.bucket) if record.bucket else None
        if logged is not None:
            self._logs.gather(logged, backgrounds.entry(logged, record))
