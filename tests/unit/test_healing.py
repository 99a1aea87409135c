"""Healing on devices in memory, one rule at a time; tests/model/healing.py is everything at once."""

import pytest

from app.core import cluster_limits
from app.core.cluster.layout_commands import PutHealSettings, PutProfile, RemoveDevices
from app.core.layout.blob_ids import fragment_id
from app.core.layout.placement import DRAINING, OUT, REBALANCE, REPAIR, SCRUB, HealSettings
from app.core.layout.profiles import erasure, replication
from app.services.healing.judging import CRITICAL, FULL, LOST, REDUCED, homes_of
from tests.model.healing import problems
from tests.model.healing_world import World

SETTLED_S = cluster_limits.HEAL_SETTLE_SECONDS + 1
CODED = erasure(0, "CODED", 4, 2)


def calm_world(profile=CODED, devices=8):
    """A cluster at rest that writes under one profile; every device is a node of its own."""
    world = World(1, calm=True, devices=devices)
    world.command(PutProfile("", profile))
    world.hear()
    world.writing_under = profile.storage_class
    return world


def written(world):
    """One acknowledged blob, old enough to be judged."""
    world.write()
    world.tick(SETTLED_S)
    world.hear()
    return next(reversed(world.live.values()))


def heal(world, turns=("compare", "repair"), rounds=2):
    for _ in range(rounds):
        world.heal(list(world.members.values()), turns)


def homes(world, blob):
    return homes_of(blob.profile, world.truth.homes(blob.name.blob_id))


def holds(world, blob, place):
    return world.devices[place[1]].is_sound(fragment_id(blob.name.blob_id, place[0]))


def ledger(world):
    """(full, reduced, critical, lost) of all nodes together."""
    reports = [report for member in world.members.values() for report in member.healing.ledger().values()]
    return tuple(sum(getattr(report, word) for report in reports) for word in (FULL, REDUCED, CRITICAL, LOST))


def lose(world, blob, *places):
    for index, number in places:
        del world.devices[number].held_by_id[fragment_id(blob.name.blob_id, index)]


def test_a_fragment_lost_at_home_is_made_again_just_as_it_was():
    world = calm_world()
    blob = written(world)
    lost = homes(world, blob)[1:3]
    lose(world, blob, *lost)
    heal(world)
    for index, number in lost:
        assert world.devices[number].held_by_id[fragment_id(blob.name.blob_id, index)][1] == blob.fragments[index]
    assert ledger(world) == (1, 0, 0, 0)


def test_the_ledger_counts_what_is_short_before_it_is_mended():
    world = calm_world()
    for missing in range(4):
        blob = written(world)
        lose(world, blob, *homes(world, blob)[:missing])
    world.tick(cluster_limits.HEAL_DEBRIS_SECONDS)
    world.hear()
    heal(world, ("compare",))
    assert ledger(world) == (1, 1, 1, 1)


def test_what_too_few_fragments_are_left_of_is_not_called_lost_while_a_node_is_down():
    world = calm_world()
    blob = written(world)
    world.tick(cluster_limits.HEAL_DEBRIS_SECONDS)
    lose(world, blob, *homes(world, blob)[:3])
    world.node_of(homes(world, blob)[5][1]).up = False
    world.hear()
    heal(world)
    assert ledger(world) == (0, 0, 1, 0)


def test_what_a_writer_left_that_gave_up_is_not_counted_as_lost():
    world = calm_world()
    blob = written(world)
    lose(world, blob, *homes(world, blob)[:3])
    heal(world)
    assert ledger(world) == (0, 0, 0, 0)


def test_a_blob_its_writer_may_still_be_at_is_not_judged():
    world = calm_world()
    world.write()
    blob = next(iter(world.live.values()))
    lose(world, blob, homes(world, blob)[0])
    heal(world)
    assert ledger(world) == (0, 0, 0, 0)
    assert not holds(world, blob, homes(world, blob)[0])
    world.tick(SETTLED_S)
    world.hear()
    heal(world)
    assert ledger(world) == (1, 0, 0, 0)


@pytest.mark.parametrize("age_s", [0, SETTLED_S])
def test_a_suspect_is_mended_in_one_turn_however_young_it_is_and_whoever_hears_of_it(age_s):
    world = calm_world()
    world.write()
    world.tick(age_s)
    world.hear()
    blob = next(iter(world.live.values()))
    gone, damaged = homes(world, blob)[:2]
    lose(world, blob, gone)
    if age_s:  # what was just written is short rather than damaged
        world.devices[damaged[1]].rot(fragment_id(blob.name.blob_id, damaged[0]))
    member = world.members["node-8"]
    member.suspects.blobs.append(blob.name.blob_id)
    world.heal([member], ("suspects",))
    assert all(holds(world, blob, place) for place in homes(world, blob))


