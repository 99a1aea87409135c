"""Healing on nodes whose date was set wrong: it waits by a clock that only goes on, and believes no date from ahead."""

import pytest

from app.core import cluster_limits
from app.core.cluster.layout_commands import PutHealSettings
from app.core.layout.blob_ids import fragment_id
from app.core.layout.placement import SCRUB, HealSettings
from tests.unit.test_healing import calm_world, heal, holds, homes, lose, written


def set_dates(world, off_ms):
    for member in world.members.values():
        member.off_ms = off_ms


@pytest.mark.parametrize("off_ms", [-7_200_000, 7_200_000])
def test_a_date_that_was_wrong_for_a_moment_holds_nothing_up(off_ms):
    world = calm_world()
    blob = written(world)
    lost = homes(world, blob)[2]
    lose(world, blob, lost)
    set_dates(world, off_ms)
    heal(world, ("compare",))
    set_dates(world, 0)
    world.tick(2 * cluster_limits.HEAL_RETRY_SECONDS)
    world.hear()
    heal(world)
    assert holds(world, blob, lost)


def test_a_scrub_asked_for_reads_also_what_a_clock_ahead_says_was_read_later():
    world = calm_world()
    blob = written(world)
    set_dates(world, 7_200_000)
    heal(world, ("scrub",))
    set_dates(world, 0)
    index, number = homes(world, blob)[4]
    world.devices[number].rot(fragment_id(blob.name.blob_id, index))
    world.command(PutHealSettings("", SCRUB, HealSettings(asked_ms=world.now_ms())))
    world.hear()
    heal(world, ("scrub",))
    assert holds(world, blob, (index, number))
