# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""GPUs of pingvas' two tenants: the real core of Karpenter, quotas, priorities and taints."""
from __future__ import annotations

import contextlib
import itertools

import pytest
from tests.integration.kube import gpus, works
from tests.integration.kube.gpus import CLAIMS, CLASSES, POOL, POOLS
from tests.integration.kube.worlds import World, soon

from lab.kube.api import ApiError

pytestmark = pytest.mark.kube
NAME, DISCOVERY = "live", "karpenter.sh/discovery"


class Gpus(World):
    """A cluster with a node of its own, the tenants dev and prod, Karpenter and its pool."""

    def __init__(self):
        super().__init__()
        self.cluster(NAME)
        self.api = self.plane(NAME).api
        group = self.describe(NAME)["resourcesVpcConfig"]["clusterSecurityGroupId"]
        self("ec2").create_tags(Resources=[*self.subnets(), group],
                                Tags=[{"Key": DISCOVERY, "Value": NAME}])
        self("iam").create_instance_profile(InstanceProfileName="nodes")
        self("eks").create_nodegroup(
            clusterName=NAME, nodegroupName="system", nodeRole=self.names["node_role"],
            subnets=self.subnets(), instanceTypes=["t3.large"],
            scalingConfig={"minSize": 1, "maxSize": 1, "desiredSize": 1})
        gpus.let_in(self.api)
        gpus.install(self.api, NAME, "nodes")

    # ---- pods -------------------------------------------------------------------------------

    def pod(self, space, name, **options) -> str:
        """Of a tenant, with its priority."""
        return gpus.pod(self.api, space, name, priorityClassName=space, **options)

    def run(self, space, name, **options) -> dict:
        """The node that it comes to run on."""
        return gpus.node_of(self.api, self.pod(space, name, **options))

    def pods(self, space) -> dict:
        """Name -> phase, of those that stay."""
        return {item["metadata"]["name"]: item["status"]["phase"]
                for item in self.api.get(f"/api/v1/namespaces/{space}/pods")["items"]
                if "deletionTimestamp" not in item["metadata"]}

    def run_many(self, space, count) -> None:
        """So many pods, until all of them run.

        Time passes a hundred times faster for Karpenter than for a busy machine: a node may count
        as empty before its pod has come, and take it along. As a Deployment does, others are made.
        """
        names = (f"worker-{number}" for number in itertools.count())

        def all_run():
            there = self.pods(space)
            with contextlib.suppress(ApiError):  # the quota still counts those that are leaving
                for name in itertools.islice(names, max(0, count - len(there))):
                    self.pod(space, name)
            return list(there.values()) == ["Running"] * count

        soon(all_run, 240, f"{space} runs")

    def told(self, name, reporter) -> str:
        """What somebody says, sooner or later, of a pod of prod."""
        return soon(lambda: gpus.told(self.api, "prod", name, reporter), 60, f"{reporter} speaks")

    # ---- what Karpenter has made ------------------------------------------------------------

    def nodes(self) -> list:
        return self.api.get("/api/v1/nodes", labelSelector="karpenter.sh/nodepool")["items"]

    def instances(self) -> list:
        """Those of the account that run."""
        found = self("ec2").describe_instances(Filters=[
            {"Name": "instance-state-name", "Values": ["running"]}])["Reservations"]
        return [item for each in found for item in each["Instances"]]

    def add_class(self, name, spec) -> None:
        self.api.post(CLASSES, {"apiVersion": "karpenter.k8s.aws/v1", "kind": "EC2NodeClass",
                                "metadata": {"name": name}, "spec": spec})

    def clear(self) -> None:
        """No pods of the tenants, and no nodes for them."""
        for space in ("dev", "prod"):
            for name in self.pods(space):
                self.api.delete(f"/api/v1/namespaces/{space}/pods/{name}")
        for claim in self.api.get(CLAIMS)["items"]:
            self.api.delete(f"{CLAIMS}/{claim['metadata']['name']}")
        soon(lambda: not self.nodes() and not self.instances(), 90, "the nodes gone")


@pytest.fixture(scope="module")
def cluster(programs):
    world = Gpus()
    yield world
    world.lab.close()


@pytest.fixture(autouse=True)
def nothing_left(cluster):
    yield
    cluster.clear()


def test_a_pending_gpu_pod_makes_karpenter_create_a_node(cluster):
    node = cluster.run("prod", "first")
    labels = node["metadata"]["labels"]
    assert labels["node.kubernetes.io/instance-type"] in POOLS[0]["instance_types"]
    assert (labels["karpenter.sh/capacity-type"], labels["workload-type"]) == ("spot", "gpu")
    assert POOLS[0]["taints"][0] in node["spec"]["taints"]
    assert node["status"]["allocatable"][gpus.GPU] == "1"
    assert not [key for key in labels if key.startswith("eks.amazonaws.com/")]
    instance, = cluster.instances()
    assert node["spec"]["providerID"].endswith(f"/{instance['InstanceId']}")
    assert instance["SubnetId"] in cluster.subnets() and instance["InstanceLifecycle"] == "spot"
    tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
    claim, = cluster.api.get(CLAIMS)["items"]
    assert tags.items() >= {
        "karpenter.sh/nodepool": "gpu", "karpenter.sh/nodeclaim": claim["metadata"]["name"],
        "karpenter.k8s.aws/ec2nodeclass": "default", "eks:eks-cluster-name": NAME,
        f"kubernetes.io/cluster/{NAME}": "owned", "groundwork:stack": "acme-test"}.items()


