"""A cluster in memory for healing's model: nodes with stale views, devices that fail, writers that are cut off.

Knows what must never happen and checks it at every deletion healing makes: the last sound copy of a fragment of a blob
that somebody was promised. Everything is drawn from one seed; turns of several nodes run at once and interleave at
calls of devices.
"""

from dataclasses import replace
from random import Random

import gevent

from app.adapters.erasure import codec
from app.core.cluster.state import Outcome
from app.core.errors import Unavailable
from app.core.ids import make_id
from app.core.layout.blob_ids import blob_id_for, blob_of, fragment_id, index_of
from app.core.layout.placement import DRAINING, IN, OUT, WAITING, Device, Layout, Node, Placement
from app.core.layout.profiles import erasure, replication
from app.core.layout.reports import NodeHealth
from app.ports.chunks import BlobName
from app.services.call import Sources
from app.services.healing.healing import Healing, HealingSettings
from app.services.healing.parts import ClusterParts, DataParts, TimeParts
from app.services.healing.scrubbing import ScrubSettings
from tests.model.healing_device import WorldDevice

GROUPS = 4
CHUNK = 96
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
            TimeParts(Sources(world.now_ms, world.fresh_id), lambda: world.now_s, lambda _: None),
            lambda: HealingSettings(0, 0, ScrubSettings(30, asked_ms=world.scrub_asked_ms)),
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

    def __init__(self, name, profile, fragments):
        self.name = name
        self.profile = profile
        self.fragments = fragments
        self.deleting = False


