# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What controllers have left in the account is found by their tags, and that of others is not."""
from __future__ import annotations

from datetime import datetime, timezone

import pytest
from ansible_collections.groundwork.aws.plugins.module_utils.types import cluster_objects
from ansible_collections.groundwork.aws.plugins.module_utils.types.leavings import maker
from tests.world import World, actions

STACK = {"network": {"cidr_block": "10.0.0.0/16", "nat_gateways": "one", "gateway_endpoints": [],
                     "availability_zones": ["us-east-1a", "us-east-1b"]},
         "eks_cluster": {"addons": {}, "logging": [], "oidc_provider": False, "version": "1.34"}}
OWN, OTHER = "acme-test-eks", "acme-prod-eks"
GONE = dict(state="absent", confirm_destroy="acme-test")
DATA = "eks_cluster/ebs_volume/main:default/data"
ROLE = "acme-test-role-eks-cluster"


def rows(tags: dict) -> list:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def specification(kind: str, tags: dict) -> dict:
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": rows(tags)}]}


def owned(cluster: str) -> dict:
    return {f"kubernetes.io/cluster/{cluster}": "owned"}


class Maker:
    """What the controllers of a cluster would make; each method makes one kind."""

    def __init__(self, world: World, cluster: str):
        self.world, self.cluster = world, cluster
        self.ec2, self.elb = world.client("ec2"), world.client("elbv2")
        self.vpc = self.ec2.describe_vpcs(Filters=[
            {"Name": "tag:groundwork:stack", "Values": ["acme-test"]}])["Vpcs"][0]["VpcId"]
        found = self.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])
        self.subnets = sorted(s["SubnetId"] for s in found["Subnets"]
                              if s["AvailabilityZone"].endswith("a"))
        self.balanced = {"elbv2.k8s.aws/cluster": cluster, "ingress.k8s.aws/stack": "default/web"}

    def interface(self, description: str, tags: dict) -> str:
        more = specification("network-interface", tags) if tags else {}
        return self.ec2.create_network_interface(
            SubnetId=self.subnets[0], Description=description,
            **more)["NetworkInterface"]["NetworkInterfaceId"]

    def load_balancer(self):
        """With its groups, one of which the cluster's own lets in, and its interface."""
        group = self.group(f"k8s-traffic-{self.cluster}", self.balanced)
        target = self.elb.create_target_group(
            Name=f"k8s-{self.cluster}", Protocol="HTTP", Port=80, VpcId=self.vpc,
            Tags=rows(self.balanced))["TargetGroups"][0]["TargetGroupArn"]
        arn = self.elb.create_load_balancer(
            Name=f"k8s-{self.cluster}", Subnets=self.subnets, SecurityGroups=[group],
            Tags=rows(self.balanced))["LoadBalancers"][0]["LoadBalancerArn"]
        self.elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=[
            {"Type": "forward", "TargetGroupArn": target}])
        self.interface(f"ELB {arn.split(':loadbalancer/')[1]}", {})

    def group(self, name: str, tags: dict) -> str:
        group = self.ec2.create_security_group(GroupName=name, Description="x", VpcId=self.vpc,
                                               **specification("security-group", tags))["GroupId"]
        holder = self.ec2.create_security_group(
            GroupName=f"holder of {name}", Description="x", VpcId=self.vpc, **specification(
                "security-group", {"elbv2.k8s.aws/cluster": self.cluster}))["GroupId"]
        self.ec2.authorize_security_group_ingress(GroupId=holder, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535,
             "UserIdGroupPairs": [{"GroupId": group}]}])
        return group

    def classic_load_balancer(self):
        group = self.group(f"k8s-elb-{self.cluster}", owned(self.cluster))
        self.world.client("elb").create_load_balancer(
            LoadBalancerName=f"a{self.cluster}", Subnets=self.subnets[:1], SecurityGroups=[group],
            Listeners=[{"Protocol": "TCP", "LoadBalancerPort": 80, "InstancePort": 80}],
            Tags=rows({**owned(self.cluster), "kubernetes.io/service-name": "default/web"}))
        self.interface(f"ELB a{self.cluster}", {})

    def cni_interface(self):
        self.interface("aws-K8S-i-1", {"cluster.k8s.amazonaws.com/name": self.cluster,
                                       "node.k8s.amazonaws.com/instance_id": "i-1"})

    def ebs_volume(self):
        self.ec2.create_volume(Size=1, AvailabilityZone="us-east-1a", **specification("volume", {
            **owned(self.cluster), "CSIVolumeName": "pvc-1",
            "kubernetes.io/created-for/pvc/namespace": "default",
            "kubernetes.io/created-for/pvc/name": "data"}))

    def left_instance(self):
        tags = {**owned(self.cluster), "eks:eks-cluster-name": self.cluster,
                "karpenter.sh/nodepool": "gpu", "groundwork:stack": "acme-test"}
        image = "ami-0123456789abcdef0"
        self.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="g4dn.xlarge",
                               SubnetId=self.subnets[0], **specification("instance", tags))

    def left_launch_template(self):
        self.ec2.create_launch_template(
            LaunchTemplateName=f"karpenter.k8s.aws/{self.cluster}",
            LaunchTemplateData={"InstanceType": "g4dn.xlarge"},
            **specification("launch-template", {"eks:eks-cluster-name": self.cluster,
                                                "karpenter.k8s.aws/ec2nodeclass": "gpu"}))

    def left_instance_profile(self):
        iam, name = self.world.client("iam"), f"{self.cluster}_1234567890"
        iam.create_instance_profile(InstanceProfileName=name)
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=ROLE)


KINDS = ["load_balancer", "classic_load_balancer", "cni_interface", "ebs_volume", "left_instance",
         "left_launch_template", "left_instance_profile"]