def test_300_seconds_of_emptiness_remove_the_node(cluster):
    """The clock is short: 3 s."""
    pool = cluster.api.get(POOL)["spec"]["disruption"]
    assert (pool["consolidationPolicy"], pool["consolidateAfter"]) == ("WhenEmpty", "300s")
    node = cluster.run("prod", "brief")["metadata"]["name"]
    cluster.api.delete("/api/v1/namespaces/prod/pods/brief")
    soon(lambda: not cluster.api.find(f"/api/v1/nodes/{node}"), 90, "the node gone")
    soon(lambda: not cluster.instances(), 30, "the instance gone")


def test_the_limit_of_10_gpus_holds(cluster):
    cluster.run_many("prod", 10)
    cluster.pod("prod", "eleventh")
    soon(lambda: "limits" in cluster.told("eleventh", "karpenter"), 60, "the reason")
    assert cluster.pods("prod")["eleventh"] == "Pending"
    assert len(cluster.nodes()) == len(cluster.instances()) == 10


def test_a_pod_without_the_toleration_never_lands_on_a_gpu_node(cluster):
    """Not on the one with room for it, not if it asks for one, and none is made for it. (Pods that
    want a GPU are given the toleration by the API server, as on EKS.)"""
    cluster.run("prod", "tolerant")
    for number in range(3):
        node = cluster.run("prod", f"plain-{number}", gpu=False)
        assert node["metadata"]["labels"]["eks.amazonaws.com/nodegroup"] == "system"
    cluster.pod("prod", "intolerant", gpu=False, nodeSelector={"workload-type": "gpu"})
    assert "untolerated taint" in cluster.told("intolerant", "default-scheduler")
    assert "did not tolerate taint" in cluster.told("intolerant", "karpenter")
    assert cluster.pods("prod")["intolerant"] == "Pending"
    assert len(cluster.nodes()) == 1


def test_with_gpus_scarce_a_prod_pod_preempts_a_dev_pod(cluster):
    cluster.run_many("prod", 7)
    cluster.run_many("dev", 3)
    cluster.run("prod", "urgent")
    assert len(cluster.pods("dev")) == 2
    assert list(cluster.pods("prod").values()) == ["Running"] * 8
    assert len(cluster.instances()) == 10


def test_a_dev_pod_asking_for_the_fourth_gpu_is_refused_by_the_quota(cluster):
    for number in range(3):
        cluster.pod("dev", f"worker-{number}")
    with pytest.raises(ApiError) as refused:
        cluster.pod("dev", "fourth")
    assert refused.value.status == 403
    assert ('pods "fourth" is forbidden: exceeded quota: tenant, requested: '
            "requests.nvidia.com/gpu=1, used: requests.nvidia.com/gpu=3, limited: "
            "requests.nvidia.com/gpu=3") in str(refused.value)


@pytest.mark.parametrize("change", [
    {"runAsNonRoot": False}, {"allowPrivilegeEscalation": True}, {"capabilities": {}},
    {"seccompProfile": {"type": "Unconfined"}}])
def test_a_pod_that_breaks_pod_security_restricted_is_refused(cluster, change):
    with pytest.raises(ApiError) as refused:
        cluster.pod("dev", "loose", security={**gpus.RESTRICTED, **change})
    assert refused.value.status == 403
    assert 'violates PodSecurity "restricted:latest"' in str(refused.value)
    assert next(iter(change)) in str(refused.value)


def test_karpenter_works_only_while_its_deployment_does(cluster):
    works.scale(cluster.api, "karpenter", 0)
    soon(lambda: "karpenter" not in cluster.plane(NAME).children)
    path = cluster.pod("prod", "early")
    assert cluster.told("early", "default-scheduler")
    assert not cluster.nodes()
    works.scale(cluster.api, "karpenter", 1)
    gpus.node_of(cluster.api, path)


def test_a_class_that_finds_no_subnets_is_not_ready(cluster):
    spec = cluster.api.get(f"{CLASSES}/default")["spec"]
    cluster.add_class("lost", {
        **spec, "subnetSelectorTerms": [{"tags": {DISCOVERY: "another"}}]})
    status = soon(lambda: cluster.api.get(f"{CLASSES}/lost").get("status"))
    assert {row["type"]: row["status"] for row in status["conditions"]} == {
        "SubnetsReady": "False", "SecurityGroupsReady": "True", "InstanceProfileReady": "True",
        "Ready": "False"}
    cluster.api.delete(f"{CLASSES}/lost")
    soon(lambda: not cluster.api.find(f"{CLASSES}/lost"))


def test_a_class_goes_after_the_last_of_its_nodes(cluster):
    cluster.run("prod", "last")
    spec = cluster.api.get(f"{CLASSES}/default")["spec"]
    cluster.api.delete(f"{CLASSES}/default")
    soon(lambda: {row["type"]: row["status"] for row in cluster.api.get(POOL)[
        "status"]["conditions"]}["Ready"] == "False")
    assert cluster.api.find(f"{CLASSES}/default") and len(cluster.instances()) == 1
    cluster.clear()
    soon(lambda: not cluster.api.find(f"{CLASSES}/default"), what="the class gone")
    cluster.add_class("default", spec)
