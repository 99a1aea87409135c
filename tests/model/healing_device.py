"""A device in memory whose every call may be interrupted, and which tells the world what is about to change.

Knows the rules of app.ports.devices. Rot is flipped into what is stored; every read notices it.
"""

from app.core.errors import Conflict, Corrupt, Missing, Unavailable
from app.ports.chunks import ChunkStoreStats


class WorldDevice:
    """`before(what, device, fragment)` is called ahead of every call of somebody's, and may raise or yield."""

    def __init__(self, number, before, clock):
        self.number = number
        self.clock = clock
        self.device_id = f"{number:032x}"
        self.held_by_id = {}  # fragment id -> (name, bytes, sound)
        self.mended_s = {}  # fragment id -> when a sound one was put where a damaged one had been
        self.rotten = set()
        self._before = before

    def put(self, name, data):
        self._before("put", self, name.blob_id)
        if name.blob_id in self.held_by_id:
            raise Conflict("held already")
        self.held_by_id[name.blob_id] = name, bytes(data), True
        if name.blob_id in self.rotten:
            self.rotten.discard(name.blob_id)
            self.mended_s[name.blob_id] = self.clock()

    def whole(self, fragment_id):
        self._before("whole", self, fragment_id)
        return memoryview(self._sound(fragment_id))

    def verify(self, fragment_id):
        self._before("verify", self, fragment_id)
        return len(self._sound(fragment_id))

    def delete_many(self, fragment_ids):
        for fragment_id in fragment_ids:
            self._before("delete", self, fragment_id)
            self.held_by_id.pop(fragment_id, None)
        return [True] * len(fragment_ids)

    def held(self, fragment_ids):
        self._before("held", self, None)
        return [fragment_id in self.held_by_id for fragment_id in fragment_ids]

    def page(self, first, end, after, limit):
        self._before("page", self, None)
        within = (i for i in self.held_by_id if first <= i and (end is None or i < end) and i > after)
        return [self.held_by_id[i][0] for i in sorted(within)[:limit]]

    def stats(self):
        size = sum(len(data) for _, data, _ in self.held_by_id.values())
        return ChunkStoreStats(len(self.held_by_id), size, size, 1 << 40, 1)

    def open(self, blob_id, length=0):
        raise Unavailable("healing reads whole fragments")

    def close(self):
        """Nothing is open."""

    def rot(self, fragment_id):
        name, data, _ = self.held_by_id[fragment_id]
        self.held_by_id[fragment_id] = name, data, False
        self.rotten.add(fragment_id)

    def is_sound(self, fragment_id):
        return fragment_id in self.held_by_id and self.held_by_id[fragment_id][2]

    def _sound(self, fragment_id):
        if fragment_id not in self.held_by_id:
            raise Missing("no such fragment")
        _, data, sound = self.held_by_id[fragment_id]
        if not sound:
            raise Corrupt("a flipped bit")
        return data
