# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The laws, for every component: cases are data in tests/plans."""
from __future__ import annotations

import re

import pytest
from ansible_collections.groundwork.aws.plugins.module_utils.engine.plan import kind_of
from ansible_collections.groundwork.aws.plugins.module_utils.run import concrete
from ansible_collections.groundwork.aws.plugins.module_utils.types import cluster_objects
from ansible_collections.groundwork.aws.plugins.plugin_utils.tree import details, tree
from tests.world import World, actions, built, cases, changed

pytestmark = pytest.mark.laws
CASES = [pytest.param(case, id=name) for name, case in cases() if "options" in case]
CHANGES = [pytest.param(case, change, id=f"{name}, {'.'.join(map(str, change['path'][1:]))}")
           for name, case in cases() if "options" in case for change in case.get("change", ())]


def reads_well(result: dict) -> bool:
    """Each component once, and nothing as only Python writes it."""
    lines = tree(result).splitlines()
    heads = [line for line in lines if re.fullmatch(r"  \w+", line)]
    return len(heads) == len({*heads}) and not [
        line for line in lines if re.search(r"\b(None|True|False)\b|[\[{]'", line)]


def test_kinds_are_told_apart():
    """What is left over is found by the middle of its key."""
    assert len({kind_of(cls) for cls in concrete()}) == len(concrete())
    assert {*cluster_objects.TYPES} <= {*concrete()}


def test_whatever_differs_can_be_changed():
    """The engine takes for granted that each field has its updater, and each removal its name."""
    for cls in concrete():
        changing = {n for n, meta in cls.attrs.items() if meta.later or meta.path
                    and not meta.create_only and n not in cls.identity}
        assert changing | ({"tags"} if cls.tags_path else set()) <= cls.updaters.keys(), cls
        assert cls.ref or cls.member_of, cls


@pytest.mark.parametrize("case", CASES)
def test_a_life(case):
    """Laws 1, 2, 4, 5: the plan on an empty account, the build, a second run, the removal."""
    world, options = World(), case["options"]
    plan = world.run(options, check=True)
    assert set(actions(plan).values()) == {"create"} and reads_well(plan)
    assert not world.writes(), "check mode wrote"
    made = world.run(options)
    assert actions(made) == actions(plan), "not what check mode announced"
    assert set(made["outcomes"]) == set(actions(plan))
    types = {cls.__name__: cls for cls in concrete()}
    assert all(c["key"].split("/")[1] == kind_of(types[c["type"]]) for c in made["plan"])
    assert {c["key"] for c in made["plan"] if types[c["type"]].tags_path} <= world.keys(), \
        "the lab's inventory does not show it"
    again = world.run(options)
    assert (actions(again), again["changed"], world.writes()) == ({}, False, [])
    assert not again["left_over"]
    gone = world.run(options, state="absent", confirm_destroy="acme-test",
                     allow_data_loss=list(actions(plan)))
    assert not gone["failed"], gone["msg"]
    assert reads_well(gone)
    assert world.left() == set()
    assert not world.lab.violations


@pytest.mark.parametrize(("case", "change"), CHANGES)
def test_one_change(case, change):
    """Law 3: one changed option gives exactly that change, and then nothing is left to do."""
    world, options = built(case["options"]), changed(case["options"], change)
    allowed = dict(allow_replace=["*"], prune=change.get("prune", False), allow_data_loss=[
        key for key, wanted in change["expect"].items() if wanted["action"] == "replace"])
    plan = world.run(options, check=True, **allowed)
    assert not world.writes()
    found = {c["key"]: c for c in plan.get("plan", ()) if c["action"] != "keep"}
    assert actions(plan) == {key: e["action"] for key, e in change["expect"].items()}
    assert reads_well(plan)
    for key, expected in change["expect"].items():
        if "fields" in expected:
            assert sorted(found[key]["after"]) == sorted(expected["fields"])
        if "impact" in expected:
            assert found[key]["impact"] == expected["impact"]
        assert expected.get("says", "") in ", ".join(details(found[key]))
    assert sorted(plan["left_over"]) == sorted(change.get("left_over", []))
    made = world.run(options, **allowed)
    assert actions(made) == actions(plan)
    assert actions(world.run(options)) == {}
    assert not world.writes()
    if plan["left_over"]:
        actions(world.run(options, prune=True, allow_data_loss=plan["left_over"]))
        assert not world.run(options)["left_over"]
