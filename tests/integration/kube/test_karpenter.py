# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""GPUs of pingvas' two tenants: the real core of Karpenter, quotas, priorities and taints."""
from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.integration.kube import works
from tests.integration.kube.worlds import World, soon
from tests.rendering import rendered
from tests.role_tasks import ROOT, handed_over

from lab.kube.api import ApiError

pytestmark = pytest.mark.kube
NAME, GPU, DISCOVERY = "live", "nvidia.com/gpu", "karpenter.sh/discovery"
TOLERATION = {"key": GPU, "operator": "Equal", "value": "true", "effect": "NoSchedule"}
CLAIMS = "/apis/karpenter.sh/v1/nodeclaims"
CRDS = Path(ROOT, "lab/charts/karpenter/crds/open.yaml")
PINGVAS = Path(ROOT, "inventories/platform/group_vars/pingvas")
TENANTS = yaml.safe_load((PINGVAS / "cluster.yml").read_text())["tenancy_namespaces"]
POOLS = yaml.safe_load((PINGVAS / "controllers.yml").read_text())["autoscaling_node_pools"]
PATHS = {"NodePool": "/apis/karpenter.sh/v1/nodepools",
         "EC2NodeClass": "/apis/karpenter.k8s.aws/v1/ec2nodeclasses",
         "Namespace": "/api/v1/namespaces", "PriorityClass":
         "/apis/scheduling.k8s.io/v1/priorityclasses"}


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
        for item in yaml.safe_load_all(CRDS.read_text()):
            self.api.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", item)
        tenants = [{name: row[name] for name in ("name", "priority", "resource_quota")}
                   for row in TENANTS]
        for item in rendered("tenancy", {"tenancy_namespaces": tenants}):
            space = item["metadata"].get("namespace")
            if item["kind"] in PATHS or item["kind"] == "ResourceQuota":
                self.api.post(PATHS.get(item["kind"]) or
                              f"/api/v1/namespaces/{space}/resourcequotas", item)
        works.start(self.api, "karpenter")
        given, = handed_over([["autoscaling", "main", {
            "autoscaling_cluster_name": NAME, "autoscaling_instance_profile": "nodes",
            "autoscaling_node_pools": POOLS}]])
        for item in given["objects"]:
            soon(lambda item=item: self.served(PATHS[item["kind"]]))
            self.api.post(PATHS[item["kind"]], item)

    def served(self, path) -> bool:
        try:
            return bool(self.api.get(path))
        except ApiError:
            return False

    # ---- pods -------------------------------------------------------------------------------

    def pod(self, space, name, gpu=True, **spec) -> str:
        """A pod that is welcome in a tenant's namespace, with a GPU or without; its path."""
        container = {
            "name": "main", "image": "registry.example.com/worker:1", "resources": {
                "requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {GPU: 1} if gpu else {}},
            "securityContext": {"allowPrivilegeEscalation": False, "runAsNonRoot": True,
                                "capabilities": {"drop": ["ALL"]},
                                "seccompProfile": {"type": "RuntimeDefault"}}}
        self.api.post(f"/api/v1/namespaces/{space}/pods", {
            "metadata": {"name": name}, "spec": {
                "priorityClassName": space, "containers": [container],
                "tolerations": [TOLERATION] if gpu else [], **spec}})
        return f"/api/v1/namespaces/{space}/pods/{name}"

    def pods(self, space) -> dict:
        """Name -> phase, of those that stay."""
        return {item["metadata"]["name"]: item["status"]["phase"]
                for item in self.api.get(f"/api/v1/namespaces/{space}/pods")["items"]
                if "deletionTimestamp" not in item["metadata"]}

    def run(self, path) -> dict:
        """The node that the pod comes to run on."""
        pod = soon(lambda: self.running(path), 90, f"{path} Running")
        return self.api.get(f"/api/v1/nodes/{pod['spec']['nodeName']}")

    def running(self, path):
        pod = self.api.get(path)
        return pod if pod["status"]["phase"] == "Running" else None

    def told(self, space, name, reporter) -> str:
        """What events from somebody say of a pod."""
        events = self.api.get(f"/api/v1/namespaces/{space}/events",
                              fieldSelector=f"involvedObject.name={name}")["items"]
        return " ".join(event["message"] for event in events if reporter in (
            event.get("reportingComponent"), event["source"].get("component")))

    # ---- what Karpenter has made ------------------------------------------------------------

    def nodes(self) -> list:
        return self.api.get("/api/v1/nodes", labelSelector="karpenter.sh/nodepool")["items"]

    def instances(self) -> list:
        """Those of the account that run."""
        found = self("ec2").describe_instances(Filters=[
            {"Name": "instance-state-name", "Values": ["running"]}])["Reservations"]
        return [item for each in found for item in each["Instances"]]

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
    node = cluster.run(cluster.pod("prod", "first"))
    labels = node["metadata"]["labels"]
    assert labels["node.kubernetes.io/instance-type"] in POOLS[0]["instance_types"]
    assert (labels["karpenter.sh/capacity-type"], labels["workload-type"]) == ("spot", "gpu")
    assert POOLS[0]["taints"][0] in node["spec"]["taints"]
    assert node["status"]["allocatable"][GPU] == "1"
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
    pool = cluster.api.get(f"{PATHS['NodePool']}/gpu")["spec"]["disruption"]
    assert (pool["consolidationPolicy"], pool["consolidateAfter"]) == ("WhenEmpty", "300s")
    path = cluster.pod("prod", "brief")
    node = cluster.run(path)["metadata"]["name"]
    cluster.api.delete(path)
    soon(lambda: not cluster.api.find(f"/api/v1/nodes/{node}"), 90, "the node gone")
    soon(lambda: not cluster.instances(), 30, "the instance gone")


def test_the_limit_of_10_gpus_holds(cluster):
    for number in range(10):
        cluster.pod("prod", f"worker-{number}")
    soon(lambda: list(cluster.pods("prod").values()) == ["Running"] * 10, 120, "ten run")
    cluster.pod("prod", "eleventh")
    soon(lambda: "limits" in cluster.told("prod", "eleventh", "karpenter"), 60, "the reason")
    assert cluster.pods("prod")["eleventh"] == "Pending"
    assert len(cluster.nodes()) == len(cluster.instances()) == 10


def test_a_pod_without_the_toleration_never_lands_on_a_gpu_node(cluster):
    """Not on the one with room for it, not if it asks for one, and none is made for it. (Pods that
    want a GPU are given the toleration by the API server, as on EKS.)"""
    cluster.run(cluster.pod("prod", "tolerant"))
    for number in range(3):
        plain = cluster.run(cluster.pod("prod", f"plain-{number}", gpu=False))
        assert plain["metadata"]["labels"]["eks.amazonaws.com/nodegroup"] == "system"
    cluster.pod("prod", "intolerant", gpu=False, nodeSelector={"workload-type": "gpu"})
    said = soon(lambda: cluster.told("prod", "intolerant", "default-scheduler"))
    assert "untolerated taint" in said, said
    said = soon(lambda: cluster.told("prod", "intolerant", "karpenter"), 60)
    assert "did not tolerate taint" in said, said
    assert cluster.pods("prod")["intolerant"] == "Pending"
    assert len(cluster.nodes()) == 1


def test_with_gpus_scarce_a_prod_pod_preempts_a_dev_pod(cluster):
    for number in range(7):
        cluster.pod("prod", f"worker-{number}")
    soon(lambda: list(cluster.pods("prod").values()) == ["Running"] * 7, 120, "prod runs")
    for number in range(3):
        cluster.pod("dev", f"worker-{number}")
    soon(lambda: list(cluster.pods("dev").values()) == ["Running"] * 3, 120, "dev runs")
    cluster.run(cluster.pod("prod", "urgent"))
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


def test_karpenter_works_only_while_its_deployment_does(cluster):
    works.scale(cluster.api, "karpenter", 0)
    soon(lambda: "karpenter" not in cluster.plane(NAME).children)
    path = cluster.pod("prod", "early")
    soon(lambda: cluster.told("prod", "early", "default-scheduler"))
    assert not cluster.nodes()
    works.scale(cluster.api, "karpenter", 1)
    cluster.run(path)


def test_a_class_that_finds_no_subnets_is_not_ready(cluster):
    spec = cluster.api.get(f"{PATHS['EC2NodeClass']}/default")["spec"]
    cluster.api.post(PATHS["EC2NodeClass"], {
        "apiVersion": "karpenter.k8s.aws/v1", "kind": "EC2NodeClass",
        "metadata": {"name": "lost"}, "spec": {
            **spec, "subnetSelectorTerms": [{"tags": {DISCOVERY: "another"}}]}})
    path = f"{PATHS['EC2NodeClass']}/lost"
    status = soon(lambda: cluster.api.get(path).get("status"))
    assert {row["type"]: row["status"] for row in status["conditions"]} == {
        "SubnetsReady": "False", "SecurityGroupsReady": "True", "InstanceProfileReady": "True",
        "Ready": "False"}
    cluster.api.delete(path)
    soon(lambda: not cluster.api.find(path))


def test_a_class_goes_after_the_last_of_its_nodes(cluster):
    cluster.run(cluster.pod("prod", "last"))
    path = f"{PATHS['EC2NodeClass']}/default"
    spec = cluster.api.get(path)["spec"]
    cluster.api.delete(path)
    soon(lambda: {row["type"]: row["status"] for row in cluster.api.get(
        f"{PATHS['NodePool']}/gpu")["status"]["conditions"]}["Ready"] == "False")
    assert cluster.api.find(path) and len(cluster.instances()) == 1
    cluster.clear()
    soon(lambda: not cluster.api.find(path), what="the class gone")
    cluster.api.post(PATHS["EC2NodeClass"], {
        "apiVersion": "karpenter.k8s.aws/v1", "kind": "EC2NodeClass",
        "metadata": {"name": "default"}, "spec": spec})