def test_a_suspect_just_written_while_a_home_was_down_is_not_read_again():
    world = calm_world()
    world.members["node-3"].up = False
    world.hear()
    for _ in range(8):
        world.write()
    asked = []
    world.watch = lambda what, device, fragment: asked.append(what)
    member = world.members["node-8"]
    member.suspects.blobs += [b for b, blob in world.live.items() if 3 in world.truth.homes(b)]
    assert member.suspects.blobs
    world.heal([member], ("suspects",))
    assert set(asked) <= {"page", "held"}


def test_what_is_too_damaged_to_be_made_again_is_lost_and_does_not_keep_an_epoch_from_ending():
    world = calm_world()
    blob = written(world)
    world.live.clear()
    world.tick(cluster_limits.HEAL_DEBRIS_SECONDS)
    lose(world, blob, *homes(world, blob)[:2])
    index, number = homes(world, blob)[5]
    world.devices[number].rot(fragment_id(blob.name.blob_id, index))
    world.set_state(DRAINING, homes(world, blob)[2][1])
    settle(world, rounds=20)
    assert world.truth.previous is None
    assert ledger(world) == (0, 0, 0, 1) or ledger(world) == (0, 0, 1, 0)


def test_while_a_home_is_down_nothing_is_moved_and_its_blobs_count_as_reduced():
    world = calm_world()
    blob = written(world)
    world.node_of(homes(world, blob)[0][1]).up = False
    world.hear()
    heal(world, ("compare", "repair", "stray"))
    assert ledger(world) == (0, 1, 0, 0)
    assert sum(len(device.held_by_id) for device in world.devices.values()) == 6
    world.node_of(homes(world, blob)[0][1]).up = True
    world.hear()
    heal(world)
    assert ledger(world) == (1, 0, 0, 0)


def test_a_group_whose_leader_went_down_is_led_and_counted_by_the_next():
    world = calm_world()
    blob = written(world)
    heal(world)
    leader, following = homes(world, blob)[0][1], homes(world, blob)[1][1]
    world.node_of(leader).up = False
    world.hear()
    assert world.node_of(following).healing.ledger()
    heal(world)
    reports = [r for r in world.node_of(following).healing.ledger().values() if r.reduced]
    assert len(reports) == 1


def test_two_nodes_that_both_believe_they_lead_do_each_other_no_harm():
    world = calm_world()
    blob = written(world)
    lose(world, blob, *homes(world, blob)[2:4])
    first, second = (world.node_of(homes(world, blob)[place][1]) for place in (0, 1))
    second.cut_off = True  # and so it still believes that the first is down
    second.health = {node: each for node, each in second.health.items() if node != first.node_id}
    for turn in ("compare", "repair"):
        world.heal([first, second], (turn,))
    assert not problems_of_blob(world, blob)


def problems_of_blob(world, blob):
    return [place for place in homes(world, blob) if not holds(world, blob, place)]


def test_a_lost_device_that_is_out_has_its_fragments_made_again_on_another():
    world = calm_world()
    blobs = [written(world) for _ in range(8)]
    world.devices[3].held_by_id.clear()
    world.dead.add(3)
    world.set_state(OUT, 3)
    settle(world)
    assert all(not problems_of_blob(world, blob) for blob in blobs)
    assert world.truth.previous is None
    assert ledger(world) == (8, 0, 0, 0)


def settle(world, rounds=12):
    for _ in range(rounds):
        world.tick(cluster_limits.HEAL_RETRY_SECONDS + 1)
        world.hear()
        heal(world, ("compare", "repair", "stray"))


def test_a_drained_device_ends_up_empty_and_can_be_removed():
    world = calm_world()
    for _ in range(8):
        written(world)
    world.set_state(DRAINING, 3)
    settle(world)
    assert world.devices[3].held_by_id == {}
    assert not world.command(RemoveDevices("", (3,))).error


def test_an_epoch_does_not_end_while_a_device_that_may_hold_something_is_down():
    world = calm_world()
    written(world)
    world.members["node-8"].up = False
    world.set_state(DRAINING, 3)
    settle(world)
    assert world.truth.previous is not None
    world.members["node-8"].up = True
    settle(world)
    assert world.truth.previous is None


@pytest.mark.parametrize("doubt", ["young", "unconfirmed"])
def test_a_stray_is_deleted_only_when_its_home_is_beyond_doubt(doubt):
    world = calm_world()
    blob = written(world)
    index, number = homes(world, blob)[0]
    away = next(n for n in world.devices if n not in {home for _, home in homes(world, blob)})
    world.devices[away].put(blob.named(index), memoryview(blob.fragments[index]))
    member = world.node_of(away)
    if doubt == "young":
        member.start()  # a process that just began does not know how old the epoch is
    else:
        world.heal([member], ("stray",))
        world.tick(cluster_limits.HEAL_SWEEP_SECONDS)
        member.told_s -= 60
    world.heal([member], ("stray",))
    assert world.devices[away].held_by_id
    settle(world)
    assert not world.devices[away].held_by_id
    assert holds(world, blob, (index, number))


