# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The laws, for sets of Kubernetes objects: cases are data in tests/sets/objects.yml."""
from __future__ import annotations

import copy
import random

import pytest
from tests.kube_world import Killed, KubeWorld, Watched, cases
from tests.world import actions

pytestmark = [pytest.mark.laws, pytest.mark.kube]
SETS = cases("objects")
CASES = [pytest.param(case, id=name) for name, case in SETS]
CHANGES = [pytest.param(case, change, id=f"{name}, {'.'.join(map(str, change['path']))}")
           for name, case in SETS for change in case.get("change", ())]
SAMPLE = 4  # places per case and direction at which the ordinary test run kills


def changed(objects: list, change: dict) -> list:
    """The objects with the value at `path`, and those of `with`, replaced (None: taken away)."""
    objects = copy.deepcopy(objects)
    for part in [change, *change.get("with", ())]:
        *way, last = part["path"]
        place = objects
        for name in way:
            place = place[name]
        if part["to"] is None:
            del place[last]
        else:
            place[last] = part["to"]
    return objects


def protected(result: dict) -> list:
    """Keys of what holds data, in the plan of a set."""
    return [c["key"] for c in result["plan"] if c["type"] in (
        "Namespace", "StatefulSet", "PersistentVolumeClaim", "CustomResourceDefinition")]


@pytest.mark.parametrize("case", CASES)
def test_a_life(case):
    """Laws 1, 2, 4, 5: the plan without the set, the build, a second run, the removal."""
    world, objects = KubeWorld(), case["objects"]
    plan = world.run(objects, check=True)
    assert set(actions(plan).values()) == {"create"}
    assert not world.writes(), "check mode wrote"
    made = world.run(objects)
    assert actions(made) == actions(plan), "not what check mode announced"
    again = world.run(objects)
    assert (actions(again), again["changed"], world.writes()) == ({}, False, [])
    assert not again["left_over"]
    gone = world.run(state="absent", allow_data_loss=protected(made))
    assert set(actions(gone)) == set(actions(made))
    assert world.left() == []


@pytest.mark.parametrize(("case", "change"), CHANGES)
def test_one_change(case, change):
    """Law 3: one changed value gives exactly that change, and then nothing is left to do."""
    world, objects = KubeWorld(), changed(case["objects"], change)
    assert actions(world.run(case["objects"]))
    expect = world.named(change["expect"])
    allowed = dict(allow_replace=["*"], allow_data_loss=list(expect))
    plan = world.run(objects, check=True, **allowed)
    assert not world.writes()
    assert actions(plan) == {key: e["action"] for key, e in expect.items()}
    found = {c["key"]: c for c in plan["plan"]}
    for key, wanted in expect.items():
        assert found[key]["impact"] == wanted.get("impact", found[key]["impact"])
        assert found[key]["after"] == wanted.get("after", found[key]["after"])
    assert actions(world.run(objects, **allowed)) == actions(plan)
    assert actions(world.run(objects)) == {}
    assert not world.writes()
    world.clear()


def places(case, count):
    """(direction, number of the write, before or after its effect): all of them, or a sample."""
    world = KubeWorld()
    made = world.run(case["objects"])
    writes = {"build": len(world.writes())}
    world.run(state="absent", allow_data_loss=protected(made))
    writes["removal"] = len(world.writes())
    found = [(direction, n, when) for direction, most in writes.items()
             for n in range(1, most + 1) for when in ("before", "after")]
    return found if count is None else random.Random(6).sample(found, min(count, len(found)))


def crash(case, direction: str, number: int, when: str) -> None:
    """One kill, one more run; judged from what is on the cluster."""
    world, objects = KubeWorld(), case["objects"]
    whole = world.run(objects, check=True)
    params = dict(state="absent", allow_data_loss=protected(whole)) \
        if direction == "removal" else dict(objects=objects)
    if direction == "removal":
        assert actions(world.run(objects))
    Watched.place = (number, when)
    try:
        with pytest.raises(Killed):
            world.run(**params)
    finally:
        Watched.place = None
    ended = world.run(**params, lease_takeover=True)
    assert not ended["failed"], ended["msg"]
    if direction == "build":
        again = world.run(objects)
        assert (actions(again), again["changed"], again["left_over"]) == ({}, False, [])
        params = dict(state="absent", allow_data_loss=protected(whole))
        world.run(**params, lease_takeover=True)
    assert world.left() == []


@pytest.mark.parametrize("case", CASES[:2])
def test_killed_at_a_sample_of_places(case):
    """Law 6."""
    for place in places(case, SAMPLE):
        crash(case, *place)


@pytest.mark.crash_all
@pytest.mark.parametrize("case", CASES)
def test_killed_at_every_place(case):
    for place in places(case, None):
        crash(case, *place)
