# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What controllers in a cluster make in the account, and leave there when they cannot clean up.

Only a removal looks for it, by the tags that the controllers themselves set with the name of the
stack's own cluster, be it still there or not.
"""
from __future__ import annotations

import re

from ..engine.plan import kind_of
from ..engine.resource import KEY, OWNER, attr, create_only, search
from .declared import Declared
from .ec2 import Ec2, InternetGatewayAttachment, SecurityGroup, Subnet, Vpc
from .eks import Cluster
from .iam import Role

MAIN = "eks_cluster/cluster/main"
# https://github.com/kubernetes-sigs/aws-load-balancer-controller: pkg/deploy/tracking/provider.go
BALANCERS = "elbv2.k8s.aws/cluster"
# https://github.com/aws/karpenter-provider-aws: pkg/utils/utils.go, pkg/apis/v1/labels.go
KARPENTER = "eks:eks-cluster-name"
# https://github.com/aws/amazon-vpc-cni-k8s: README, CLUSTER_NAME and the tags of interfaces
INTERFACES = "cluster.k8s.amazonaws.com/name"
NODE = "node.k8s.amazonaws.com/instance_id"
# The same two, the EBS CSI driver and cloud-provider-aws: this prefix and the cluster's name
PREFIX, EKS_OWN = "kubernetes.io/cluster/", "aws:eks:cluster-name"
CLAIM = "kubernetes.io/created-for/pvc/"
TAGS_A_CALL = 20  # resources: API_DescribeTags of both versions of Elastic Load Balancing


def clusters(scan) -> dict[str, str]:
    """Name -> key of each cluster that is, or was, the stack's own; none where nothing goes."""
    if not scan.removing:
        return {}
    listing = scan.of(Cluster)
    there = {c["name"]: Cluster.tags_of(c) for c in [*listing.items, *listing.leaving.items]}
    names = {*scan.named(Cluster), *there} or {f"{scan.owner}-eks"}
    return {name: there.get(name, {}).get(KEY, MAIN) for name in sorted(names)
            if there.get(name, {OWNER: scan.owner}).get(OWNER) == scan.owner}


def key_of(cls, cluster: str, name: str) -> str:
    """The key of something of the cluster with this key."""
    component, _type, label = cluster.split("/")
    return f"{component}/{kind_of(cls)}/{label}:{name}"


def plain(tags) -> dict:
    """[{"Key": k, "Value": v}] as a dictionary."""
    return {tag["Key"]: tag["Value"] for tag in tags or ()}


def maker(tags: dict, known) -> str | None:
    """The cluster that made what has these tags. A key says that a stack itself has made it."""
    if KEY in tags or EKS_OWN in tags:
        return None
    named = {tags.get(t) for t in (BALANCERS, KARPENTER, INTERFACES)}
    return next((n for n in known if n in named or tags.get(PREFIX + n) == "owned"), None)


def own_vpcs(scan) -> list[dict]:
    """The networks that the stack has made."""
    return [vpc for vpc in scan.of(Vpc).items if Vpc.tags_of(vpc).get(OWNER) == scan.owner]


class Left:
    """How these are found: by tags, not by those of a stack."""

    tags = "Tags"  # in the listing

    @classmethod
    def tags_of(cls, live):
        """The tags that the engine knows the stack's own objects by."""
        return live.get("owned", {})

    @classmethod
    def fetch(cls, scan):
        """What the stack's clusters have made, and have not removed."""
        known = clusters(scan)
        return [cls.owned(scan, known, maker(plain(item.get(cls.tags)), known), item)
                for item in (cls.tagged(scan, known) if known else ())
                if maker(plain(item.get(cls.tags)), known) and cls.counts(item)]

    @classmethod
    def counts(cls, item: dict) -> bool:
        """Whether an object with the tags is one that stays."""
        return True

    @classmethod
    def owned(cls, scan, known: dict, cluster: str, item: dict) -> dict:
        """The item as the stack's own."""
        key = key_of(cls, known[cluster], cls.label(item))
        return {**item, "cluster": cluster, "owned": {OWNER: scan.owner, KEY: key}}

    @classmethod
    def label(cls, item: dict) -> str:
        """What people know it by."""
        return search(cls.ref, item)


