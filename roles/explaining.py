"""Builds what explains decisions to operators: simulation, and what is known of recent requests.

Knows where a node's workers leave their traces.
"""

from app.faces.http.admin import requests, simulation
from app.faces.http.admin.endpoints import Endpoint
from app.ports.cluster import Cluster
from app.ports.metadata import MetadataStore
from app.runtime.telemetry import traces
from app.services.gate.requests import Requests
from app.services.gate.simulating import Simulating
from roles.data_dir import DataDir
from roles.running import SOURCES, Running


def endpoints(running: Running, cluster: Cluster, store: MetadataStore) -> list[Endpoint]:
    """Of a node with S3 workers."""
    directory = DataDir(running.told.settings.data_dir).traces
    known = Requests(cluster, lambda request_id: running.offload.call(traces.find, directory, request_id))
    return [*simulation.endpoints(Simulating(cluster, SOURCES, store)), *requests.endpoints(known)]


def without_buckets(cluster: Cluster) -> list[Endpoint]:
    """Of a manager of a cluster: it knows principals, and of buckets nothing."""
    return simulation.endpoints(Simulating(cluster, SOURCES, None))
