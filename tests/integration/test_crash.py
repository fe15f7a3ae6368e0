# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Law 6: killed before or after any write call, the next run ends in the same place."""
from __future__ import annotations

import functools
import random

import pytest
from tests.world import World, actions, built, stack

from lab.aws import Killed

STACKS = ("sentineltranslate-dev", "pingvas-shared")
SAMPLE = 3  # places per stack and direction that the ordinary test run tries
PARTS = 8  # of all places, for workers to share


@functools.lru_cache(maxsize=None)
def clean(name: str) -> tuple:
    """(writes of a build, writes of a removal, objects by kind) of runs that nobody disturbs."""
    protected(name)  # in a world of its own, and there is one at a time
    world = World()
    actions(world.run(stack(name)))
    made, there = len(world.writes()), world.kinds()
    assert not remove(world, name)["failed"]
    return made, len(world.writes()), there


def remove(world: World, name: str) -> dict:
    return world.run(stack(name), state="absent", confirm_destroy=name, lease_takeover=True,
                     allow_data_loss=protected(name))


@functools.lru_cache(maxsize=None)
def protected(name: str) -> list:
    """Keys of what holds data in a stack: their removal must be named."""
    refused = built(stack(name)).run(stack(name), state="absent", confirm_destroy=name)
    return [line.split("delete ")[1].split(":")[0] for line in refused.get("problems", ())]


def places(name: str, count: int | None):
    """(direction, number of the write call, before or after its effect); all, or a fixed sample."""
    made, gone, _there = clean(name)
    found = [(direction, n, when) for direction, writes in (("build", made), ("removal", gone))
             for n in range(1, writes + 1) for when in ("before", "after")]
    return found if count is None else random.Random(6).sample(found, min(count, len(found)))


def crash(name: str, direction: str, number: int, when: str) -> None:
    """One kill, one more run; judged from the emulator's own data."""
    world = built(stack(name)) if direction == "removal" else World()
    run = (lambda: world.run(stack(name), lease_takeover=True)) if direction == "build" else \
        (lambda: remove(world, name))
    world.lab.set(faults=[{"match": number, "when": when, "what": "kill"}])
    with pytest.raises(Killed):
        run()
    world.lab.set(faults=[])
    world.lab.revive()
    ended = run()  # another process, in truth: the dead one's lease is taken at once
    assert not ended["failed"], ended["msg"]
    if direction == "removal":
        assert world.left() == set()
        return
    assert world.kinds() == clean(name)[2], "an orphan or a duplicate"
    again = world.run(stack(name))
    assert (actions(again), again["left_over"]) == ({}, [])


@pytest.mark.laws
@pytest.mark.parametrize("name", STACKS)
def test_killed_at_a_sample_of_places(name):
    for place in places(name, SAMPLE):
        crash(name, *place)


@pytest.mark.crash_all
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", STACKS)
def test_killed_at_every_place(name, part):
    failed = []
    for place in places(name, None)[part::PARTS]:
        try:
            crash(name, *place)
        except AssertionError as error:
            failed.append(f"{place}: {error}")
    assert not failed, "\n".join(failed)