class LeftEc2(Left, Ec2):
    """An EC2 object; one listing by the keys of tags."""

    cluster: Cluster = create_only("cluster")

    tags_path, by = "", ()  # further keys of tags

    @classmethod
    def tagged(cls, scan, known):
        """Everything with a tag that may tell one of the clusters."""
        keys = [*cls.by, *(PREFIX + name for name in known)]
        return scan.api.pages("ec2", *cls.reads, Filters=[{"Name": "tag-key", "Values": keys}])


class LeftSecurityGroup(LeftEc2):
    """A security group of load balancers; those of EKS itself go with the cluster."""

    vpc: Vpc = create_only("VpcId")
    group_name: str = create_only("GroupName")

    ref, by, holder = "GroupId", (BALANCERS,), "group-id"
    reads, deletes = ("describe_security_groups", "SecurityGroups"), \
        ("delete_security_group", "GroupId")

    @classmethod
    def counts(cls, item):
        """cloud-provider-aws, pkg/providers/v1/aws.go, names those of Classic Load Balancers so.
        """
        return BALANCERS in plain(item["Tags"]) or item["GroupName"].startswith("k8s-elb-")

    @classmethod
    def label(cls, item):
        return item["GroupName"]


class LeftGroupRule(Left, Declared):
    """A rule that lets such a group in to another one, and keeps it from being deleted."""

    cluster: Cluster = create_only("cluster")
    group: SecurityGroup = create_only("GroupId")
    source: LeftSecurityGroup = create_only("ReferencedGroupInfo.GroupId")

    service, ref = "ec2", "SecurityGroupRuleId"

    @classmethod
    def fetch(cls, scan):
        """Those of all groups that let one of them in."""
        made = {g["GroupId"]: g["cluster"] for g in scan.of(LeftSecurityGroup).items}
        holders = made and scan.api.pages(
            "ec2", "describe_security_groups", "SecurityGroups[].GroupId",
            Filters=[{"Name": "ip-permission.group-id", "Values": sorted(made)}])
        rules = holders and scan.api.pages(
            "ec2", "describe_security_group_rules", "SecurityGroupRules", MaxResults=1000,
            Filters=[{"Name": "group-id", "Values": sorted(holders)}])
        found = [(made.get(search("ReferencedGroupInfo.GroupId", r)), r) for r in rules or ()]
        return [cls.owned(scan, clusters(scan), cluster, r) for cluster, r in found
                if cluster and not r["IsEgress"]]

    def delete(self, api, live):
        api.ec2.revoke_security_group_ingress(
            GroupId=live["GroupId"], SecurityGroupRuleIds=[live["SecurityGroupRuleId"]])


class TargetGroup(Left, Declared):
    """A target group of a load balancer."""

    cluster: Cluster = create_only("cluster")
    vpc: Vpc = create_only("VpcId")

    service, ref = "elbv2", "TargetGroupArn"
    reads = ("describe_target_groups", "TargetGroups")
    deletes = ("delete_target_group", "TargetGroupArn")

    @classmethod
    def tagged(cls, scan, known):
        """All, with their tags."""
        return with_tags(scan.api, "elbv2", scan.api.pages(cls.service, *cls.reads), cls.ref,
                         "ResourceArns", "ResourceArn")

    @classmethod
    def label(cls, item):
        return item["TargetGroupName"]


def with_tags(api, service: str, items: list, ref: str, asked: str, told: str) -> list[dict]:
    """The items with their tags, which an API tells of a few at a time."""
    ids = [item[ref] for item in items]
    batches = [ids[start:start + TAGS_A_CALL] for start in range(0, len(ids), TAGS_A_CALL)]
    rows = [row for found in api.map(
        lambda batch: getattr(api, service).describe_tags(**{asked: batch})["TagDescriptions"],
        batches) for row in found]
    tags = {row[told]: row["Tags"] for row in rows}
    return [{**item, "Tags": tags.get(item[ref], [])} for item in items]


