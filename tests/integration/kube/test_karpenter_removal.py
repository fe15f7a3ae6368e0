# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A stack goes with a node of Karpenter in its cluster: Karpenter itself drains and ends it, and
where Karpenter runs no more, its instance is found by its tags.
"""
from __future__ import annotations

import pytest
from tests.integration.kube import gpus, works
from tests.integration.kube.test_removal import GONE, KARPENTER, NAME, STACK, Brisk
from tests.integration.kube.worlds import soon
from tests.world import ACCOUNT, REGION, World, actions

pytestmark = pytest.mark.kube


class Waiting(World):
    """A stack whose cluster has a node that Karpenter has made for a pod."""

    clock = Brisk

    def __init__(self):
        super().__init__(kubernetes=True, eviction_seconds=2)
        self.found = []  # instances that still ran when they were ended by their tags
        made = self.run({**STACK, "karpenter": {}, "network": {
            **STACK["network"], "karpenter_discovery": NAME}})
        actions(made)
        self.api = self.lab.fleet.get((ACCOUNT, REGION, NAME)).api
        profile = made["outputs"]["karpenter/instance_profile/node"]["name"]
        gpus.install(self.api, NAME, profile)
        gpus.node_of(self.api, gpus.pod(self.api, "default", "worker"))

    def _note(self, params, model, **more):
        if model.name == "TerminateInstances":
            self.found.append(len([item for item in self.lab.inventory().get("ec2.instance", ())
                                   if not item["gone"]]))
        super()._note(params, model, **more)

    def end(self) -> dict:
        """What the removal says."""
        gone = self.run({}, **GONE)
        assert not gone["failed"], gone["msg"]
        return gone


@pytest.fixture(name="world")
def waiting():
    world = Waiting()
    yield world
    world.lab.close()


def types(plan: dict) -> set:
    return {change["key"].split("/")[1] for change in plan["plan"]}


def test_karpenter_ends_its_nodes_when_the_stack_goes(world):
    gone = world.end()
    assert {key.split("/")[1] for key in KARPENTER} <= types(gone)
    assert world.found == [0] and world.left() == set()


def test_instances_of_a_karpenter_that_runs_no_more_are_found(world):
    works.scale(world.api, "karpenter", 0)
    soon(lambda: works.ready(world.api, "karpenter", 0))
    gone = world.end()
    assert "left_instance" in types(gone)
    assert world.found == [1] and world.left() == set()
