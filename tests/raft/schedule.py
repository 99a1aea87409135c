"""Which faults a run has, and when: everything is drawn from the seed."""

from app.adapters.cluster.raft.contract import Corrupt
from tests.raft.judge import Violation
from tests.raft.world import World

SECONDS = 12.0
PROFILES = ("network", "crashes", "disks", "members", "clocks", "everything")


def run(seed, profile=None, seconds=SECONDS):
    """One run to its end; Violation when something was wrong. The world, for its figures."""
    profile = profile or PROFILES[seed % len(PROFILES)]
    world = World(seed, nodes=(3, 3, 5)[seed % 3], compact_entries=(20, 60, 100_000)[seed // 3 % 3])
    Faults(world, profile).arrange(seconds)
    end = world.time.now + seconds
    world.time.run_until(end)
    world.finish()
    return world


class Faults:
    def __init__(self, world, profile):
        self.world, self.rng, self.profile = world, world.rng, profile

    def has(self, *profiles):
        return self.profile in profiles or self.profile == "everything"

    def arrange(self, seconds):
        world = self.world
        self._every(0.03, world.propose, seconds)
        self._every(0.05, world.read, seconds)
        self._every(0.4, self._restart, seconds)
        if self.has("network", "members"):
            world.links.drop = self.rng.choice([0, 0.02, 0.1])
            world.links.repeat = self.rng.choice([0, 0.05, 0.4])
            world.links.delay = self.rng.choice([(0.0005, 0.003), (0.001, 0.08), (0.01, 0.3)])
        if self.has("network", "crashes", "members", "clocks"):
            self._every(1.5, self._partition, seconds)
        if self.has("crashes", "members"):
            self._every(1.5, self._kill, seconds)
            self._every(5.0, self._kill_all, seconds)
        if self.has("disks", "crashes"):
            for node in world.nodes.values():
                node.disk.crash_chance = self.rng.choice([0, 0.002, 0.01])
        if self.has("disks"):
            self._every(3.0, self._rot, seconds)
            self._every(4.0, self._fill, seconds)
        if self.has("members"):
            self._every(1.0, world.change_members, seconds)
            self._every(2.5, world.hand_over, seconds)
        if self.has("clocks"):
            self._every(1.0, self._jump, seconds)
            self._every(1.5, self._pause, seconds)

    def _every(self, mean_s, do, seconds):
        end = self.world.time.now + seconds

        def again():
            if self.world.time.now < end:
                do()
                self.world.time.after(self.rng.uniform(0.2, 1.8) * mean_s, again)

        self.world.time.after(self.rng.uniform(0.2, 1.8) * mean_s, again)

    def _some(self, up=True):
        nodes = [node for node in self.world.nodes.values() if node.up is up and not node.retired]
        return self.rng.choice(nodes) if nodes else None

    def _restart(self):
        node = self._some(up=False)
        if node:
            self.world.start(node)

    def _kill(self):
        node = self._some()
        if node:
            node.crash()

    def _kill_all(self):
        for node in self.world.nodes.values():
            if node.up:
                node.crash()

    def _partition(self):
        names = sorted(self.world.nodes)
        side = set(self.rng.sample(names, self.rng.randrange(1, len(names))))
        until = self.world.time.now + self.rng.choice([0.3, 1.0, 3.0])
        one_way = self.rng.random() < 0.3
        for source in names:
            for target in names:
                if source in side and target not in side:
                    self.world.links.block(source, target, until)
                    if not one_way:
                        self.world.links.block(target, source, until)

    def _jump(self):
        node = self._some()
        if node:
            node.skew += self.rng.choice([0.1, 0.5, 5.0])

    def _pause(self):
        node = self._some()
        if node:
            node.paused_until = self.world.time.now + self.rng.choice([0.1, 0.7, 2.0])

    def _fill(self):
        full = [node for node in self.world.nodes.values() if node.disk.full]
        for node in full:
            node.disk.full = False
        node = self._some()
        if node and not full:
            node.disk.full = True

    def _rot(self):
        """A bit of a node that is down changes: it must refuse to start, and says so; then the bit is put right."""
        node = self._some(up=False)
        if node is None or node.disk.torn or not node.disk.files:
            return
        chance, node.disk.crash_chance = node.disk.crash_chance, 0.0
        name, at, undo = node.disk.rot()
        try:
            node.boot()
        except Corrupt:
            self.world.refusals += 1
        else:
            raise Violation(f"{node.name} started although bit {at} of its {name} changed")
        finally:
            node.crash()
            undo()
            node.disk.crash_chance = chance
