# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""eks_nodegroups: managed node groups with their launch templates and the nodes' role."""
from __future__ import annotations

import re

from ..engine.resource import KEY, Computed
from ..types.autoscaling import NODE_TEMPLATE, AsgTag
from ..types.ec2 import Subnet
from ..types.eks import Cluster
from ..types.eks_nodes import Nodegroup
from ..types.iam import Role, RolePolicyAttachment
from ..types.launch_template import InstanceType, LaunchTemplate
from ..types.policies import document
from .network import zone_letter
from .permissions import managed_policy, service_statement
from .placement import group

TAINT = dict(
    value=dict(type="str"),
    effect=dict(type="str", required=True,
                choices=["NO_SCHEDULE", "NO_EXECUTE", "PREFER_NO_SCHEDULE"]),
)
GROUP = dict(
    name=dict(type="str"),
    instance_types=dict(type="list", elements="str", required=True),
    capacity_type=dict(type="str", default="ON_DEMAND",
                       choices=["ON_DEMAND", "SPOT", "CAPACITY_BLOCK"]),
    ami_type=dict(type="str"),
    min_size=dict(type="int", default=1),
    max_size=dict(type="int", required=True),
    desired_size=dict(type="int"),
    subnet_tier=dict(type="str", default="private", choices=["public", "private", "isolated"]),
    availability_zones=dict(type="list", elements="str", default=[]),
    subnets=dict(type="list", elements="str", default=[]),
    disk_size=dict(type="int", default=50),
    volume_type=dict(type="str", default="gp3", choices=["gp3", "gp2", "io1", "io2"]),
    volume_iops=dict(type="int"),
    volume_throughput=dict(type="int"),
    volume_kms_key=dict(type="str"),
    http_put_response_hop_limit=dict(type="int", default=2),
    security_groups=dict(type="list", elements="str", default=[]),
    labels=dict(type="dict", default={}),
    taints=dict(type="dict", default={}),
    update_config=dict(type="dict", options=dict(
        max_unavailable=dict(type="int"),
        max_unavailable_percentage=dict(type="int"),
        update_strategy=dict(type="str", choices=["DEFAULT", "MINIMAL"]),
    )),
    node_repair=dict(type="bool", default=False),
    version=dict(type="str"),
    release_version=dict(type="str"),
    force_update=dict(type="bool", default=False),
    tags=dict(type="dict", default={}),
)
SPEC = dict(
    node_role=dict(type="str"),
    node_role_policies=dict(type="list", elements="str", default=[]),
    nodegroups=dict(type="dict", default={}),
)
NAMED = {"nodegroups": (GROUP, {"taints": TAINT})}
# https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html
NODE_POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryReadOnly",
                 "AmazonEKS_CNI_Policy")
# What AWS gives without asking, so that an option taken away is a change:
# https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html
GP3 = {"iops": 3000, "throughput": 125}
GPU = "nvidia.com/gpu"
# What a family's name says:
# https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html
NVIDIA = re.compile(r"(g|gr|p)\d(?!ad\b)")
NEURON = re.compile(r"(inf|trn)\d")
ARM = re.compile(r"a1\b|[a-z]+\d+g|g5g\b|p6e-gb")
# What nodes cannot do without, where it is part of the same run.
BEFORE_NODES = re.compile(r"eks_cluster/addon/(vpc-cni|kube-proxy)$|"
                          r"network/(route|route_table_association|vpc_endpoint)/")
EFFECTS = {"NO_SCHEDULE": "NoSchedule", "NO_EXECUTE": "NoExecute",
           "PREFER_NO_SCHEDULE": "PreferNoSchedule"}


def architecture(instance_type: str) -> tuple[str, str]:
    """(x86_64 or ARM_64, STANDARD, NVIDIA or NEURON) of an instance type, from its family."""
    family = instance_type.split(".")[0]
    kind = "NVIDIA" if NVIDIA.match(family) else "NEURON" if NEURON.match(family) else "STANDARD"
    return "ARM_64" if ARM.match(family) else "x86_64", kind


def build(options: dict, stack) -> list:
    """The node groups of a cluster, and what they share."""
    problems = [problem for name, given in options["nodegroups"].items()
                for problem in _problems(f"nodegroups.{name}", given)]
    if problems:
        raise ValueError("\n".join(problems))
    given = options["node_role"]
    role = Role(key="eks_nodegroups/role/node", role_name=stack.name("role", "eks-node"),
                path=f"/groundwork/{stack.id}/",
                trust=document([service_statement(["ec2.amazonaws.com"])]))
    own = [] if given else [role, *(RolePolicyAttachment(
        key=f"eks_nodegroups/role_policy_attachment/node-{policy.split('/')[-1]}", role=role,
        policy=managed_policy(policy, stack))
        for policy in (*NODE_POLICIES, *options["node_role_policies"]))]
    if given:
        role = given if given.startswith("arn:") else stack.use(Role, f"iam_roles/role/{given}")
    shared = {"cluster": stack.use(Cluster, "eks_cluster/cluster/main"), "node_role": role,
              "policies": own[1:] or None,
              "before": [r for k, r in stack.resources.items()
                         if BEFORE_NODES.match(k) and not r.external] or None}
    return [*own, *(resource for name, group in options["nodegroups"].items()
                    for resource in _group(name, group, stack, shared))]


