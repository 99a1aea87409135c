"""The nodes of healing's model: their processes, what they know and of when, and how they reach devices.

Knows how a node's process is put together. Nothing here is drawn at random but who runs in between.
"""

import gevent

from app.adapters.erasure import codec
from app.core.layout.blob_ids import fragment_id
from app.core.layout.reports import NodeHealth
from app.ports.chunks import BlobName
from app.services.call import Sources
from app.services.healing.healing import Healing, NodeSettings
from app.services.healing.parts import ClusterParts, DataParts, TimeParts

CONFIRMED_S = 10


class Killed(BaseException):
    """A process dies in the middle of a call."""


class Inline:
    """An Offload that computes at once."""

    def call(self, function, *args):
        return function(*args)


class Memo:
    """A Cursor in memory that outlives its node's process."""

    def __init__(self):
        self.document = b""

    def load(self):
        return self.document

    def store(self, document):
        self.document = document


class Reports:
    """An Intake."""

    def __init__(self):
        self.blobs = []

    def take(self, limit):
        taken, self.blobs = self.blobs[:limit], self.blobs[limit:]
        return taken


class Member:
    """A node: what it knows (perhaps of a while ago), whether it is up, and its process."""

    def __init__(self, world, node_id):
        self.world = world
        self.node_id = node_id
        self.up = True
        self.cut_off = False  # from the managers
        self.told_s = 0.0
        self.off_ms = 0  # how wrong its date is set
        self.placement = world.truth
        self.health = {}
        self.cursor = Memo()
        self.suspects = Reports()
        self.start()

    def start(self):
        world = self.world
        self.healing = Healing(
            ClusterParts(
                lambda: self.placement,
                lambda: frozenset(n for n, d in world.truth.devices.items() if d.node_id == self.node_id),
                lambda: self.health,
                lambda: world.now_s - self.told_s <= CONFIRMED_S,
                lambda command: world.submit(self, command),
                self.suspects,
            ),
            DataParts(lambda number: world.reach(self, number), codec, Inline(), self.cursor),
            TimeParts(Sources(lambda: world.now_ms() + self.off_ms, world.fresh_id), lambda: world.now_s, world.pause),
            NodeSettings(bytes_per_s=0, scrub_days=30),
        )

    def hear(self):
        if self.up and not self.cut_off:
            self.placement, self.told_s = self.world.truth, self.world.now_s
            self.health = {
                node_id: NodeHealth(node_id, member.up and not member.cut_off, self.world.now_ms())
                for node_id, member in self.world.members.items()
            }


class Blob:
    """What was promised of a blob."""

    def __init__(self, name, profile, fragments, epoch):
        self.name = name
        self.profile = profile
        self.fragments = fragments
        self.epoch = epoch

    def named(self, index):
        """The name fragment `index` is stored under."""
        return BlobName(fragment_id(self.name.blob_id, index), self.name.chunk_id, self.name.ref_id)


class KilledTurn(Exception):
    """Killed, as it looks from the greenlet that waited for the one it happened in."""


class Reached:
    """A device as one node reaches it: calls are that node's, and others may run before each."""

    def __init__(self, world, member, device):
        self._world, self._member, self._device = world, member, device
        self.device_id = device.device_id

    def __getattr__(self, name):
        method = getattr(self._device, name)

        def call(*args):
            if self._world.random.random() < 0.1:
                gevent.sleep(0)
            self._world.calling = self._member
            try:
                return method(*args)
            except Killed as killed:
                raise KilledTurn from killed
            finally:
                self._world.calling = None

        return call
