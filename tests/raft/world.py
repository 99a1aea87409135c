"""A cluster of ours in the simulation: the product's Consensus, Journal and snapshots on simulated disks and links."""

import json
import random
from concurrent.futures import Future

from app.adapters.cluster.raft import codec, innards
from app.adapters.cluster.raft.consensus import Consensus
from app.adapters.cluster.raft.contract import Corrupt, Start, Unknown
from app.adapters.cluster.raft.storage import opened
from tests.raft.disks import Crash, Disk
from tests.raft.judge import Judge, Violation
from tests.raft.links import Links, Time

TICK_S = 0.02
ELECTION_S = 0.3


class Machine:
    """A list of operations; the answer to each is its position."""

    def __init__(self, name, judge):
        self.name, self.judge, self.operations = name, judge, []

    def apply(self, command):
        self.judge.applied(self.name, len(self.operations), command.decode().partition(" ")[0])
        self.operations.append(command.decode().partition(" ")[0])
        return str(len(self.operations) - 1).encode()

    def snapshot(self):
        return json.dumps(self.operations).encode()

    def restore(self, state):
        self.operations = json.loads(state)
        self.judge.restored(self.name, self.operations)


class Network(innards.LibraryTransport):
    """A node's end of the links."""

    ready = True

    def __init__(self, node):
        super().__init__(None, None, [])
        self._node = node

    def send(self, peer, message):
        self._node.world.links.send(self._node.name, peer.id, codec.encode(message))

    def congested(self, peer):
        return False

    def know(self, addresses):
        # Dialing takes a while, and so it happens in the tick.
        self._node.known = set(addresses)

    def connect(self, names):
        connected = {peer.id for peer in self._node.core.connected}
        for name in sorted(names - connected):
            self._onNodeConnected(innards.Peer(name))
        for name in sorted(connected - names):
            self._onNodeDisconnected(innards.Peer(name))

    def destroy(self):
        pass


class Node:
    """One member: its disk outlives its process."""

    def __init__(self, world, name, start, members):
        self.world, self.name, self.start_as, self.members = world, name, start, members
        self.disk = Disk(random.Random(f"{world.seed} disk {name}"))
        self.core = self.machine = None
        self.life = 0
        self.skew = 0.0
        self.known = set()
        self.paused_until = 0.0
        self.retired = False
        self.rotten = False

    @property
    def up(self):
        return self.core is not None

    def boot(self):
        """Start the process; Corrupt is for the caller."""
        self.machine = Machine(self.name, self.world.judge)
        self.life += 1
        world = self.world

        def begin():
            stored = opened(self.disk, self._die, self.start_as, self.members)
            self.core = Consensus(
                self.name,
                self.machine,
                (self.disk, *stored),
                Network(self),
                election_s=ELECTION_S,
                compact_entries=world.compact_entries,
                die=self._die,
                wake=lambda life=self.life: world.time.after(0.0001, lambda: self._tick_once(life)),
                log_error=lambda text: world.notes.append(text),
            )

        self.inside(begin)
        if self.up:
            if world.seed % 2:
                # A leader that takes longer to notice that nobody answers: reads must not rest on its noticing.
                self.core.settings.leaderFallbackTimeout = 3.0
            self._schedule(self.life)

    def crash(self):
        self.core = None
        self.life += 1

    def inside(self, do):
        """Run something as this node: its clock, and its death when its disk says so."""
        self.world.current = self
        try:
            do()
        except Crash:
            self.world.crashes += 1
            self.crash()
        finally:
            self.world.current = None

    def receive(self, source, data):
        if self.up and not self.retired:
            if self.paused_until > self.world.time.now:
                self.world.time.at(self.paused_until, lambda: self.receive(source, data))
            else:
                self.inside(lambda: self._received(source, data))

    def _received(self, source, data):
        self.core.received(innards.Peer(source), codec.decode(data))
        self.core.keep_promises()
        self.core.reads.tick()

    def _schedule(self, life):
        self.world.time.after(TICK_S * self.world.rng.uniform(0.5, 1.5), lambda: self._tick(life))

    def _tick(self, life):
        self._tick_once(life)
        if life == self.life and self.up:
            self._schedule(life)
            if self.core.role == innards.LEADER and self.world.rivals():
                self.world.propose()
                self.world.read()

    def _tick_once(self, life):
        if life != self.life or not self.up or self.paused_until > self.world.time.now:
            return

        def tick():
            self.core.network.connect({name for name in self.known if self.world.reachable(self.name, name)})
            self.core.tick(0.0)
            if self.core.role == innards.LEADER:
                self.world.judge.leads(self.name, self.core.term)

        self.inside(tick)

    def _die(self, reason):
        self.world.notes.append(f"{self.name}: {reason}")
        if "refusing" in reason:
            raise Violation(f"{self.name}: {reason}")
        raise Crash


