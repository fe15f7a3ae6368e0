# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Karpenter with pingvas' pool in a lab's cluster, its tenants, and pods that want GPUs."""
from __future__ import annotations

from pathlib import Path

import yaml
from tests.integration.kube import works
from tests.integration.kube.worlds import soon
from tests.rendering import rendered
from tests.role_tasks import ROOT, handed_over

GPU = "nvidia.com/gpu"
TOLERATION = {"key": GPU, "operator": "Equal", "value": "true", "effect": "NoSchedule"}
RESTRICTED = {"allowPrivilegeEscalation": False, "runAsNonRoot": True,
              "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}}
CRDS = Path(ROOT, "lab/charts/karpenter/crds")
PINGVAS = Path(ROOT, "inventories/platform/group_vars/pingvas")
TENANTS = yaml.safe_load((PINGVAS / "cluster.yml").read_text())["tenancy_namespaces"]
POOLS = yaml.safe_load((PINGVAS / "controllers.yml").read_text())["autoscaling_node_pools"]
CLAIMS, POOL = "/apis/karpenter.sh/v1/nodeclaims", "/apis/karpenter.sh/v1/nodepools/gpu"
CLASSES = "/apis/karpenter.k8s.aws/v1/ec2nodeclasses"
PATHS = {"NodePool": POOL.rsplit("/", 1)[0], "EC2NodeClass": CLASSES,
         "Namespace": "/api/v1/namespaces",
         "PriorityClass": "/apis/scheduling.k8s.io/v1/priorityclasses"}


def install(api, cluster: str, profile: str) -> None:
    """Karpenter, and what the role autoscaling makes for pingvas."""
    for path in CRDS.glob("*.yaml"):
        api.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
                 yaml.safe_load(path.read_text()))
    works.start(api, "karpenter")
    given, = handed_over([["autoscaling", "main", {
        "autoscaling_cluster_name": cluster, "autoscaling_instance_profile": profile,
        "autoscaling_node_pools": POOLS}]])
    for item in given["objects"]:
        soon(lambda where=PATHS[item["kind"]]: works.served(api, where))
        api.post(PATHS[item["kind"]], item)


def let_in(api) -> None:
    """The tenants with their quotas, priorities and Pod Security."""
    tenants = [{name: row[name] for name in ("name", "priority", "resource_quota") if name in row}
               for row in TENANTS]
    for item in rendered("tenancy", {"tenancy_namespaces": tenants}):
        space = item["metadata"].get("namespace")
        if item["kind"] == "ResourceQuota":
            api.post(f"/api/v1/namespaces/{space}/resourcequotas", item)
        elif item["kind"] in PATHS:
            api.post(PATHS[item["kind"]], item)


def pod(api, space: str, name: str, gpu: bool = True, security: dict | None = None,
        **spec) -> str:
    """Run a pod, with a GPU and the toleration or without; its path."""
    container = {
        "name": "main", "image": "registry.example.com/worker:1",
        "securityContext": RESTRICTED if security is None else security,
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"},
                      "limits": {GPU: 1} if gpu else {}}}
    api.post(f"/api/v1/namespaces/{space}/pods", {
        "metadata": {"name": name}, "spec": {
            "containers": [container], "tolerations": [TOLERATION] if gpu else [], **spec}})
    return f"/api/v1/namespaces/{space}/pods/{name}"


def node_of(api, path: str) -> dict:
    """The node that the pod comes to run on."""
    soon(lambda: api.get(path)["status"]["phase"] == "Running", 90, f"{path} Running")
    return api.get(f"/api/v1/nodes/{api.get(path)['spec']['nodeName']}")


def told(api, space: str, name: str, reporter: str) -> str:
    """What events from somebody say of a pod."""
    events = api.get(f"/api/v1/namespaces/{space}/events",
                     fieldSelector=f"involvedObject.name={name}")["items"]
    return " ".join(event["message"] for event in events if reporter in (
        event.get("reportingComponent"), event["source"].get("component")))
