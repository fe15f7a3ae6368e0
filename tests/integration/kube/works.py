# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Things to run in a lab's cluster, as its administrator."""
from __future__ import annotations

from pathlib import Path

import yaml
from tests.integration.kube.worlds import soon

from lab.kube.api import ApiError

WORK = yaml.safe_load(Path(__file__).with_name("cluster_work.yml").read_text())
BALANCERS, DRIVER = "aws-load-balancer-controller", "aws-ebs-csi-driver"
DEPLOYMENTS = "/apis/apps/v1/namespaces/kube-system/deployments"
PLURALS = {"IngressClass": "ingressclasses", "Ingress": "ingresses", "Service": "services",
           "StorageClass": "storageclasses", "StatefulSet": "statefulsets"}


def controller(name: str, *arguments: str) -> dict:
    """A Deployment with the label of a controller's chart."""
    labels = {"app.kubernetes.io/name": name}
    pod = {"metadata": {"labels": labels},
           "spec": {"containers": [{
               "name": "main", "image": "registry.example.com/main:1", "args": arguments}]}}
    return {"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "labels": labels},
            "spec": {"selector": {"matchLabels": labels}, "template": pod}}


def listing(item: dict) -> str:
    """Where objects of its kind and namespace are."""
    version, meta = item["apiVersion"], item["metadata"]
    base = f"/apis/{version}" if "/" in version else f"/api/{version}"
    space = f"/namespaces/{meta['namespace']}" if "namespace" in meta else ""
    return f"{base}{space}/{PLURALS[item['kind']]}"


def start(api, name: str, *arguments: str) -> None:
    """The controller comes."""
    api.post(DEPLOYMENTS, controller(name, *arguments))


def ready(api, name: str, count: int = 1) -> bool:
    """Whether so many of its pods work."""
    status = api.get(f"{DEPLOYMENTS}/{name}")["status"]
    return status.get("readyReplicas", 0) == count


def scale(api, name: str, count: int) -> None:
    """So many of its pods are wanted."""
    api.patch(f"{DEPLOYMENTS}/{name}", {"spec": {"replicas": count}})


def put(api, kinds=tuple(PLURALS)) -> None:
    """The work, or some kinds of it."""
    for item in WORK:
        if item["kind"] in kinds:
            api.post(listing(item), item)


def balanced(api) -> bool:
    """Whether the Ingress and the Service have their load balancers."""
    found = [api.get(f"{listing(item)}/{item['metadata']['name']}") for item in WORK
             if item["kind"] in ("Ingress", "Service")]
    return all((item["status"].get("loadBalancer") or {}).get("ingress") for item in found)


def nodes_of_karpenter(api) -> None:
    """A NodePool with its class and a NodeClaim, which Karpenter's finalizers keep."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    for group, kind, finalizer in (
            ("karpenter.sh", "NodePool", None),
            ("karpenter.sh", "NodeClaim", "karpenter.sh/termination"),
            ("karpenter.k8s.aws", "EC2NodeClass", "karpenter.k8s.aws/termination")):
        plural = {"EC2NodeClass": "ec2nodeclasses"}.get(kind, f"{kind.lower()}s")
        api.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{group}"}, "spec": {
                "group": group, "scope": "Cluster",
                "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
                "versions": [{"name": "v1", "served": True, "storage": True,
                              "schema": {"openAPIV3Schema": schema}}]}})
        path = f"/apis/{group}/v1/{plural}"
        soon(lambda where=path: served(api, where))
        api.post(path, {"apiVersion": f"{group}/v1", "kind": kind, "metadata": {
            "name": "gpu", "finalizers": [finalizer] if finalizer else []}})


def served(api, path: str) -> bool:
    """Whether the kind is known by now."""
    try:
        return bool(api.get(path))
    except ApiError:
        return False
