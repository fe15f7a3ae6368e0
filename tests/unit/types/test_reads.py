# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which calls a plan needs, and that it is the same whatever the tagging API knows."""
from __future__ import annotations

import re

import pytest
from tests.bench import calls
from tests.world import REGION, World, actions, cases, changed, stack

from lab.extensions import tagging

GROUP = {"instance_types": ["t3.medium"], "max_size": 2}
OPTIONS = {**dict(cases("eks_cluster"))["eks_cluster: all parts"]["options"],
           "eks_nodegroups": {"nodegroups": {"one": GROUP, "two": GROUP}}, "karpenter": {}}
LISTS = {"eks.ListAddons", "eks.ListNodegroups", "iam.ListInstanceProfiles",
         "iam.ListOpenIDConnectProviders", "ec2.DescribeLaunchTemplates"}
KNOWN = {"everything": lambda number: True, "nothing": lambda number: False,
         "half of it": lambda number: number % 2}


@pytest.mark.parametrize("known", KNOWN)
def test_the_plan_is_the_same_whatever_the_tagging_api_knows(monkeypatch, known):
    world, tagged = World(), tagging.tagged
    assert not world.run(OPTIONS)["failed"]
    monkeypatch.setattr(tagging, "tagged", lambda call: [
        item for n, item in enumerate(tagged(call)) if KNOWN[known](n)])
    again = world.run(OPTIONS)
    assert (actions(again), again["left_over"]) == ({}, [])
    assert LISTS.isdisjoint(world.lab.calls.names) == (known == "everything")
    options = OPTIONS
    for path in (["eks_cluster", "access_entries", "viewers"], ["eks_cluster", "addons", "coredns"],
                 ["eks_nodegroups", "nodegroups", "two"]):
        options = changed(options, {"path": path, "to": None})
    gone = ["eks_cluster/access_entry/main", "eks_cluster/addon/coredns",
            "eks_nodegroups/launch_template/two", "eks_nodegroups/nodegroup/two"]
    plan = world.run(options, check=True)
    assert [key.split(":")[0] for key in actions(plan)] == gone[:1]
    plan = world.run(options, check=True, prune=True)
    assert sorted(key.split(":")[0] for key in actions(plan)) == gone


def test_a_profile_that_lost_its_role_is_drift():
    world = World()
    assert not world.run(OPTIONS)["failed"]
    name = world.run(OPTIONS)["outputs"]["karpenter/instance_profile/node"]["name"]
    client = world.session(aws_access_key_id="LAB0123456789012", aws_secret_access_key="x",
                           region_name=REGION).client("iam")
    client.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=name)
    assert actions(world.run(OPTIONS)) == {"karpenter/instance_profile/node": "update"}
    assert actions(world.run(OPTIONS)) == {}


def test_a_whole_stack_asks_each_list_once():
    world, options = World(), stack("pingvas-shared")
    assert not world.run(options)["failed"]
    again, count = world.run(options), world.lab.calls.count
    assert not again["changed"]
    single = [n for n in count if any(re.match(p, n) for p, _what in calls.SINGLE)]
    assert {count[name] for name in count.keys() - single} == {1}
    assert sum(calls.shares(count).values()) == sum(count[name] for name in single)
    assert sum(count.values()) <= 0.7 * len(again["plan"])
