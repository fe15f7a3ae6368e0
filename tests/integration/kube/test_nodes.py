# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Managed node groups as nodes: what they look like, scaling, updates, removal, evictions."""
from __future__ import annotations

import kubernetes
import pytest
from tests.integration.kube.worlds import soon

pytestmark = pytest.mark.kube


def make(world, name, size=2, **fields):
    world("eks").create_nodegroup(
        clusterName="live", nodegroupName=name, nodeRole=world.names["node_role"],
        subnets=world.subnets(), **{"scalingConfig": {
            "minSize": 0, "maxSize": 10, "desiredSize": size}, **fields})
    return settled(world, name)


def group(world, name):
    return world("eks").describe_nodegroup(clusterName="live", nodegroupName=name)["nodegroup"]


def settled(world, name):
    """The group when nothing changes any more."""
    soon(lambda: group(world, name)["status"] in ("ACTIVE", "CREATE_FAILED", "DEGRADED"), 90)
    return group(world, name)


def nodes(world, name):
    return world.core().list_node(label_selector=f"eks.amazonaws.com/nodegroup={name}").items


def update(world, answer, name):
    """The finished update."""
    def ended():
        found = world("eks").describe_update(name="live", nodegroupName=name,
                                             updateId=answer["update"]["id"])["update"]
        return found["status"] != "InProgress" and found
    return soon(ended, 90, "the update's end")


def remove(world, name):
    world("eks").delete_nodegroup(clusterName="live", nodegroupName=name)
    waiter = world("eks").get_waiter("nodegroup_deleted")
    waiter.wait(clusterName="live", nodegroupName=name, WaiterConfig={"Delay": 1})


def deploy(world, name, pool, replicas, budget=None):
    """Pods on the nodes of a group, and a budget of how many may be away."""
    labels, client = {"app": name}, world.login("live")
    kubernetes.client.AppsV1Api(client).create_namespaced_deployment("default", {
        "metadata": {"name": name}, "spec": {
            "replicas": replicas, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {
                "nodeSelector": {"eks.amazonaws.com/nodegroup": pool},
                "terminationGracePeriodSeconds": 0,
                "containers": [{"name": "c", "image": "nowhere/nothing:1"}]}}}})
    if budget is not None:
        kubernetes.client.PolicyV1Api(client).create_namespaced_pod_disruption_budget("default", {
            "metadata": {"name": name}, "spec": {
                "maxUnavailable": budget, "selector": {"matchLabels": labels}}})
    soon(lambda: len(running(world, name)) == replicas, what=f"{replicas} pods of {name}")


def running(world, name):
    pods = world.core().list_namespaced_pod("default", label_selector=f"app={name}").items
    return [pod for pod in pods if pod.status.phase == "Running"
            and not pod.metadata.deletion_timestamp]


def undeploy(world, name):
    client = world.login("live")
    kubernetes.client.AppsV1Api(client).delete_namespaced_deployment(name, "default")
    kubernetes.client.PolicyV1Api(client).delete_collection_namespaced_pod_disruption_budget(
        "default")


def test_a_gpu_group(world):
    assert make(world, "gpu", 1, instanceTypes=["g4dn.xlarge"], capacityType="SPOT",
                amiType="AL2023_x86_64_NVIDIA", labels={"team": "ml"}, diskSize=100, taints=[
                    {"key": "nvidia.com/gpu", "value": "true", "effect": "NO_SCHEDULE"}]
                )["status"] == "ACTIVE"
    node, = nodes(world, "gpu")
    labels = node.metadata.labels
    assert labels["node.kubernetes.io/instance-type"] == "g4dn.xlarge"
    assert labels["eks.amazonaws.com/capacityType"] == "SPOT" and labels["team"] == "ml"
    assert labels["topology.kubernetes.io/zone"] in ("us-east-1a", "us-east-1b")
    assert node.spec.provider_id.startswith(f"aws:///{labels['topology.kubernetes.io/zone']}/i-")
    assert node.metadata.name.startswith("ip-10-0-")
    assert node.status.node_info.kubelet_version.startswith("v1.35.4-eks-")
    # eni-max-pods.txt: 3 interfaces of 10 addresses.
    assert node.status.allocatable["pods"] == "29"
    assert node.status.allocatable["nvidia.com/gpu"] == "1"
    assert node.status.allocatable["cpu"] == "3920m"
    assert [(row.key, row.effect) for row in node.spec.taints] == [
        ("nvidia.com/gpu", "NoSchedule")]
    remove(world, "gpu")
    assert not nodes(world, "gpu")


