"""Healing under everything that may happen to a cluster, from seeds; afterwards all that was promised is whole.

python -m tests.model.healing [--seeds 500] [--first 0] [--steps 120]
"""

import argparse
import sys
from time import monotonic

import gevent

from app.core.cluster.layout_commands import PutHealSettings
from app.core.layout.blob_ids import blob_of, fragment_id, index_of
from app.core.layout.placement import IN, OUT, SCRUB, HealSettings
from app.services.healing.judging import homes_of
from tests.model.healing_world import World

QUIET_ROUNDS_MAX = 60


def run(seed, steps):
    """One history and its end. Raises AssertionError where a promise is broken."""
    gevent.get_hub().exception_stream = None  # turns are killed on purpose
    world = World(seed)
    happenings = {
        world.write: 40,
        world.delete: 8,
        world.rot: 6,
        world.flip_node: 6,
        world.flip_managers: 4,
        world.lose_device: 2,
        world.take_out: 2,
        world.bring_in: 4,
        world.drain: 2,
        world.add: 2,
        world.step_clock: 3,
    }
    for _ in range(steps):
        world.random.choices(list(happenings), list(happenings.values()))[0]()
        world.tick(world.random.choice((0.2, 1, 3, 8, 20, 60)))
        if world.random.random() < 0.2:
            world.kill_in = world.random.randint(1, 60)
        if world.random.random() < 0.6:
            members = list(world.members.values())
            world.heal(world.random.sample(members, world.random.randint(1, len(members))))
        check_readable(world)
    world.kill_in = 0
    settle(world)
    return world


def check_readable(world):
    """Nothing promised has fewer sound fragments than it takes to read it, whoever is down for now."""
    for blob in world.live.values():
        assert len(world.sound(blob)) >= blob.profile.needed, blob.name.blob_id.hex()


def settle(world):
    """Everybody is back and the orphan sweep runs: then all is whole, at home and sound, and the ledger says so."""
    for member in world.members.values():
        member.up, member.cut_off, member.off_ms = True, False, 0
    world.command(PutHealSettings("", SCRUB, HealSettings(asked_ms=world.now_ms())))
    for count in range(QUIET_ROUNDS_MAX):
        world.tick(600 if count % 8 == 7 else 20)
        for member in world.members.values():
            member.hear()
        if count % 3 == 0:
            world.collect_orphans()
        world.heal(list(world.members.values()))
        check_readable(world)
        if count > 2 and not problems(world):
            return
    raise AssertionError(problems(world)[:5])


def problems(world):
    """What is not as it should be once all is quiet, in words."""
    found = []
    truth = world.truth
    if truth.previous is not None or truth.pending:
        found.append(f"epoch {truth.current.epoch} has not ended: {truth.pending}")
    for blob in world.live.values():
        for index, home in homes_of(blob.profile, truth.homes(blob.name.blob_id)):
            fragment = fragment_id(blob.name.blob_id, index)
            held = world.devices[home].held_by_id.get(fragment)
            if held is None or not held[2] or held[1] != blob.fragments[index]:
                found.append(f"fragment {index} of {blob.name.blob_id.hex()} is not whole on device {home}")
    for number, device in world.devices.items():
        if truth.devices[number].state == OUT:
            continue
        for fragment in device.held_by_id:
            homes = truth.homes(fragment)
            home = homes[index_of(fragment) % len(homes)]
            if home != number and (truth.devices[number].state != IN or blob_of(fragment) in world.live):
                found.append(f"device {number} holds fragment {fragment.hex()}, at home on {home}")
            if blob_of(fragment) in world.gone:
                found.append(f"a deleted blob is on device {number}")
    return found + ledger_problems(world)


def ledger_problems(world):
    """The nodes' ledgers together count every blob once, as full."""
    reports = [report for member in world.members.values() for report in member.healing.ledger().values()]
    full, short = sum(r.full for r in reports), sum(r.reduced + r.critical + r.lost + r.unswept for r in reports)
    if full != len(world.live) or short:
        return [f"the ledger says {full} full of {len(world.live)}, {short} not"]
    return []


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--steps", type=int, default=120)
    options = parser.parse_args()
    begun, failed, deletes = monotonic(), 0, 0
    for seed in range(options.first, options.first + options.seeds):
        try:
            deletes += run(seed, options.steps).healing_deletes
        except AssertionError as error:
            failed += 1
            print(f"seed {seed}: {error}", flush=True)
    print(f"{options.seeds} seeds, {failed} failed, {deletes} deletions checked, {monotonic() - begun:.0f} s")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