class World:
    """Nodes, clients and the judge."""

    def __init__(self, seed, nodes=3, compact_entries=40):
        self.seed, self.compact_entries = seed, compact_entries
        self.rng = random.Random(f"{seed} world")
        random.seed(seed)
        self.time, self.judge = Time(), Judge()
        self.links = Links(self.time, seed, self._deliver)
        self.notes, self.crashes, self.refusals, self.changes = [], 0, 0, 0
        self.current = None
        self.issued = 0
        self.changing = None
        innards.library.monotonicTime = lambda: self.time.now + (self.current.skew if self.current else 0.0)
        names = {f"n{at}": f"n{at}:1" for at in range(nodes)}
        self.nodes = {name: Node(self, name, Start.BOOTSTRAP, names) for name in names}
        for node in self.nodes.values():
            node.boot()

    def reachable(self, source, target):
        node = self.nodes.get(target)
        return node is not None and node.up and not node.retired

    def rivals(self):
        """Whether two nodes believe that they lead: the moment to ask them something."""
        return sum(n.up and not n.retired and n.core.role == innards.LEADER for n in self.nodes.values()) > 1

    def _deliver(self, source, target, data):
        if target in self.nodes:
            self.nodes[target].receive(source, data)

    def start(self, node):
        """Start a node that is down; with a damaged disk it must refuse."""
        try:
            node.boot()
        except Corrupt as error:
            node.crash()
            if not node.rotten:
                raise Violation(f"{node.name} refuses to start after a mere crash: {error}") from error

    # --- clients

    def propose(self):
        up = [node for node in self.nodes.values() if node.up and not node.retired]
        leaders = [node for node in up if node.core.role == innards.LEADER]
        if not up:
            return
        node = self.rng.choice(leaders or up)
        for _ in range(self.rng.choice([1, 1, 2, 5])):
            operation = f"op{self.issued}"
            self.issued += 1
            waiter = Future()
            waiter.add_done_callback(lambda done, operation=operation: self._proposed(operation, done))
            text = f"{operation} {'x' * self.rng.choice([0, 10, 100, 700])}".encode()
            node.inside(lambda text=text, waiter=waiter: node.core.submit("command", text, waiter))

    def _proposed(self, operation, done):
        if done.exception() is None:
            self.judge.acknowledge(operation, int(done.result()))

    def read(self):
        leaders = [n for n in self.nodes.values() if n.up and not n.retired and n.core.role == innards.LEADER]
        if not leaders:
            return
        # The one that leads by the oldest term is the likeliest to be wrong about it.
        node = min(leaders, key=lambda n: n.core.term)
        floor, life, waiter = self.judge.read_begins(), node.life, Future()

        def done(result):
            if result.exception() is None and node.life == life:
                self.judge.read_ends(node.name, floor, len(node.machine.operations))

        waiter.add_done_callback(done)
        node.inside(lambda: node.core.submit("read", None, waiter))

    def change_members(self):
        """Add one or remove one, as an operator would."""
        leaders = [n for n in self.nodes.values() if n.up and n.core.role == innards.LEADER]
        if not leaders or (self.changing is not None and not self.changing.done()):
            return
        leader = self.rng.choice(leaders)
        members = dict(leader.core.membership.current)
        followers = sorted(set(members) - {leader.name})
        if len(members) <= 3 or (len(members) < 5 and self.rng.random() < 0.5):
            name = f"n{len(self.nodes)}"
            self.nodes[name] = node = Node(self, name, Start.JOIN, {})
            node.boot()
            node.known = set(members)
            members[name] = f"{name}:1"
        else:
            del members[self.rng.choice(followers)]
        waiter = self.changing = Future()
        waiter.add_done_callback(self._changed)
        leader.inside(lambda: leader.core.submit("members", members, waiter))
        self.time.after(3.0, lambda: self._give_up(waiter))

    def hand_over(self):
        for node in self.nodes.values():
            if node.up and node.core.role == innards.LEADER:
                node.inside(lambda node=node: node.core.submit("transfer", None, Future()))
                return

    def _changed(self, done):
        self.changes += done.exception() is None

    @staticmethod
    def _give_up(waiter):
        if not waiter.done():
            waiter.set_exception(Unknown("the operator gave up"))

    # --- the end

    def finish(self):
        """Heal everything, wait until the members agree, and judge."""
        self.links.heal()
        deadline = self.time.now + 60
        while self.time.now < deadline:
            for node in self.nodes.values():
                node.disk.crash_chance, node.disk.full, node.paused_until = 0.0, False, 0.0
                if not node.up and not node.retired:
                    self.start(node)
            self.propose()
            self.time.run_until(self.time.now + 1.0)
            if self.time.now > deadline - 55 and self._together():
                break
        members = self._members()
        if not members:
            raise Violation(f"no leader within a minute of peace: {self._picture()}")
        self.judge.at_the_end({name: self.nodes[name].machine.operations for name in members})

    def _members(self):
        leaders = [n for n in self.nodes.values() if n.up and n.core.role == innards.LEADER]
        return sorted(max(leaders, key=lambda n: n.core.term).core.membership.current) if leaders else []

    def _together(self):
        members = [self.nodes[name] for name in self._members()]
        return bool(members) and len({(n.core.applied, n.core.log.last, n.core.term) for n in members if n.up}) == 1

    def _picture(self):
        return {
            n.name: (n.core.role, n.core.term, n.core.applied, n.core.log.last, sorted(n.core.membership.current))
            for n in self.nodes.values()
            if n.up
        }