def test_a_group_spreads_scales_and_tells_its_instances(world):
    made = make(world, "web", 2)
    asg = made["resources"]["autoScalingGroups"][0]["name"]

    def zones():
        return sorted(node.metadata.labels["topology.kubernetes.io/zone"]
                      for node in nodes(world, "web"))

    def instances():
        found, = world("autoscaling").describe_auto_scaling_groups(
            AutoScalingGroupNames=[asg])["AutoScalingGroups"]
        return {row["InstanceId"] for row in found["Instances"]}

    assert zones() == ["us-east-1a", "us-east-1b"]
    for size in (4, 1):
        answer = world("eks").update_nodegroup_config(
            clusterName="live", nodegroupName="web",
            scalingConfig={"minSize": 0, "maxSize": 10, "desiredSize": size})
        assert update(world, answer, "web")["status"] == "Successful"
        assert len(nodes(world, "web")) == size
        assert instances() == {node.spec.provider_id.split("/")[-1]
                               for node in nodes(world, "web")}
    remove(world, "web")


def test_a_group_that_goes_while_it_comes_leaves_no_node(world):
    world("eks").create_nodegroup(
        clusterName="live", nodegroupName="brief", nodeRole=world.names["node_role"],
        subnets=world.subnets(), scalingConfig={"minSize": 0, "maxSize": 10, "desiredSize": 5})
    remove(world, "brief")
    assert not nodes(world, "brief")


def test_labels_and_taints_change_in_place(world):
    make(world, "inplace", 1, labels={"old": "1", "same": "1"})
    before, = nodes(world, "inplace")
    answer = world("eks").update_nodegroup_config(
        clusterName="live", nodegroupName="inplace",
        labels={"addOrUpdateLabels": {"fresh": "2"}, "removeLabels": ["old"]},
        taints={"addOrUpdateTaints": [{"key": "k", "value": "v", "effect": "NO_SCHEDULE"}]})
    assert update(world, answer, "inplace")["status"] == "Successful"
    after, = nodes(world, "inplace")
    assert after.metadata.uid == before.metadata.uid
    labels = after.metadata.labels
    assert (labels.get("old"), labels["same"], labels["fresh"]) == (None, "1", "2")
    assert [row.key for row in after.spec.taints] == ["k"]
    remove(world, "inplace")


def test_an_update_replaces_nodes_and_keeps_the_budget(world):
    patience = world.lab.settings.eviction_seconds
    world.lab.set(eviction_seconds=60)  # pods are not back in two seconds on a busy machine
    made = make(world, "rolling", 3, version="1.34")
    assert made["status"] == "ACTIVE", made["health"]
    deploy(world, "guarded", "rolling", 3, budget=1)
    before = {node.metadata.uid for node in nodes(world, "rolling")}
    answer = world("eks").update_nodegroup_version(clusterName="live", nodegroupName="rolling")
    lowest = []

    def ended():
        lowest.append(len(running(world, "guarded")))
        return world("eks").describe_update(
            name="live", nodegroupName="rolling", updateId=answer["update"]["id"]
        )["update"]["status"] != "InProgress"

    soon(ended, 90, "the update's end")
    after = nodes(world, "rolling")
    assert update(world, answer, "rolling")["status"] == "Successful"
    assert len(after) == 3 and not before & {node.metadata.uid for node in after}
    assert all(node.status.node_info.kubelet_version.startswith("v1.35.") for node in after)
    assert group(world, "rolling")["version"] == "1.35"
    assert min(lowest) >= 2
    undeploy(world, "guarded")
    remove(world, "rolling")
    world.lab.set(eviction_seconds=patience)


def test_a_budget_that_allows_nothing_ends_the_update(world):
    make(world, "blocked", 2, version="1.34")
    deploy(world, "stubborn", "blocked", 2, budget=0)
    answer = world("eks").update_nodegroup_version(clusterName="live", nodegroupName="blocked")
    ended = update(world, answer, "blocked")
    assert ended["status"] == "Failed"
    assert ended["errors"][0]["errorCode"] == "PodEvictionFailure"
    assert "default/stubborn-" in ended["errors"][0]["errorMessage"]
    assert settled(world, "blocked")["version"] == "1.34"
    assert len(running(world, "stubborn")) == 2
    left = nodes(world, "blocked")
    assert len(left) == 2 and not any(node.spec.unschedulable for node in left)
    answer = world("eks").update_nodegroup_version(clusterName="live", nodegroupName="blocked",
                                                   force=True)
    assert update(world, answer, "blocked")["status"] == "Successful"
    undeploy(world, "stubborn")
    remove(world, "blocked")


def test_a_group_that_goes_waits_for_pods_but_not_for_ever(world):
    make(world, "going", 1)
    deploy(world, "last", "going", 1, budget=0)
    remove(world, "going")
    assert not nodes(world, "going")
    undeploy(world, "last")
