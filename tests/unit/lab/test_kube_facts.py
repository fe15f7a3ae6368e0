# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the lab knows of EKS inside a cluster, without one: nodes' sizes, policies, tokens."""
from __future__ import annotations

import base64
from decimal import Decimal

import pytest
from moto.ec2.models.instance_types import INSTANCE_TYPES

from lab.kube import offers, policies
from lab.kube.machines import Machine, max_pods, node, reserved_cpu, resources
from lab.kube.tokens import TokenError, read

POLICY = "arn:aws:eks::aws:cluster-access-policy/"


# eni-max-pods.txt of amazon-eks-ami; 110 and 250 are the limits of managed groups.
@pytest.mark.parametrize(("kind", "pods"), [
    ("t3.medium", 17), ("t3.large", 35), ("m5.large", 29), ("m5.xlarge", 58), ("c5.4xlarge", 110),
    ("g4dn.xlarge", 29), ("g5.2xlarge", 58), ("m5.24xlarge", 250)])
def test_pods_of_a_node(kind, pods):
    assert max_pods(INSTANCE_TYPES[kind]) == pods


@pytest.mark.parametrize(("cores", "millicores"), [
    (1, 60), (2, 70), (4, 80), (8, 90), (16, 110), (96, 310)])
def test_reserved_cpu(cores, millicores):
    assert reserved_cpu(cores) == millicores


def test_allocatable_is_what_kubelet_leaves():
    capacity, allocatable = resources(INSTANCE_TYPES["m5.large"], 20)
    assert (capacity["cpu"], allocatable["cpu"]) == ("2", "1930m")
    kept = int(capacity["memory"][:-2]) - int(allocatable["memory"][:-2])
    assert kept == 255 + 11 * 29 + 100
    assert int(allocatable["ephemeral-storage"]) == int(20 * 2**30 * 0.9) - 2**30


def test_gpus_are_counted():
    for kind, name, count in (("g4dn.12xlarge", "nvidia.com/gpu", "4"),
                              ("p4d.24xlarge", "nvidia.com/gpu", "8")):
        assert resources(INSTANCE_TYPES[kind], 20)[1][name] == count


# karpenter.sh/docs/reference/instance-types
@pytest.mark.parametrize(("kind", "labels"), [
    ("g4dn.xlarge", {"category": "g", "family": "g4dn", "generation": "4", "size": "xlarge",
                     "cpu": "4", "cpu-manufacturer": "intel", "memory": "16384",
                     "hypervisor": "nitro", "local-nvme": "125", "gpu-name": "t4",
                     "gpu-manufacturer": "nvidia", "gpu-count": "1", "gpu-memory": "16384"}),
    ("m7g.large", {"category": "m", "family": "m7g", "generation": "7", "size": "large",
                   "cpu": "2", "cpu-manufacturer": "aws", "memory": "8192",
                   "hypervisor": "nitro"})])
def test_what_karpenter_can_choose_by(kind, labels):
    row = offers.row(kind, INSTANCE_TYPES[kind])
    assert {key.removeprefix(offers.AWS): value for key, value in row["labels"].items()
            if key.startswith(offers.AWS)} == labels
    assert row["labels"]["node.kubernetes.io/instance-type"] == kind


def test_what_karpenter_reckons_with_is_what_nodes_have():
    for name, info in INSTANCE_TYPES.items():
        row = offers.row(name, info)
        capacity, allocatable = resources(info, offers.DISK_GIB)
        assert row["capacity"] == capacity
        for key, kept in row["overhead"].items():
            free = offers.number(capacity[key]) - Decimal(kept)
            assert free == offers.number(allocatable[key])


def test_prices_are_in_the_order_of_those_of_aws():
    """On-demand, us-east-1: 0.096, 0.192, 0.526, 0.752, 1.006, 3.912 USD an hour."""
    kinds = ["m5.large", "m5.xlarge", "g4dn.xlarge", "g4dn.2xlarge", "g5.xlarge", "g4dn.12xlarge"]
    found = [offers.row(kind, INSTANCE_TYPES[kind])["prices"] for kind in kinds]
    hours = [row["on-demand"] for row in found]
    assert hours == sorted(hours) and all(row["spot"] < row["on-demand"] for row in found)


@pytest.mark.parametrize(("zone", "name"), [
    ("us-east-1a", "ip-10-0-1-9.ec2.internal"),
    ("us-west-2b", "ip-10-0-1-9.us-west-2.compute.internal")])
def test_names_follow_the_region(zone, name):
    machine = Machine("i-1", "10.0.1.9", zone, "z", "m7g.large", INSTANCE_TYPES["m7g.large"],
                      "ami-1", "v1.35.4-eks-1")
    made = node(machine)
    assert made["metadata"]["name"] == name
    assert made["metadata"]["labels"]["kubernetes.io/arch"] == "arm64"
    assert made["spec"]["providerID"] == f"aws:///{zone}/i-1"


