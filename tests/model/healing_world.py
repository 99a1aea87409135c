"""A cluster in memory for healing's model: nodes with stale views, devices that fail, writers that are cut off.

Knows what must never happen and checks it at every deletion healing makes: the last sound copy of a fragment of a blob
that somebody was promised. Everything is drawn from one seed; turns of several nodes run at once and interleave at
calls of devices.
"""

from dataclasses import replace
from random import Random

import gevent

from app.adapters.erasure import codec
from app.core.cluster import ClusterState, apply
from app.core.cluster.layout_commands import FoundCluster, PutProfile, RegisterNode, SetDeviceState
from app.core.errors import Full, Unavailable
from app.core.ids import make_id
from app.core.layout.blob_ids import blob_id_for, blob_of, fragment_id, group_of, index_of
from app.core.layout.mapping import handoffs
from app.core.layout.placement import DRAINING, IN, OUT, WAITING
from app.core.layout.profiles import erasure, replication
from app.ports.chunks import BlobName
from app.services.healing.judging import homes_of
from tests.model.healing_device import WorldDevice
from tests.model.healing_members import Blob, Killed, KilledTurn, Member, Reached

GROUPS = 4
PROFILES = (replication(0, "COPIES", 3), erasure(0, "CODED", 4, 2), replication(0, "TWO", 2))
CHUNK = 96