def test_scrub_replaces_a_damaged_fragment():
    world = calm_world()
    blob = written(world)
    index, number = homes(world, blob)[4]
    world.devices[number].rot(fragment_id(blob.name.blob_id, index))
    heal(world, ("scrub",))
    assert holds(world, blob, (index, number))
    assert world.node_of(number).healing.device_errors(number) == 1


def test_a_damaged_fragment_stays_until_enough_others_can_be_read_and_is_replaced_then():
    world = calm_world()
    blob = written(world)
    damaged, others = homes(world, blob)[0], homes(world, blob)[1:4]
    world.devices[damaged[1]].rot(fragment_id(blob.name.blob_id, damaged[0]))
    for _, number in others:
        world.node_of(number).up = False
    world.hear()
    heal(world, ("scrub",))
    assert fragment_id(blob.name.blob_id, damaged[0]) in world.devices[damaged[1]].held_by_id
    for _, number in others:
        world.node_of(number).up = True
    world.tick(cluster_limits.HEAL_RETRY_SECONDS + 1)
    world.hear()
    heal(world, ("scrub",))
    assert holds(world, blob, damaged)


@pytest.mark.parametrize("turn", ["scrub", "suspects"])
def test_damage_that_nothing_can_replace_is_told_until_it_is_replaced_though_lists_show_the_blob_whole(turn):
    world = calm_world()
    blob = written(world)
    world.live.clear()
    heal(world)
    found = dict(homes(world, blob)[:3])
    sound = {number: world.devices[number].held_by_id.copy() for number in found.values()}
    for index, number in found.items():
        world.devices[number].rot(fragment_id(blob.name.blob_id, index))
    member = world.node_of(found[0])
    member.suspects.blobs.append(blob.name.blob_id)
    world.heal([member], (turn,))
    heal(world)
    assert ledger(world) == (1, 0, 0, 1)
    repaired = found[2]
    world.devices[repaired].held_by_id.update(sound[repaired])
    world.devices[repaired].rotten.clear()
    world.tick(cluster_limits.HEAL_RETRY_SECONDS + 1)
    world.hear()
    heal(world, ("suspects", "repair"))
    assert all(holds(world, blob, place) for place in homes(world, blob))
    assert ledger(world) == (1, 0, 0, 0)


def test_a_scrub_pass_goes_on_where_it_stood_when_its_process_died(monkeypatch):
    world = calm_world(replication(0, "ONE", 1), devices=1)
    for _ in range(9):
        world.write()
    monkeypatch.setattr(cluster_limits, "SCRUB_PAGE_NAMES", 2)
    monkeypatch.setattr(cluster_limits, "HEAL_PAGES_MAX", 3)
    member, begun_ms = world.members["node-1"], world.now_ms()
    world.heal([member], ("scrub",))
    assert member.healing.ledger()["2"].verified_ms == 0
    member.start()
    verified = []
    world.watch = lambda what, device, fragment: verified.append(fragment) if what == "verify" else None
    world.heal([member], ("scrub",))
    assert len(verified) == 3
    assert member.healing.ledger()["2"].verified_ms == begun_ms


def test_a_device_with_more_damage_than_its_budget_counts_as_failing():
    world = calm_world(replication(0, "ONE", 1), devices=1)
    for _ in range(cluster_limits.HEAL_DEVICE_ERRORS_MAX + 1):
        world.write()
    for fragment in world.devices[1].held_by_id:
        world.devices[1].rot(fragment)
    heal(world, ("scrub",))
    assert world.members["node-1"].healing.is_failing(1)


def test_a_full_home_leaves_the_fragment_to_another_device_until_it_has_room():
    world = calm_world()
    blob = written(world)
    index, number = homes(world, blob)[0]
    lose(world, blob, (index, number))
    world.full.add(number)
    heal(world)
    assert not holds(world, blob, (index, number))
    assert world.sound(blob) == set(range(6))
    world.full.clear()
    settle(world)
    assert not problems_of_blob(world, blob)
    assert sum(len(device.held_by_id) for device in world.devices.values()) == 6


def test_what_is_paused_does_nothing():
    world = calm_world()
    blob = written(world)
    lose(world, blob, homes(world, blob)[0])
    for kind in (REPAIR, REBALANCE, SCRUB):
        world.command(PutHealSettings("", kind, HealSettings(paused=True)))
    world.hear()
    heal(world, ("suspects", "compare", "repair", "stray", "scrub"))
    assert problems_of_blob(world, blob)
    assert ledger(world) == (0, 1, 0, 0)


def test_groups_without_blobs_cost_a_page_of_each_home_and_nothing_more():
    world = calm_world()
    asked = []
    world.watch = lambda what, device, fragment: asked.append(what)
    heal(world)
    groups = sum(len(groups) * width for width, groups in world.truth.current.maps.items())
    assert asked == ["page"] * groups
    heal(world, rounds=5)
    assert len(asked) == groups


def test_at_rest_nothing_is_said_to_be_wrong():
    world = calm_world()
    for _ in range(5):
        written(world)
    settle(world)
    assert problems(world) == []