class World:
    """See the module docstring. `live`: acknowledged and not deleted."""

    def __init__(self, seed):
        self.random = Random(seed)
        self.now_s = 1_000_000.0
        self.scrub_asked_ms = 0
        self.members = {}
        self.devices = {}
        self.live = {}
        self.gone = {}
        self.calling = None  # the member whose turn is calling a device; None = the model itself
        self.kill_in = 0
        self.healing_deletes = 0
        self.races = 0
        self.out_s = {}  # device -> when it went out
        self.dead = set()  # devices that will not answer before they come in again, empty
        profiles = [replication(1, "STANDARD", 3), erasure(2, "EC", 4, 2), replication(3, "TWO", 2)]
        profiles = self.random.sample(profiles, self.random.randint(1, 3))
        self.truth = Placement(GROUPS, profiles={p.number: p for p in profiles})
        self.width = max(p.width for p in profiles)
        for number in range(1, self.width + self.random.randint(2, 4)):
            self.add_device(number, f"node-{number if self.random.random() < 0.8 else max(1, number - 1)}")
        self.new_epoch()
        for member in self.members.values():
            member.hear()

    # time, ids and the managers

    def now_ms(self):
        return int(self.now_s * 1000)

    def fresh_id(self):
        return make_id(self.now_ms(), self.random.randbytes(10))

    def tick(self, seconds):
        self.now_s += seconds
        for member in self.members.values():
            if self.now_s - member.told_s > 5 or self.random.random() < 0.5:
                member.hear()

    def submit(self, member, command):
        if member.cut_off or not member.up:
            raise Unavailable("no manager")
        truth = self.truth
        if command.epoch != truth.current.epoch:
            return Outcome()
        pending = {**truth.pending, command.width: truth.pending.get(command.width, frozenset()) - {*command.groups}}
        pending = {width: groups for width, groups in pending.items() if groups}
        self.truth = replace(truth, pending=pending, previous=truth.previous if pending else None)
        if not pending and truth.staged:
            self.new_epoch()
        return Outcome()

    def change_devices(self, **states):
        devices = {n: replace(d, state=states.get(str(n), d.state)) for n, d in self.truth.devices.items()}
        self.truth = replace(self.truth, devices=devices)
        if self.truth.previous is None:
            self.new_epoch()
        else:
            self.truth = replace(self.truth, staged=True)

    def new_epoch(self):
        """Any layout will do for healing; rendezvous hashing moves little."""
        truth = self.truth
        takers = [n for n, d in truth.devices.items() if d.state == IN]
        epoch = truth.current.epoch + 1
        maps = {}
        for width in {p.width for p in truth.profiles.values()}:
            maps[width] = tuple(self.homes_for(truth, takers, width, group) for group in range(GROUPS))
        previous = truth.current if truth.current.epoch else None
        pending = {}
        if previous is not None:
            pending = {
                width: frozenset(g for g in range(GROUPS) if groups[g] != previous.homes(width, g))
                for width, groups in maps.items()
            }
            pending = {width: groups for width, groups in pending.items() if groups}
        self.truth = replace(
            truth, current=Layout(epoch, maps), previous=previous if pending else None, pending=pending, staged=False
        )

    def homes_for(self, truth, takers, width, group):
        before = truth.current.homes(width, group)
        chosen = [n if n in takers else None for n in before] or [None] * width
        rest = sorted((n for n in takers if n not in chosen), key=lambda n: Random(n * 1000 + group).random())
        homes = [n if n is not None else rest.pop() for n in chosen]
        if rest and self.random.random() < 0.5:
            homes[self.random.randrange(width)] = rest.pop()
        return tuple(homes)

    def add_device(self, number, node_id, state=IN):
        device = Device(number, f"{number:032x}", node_id, 1, state)
        nodes = {**self.truth.nodes, node_id: Node(node_id, "", "", 0)}
        self.truth = replace(self.truth, nodes=nodes, devices={**self.truth.devices, number: device})
        self.devices[number] = WorldDevice(number, self.before, lambda: self.now_s)
        if node_id not in self.members:
            self.members[node_id] = Member(self, node_id)

    # devices

    def node_of(self, number):
        return self.members[self.truth.devices[number].node_id]

    def reach(self, member, number):
        return Reached(self, member, self.devices[number])

    def before(self, what, device, fragment):
        member = self.calling
        if member is None:
            return
        owner = self.node_of(device.number)
        if device.number in self.dead or self.now_s - self.out_s.get(device.number, -99) <= CONFIRMED_S:
            # Out is who has been silent for long. Were it back before everybody heard, what is pushed to it would lie
            # where nobody asks until it is in again: docs/design/healing.md.
            raise Unavailable("silent")
        if owner is not member and not (owner.up and member.up):
            raise Unavailable("down")
        if self.random.random() < 0.01:
            raise Unavailable("a lost packet")
        if self.kill_in:
            self.kill_in -= 1
            if not self.kill_in:
                raise Killed
        if what == "delete":
            self.check_delete(device, fragment)

    def check_delete(self, device, fragment):
        """Healing may delete what is damaged, and what was seen sound elsewhere; never the last of a promised blob."""
        self.healing_deletes += 1
        if blob_of(fragment) not in self.live or not device.is_sound(fragment):
            return
        if device.mended_s.get(fragment) == self.now_s:
            # Two nodes replace the same damaged fragment at once: the second takes out what the first put, with the
            # same bytes in hand. Never less is left than there was before either began.
            self.races += 1
            return
        others = [d for d in self.devices.values() if d is not device and self.counts(d) and d.is_sound(fragment)]
        assert others, f"the last sound fragment {index_of(fragment)} of a live blob is deleted"

    def counts(self, device):
        return self.truth.devices[device.number].state in (IN, DRAINING)

    def sound(self, blob, without=()):
        """Indices of a blob's fragments that are sound on some device of the cluster."""
        return {
            index
            for index in range(blob.profile.width)
            for number, device in self.devices.items()
            if number not in without and self.counts(device)
            if device.is_sound(fragment_id(blob.name.blob_id, index))
        }

    # what clients do

    def write(self):
        """A writer with a view of a while ago, cut off at any fragment. Acknowledged at quorum."""
        writer = self.random.choice(list(self.members.values()))
        placement = writer.placement
        profile = self.random.choice(list(placement.profiles.values()))
        chunk = self.random.randbytes(CHUNK)
        made = (
            [bytes(f) for f in codec(profile.data, profile.parity).encode(chunk)]
            if profile.erasure
            else [chunk] * profile.width
        )
        name = BlobName(blob_id_for(profile.number, self.fresh_id()), self.random.randbytes(32), self.fresh_id())
        spare = [n for n, d in placement.devices.items() if d.state in (IN, DRAINING)]
        spare = [n for n in spare if n not in placement.homes(name.blob_id)]
        durable = 0
        cut_off_at = self.random.randrange(profile.width) if self.random.random() < 0.2 else profile.width
        for index, home in list(enumerate(placement.homes(name.blob_id)))[:cut_off_at]:
            number = home if self.answers(home) else None
            while number is None and spare:
                number = spare.pop()
                number = number if self.answers(number) else None
            if number is not None and not (self.devices[number].held_by_id.get(placed(name, index).blob_id)):
                self.devices[number].put(placed(name, index), memoryview(made[index]))
                durable += self.truth.devices[number].state in (IN, DRAINING)
        blob = Blob(name, profile, made)
        (self.live if durable >= profile.quorum else self.gone)[name.blob_id] = blob
        if 0 < durable < profile.width and self.random.random() < 0.5:
            self.random.choice(list(self.members.values())).suspects.blobs.append(name.blob_id)

    def answers(self, number):
        return self.node_of(number).up and number not in self.dead

    def delete(self):
        """A promise taken back; devices that are down keep their fragments."""
        if self.live:
            blob = self.live.pop(self.random.choice(sorted(self.live)))
            self.gone[blob.name.blob_id] = blob
            self.erase(blob)

    def erase(self, blob):
        for number, device in self.devices.items():
            if self.node_of(number).up and number not in self.dead:
                for index in range(blob.profile.width):
                    device.held_by_id.pop(fragment_id(blob.name.blob_id, index), None)

    def collect_orphans(self):
        """What the orphan sweep does: blobs nobody refers to go, from wherever they are."""
        for blob in self.gone.values():
            self.erase(blob)

    # what fails

    def may_lose(self, without=(), fragment=None):
        """Whether every live blob still has enough sound fragments, and one to spare, without these devices."""
        for blob in self.live.values():
            sound = self.sound(blob, without)
            if fragment is not None and blob_of(fragment) == blob.name.blob_id:
                sound = sound - {index_of(fragment)}
            if len(sound) < blob.profile.needed:
                return False
        return True

    def rot(self):
        device = self.random.choice(list(self.devices.values()))
        if device.held_by_id:
            fragment = self.random.choice(sorted(device.held_by_id))
            if self.may_lose(fragment=fragment):
                device.rot(fragment)

    def lose_device(self):
        """A device's contents are gone for good; the managers take it out."""
        number = self.random.choice(list(self.devices))
        if self.enough_without(number) and self.may_lose((number,)):
            self.devices[number].held_by_id.clear()
            self.dead.add(number)
            self.change_devices(**{str(number): OUT})

    def drain(self):
        number = self.random.choice(list(self.devices))
        if self.enough_without(number):
            self.change_devices(**{str(number): DRAINING})

    def take_out(self):
        """A node silent for long; its devices may come back with all they had."""
        number = self.random.choice(list(self.devices))
        if self.enough_without(number) and self.may_lose((number,)):
            self.out_s[number] = self.now_s
            self.change_devices(**{str(number): OUT})

    def bring_in(self):
        out = [str(n) for n, d in self.truth.devices.items() if d.state in (OUT, WAITING, DRAINING)]
        if out:
            number = self.random.choice(out)
            self.dead.discard(int(number))
            self.change_devices(**{number: IN})

    def add(self):
        number = max(self.devices) + 1
        if number < 16:
            self.add_device(number, f"node-{number}", WAITING)
            self.change_devices(**{str(number): IN})

    def enough_without(self, number):
        staying = [n for n, d in self.truth.devices.items() if d.state == IN and n != number]
        return self.truth.devices[number].state == IN and len(staying) >= self.width

    def flip_node(self):
        member = self.random.choice(list(self.members.values()))
        if not member.up:
            member.up = True
        elif sum(not m.up for m in self.members.values()) < 2:
            member.up = False
            member.start()

    def flip_managers(self):
        member = self.random.choice(list(self.members.values()))
        member.cut_off = not member.cut_off

    # turns

    def heal(self, members, turns=("suspects", "compare", "repair", "stray", "scrub")):
        """Turns of these nodes at once, interleaving at calls of devices; a process may be killed in one."""
        running = [
            gevent.spawn(self.turn, member, name) for member in members if member.up for name in self.shuffled(turns)
        ]
        gevent.joinall(running, raise_error=True)

    def shuffled(self, names):
        return self.random.sample(names, len(names))

    def turn(self, member, name):
        try:
            getattr(member.healing, f"{name}_turn")()
        except (Killed, KilledTurn):
            member.start()


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


def placed(name, index):
    """The name fragment `index` is stored under."""
    return BlobName(fragment_id(name.blob_id, index), name.chunk_id, name.ref_id)