class World:
    """See the module docstring. `live`: acknowledged and not deleted."""

    def __init__(self, seed, calm=False, devices=None):
        self.random = Random(seed)
        self.calm = calm  # nothing fails by itself
        self.writing_under = None  # a storage class; None = any profile
        self.watch = lambda what, device, fragment: None
        self.full = set()  # devices that take nothing
        self.commands = 0
        self.now_s = 1_700_000_000.0
        self.members = {}
        self.devices = {}
        self.live = {}
        self.gone = {}
        self.calling = None  # the member whose turn is calling a device; None = the model itself
        self.kill_in = 0
        self.healing_deletes = 0
        self.races = 0
        self.dead = set()  # devices that will not answer before they come in again, empty
        self.state = ClusterState()
        self.command(FoundCluster("", "0" * 32, GROUPS))
        if devices is None:
            self.found_at_random()
        else:
            for number in range(1, devices + 1):
                self.add_device(f"node-{number}")
            self.set_state(IN, *self.truth.devices)
        self.hear()

    def found_at_random(self):
        for number in range(1, self.random.randint(4, 10)):
            self.add_device(f"node-{number if self.random.random() < 0.8 else max(1, number - 1)}")
        self.set_state(IN, *self.truth.devices)
        for profile in self.random.sample(PROFILES, self.random.randint(0, len(PROFILES))):
            self.command(PutProfile("", profile))

    def hear(self):
        """Everybody who can hears the newest."""
        for member in self.members.values():
            member.hear()

    @property
    def truth(self):
        return self.state.placement

    # time, ids and the managers

    def now_ms(self):
        return int(self.now_s * 1000)

    def fresh_id(self):
        return make_id(self.now_ms(), self.random.randbytes(10))

    def pause(self, seconds):
        """A pace waits: little, compared to how long it takes for something to be known."""
        self.now_s += seconds
        gevent.sleep(0)

    def tick(self, seconds):
        self.now_s += seconds
        for member in self.members.values():
            if self.now_s - member.told_s > 5 or self.random.random() < 0.5:
                member.hear()

    def submit(self, member, command):
        if member.cut_off or not member.up:
            raise Unavailable("no manager")
        if command.epoch == self.truth.current.epoch:
            self.check_moved(command)
        return self.command(command)

    def check_moved(self, command):
        """A group is complete when all of it that was written before the epoch began is at home."""
        for blob in self.live.values():
            key = blob.profile.width, group_of(blob.name.blob_id, GROUPS)
            if blob.epoch == command.epoch or key[0] != command.width or key[1] not in command.groups:
                continue
            for index, home in homes_of(blob.profile, self.truth.homes(blob.name.blob_id)):
                device, fragment = self.devices[home], fragment_id(blob.name.blob_id, index)
                there = fragment in device.held_by_id or fragment in device.rotten  # then it is being replaced
                assert there, f"group {key} is not complete: {home} misses {index}"

    def command(self, command):
        self.commands += 1
        self.state, outcome = apply(self.state, replace(command, command_id=str(self.commands)))
        return outcome

    def set_state(self, state, *numbers):
        outcome = self.command(SetDeviceState("", numbers, state))
        assert not outcome.error, outcome.message

    def add_device(self, node_id):
        """One more, on a node old or new; it waits."""
        number = self.truth.numbered + 1
        mine = {d.device_id: d.capacity_bytes for d in self.truth.devices.values() if d.node_id == node_id}
        mine[f"{number:032x}"] = (1 if self.calm else self.random.choice((1, 1, 2))) << 40
        outcome = self.command(RegisterNode("", node_id, "127.0.0.1:1", f"zone-{number % 3}", mine, self.now_ms()))
        assert not outcome.error, outcome.message
        self.devices[number] = WorldDevice(number, self.before, lambda: self.now_s)
        if node_id not in self.members:
            self.members[node_id] = Member(self, node_id)
        return number

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
        if device.number in self.dead or self.truth.devices[device.number].state == OUT:
            # Who is out nobody asks, and who does not know it yet would find it silent: that is why it is out.
            raise Unavailable("silent")
        if owner is not member and not (owner.up and member.up):
            raise Unavailable("down")
        if not self.calm and self.random.random() < 0.01:
            raise Unavailable("a lost packet")
        self.watch(what, device, fragment)
        if what == "put" and device.number in self.full:
            raise Full("full")
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
        if self.now_s - device.mended_s.get(fragment, 0) < 1:
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
        if self.writing_under is not None:
            profile = placement.profile_for(self.writing_under)
        blob = self.made(profile)
        spare = list(reversed(handoffs(placement, blob.name.blob_id)))
        cut_off = not self.calm and self.random.random() < 0.2
        cut_off_at = self.random.randrange(profile.width) if cut_off else profile.width
        durable = set()
        for index, home in homes_of(profile, placement.homes(blob.name.blob_id))[:cut_off_at]:
            number = home if self.answers(home) else None
            while number is None and spare:
                number = spare.pop()
                number = number if self.answers(number) else None
            if number is not None and blob.named(index).blob_id not in self.devices[number].held_by_id:
                self.devices[number].put(blob.named(index), memoryview(blob.fragments[index]))
                durable |= {number} if self.counts(self.devices[number]) else set()
        (self.live if len(durable) >= profile.quorum else self.gone)[blob.name.blob_id] = blob
        if 0 < len(durable) < profile.width and self.random.random() < 0.5:
            self.random.choice(list(self.members.values())).suspects.blobs.append(blob.name.blob_id)

    def made(self, profile):
        """A new blob, nowhere yet."""
        chunk = self.random.randbytes(CHUNK)
        fragments = [chunk] * profile.width
        if profile.erasure:
            fragments = [bytes(f) for f in codec(profile.data, profile.parity).encode(chunk)]
        name = BlobName(blob_id_for(profile.number, self.fresh_id()), self.random.randbytes(32), self.fresh_id())
        return Blob(name, profile, fragments, self.truth.current.epoch)

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
            self.set_state(OUT, number)

    def drain(self):
        number = self.random.choice(list(self.devices))
        if self.enough_without(number):
            self.set_state(DRAINING, number)

    def take_out(self):
        """A node silent for long; its devices may come back with all they had."""
        number = self.random.choice(list(self.devices))
        if self.enough_without(number) and self.may_lose((number,)):
            self.set_state(OUT, number)

    def bring_in(self):
        out = [n for n, d in self.truth.devices.items() if d.state in (OUT, WAITING, DRAINING)]
        if out:
            number = self.random.choice(out)
            self.dead.discard(number)
            self.set_state(IN, number)

    def add(self):
        if len(self.devices) < 14:
            self.set_state(IN, self.add_device(f"node-{len(self.devices) + 1}"))

    def enough_without(self, number):
        staying = [n for n, d in self.truth.devices.items() if d.state == IN and n != number]
        return self.truth.devices[number].state == IN and len(staying) >= 3

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

    def step_clock(self):
        """The date of a node is set wrong, or right again."""
        member = self.random.choice(list(self.members.values()))
        member.off_ms = self.random.choice((0, -7_200_000, -600_000, -3_000, 3_000, 600_000, 7_200_000))

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