def ask(verb, resource, namespace="", group="", subresource=""):
    return {"resourceAttributes": {"verb": verb, "resource": resource, "namespace": namespace,
                                   "group": group, "subresource": subresource}}


def given(policy, *namespaces):
    kind = "namespace" if namespaces else "cluster"
    return {"policyArn": POLICY + policy,
            "accessScope": {"type": kind, "namespaces": list(namespaces)}}


@pytest.mark.parametrize(("policy", "asked", "allowed"), [
    ("View", ask("list", "pods", "a"), True),
    ("View", ask("get", "secrets", "a"), False),
    ("View", ask("delete", "pods", "a"), False),
    ("View", ask("get", "pods", "a", subresource="log"), True),
    ("View", ask("list", "nodes"), False),
    ("Edit", ask("create", "deployments", "a", "apps"), True),
    ("Edit", ask("create", "deployments", "a", "other"), False),
    ("Edit", ask("create", "pods", "a", subresource="exec"), True),
    ("Edit", ask("list", "roles", "a", "rbac.authorization.k8s.io"), False),
    ("Admin", ask("create", "rolebindings", "a", "rbac.authorization.k8s.io"), True),
    ("Admin", ask("create", "namespaces"), False),
    ("ClusterAdmin", ask("create", "anything", "a", "any.example.com"), True),
    ("ClusterAdmin", {"nonResourceAttributes": {"path": "/metrics", "verb": "get"}}, True),
    ("Admin", {"nonResourceAttributes": {"path": "/metrics", "verb": "get"}}, False),
    ("AdminView", ask("get", "secrets", "a"), True),
    ("AdminView", ask("delete", "secrets", "a"), False),
    ("SecretReader", ask("get", "secrets", "a"), True),
    ("AutoNode", ask("get", "pods", "a"), False),
])
def test_what_a_policy_allows(policy, asked, allowed):
    assert policies.allows(given(f"AmazonEKS{policy}Policy"), asked) is allowed


def test_a_scope_holds_for_its_namespaces_alone():
    scoped = given("AmazonEKSClusterAdminPolicy", "team-*")
    assert policies.allows(scoped, ask("delete", "secrets", "team-a"))
    assert not policies.allows(scoped, ask("delete", "secrets", "other"))
    assert not policies.allows(scoped, ask("list", "nodes"))
    assert not policies.allows(scoped, {"nonResourceAttributes": {"path": "/", "verb": "get"}})


QUERY = {
    "Action": "GetCallerIdentity", "Version": "2011-06-15", "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": "KEY/20270115/us-east-1/sts/aws4_request",
    "X-Amz-Date": "20270115T080000Z", "X-Amz-Expires": "60",
    "X-Amz-SignedHeaders": "host;x-k8s-aws-id", "X-Amz-Signature": "0"}
NOW = 1_800_000_000  # 2027-01-15 08:00:00 UTC


def bearer(base="https://sts.us-east-1.amazonaws.com/", **changes):
    rows = {**QUERY, **{name.replace("_", "-"): value for name, value in changes.items()}}
    url = base + "?" + "&".join(f"{name}={value}" for name, value in rows.items() if value)
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def test_a_token_names_its_access_key():
    assert read(bearer(), NOW).access_key == "KEY"
    assert read(bearer("http://localhost:4566/"), NOW)


@pytest.mark.parametrize(("text", "why"), [
    ("eyJhbGciOi", "prefix"),
    ("k8s-aws-v1.A", "base64url"),
    (bearer("ftp://sts.amazonaws.com/"), "host"),
    (bearer("https://sts.amazonaws.com.evil.example/"), "host"),
    (bearer("https://sts.amazonaws.com/path"), "path"),
    (bearer("https://sts.amazonaws.com/?Action=GetCallerIdentity&a=b&x"), "repeats|unknown"),
    (bearer(Action="AssumeRole"), "action"),
    (bearer(X_Amz_SignedHeaders="host"), "x-k8s-aws-id is not signed"),
    (bearer(X_Amz_Signature=""), "lacks"),
    (bearer(X_Amz_Extra="1"), "unknown parameters"),
    (bearer(X_Amz_Date="yesterday"), "time"),
    (bearer(X_Amz_Expires="3600"), "expires later"),
    (bearer(X_Amz_Date="20270115T074459Z"), "expired"),
    (bearer(X_Amz_Date="20270115T090000Z"), "expired"),
    (bearer(X_Amz_Credential="KEY"), "scope"),
])
def test_a_token_that_is_none(text, why):
    with pytest.raises(TokenError, match=why):
        read(text, NOW)


def test_a_cluster_without_programs_is_refused(aws, monkeypatch):
    monkeypatch.setattr("lab.kube.fleet.built", lambda *names: None)
    with pytest.raises(ValueError, match="python -m lab.kube"):
        aws.lab.set(kubernetes=True)
    assert not aws.lab.settings.kubernetes