class Balancing(Left):
    """A load balancer is gone when AWS has taken its network interfaces out of the subnets."""

    asked = told = ""  # parameters of DescribeTags

    @classmethod
    def tagged(cls, scan, known):
        """All of the region with their tags and names in descriptions; then those that are no
        more and have left interfaces in the stack's own networks."""
        items = scan.api.pages(cls.service, *cls.reads)
        items = [{**item, "tail": cls.tail(item)} for item in with_tags(
            scan.api, cls.service, items, cls.there, cls.asked, cls.told)]
        lingering, name = cls.interfaces(scan), next(iter(known))
        for tail in lingering.keys() - {item["tail"] for item in items}:
            items.append({"tail": tail, "Tags": [{"Key": BALANCERS, "Value": name}],
                          "waits": f"AWS has not removed {', '.join(lingering[tail])} of it"})
        return items

    @classmethod
    def interfaces(cls, scan) -> dict[str, list]:
        """Name in the description -> network interfaces.
        https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-getting-started.html
        """
        vpcs, found = [vpc["VpcId"] for vpc in own_vpcs(scan)], {}
        filters = [{"Name": "vpc-id", "Values": vpcs}, {"Name": "description", "Values": ["ELB *"]}]
        for item in vpcs and scan.api.pages("ec2", "describe_network_interfaces",
                                            "NetworkInterfaces", Filters=filters):
            tail = item["Description"].removeprefix("ELB ")
            if ("/" in tail) == ("/" in cls.form):
                found.setdefault(tail, []).append(item["NetworkInterfaceId"])
        return found

    @classmethod
    def label(cls, item):
        return item["tail"].split("/")[1 if "/" in item["tail"] else 0]


class LoadBalancer(Balancing, Declared):
    """An Application or Network Load Balancer."""

    cluster: Cluster = create_only("cluster")
    groups: list[LeftSecurityGroup | SecurityGroup] = create_only("SecurityGroups")
    targets: list[TargetGroup] = attr()  # which its listeners use
    subnets: list[Subnet] = attr()
    internet: InternetGatewayAttachment = attr()  # its addresses keep it

    service, ref, there, form = "elbv2", "tail", "LoadBalancerArn", "app/name/id"
    reads, asked, told = ("describe_load_balancers", "LoadBalancers"), "ResourceArns", "ResourceArn"
    leaving, reason, seconds = "!LoadBalancerArn", "waits", {"delete": 60}

    @staticmethod
    def tail(item: dict) -> str:
        """app/name/id"""
        return item["LoadBalancerArn"].split(":loadbalancer/")[1]

    def delete(self, api, live):
        api.elbv2.delete_load_balancer(LoadBalancerArn=live["LoadBalancerArn"])


class ClassicLoadBalancer(Balancing, Declared):
    """What EKS makes of a Service that no controller of the cluster takes."""

    cluster: Cluster = create_only("cluster")
    groups: list[LeftSecurityGroup | SecurityGroup] = create_only("SecurityGroups")
    subnets: list[Subnet] = attr()
    internet: InternetGatewayAttachment = attr()

    service, ref, there, form = "elb", "tail", "LoadBalancerName", "name"
    reads = ("describe_load_balancers", "LoadBalancerDescriptions")
    asked, told = "LoadBalancerNames", "LoadBalancerName"
    leaving, reason, seconds = "!LoadBalancerName", "waits", {"delete": 60}

    @staticmethod
    def tail(item: dict) -> str:
        """The name."""
        return item["LoadBalancerName"]

    def delete(self, api, live):
        api.elb.delete_load_balancer(LoadBalancerName=live["LoadBalancerName"])


