"""Simulated time and network. Knows nothing of Raft: it loses, delays, repeats and reorders what it is given."""

import heapq
import random


class Time:
    """Seconds that pass only from event to event. Each node may see them shifted (its clock jumped)."""

    def __init__(self):
        self.now = 1000.0
        self._events = []
        self._count = 0

    def at(self, when, do):
        self._count += 1
        heapq.heappush(self._events, (when, self._count, do))

    def after(self, seconds, do):
        self.at(self.now + seconds, do)

    def run_until(self, end, stop=lambda: False):
        while self._events and self._events[0][0] <= end and not stop():
            self.now, _, do = heapq.heappop(self._events)
            do()
        self.now = max(self.now, end)


class Links:
    """Directed links between names. `deliver(source, target, data)` is called when a message arrives."""

    def __init__(self, time, seed, deliver, *, ordered=False):
        self.time = time
        self.deliver = deliver
        self.drop = self.repeat = 0.0
        self.delay = (0.0005, 0.003)
        self._seed = seed
        self._ordered = ordered
        self._random = {}
        self._last = {}
        self._blocked = {}

    def rng(self, source, target):
        # One for each link: the order in which a node sends to its peers must not change a run.
        if (source, target) not in self._random:
            self._random[source, target] = random.Random(f"{self._seed} {source} {target}")
        return self._random[source, target]

    def block(self, source, target, until):
        self._blocked[source, target] = until

    def heal(self):
        self._blocked.clear()
        self.drop = self.repeat = 0.0
        self.delay = (0.0005, 0.003)

    def blocked(self, source, target):
        return self._blocked.get((source, target), 0) > self.time.now

    def send(self, source, target, data):
        rng = self.rng(source, target)
        lost, copies = rng.random() < self.drop, 1 + (rng.random() < self.repeat)
        if lost or (self.blocked(source, target) and not self._ordered):
            return
        for _ in range(copies):
            when = self.time.now + rng.uniform(*self.delay) * (20 if rng.random() < 0.02 else 1)
            if self._ordered:
                # As TCP does: late, but never lost and never out of order.
                when = max(when, self._last.get((source, target), 0), self._blocked.get((source, target), 0))
                self._last[source, target] = when
            self.time.at(when, lambda: self.deliver(source, target, data))
