"""The library as it is released, in the same simulation: `python -m tests.raft.stock SEED...` prints what went wrong.

A process of its own: ours shuts the library's pickle for good. It is treated better than ours: its links are ordered
and lose nothing (as TCP), its disks and machines never fail; some connections are slow, or hang for a while.
"""

import logging
import pickle  # noqa: TID251 - what the library sends
import random
import sys

import pysyncobj.syncobj as library
from pysyncobj import SyncObj, SyncObjConf, SyncObjConsumer, replicated
from pysyncobj.node import Node
from pysyncobj.transport import Transport

from tests.raft.judge import Judge, Violation
from tests.raft.links import Links, Time

NAMES = ("n0", "n1", "n2")
SECONDS = 40.0


class Machine(SyncObjConsumer):
    """As the product's simulation has it: a list of operations."""

    def __init__(self, name, judge):
        super().__init__()
        self._name, self._judge, self.operations = name, judge, []

    @replicated
    def add(self, operation):
        self._judge.applied(self._name, len(self.operations), operation)
        self.operations.append(operation)
        return len(self.operations) - 1


class Wire(Transport):
    """A node's end of the links."""

    def __init__(self, world, name):
        super().__init__(None, None, [])
        self._world, self._name = world, name

    def send(self, node, message):
        self._world.links.send(self._name, node.id, pickle.dumps(message))
        return True


class Stock:
    """Three nodes of the library, clients, and slow links."""

    def __init__(self, seed):
        self.rng = random.Random(f"{seed} stock")
        random.seed(seed)
        self.time, self.judge, self.issued = Time(), Judge(), 0
        self.links = Links(self.time, seed, self._deliver, ordered=True)
        self.links.delay = (0.01, 0.08)
        library.monotonicTime = lambda: self.time.now
        conf = {"autoTick": False, "appendEntriesBatchSizeBytes": 400, "commandsWaitLeader": False, "useFork": False}
        self.nodes, self.machines, wires = {}, {}, {}
        for name in NAMES:
            self.machines[name] = Machine(name, self.judge)
            wires[name] = Wire(self, name)
            self.nodes[name] = SyncObj(
                Node(name),
                [Node(other) for other in NAMES if other != name],
                SyncObjConf(**conf),
                consumers=[self.machines[name]],
                nodeClass=Node,
                transport=wires[name],
            )
            for other in NAMES:
                if other != name:
                    wires[name]._onNodeConnected(Node(other))
            self._tick(name)

    def _deliver(self, source, target, data):
        self.nodes[target]._SyncObj__transport._onMessageReceived(Node(source), pickle.loads(data))

    def _tick(self, name):
        self.nodes[name].doTick(0.0)
        self.time.after(0.03 * self.rng.uniform(0.5, 1.5), lambda: self._tick(name))

    def _propose(self):
        for _ in range(self.rng.choice([1, 3, 10])):
            operation = f"op{self.issued} {'x' * self.rng.choice([5, 60, 150])}"
            self.issued += 1
            self.machines[self.rng.choice(NAMES)].add(operation, callback=lambda *_: None)
        self.time.after(self.rng.uniform(0.02, 0.1), self._propose)

    def _hang(self):
        one, other = self.rng.sample(NAMES, 2)
        until = self.time.now + self.rng.choice([0.2, 1.0, 3.0])
        self.links.block(one, other, until)
        if self.rng.random() < 0.7:
            self.links.block(other, one, until)
        self.time.after(self.rng.uniform(0.2, 2.0), self._hang)

    def run(self):
        self._propose()
        self._hang()
        self.time.run_until(self.time.now + SECONDS)


def main(seeds):
    logging.disable(logging.CRITICAL)
    # The library swallows what its machine raises and tries again, for ever; a violation is no Exception, and passes.
    for seed in seeds:
        try:
            Stock(seed).run()
        except Violation as error:
            print(f"seed {seed}: {str(error)[:100]}")
        else:
            print(f"seed {seed}: nothing")


if __name__ == "__main__":
    main([int(seed) for seed in sys.argv[1:]])
