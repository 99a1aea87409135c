"""A simulated disk: it may lose power, or its process be killed, at every call; it may be full; its bits may rot."""

import errno


class Crash(BaseException):
    """The node is gone; what its disk holds is what it will find."""


class Disk:
    """As app.adapters.cluster.raft.disk.Disk. `crash_chance`: of each call that writes."""

    def __init__(self, rng):
        self.files = {}
        self.crash_chance = 0.0
        self.full = False
        self.torn = False
        self.writes = 0
        self._rng = rng

    def read(self, name):
        return self.files.get(name)

    def replace(self, name, data):
        self._maybe_crash()
        if self.full:
            raise OSError(errno.ENOSPC, "no space")
        self.files[name] = data
        self._maybe_crash()

    def append(self, name, data):
        self.writes += 1
        if self.full:
            self.files[name] += data[: self._rng.randrange(len(data))]
            self.torn = True
            raise OSError(errno.ENOSPC, "no space")
        if self._rng.random() < self.crash_chance:
            self.files[name] += self._cut_short(len(self.files[name]), data)
            self.torn = True
            raise Crash
        self.files[name] += data
        self._maybe_crash()

    def truncate(self, name, size):
        self._maybe_crash()
        self.files[name] = self.files[name][:size]
        self.torn = False
        self._maybe_crash()

    def close(self):
        pass

    def rot(self):
        """Flip one bit of one file; what undoes it."""
        name = self._rng.choice(sorted(self.files))
        before = self.files[name]
        at = self._rng.randrange(len(before))
        changed = bytes([before[at] ^ 1 << self._rng.randrange(8)])
        self.files[name] = before[:at] + changed + before[at + 1 :]

        def undo():
            self.files[name] = before

        return name, at, undo

    def _maybe_crash(self):
        if self._rng.random() < self.crash_chance:
            raise Crash

    def _cut_short(self, start, data):
        """What is left of an append without its fsync: a prefix (kill), or any of its sectors (power)."""
        if self._rng.random() < 0.5:
            return data[: self._rng.randrange(len(data) + 1)]
        kept = bytearray(data)
        at = start
        lost = False
        while at < start + len(data):
            end = min((at // 512 + 1) * 512, start + len(data))
            if self._rng.random() < 0.5:
                kept[at - start : end - start] = bytes(end - at)
                lost = True
            at = end
        return bytes(kept) if lost else b""