@pytest.fixture(name="world")
def built():
    world = World()
    actions(world.run(STACK))
    return world


@pytest.mark.parametrize("there", [True, False], ids=["cluster there", "cluster gone"])
def test_left_overs_go_with_the_stack(world, there):
    """Also those of a cluster that somebody has deleted before."""
    if not there:
        world.client("eks").delete_cluster(name=OWN)
    for kind in KINDS:
        getattr(Maker(world, OWN), kind)()
    assert not world.run(STACK, check=True)["left_over"], "only a removal looks for them"
    plan = world.run(STACK, check=True, **GONE, allow_data_loss=[DATA])
    found = [c["key"].split("/")[1] for c in plan["plan"] if "/main:" in c["key"]]
    assert {kind: found.count(kind) for kind in KINDS} == dict.fromkeys(KINDS, 1)
    gone = world.run(STACK, **GONE, allow_data_loss=[DATA])
    assert not gone["failed"], gone["msg"]
    assert world.left() == set()
    assert not world.lab.violations and not world.lab.missing


def test_those_of_other_clusters_stay(world):
    """But for the profile, without which the stack's own role could not go."""
    for kind in KINDS:
        if kind != "left_instance_profile":
            getattr(Maker(world, OTHER), kind)()
    there = world.objects()
    plan = world.run(STACK, check=True, **GONE)
    assert not [c["key"] for c in plan["plan"] if "/main:" in c["key"]]
    assert world.objects() == there


def test_volumes_need_the_users_word(world):
    Maker(world, OWN).ebs_volume()
    there = world.objects()
    refused = world.run(STACK, **GONE)
    assert f"delete {DATA}: it holds data" in refused["msg"]
    assert f"allow_data_loss: [{DATA}]" in refused["msg"]
    assert world.objects() == there and not world.writes()


def test_root_volumes_and_the_groups_of_eks_are_nobodys_left_overs(world):
    ec2 = world.client("ec2")
    ec2.create_volume(Size=1, AvailabilityZone="us-east-1a",
                      **specification("volume", owned(OWN)))
    plan = world.run(STACK, check=True, **GONE)
    assert not [c["key"] for c in plan["plan"] if "/main:" in c["key"]]


def test_a_foreign_cluster_of_the_same_name_keeps_its_own(world):
    arn = world.client("eks").describe_cluster(name=OWN)["cluster"]["arn"]
    world.client("eks").tag_resource(resourceArn=arn, tags={"groundwork:stack": "somebody-else"})
    Maker(world, OWN).cni_interface()
    plan = world.run(STACK, check=True, **GONE)
    assert not [c["key"] for c in plan["plan"] if "/main:" in c["key"]]


def test_a_cluster_that_cannot_be_asked_is_told(world):
    """Nothing answers behind an emulated cluster without a control plane."""
    warnings = world.run(STACK, check=True, **GONE)["warnings"]
    assert [w for w in warnings if w.startswith(f"EKS cluster {OWN} cannot be asked")]


@pytest.mark.parametrize(("tags", "cluster"), [
    ({"elbv2.k8s.aws/cluster": "a"}, "a"), ({"elbv2.k8s.aws/cluster": "b"}, None),
    ({"kubernetes.io/cluster/a": "owned"}, "a"), ({"kubernetes.io/cluster/a": "shared"}, None),
    ({"eks:eks-cluster-name": "a", "groundwork:stack": "x"}, "a"),
    ({"kubernetes.io/cluster/a": "owned", "aws:eks:cluster-name": "a"}, None),
    ({"kubernetes.io/cluster/a": "owned", "groundwork:key": "network/subnet/a"}, None), ({}, None)])
def test_whose_something_is(tags, cluster):
    assert maker(tags, ["a"]) == cluster


@pytest.mark.parametrize(("begun", "late"), [
    (None, False), ("2026-01-01T11:59:00Z", False), ("2026-01-01T11:49:59Z", True)])
def test_nobody_waits_for_ever(begun, late):
    now = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
    meta = {"deletionTimestamp": begun} if begun else {}
    assert cluster_objects.overdue(meta, now) is late


def test_claims_of_a_pod():
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
               {"name": "scratch", "ephemeral": {}}, {"name": "conf", "configMap": {}}]
    pod = {"metadata": {"namespace": "ml", "name": "api-0"}, "spec": {"volumes": volumes}}
    assert cluster_objects.mounted(pod) == {"ml/data", "ml/api-0-scratch"}


@pytest.mark.parametrize(("spec", "volume"), [
    ({"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1"}}, "vol-1"),
    ({"csi": {"driver": "efs.csi.aws.com", "volumeHandle": "fs-1"}}, ""),
    ({"awsElasticBlockStore": {"volumeID": "aws://us-east-1a/vol-1"}}, "vol-1"), ({"nfs": {}}, "")])
def test_the_volume_of_a_persistent_volume(spec, volume):
    assert cluster_objects.handle(spec) == volume


@pytest.mark.parametrize(("meta", "conditions", "told"), [
    ({}, [{"type": "Drained", "status": "False", "message": "1 pod"}], ""),
    ({"finalizers": ["karpenter.sh/termination"], "deletionTimestamp": "2026-01-01T00:00:00Z"},
     [{"type": "Drained", "status": "Unknown", "message": "1 pod"},
      {"type": "Launched", "status": "True"}],
     "kept by finalizer karpenter.sh/termination of karpenter; Drained: 1 pod"),
    ({"finalizers": ["example.com/held"]}, [], "kept by finalizer example.com/held")])
def test_what_something_waits_for(meta, conditions, told):
    item = {"metadata": meta, "status": {"conditions": conditions}}
    assert cluster_objects.kept_by(item) == told
