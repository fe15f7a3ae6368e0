# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A stack goes with an Ingress, a LoadBalancer service and a claim in its cluster: nothing of them
stays in the account, whether their controllers still work or not.
"""
from __future__ import annotations

import json
import re

import pytest
from ansible_collections.groundwork.aws.plugins.module_utils.session import PROGRESS
from ansible_collections.groundwork.aws.plugins.plugin_utils.tree import progress
from tests.integration.kube import works
from tests.integration.kube.worlds import soon
from tests.world import ACCOUNT, REGION, Quick, World, actions

from lab.aws import Killed

pytestmark = pytest.mark.kube
NAME = "acme-test-eks"
STACK = {
    "network": {"cidr_block": "10.0.0.0/16", "nat_gateways": "one", "gateway_endpoints": [],
                "availability_zones": ["us-east-1a", "us-east-1b"]},
    "eks_cluster": {"logging": [], "version": "1.35", "addons": {
        "vpc-cni": {}, "kube-proxy": {}, "eks-pod-identity-agent": {}, "aws-ebs-csi-driver": {}}},
    "eks_nodegroups": {"nodegroups": {"cpu": {
        "instance_types": ["m5.large"], "min_size": 1, "max_size": 2}}}}
GONE = dict(state="absent", confirm_destroy="acme-test")
DATA = "eks_cluster/ebs_volume/main:default/data-db-0"
FIRST = {"eks_cluster/ingress/main:default/site", "eks_cluster/balanced_service/main:default/api",
         "eks_cluster/workload/main:default/db/StatefulSet",
         "eks_cluster/persistent_volume_claim/main:default/data-db-0"}
KARPENTER = {"eks_cluster/node_pool/main:gpu", "eks_cluster/node_claim/main:gpu",
             "eks_cluster/ec2_node_class/main:gpu"}
LEFT = {"load_balancer": 2, "target_group": 2, "left_security_group": 3, "left_group_rule": 1,
        "ebs_volume": 1}


class Brisk(Quick):
    """Waits ten times shorter: real clusters take their time."""

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds * 10)

    def get(self, inbox, timeout: float):
        return super().get(inbox, timeout * 10)

    def now(self) -> float:
        return super().now() / 10


class Busy(World):
    """A stack whose cluster is real, with work in it."""

    clock = Brisk

    def __init__(self):
        super().__init__(kubernetes=True, eviction_seconds=2)
        self.found = []  # load balancers that were still there when one was deleted by its tags
        actions(self.run(STACK))
        self.api = self.plane.api
        works.start(self.api, works.BALANCERS, "--default-tags=Owner=web,Project=acme")
        soon(lambda: works.ready(self.api, works.BALANCERS))
        works.put(self.api)
        soon(lambda: works.balanced(self.api) and self.lab.inventory().get("ec2.volume"))

    def _note(self, params, model, **more):
        if model.name == "DeleteLoadBalancer":
            self.found.append(len(self.lab.inventory().get("elbv2.load_balancer", ())))
        super()._note(params, model, **more)

    @property
    def plane(self):
        return self.lab.fleet.get((ACCOUNT, REGION, NAME))

    def live(self) -> dict:
        """What the emulator keeps of the cluster."""
        return self.lab.store(ACCOUNT, REGION).table("eks.cluster")[NAME]

    def stop_controllers(self) -> None:
        """Nobody cleans up any more."""
        self.client("eks").delete_addon(clusterName=NAME, addonName=works.DRIVER)
        works.scale(self.api, works.BALANCERS, 0)
        soon(lambda: works.ready(self.api, works.BALANCERS, 0))


@pytest.fixture(name="world")
def busy():
    world = Busy()
    yield world
    world.lab.close()


def kinds(plan: dict) -> dict:
    """Type in keys -> how many the plan has of what controllers have made."""
    found = [c["key"].split("/")[1] for c in plan["plan"]]
    return {kind: found.count(kind) for kind in LEFT}


def test_what_controllers_make_is_tagged_and_no_left_over(world):
    """The tags of the stack are on it, and not those by which a stack finds its own."""
    there = world.lab.inventory()
    made = {kind: [i["tags"] for i in there[kind] if not i["gone"] and "groundwork:stack" not in
                   i["tags"]] for kind in ("elbv2.load_balancer", "elbv2.target_group",
                                           "ec2.security_group", "ec2.volume")}
    (volume,) = made.pop("ec2.volume")
    assert volume.items() >= {"Project": "acme", "Environment": "test", "Component": "eks_cluster",
                              "ManagedBy": works.DRIVER}.items()
    groups = [t for t in made.pop("ec2.security_group") if "elbv2.k8s.aws/cluster" in t]
    for tags in (*groups, *sum(made.values(), [])):
        assert tags.items() >= {"Owner": "web", "Project": "acme"}.items()
    assert len(groups) == 3 and {kind: len(found) for kind, found in made.items()} == {
        "elbv2.load_balancer": 2, "elbv2.target_group": 2}
    planned = world.run(STACK, check=True)
    assert not planned["left_over"] and actions(planned) == {}


def test_the_cluster_cleans_up(world, tmp_path, monkeypatch):
    """Kubernetes objects first; each step that takes its time says what for when it starts."""
    refused = world.run(STACK, **GONE)
    assert refused["msg"].splitlines() == [
        line for line in refused["msg"].splitlines() if f"delete {DATA}: it holds data" in line]
    assert works.balanced(world.api) and not world.writes()
    plan = world.run(STACK, check=True, **GONE, allow_data_loss=[DATA])
    assert FIRST <= {c["key"] for c in plan["plan"]} and kinds(plan) == LEFT
    assert not plan["warnings"] and works.balanced(world.api)
    monkeypatch.setenv(PROGRESS, str(tmp_path / "progress"))
    gone = world.run(STACK, **GONE, allow_data_loss=[DATA])
    assert not gone["failed"], gone["msg"]
    told = [progress(event) for line in (tmp_path / "progress").read_text().splitlines()
            for event in [json.loads(line)] if event.get("state") == "started"]
    assert [t for t in told if t.endswith(
        "- eks_cluster/ingress/main:default/site: usually ~60 s, kept by finalizer "
        f"ingress.k8s.aws/resources of {works.BALANCERS}")]
    assert {c["key"] for c in gone["plan"]} == {c["key"] for c in plan["plan"]}
    assert world.left() == set() and world.found == [0, 0]


def test_nobody_cleans_up(world):
    """Their finalizers stay; what they have made is found by its tags."""
    world.stop_controllers()
    works.nodes_of_karpenter(world.api)
    gone = world.run(STACK, **GONE, allow_data_loss=[DATA])
    assert not gone["failed"], gone["msg"]
    assert FIRST | KARPENTER <= {c["key"] for c in gone["plan"]} and kinds(gone) == LEFT
    for who in (works.BALANCERS, "karpenter"):
        assert [w for w in gone["warnings"] if f"{who} does not run in it" in w]
    assert world.left() == set() and max(world.found) == 2


def test_the_cluster_cannot_be_reached(world):
    world.live()["endpoint"] = "https://localhost:1"
    gone = world.run(STACK, **GONE, allow_data_loss=[DATA])
    assert not gone["failed"], gone["msg"]
    assert not FIRST & {c["key"] for c in gone["plan"]} and kinds(gone) == LEFT
    assert [w for w in gone["warnings"] if "cannot be asked what is in it" in w]
    assert world.left() == set()


def test_a_wait_says_what_for(world):
    """A finalizer of somebody unknown; the rest of the stack stays until that is settled."""
    path = "/api/v1/namespaces/default/services/api"
    found = world.api.get(path)["metadata"]["finalizers"]
    world.api.patch(path, {"metadata": {"finalizers": [*found, "example.com/held"]}})
    world.clock = Quick  # a wait that ends for nobody should not take long
    gone = world.run(STACK, **GONE, allow_data_loss=[DATA])
    world.clock = Brisk
    assert re.search(r"balanced_service\S+ not gone in time: kept by finalizer example.com/held",
                     gone["msg"]), gone["msg"]
    assert world.live()["status"] == "ACTIVE"
    world.api.patch(path, {"metadata": {"finalizers": None}})
    gone = world.run(STACK, **GONE, allow_data_loss=[DATA])
    assert not gone["failed"] and world.left() == set()


@pytest.mark.parametrize("call", ["elbv2.DeleteTargetGroup", "eks.DeleteCluster"])
def test_killed_on_the_way(world, call):
    """Law 6: the next run ends in the same place, be the cluster still there or not."""
    world.stop_controllers()
    world.lab.set(faults=[{"match": call, "when": "after", "what": "kill"}])
    with pytest.raises(Killed):
        world.run(STACK, **GONE, allow_data_loss=[DATA])
    world.lab.set(faults=[])
    world.lab.revive()
    gone = world.run(STACK, **GONE, allow_data_loss=[DATA], lease_takeover=True)
    assert not gone["failed"], gone["msg"]
    assert world.left() == set()
