"""Builds a file host's keeper: it follows the managers for the node's workers, presents the node and its devices to
them, tells them how both are, and heals.

Knows which bricks a file host's background stands on. Must not know how anything is healed.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Final

import gevent

from app.adapters import erasure
from app.adapters.chunks import disk
from app.adapters.chunks.guarded import GuardedDevice
from app.adapters.cluster.remote import RemoteCluster
from app.config_values import Bind
from app.core import cluster_limits
from app.core.cluster.layout_commands import RegisterNode
from app.core.errors import StoreError, Unavailable
from app.core.layout.placement import Placement
from app.core.layout.reports import DeviceReport, NodeReport
from app.faces.http.admin import Face, Gate, Probed, admin_application
from app.faces.http.admin.gate import Scraping
from app.ports.hosting import FAILING, UP
from app.runtime.telemetry import metrics
from app.services.gate.callers import Callers
from app.services.healing.healing import Healing, NodeSettings
from app.services.healing.parts import ClusterParts, DataParts, TimeParts
from roles import devices, placed
from roles.following import followed
from roles.handover import Handover
from roles.running import SOURCES, Application, Running, new_id, now_ms

_THREADS: Final = 4
_JOIN_SECONDS: Final = 0.5
_TURN_SECONDS: Final = {"suspects": 0.5, "compare": 1.0, "repair": 1.0, "strays": 1.0, "scrub": 5.0}
_UPKEEP_SECONDS: Final = 10.0


def build(told: Handover) -> Application:
    """The operations application of this process; the rest begins once the cluster is known."""
    running = Running(told, _THREADS)
    cluster = followed(running)
    host = Host(running, cluster)
    running.every("join", _JOIN_SECONDS, host.join)
    gauges = metrics.Gauges(host.gauges)
    # A file host has no master key: nobody signs here. A scraper brings the token.
    settings = told.settings
    callers = Callers(cluster, _no_secrets)
    gate = Gate(cluster, callers, SOURCES, scraping=Scraping(settings.metrics_token, settings.dev))
    face = Face(Probed(host.unready, lambda: (metrics.exposition(gauges), metrics.CONTENT_TYPE)))
    flask = admin_application(gate, face, lambda error: running.log.failure("operations request failed", error))
    return Application(flask.wsgi_app, running)


class Host:
    """The node as the managers know it, and its healing once it is part of a cluster."""

    def __init__(self, running: Running, cluster: RemoteCluster) -> None:
        self._running = running
        self._cluster = cluster
        self._settings = running.told.settings
        self._opened: dict[str, GuardedDevice] = {}
        self._registered: Mapping[str, int] = {}
        self._healing: Healing | None = None
        self._refused = "this host is not registered yet"

    def join(self) -> None:
        """Open the devices once the cluster is known, and present what is there whenever that changed. Raises
        StoreError while it cannot open them; `unready` tells why the managers do not take it."""
        cluster_id = self._cluster.state().cluster_id
        if not cluster_id:
            return
        if self._healing is None:
            self._opened.update(devices.open_devices(self._running, cluster_id))
            self._begin()
        found = {device_id: self._capacity(device_id) for device_id, one in self._opened.items() if _is_up(one)}
        known = self._placement().nodes.get(self._settings.node_id)
        elsewhere = known is not None and known.address != self._address()
        if found and (elsewhere or found.keys() - self._registered.keys()):
            try:
                self._register({**self._registered, **found})
            except StoreError as error:
                self._refused = str(error)

    def unready(self) -> str:
        """Why this host is of no use to the cluster yet; "" when it is."""
        if not self._cluster.state().cluster_id:
            return "no manager has answered yet"
        if not self._registered:
            return next((why for one in self._opened.values() if (why := one.health().why)), self._refused)
        return "" if any(map(_is_up, self._opened.values())) else "none of its devices is up"

    def gauges(self) -> Mapping[str, tuple[str, float]]:
        """Name -> (help, value)."""
        told = self._report()
        found = {
            "zapfs_devices_up": ("Devices that serve.", float(sum(one.status == UP for one in told.devices))),
            "zapfs_device_errors": ("Errors of devices since the start.", float(sum(d.errors for d in told.devices))),
            "zapfs_device_free_bytes": (
                "Bytes devices may still take.",
                float(sum(d.bytes_free for d in told.devices)),
            ),
        }
        for one in told.work:
            found[f"zapfs_{one.kind}_done"] = (f"Fragments of {one.kind} done since the start.", float(one.done))
            found[f"zapfs_{one.kind}_waiting"] = (f"What waits for {one.kind}.", float(one.waiting))
        return found

    # --- within

    def _begin(self) -> None:
        running, settings = self._running, self._settings
        hosts = placed.hosts(running, self._placement, self._opened)
        healing = self._healing = Healing(
            ClusterParts(
                placement=self._placement,
                own=self._own,
                health=self._cluster.health,
                confirmed=self._cluster.current,
                submit=self._cluster.submit,
                suspects=devices.suspects(settings),
            ),
            DataParts(hosts.device, erasure.codec, running.offload, _Cursor(settings.data_dir / "scrub")),
            TimeParts(SOURCES, monotonic, gevent.sleep),
            NodeSettings(settings.heal_bytes_per_s, settings.scrub_days),
        )
        running.every("heartbeat", cluster_limits.HEARTBEAT_SECONDS, self._beat).poke()
        for name, turn in (
            ("suspects", healing.suspects_turn),
            ("compare", healing.compare_turn),
            ("repair", healing.repair_turn),
            ("strays", healing.stray_turn),
            ("scrub", healing.scrub_turn),
        ):
            running.every(name, _TURN_SECONDS[name], turn)
        running.every("upkeep", _UPKEEP_SECONDS, self._maintain)

    def _beat(self) -> None:
        """Whoever is not registered has no name yet to speak in."""
        if self._registered:
            self._cluster.beat(self._report())

    def _address(self) -> str:
        """Where others reach the blob routes."""
        bind = self._settings.blob_bind
        return self._settings.advertise or str(Bind(bind.host, self._running.told.s3_port))

    def _placement(self) -> Placement:
        return self._cluster.state().placement

    def _own(self) -> frozenset[int]:
        numbers = {one.device_id: number for number, one in self._placement().devices.items()}
        return frozenset(numbers[device_id] for device_id in self._opened if device_id in numbers)

    def _capacity(self, device_id: str) -> int:
        stats = self._running.offload.call(os.statvfs, self._opened[device_id].root)
        return stats.f_blocks * stats.f_frsize

    def _register(self, capacities: Mapping[str, int]) -> None:
        settings = self._settings
        self._cluster.beat(self._report())  # refused while another node of this name is up: its address must stay
        outcome = self._cluster.submit(
            RegisterNode(new_id().hex(), settings.node_id, self._address(), settings.zone, capacities, now_ms())
        )
        if outcome.error:
            raise Unavailable(f"the managers do not take this node: {outcome.message}")
        self._registered = capacities

    def _report(self) -> NodeReport:
        settings, placement = self._settings, self._placement()
        numbers = {one.device_id: number for number, one in placement.devices.items()}
        told = [self._told(numbers[i], one) for i, one in self._opened.items() if i in numbers]
        healing = self._healing
        return NodeReport(
            settings.node_id,
            "file",
            now_ms(),
            placement.current.epoch,
            self._address(),
            tuple(told),
            {} if healing is None else healing.ledger(),
            () if healing is None else healing.work(),
        )

    def _told(self, number: int, device: GuardedDevice) -> DeviceReport:
        health = device.health()
        status, healing = health.status, self._healing
        if status == UP and healing is not None and healing.is_failing(number):
            status = FAILING
        errors = health.errors + (0 if healing is None else healing.device_errors(number))
        try:
            stats = device.stats()
        except StoreError:
            return DeviceReport(number, status, 0, 0, 0, errors)
        return DeviceReport(
            number, status, stats.bytes_allocated + stats.bytes_free, stats.bytes_free, stats.blobs, errors
        )

    def _maintain(self) -> None:
        """Beside each other: a device that hangs stalls no other's upkeep."""
        gevent.joinall([gevent.spawn(device.maintain) for device in self._opened.values() if _is_up(device)])


class _Cursor:
    """Where scrub keeps its place: a small file, replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> bytes:
        """See healing.parts.Cursor."""
        try:
            return self._path.read_bytes()
        except OSError:
            return b""

    def store(self, document: bytes) -> None:
        """See healing.parts.Cursor."""
        disk.write_file(self._path, document)


def _is_up(device: GuardedDevice) -> bool:
    return device.health().status == UP


def _no_secrets(access_key: str, sealed: bytes) -> str:
    raise Unavailable("a file host opens no secrets")