class CniInterface(LeftEc2):
    """A network interface of pods, whose node went before the VPC CNI had deleted it."""

    subnet: Subnet = create_only("SubnetId")
    groups: list[SecurityGroup] = create_only("Groups[].GroupId")

    ref, by, tags = "NetworkInterfaceId", (INTERFACES, NODE), "TagSet"
    reads = ("describe_network_interfaces", "NetworkInterfaces[?Status=='available']")
    deletes = ("delete_network_interface", "NetworkInterfaceId")

    @classmethod
    def tagged(cls, scan, known):
        """A CNI that does not know its cluster's name has no other one in the stack's network."""
        found, own = list(super().tagged(scan, known)), {v["VpcId"] for v in own_vpcs(scan)}
        named = {"Key": INTERFACES, "Value": next(iter(known))}
        return [item if item["VpcId"] not in own or INTERFACES in plain(item["TagSet"])
                else {**item, "TagSet": [*item["TagSet"], named]} for item in found]


class EbsVolume(LeftEc2):
    """A volume of a PersistentVolumeClaim, whatever its reclaim policy says. The key tells the
    claim, so one word is enough for all that it has ever held."""

    size: int = create_only("Size")
    zone: str = create_only("AvailabilityZone")

    ref, stateful = "VolumeId", True
    reads, deletes = ("describe_volumes", "Volumes"), ("delete_volume", "VolumeId")
    leaving, gone = "State=='deleting'", "State=='deleted'"

    @classmethod
    def counts(cls, item):
        """Root volumes of nodes have tags of the cluster, too.
        https://github.com/kubernetes-sigs/aws-ebs-csi-driver: docs/tagging.md"""
        return bool({CLAIM + "name", "CSIVolumeName"} & plain(item["Tags"]).keys())

    @classmethod
    def label(cls, item):
        tags = plain(item["Tags"])
        claim = [tags.get(CLAIM + part) for part in ("namespace", "name")]
        return "/".join(claim) if all(claim) else item["VolumeId"]


class LeftLaunchTemplate(LeftEc2):
    """What Karpenter has launched instances with."""

    ref, by = "LaunchTemplateId", (KARPENTER,)
    reads = ("describe_launch_templates", "LaunchTemplates")
    deletes = ("delete_launch_template", "LaunchTemplateId")

    @classmethod
    def counts(cls, item):
        return "karpenter.k8s.aws/ec2nodeclass" in plain(item["Tags"])

    @classmethod
    def label(cls, item):
        return item["LaunchTemplateName"]


class LeftInstanceProfile(Left, Declared):
    """What Karpenter has made for the role of an EC2NodeClass, which cannot go before it."""

    cluster: Cluster = create_only("cluster")
    role: Role = create_only("RoleName")

    service, ref = "iam", "InstanceProfileName"

    @classmethod
    def fetch(cls, scan):
        """Those of the stack's roles, as karpenter-provider-aws, pkg/apis/v1/ec2nodeclass.go,
        names them; no call."""
        known = clusters(scan)
        held = [(p["InstanceProfileName"], role["RoleName"])
                for role in (scan.of(Role).items if known else ())
                for p in role.get("InstanceProfileList", ())]
        return [cls.owned(scan, known, cluster, {"InstanceProfileName": name, "RoleName": role})
                for name, role in held for cluster in known
                if re.fullmatch(re.escape(cluster) + r"_\d+", name)]

    def delete(self, api, live):
        name = {"InstanceProfileName": live["InstanceProfileName"]}
        api.iam.remove_role_from_instance_profile(**name, RoleName=live["RoleName"])
        api.iam.delete_instance_profile(**name)


class LeftInstance(LeftEc2):
    """A node that Karpenter has started; those of node groups go with their groups."""

    instance_type: str = create_only("InstanceType")
    subnet: Subnet = create_only("SubnetId")
    groups: list[SecurityGroup] = create_only("SecurityGroups[].GroupId")
    profile: LeftInstanceProfile = attr()
    template: LeftLaunchTemplate = attr()

    ref, by, seconds = "InstanceId", (KARPENTER,), {"delete": 60}
    reads = ("describe_instances", "Reservations[].Instances[]")
    leaving, gone = "State.Name=='shutting-down'", "State.Name=='terminated'"

    @classmethod
    def counts(cls, item):
        """https://karpenter.sh/docs/concepts/nodeclasses/#spectags"""
        return "karpenter.sh/nodepool" in plain(item["Tags"])

    def delete(self, api, live):
        api.ec2.terminate_instances(InstanceIds=[live["InstanceId"]])
