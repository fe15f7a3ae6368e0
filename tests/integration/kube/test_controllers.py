# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab's controllers make what the real ones make, and clean up only while they run."""
from __future__ import annotations

import re

import pytest
from tests.integration.kube import works
from tests.integration.kube.worlds import World, soon

pytestmark = pytest.mark.kube
NAME = "live"
SITE = "/apis/networking.k8s.io/v1/namespaces/default/ingresses/site"
API = "/api/v1/namespaces/default/services/api"
CLAIM = "/api/v1/namespaces/default/persistentvolumeclaims/data-db-0"


@pytest.fixture(name="world")
def with_nodes():
    """A cluster with a node."""
    world = World()
    world.cluster(NAME)
    world("eks").create_nodegroup(
        clusterName=NAME, nodegroupName="cpu", nodeRole=world.names["node_role"],
        subnets=world.subnets(), instanceTypes=["m5.large"],
        scalingConfig={"minSize": 1, "maxSize": 1, "desiredSize": 1})
    yield world
    world.lab.close()


def found(world, *kinds) -> dict:
    """kind -> the objects in the account."""
    there = world.lab.inventory()
    return {kind: [item for item in there.get(kind, ()) if not item["gone"]] for kind in kinds}


def interfaces(world) -> list:
    return [item["description"] for item in found(world, "ec2.network_interface")[
        "ec2.network_interface"] if item["description"].startswith("ELB ")]


def test_load_balancers(world):
    api = world.plane(NAME).api
    works.start(api, works.BALANCERS)
    soon(lambda: works.ready(api, works.BALANCERS))
    before = {item["id"] for item in found(world, "ec2.security_group")["ec2.security_group"]}
    works.put(api, ("IngressClass", "Ingress", "Service"))
    soon(lambda: works.balanced(api))
    assert api.get(SITE)["metadata"]["finalizers"] == ["ingress.k8s.aws/resources"]
    assert "service.k8s.aws/resources" in api.get(API)["metadata"]["finalizers"]
    there = found(world, "elbv2.load_balancer", "elbv2.target_group", "ec2.security_group")
    assert {re.sub("[0-9a-f]{10}$", "", i["id"]): i["tags"]
            for i in there["elbv2.load_balancer"]} == {
        "k8s-default-site-": {"elbv2.k8s.aws/cluster": NAME, "ingress.k8s.aws/stack":
                              "default/site", "ingress.k8s.aws/resource": "LoadBalancer"},
        "k8s-default-api-": {"elbv2.k8s.aws/cluster": NAME, "service.k8s.aws/stack":
                             "default/api", "service.k8s.aws/resource": "LoadBalancer"}}
    assert {i["tags"].get("ingress.k8s.aws/resource", i["tags"].get("service.k8s.aws/resource"))
            for i in there["elbv2.target_group"]} == {"default/site-site:80", "default/api:8090"}
    made = [i for i in there["ec2.security_group"] if i["id"] not in before]
    assert len(made) == 3 and all(i["name"].startswith("k8s-") for i in made)
    assert len(interfaces(world)) == 4
    with pytest.raises(Exception, match="DependencyViolation"):
        world("ec2").delete_security_group(GroupId=made[0]["id"])
    works.scale(api, works.BALANCERS, 0)
    soon(lambda: works.ready(api, works.BALANCERS, 0))
    api.delete(SITE)
    assert "deletionTimestamp" in api.get(SITE)["metadata"]
    api.delete(API)
    assert interfaces(world) and api.find(API)
    works.scale(api, works.BALANCERS, 1)
    soon(lambda: not api.find(SITE) and not api.find(API))
    gone = found(world, *there)
    assert not gone["elbv2.load_balancer"] and not gone["elbv2.target_group"]
    assert {i["id"] for i in gone["ec2.security_group"]} == before and not interfaces(world)


def test_services_that_no_controller_takes(world):
    """The control plane itself makes a Classic Load Balancer for them, and removes it."""
    api = world.plane(NAME).api
    works.put(api, ("Service",))
    soon(lambda: api.get(API)["status"].get("loadBalancer"))
    balancer, = found(world, "elb.load_balancer")["elb.load_balancer"]
    assert balancer["tags"] == {f"kubernetes.io/cluster/{NAME}": "owned",
                                "kubernetes.io/service-name": "default/api"}
    api.delete(API)
    soon(lambda: not api.find(API))
    assert not found(world, "elb.load_balancer")["elb.load_balancer"] and not interfaces(world)


def test_volumes(world):
    api = world.plane(NAME).api
    works.start(api, works.DRIVER)
    works.put(api, ("StorageClass", "StatefulSet"))
    soon(lambda: (api.find(CLAIM) or {}).get("status", {}).get("phase") == "Bound")
    volume, = found(world, "ec2.volume")["ec2.volume"]
    tags = volume["tags"]
    assert tags[f"kubernetes.io/cluster/{NAME}"] == "owned"
    assert tags["ebs.csi.aws.com/cluster"] == "true"
    assert tags["kubernetes.io/created-for/pvc/name"] == "data-db-0"
    api.delete("/apis/apps/v1/namespaces/default/statefulsets/db")
    api.delete(CLAIM)
    soon(lambda: not found(world, "ec2.volume")["ec2.volume"])
    soon(lambda: not api.get("/api/v1/persistentvolumes")["items"])