def _group(name: str, given: dict, stack, shared: dict) -> list:
    """A node group, its launch template, and its tags for the cluster autoscaler."""
    ami_type = given["ami_type"] or image(given)
    full_name = given["name"] or stack.name(f"{name}-nodes")
    template = _template(name, full_name, given, stack, shared["cluster"], ami_type)
    desired, update = given["desired_size"], given["update_config"] or {}
    group = Nodegroup(
        key=f"eks_nodegroups/nodegroup/{name}", nodegroup_name=full_name,
        tags={"Name": full_name, **given["tags"]}, subnets=_subnets(given, stack),
        launch_template=template, launch_template_version=template.version(), ami_type=ami_type,
        version=given["version"] or _version(shared["cluster"]),
        desired_size=given["min_size"] if desired is None else desired,
        labels=_texts(given["labels"]), taints=[
            {"key": key, "value": taint["value"] or "", "effect": taint["effect"]}
            for key, taint in given["taints"].items()],
        **{n: update.get(n) for n in ("max_unavailable", "max_unavailable_percentage",
                                      "update_strategy")},
        **{n: given[n] for n in ("instance_types", "capacity_type", "min_size", "max_size",
                                 "node_repair", "release_version", "force_update")}, **shared)
    return [template, group, *_scale_from_zero(name, given, group)]


def _template(name: str, full_name: str, given: dict, stack, cluster, ami_type: str):
    """IMDSv2 only, an encrypted root volume, and tags on instances and volumes."""
    bottlerocket = ami_type.startswith("BOTTLEROCKET")
    windows = ami_type.startswith("WINDOWS")
    groups = [group(stack, g) for g in given["security_groups"]]
    if groups:  # with groups of its own a template must name the cluster's, too
        groups.insert(0, _of(cluster, "resourcesVpcConfig.clusterSecurityGroupId"))
    key, gp3 = given["volume_kms_key"], given["volume_type"] == "gp3"
    template = LaunchTemplate(
        key=f"eks_nodegroups/launch_template/{name}", launch_template_name=full_name,
        # Bottlerocket keeps images and containers on its second volume.
        devices=["/dev/xvda", "/dev/xvdb"] if bottlerocket else
        ["/dev/sda1"] if windows else ["/dev/xvda"],
        volume_size=given["disk_size"], volume_type=given["volume_type"], encrypted=True,
        iops=given["volume_iops"] or (GP3["iops"] if gp3 else None),
        throughput=given["volume_throughput"] or (GP3["throughput"] if gp3 else None),
        volume_kms_key=stack.kms_key(key) if key else "", http_tokens="required",
        http_put_response_hop_limit=given["http_put_response_hop_limit"],
        security_groups=groups, tags={"Name": full_name, **given["tags"]})
    tags = {**stack.tags_for("eks_nodegroups", template), **template.tags}
    template.instance_tags = _texts({k: v for k, v in tags.items() if k != KEY})
    return template


def _of(cluster, path: str):
    """A value of the cluster, be it of this graph or looked up."""
    return Computed([cluster], lambda live: cluster.identify(live, path))


def _version(cluster):
    """The Kubernetes version that the cluster is to have, else the one it has."""
    return getattr(cluster, "version", None) or _of(cluster, "version")


def _subnets(given: dict, stack) -> list:
    if given["subnets"]:
        return given["subnets"]
    prefix = f"network/subnet/{given['subnet_tier']}-"
    return [stack.use(Subnet, prefix + zone_letter(zone))
            for zone in given["availability_zones"]] or stack.use_all(Subnet, prefix)


def _texts(values: dict) -> dict:
    """Values as Kubernetes and AWS write them: true, not True."""
    return {str(k): str(v).lower() if isinstance(v, bool) else str(v) for k, v in values.items()}


def image(given: dict) -> str:
    """The image of Amazon Linux 2023 for the family of the first instance type."""
    processor, kind = architecture(given["instance_types"][0])
    return f"AL2023_{processor}_{kind}"


def _scale_from_zero(name: str, given: dict, group: Nodegroup) -> list:
    """What the autoscaler must know of nodes while there are none."""
    if given["min_size"]:
        return []
    found = {f"label/{k}": v for k, v in group.labels.items()}
    found |= {f"taint/{t['key']}": f"{t['value']}:{EFFECTS[t['effect']]}" for t in group.taints}
    found["resources/ephemeral-storage"] = f"{given['disk_size']}Gi"
    facts = []
    if architecture(given["instance_types"][0])[1] == "NVIDIA":
        facts = [InstanceType(key=f"eks_nodegroups/instance_type/{name}",
                              instance_type=given["instance_types"][0])]
        found[f"resources/{GPU}"] = Computed(facts, lambda live: str(sum(
            gpu["Count"] for gpu in live["GpuInfo"]["Gpus"])))
    return [*facts, *(AsgTag(key=f"eks_nodegroups/asg_tag/{name}-{tag.replace('/', '-')}",
                             group=group, tag_key=NODE_TEMPLATE + tag, value=value)
                      for tag, value in found.items())]


def _problems(path: str, given: dict) -> list[str]:
    """Everything that EKS would refuse and that can be known before."""
    found = []
    if given["update_config"] and given["update_config"]["max_unavailable"] and \
            given["update_config"]["max_unavailable_percentage"]:
        found.append(f"{path}.update_config: give max_unavailable or max_unavailable_percentage, "
                     "not both")
    kind = given["volume_type"]
    if given["volume_throughput"] and kind != "gp3":
        found.append(f"{path}.volume_throughput: {kind} takes none; use gp3, or leave it out")
    iops = given["volume_iops"]
    if (iops and kind == "gp2") or (not iops and kind[:2] == "io"):
        found.append(f"{path}.volume_iops: io1 and io2 need it, gp2 takes none; use gp3")
    if not given["instance_types"]:
        return [*found, f"{path}.instance_types: give at least one, such as t3.medium"]
    return found
