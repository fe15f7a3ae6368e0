# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules about node groups: sizes, instance types, GPUs, and room for what is to run on them."""
from __future__ import annotations

import re

from ..types.eks import minor
from ..types.eks_nodes import ami_types
from . import tables
from .eks_nodegroups import GPU, architecture, image
from .findings import ERROR, WARNING, View, nearest, rule

RULES: list = []
# Pods of EKS's own: on each node aws-node, kube-proxy, ebs-csi-node, eks-pod-identity-agent; in
# the cluster coredns (100m, 70Mi) and ebs-csi-controller (six containers of 10m, 40Mi), two each.
PODS_PER_NODE, PER_CLUSTER = 4, dict(cpus=320, memory=620, pods=4)
# Their requests on each node: aws-node 50m, kube-proxy 100m, ebs-csi-node 30m and 120Mi.
NODE_MILLICORES, NODE_MEMORY = 180, 120
UNITS = {"Ki": 1 / 1024, "Mi": 1, "Gi": 1024, "Ti": 1024 ** 2, "K": 1e3 / 2 ** 20,
         "M": 1e6 / 2 ** 20, "G": 1e9 / 2 ** 20, "": 1 / 2 ** 20}


def groups(see: View) -> list[tuple[str, str, dict, list]]:
    """(path, name, options, zones) of all node groups."""
    return [(path, name, group, group.get("availability_zones") or see.zones)
            for path, name, group in see.each("eks_nodegroups", "nodegroups")]


def types(group: dict) -> list[str]:
    """The instance types of a group."""
    return list(group.get("instance_types") or ())


def is_spot(group: dict) -> bool:
    """Whether a group asks for Spot capacity."""
    return str(group.get("capacity_type") or "").upper() == "SPOT"


def gpu(instance_type: str) -> bool:
    """Whether an instance type has NVIDIA GPUs."""
    return architecture(instance_type)[1] == "NVIDIA"


@rule(RULES, "nodegroup-size", ERROR, "keep min_size <= desired_size <= max_size")
def sizes(see: View):
    """Sizes of a node group that contradict each other"""
    for path, _name, group, _zones in groups(see):
        low, wanted, high = (group.get(n) for n in ("min_size", "desired_size", "max_size"))
        if low is not None and high is not None and low > high:
            yield f"{path}.min_size", f"{low} is more than max_size {high}"
        elif wanted is not None and high is not None and wanted > high:
            yield f"{path}.desired_size", f"{wanted} is more than max_size {high}"
        elif wanted is not None and low is not None and wanted < low:
            yield f"{path}.desired_size", f"{wanted} is less than min_size {low}"
        if high is not None and high < 1:
            yield f"{path}.max_size", f"{high} is less than 1"


@rule(RULES, "instance-type-unknown", ERROR, "write family.size, such as m5.large")
def type_unknown(see: View):
    """An instance type that is none, or a size that its family does not have"""
    for path, _name, group, _zones in groups(see):
        for kind in types(group):
            family, _dot, size = kind.partition(".")
            known = tables.FAMILIES.get(family, ({}, 0))[0]
            if not re.fullmatch(r"[a-z][a-z0-9-]*\.[a-z0-9-]+", kind):
                yield f"{path}.instance_types", f"{kind} is not an instance type"
            elif known and size not in known and not size.startswith("metal") \
                    and not re.fullmatch(r"\d{2,}xlarge", size):
                yield (f"{path}.instance_types", f"{family} has no size {size}",
                       nearest(kind, [f"{family}.{s}" for s in known]))


@rule(RULES, "gpu-type", ERROR, "use a type with NVIDIA GPUs such as g4dn.xlarge", decision=2)
def gpu_type(see: View):
    """A GPU group with an instance type without a GPU"""
    for path, name, group, _zones in groups(see):
        signs = gpu_signs(name, group)
        for kind in types(group):
            if signs and not gpu(kind):
                yield (f"{path}.instance_types", f"{kind} has no NVIDIA GPU, the group has "
                       f"{' and '.join(signs)}")


def gpu_signs(name: str, group: dict) -> list[str]:
    """What says that a group is for GPU work."""
    ami = str(group.get("ami_type") or "")
    found = [f"ami_type {ami}"] if "NVIDIA" in ami or ami.endswith("_GPU") else []
    found += ["the taint nvidia.com/gpu"] if GPU in (group.get("taints") or {}) else []
    found += ["the label nvidia.com/gpu"] if GPU in (group.get("labels") or {}) else []
    return found or (["the name gpu"] if re.search(r"(^|[-_])gpu([-_]|$)", name) else [])


@rule(RULES, "gpu-ami", ERROR, "use AL2023_x86_64_NVIDIA or BOTTLEROCKET_x86_64_NVIDIA, or leave "
      "ami_type out", decision=2)
def gpu_ami(see: View):
    """GPU instance types with an AMI without NVIDIA's driver"""
    for path, _name, group, _zones in groups(see):
        ami = str(group.get("ami_type") or "")
        kinds = [kind for kind in types(group) if gpu(kind)]
        plain = ami in ami_types() and ami != "CUSTOM" and not re.search("NVIDIA|_GPU$", ami)
        if plain and kinds:
            yield f"{path}.ami_type", f"{ami} has no driver for the GPU of {kinds[0]}"


@rule(RULES, "gpu-mixed", ERROR, "make two groups")
def gpu_mixed(see: View):
    """Instance types with and without GPUs, or with accelerators of two kinds, in one group"""
    for path, name, group, _zones in groups(see):
        kinds = {kind: architecture(kind)[1] for kind in types(group)}
        if len({*kinds.values()}) > 1 and not gpu_signs(name, group):
            special = [f"{kind} ({which})" for kind, which in kinds.items() if which != "STANDARD"]
            yield (f"{path}.instance_types",
                   f"only {', '.join(special)} need an image of their own")


@rule(RULES, "gpu-taint", WARNING, "add the taint nvidia.com/gpu=true:NoSchedule")
def gpu_taint(see: View):
    """GPU nodes without a taint, which other pods fill"""
    for path, _name, group, _zones in groups(see):
        if any(map(gpu, types(group))) and not group.get("taints"):
            yield f"{path}.taints", "pods without GPU work may fill these nodes"


@rule(RULES, "ami-unknown", ERROR, "leave ami_type out")
def ami_unknown(see: View):
    """An AMI type that EKS does not know, or one that needs an image of one's own"""
    for path, _name, group, _zones in groups(see):
        ami = str(group.get("ami_type") or "")
        instead = f"use {image(group)}, or leave it out" if types(group) else "leave it out"
        if ami == "CUSTOM":
            yield (f"{path}.ami_type", "CUSTOM needs an image id in the launch template, which "
                   "eks_nodegroups does not write", instead)
        elif ami and ami not in ami_types():
            yield f"{path}.ami_type", f"EKS knows no {ami}", instead


@rule(RULES, "ami-ended", ERROR, "use AL2023", decision=2)
def ami_ended(see: View):
    """An AMI of Amazon Linux 2, which EKS no longer makes"""
    for path, _name, group, _zones in groups(see):
        ami = str(group.get("ami_type") or "")
        if re.match(r"AL2_", ami):
            arch = "ARM_64" if "ARM" in ami else "x86_64"
            kind = "NVIDIA" if any(map(gpu, types(group))) else "STANDARD"
            yield (f"{path}.ami_type", f"{ami} is Amazon Linux 2, of which there are no AMIs after "
                   "Kubernetes 1.32", f"use AL2023_{arch}_{kind}, or leave it out")


@rule(RULES, "ami-architecture", ERROR, "match the AMI with the processors")
def ami_architecture(see: View):
    """An AMI, or other instance types of the group, for another processor"""
    for path, _name, group, _zones in groups(see):
        arm = {kind: architecture(kind)[0] == "ARM_64" for kind in types(group)}
        ami = str(group.get("ami_type") or "")
        if len({*arm.values()}) > 1:
            yield (f"{path}.instance_types", "Arm and x86 types in one group: "
                   f"{', '.join(k for k, a in arm.items() if a)} are Arm", "make two groups")
        elif ami in ami_types() and arm and ami != "CUSTOM" and ("ARM" in ami) != any(arm.values()):
            yield f"{path}.ami_type", f"{ami} does not run on {', '.join(arm)}"


@rule(RULES, "nodegroup-version", ERROR, "leave version out: nodes follow the cluster", decision=1)
def node_version(see: View):
    """Nodes of a newer Kubernetes version than the cluster's, or more than three minors older"""
    cluster = minor(see.part("eks_cluster").get("version"))
    for path, _name, group, _zones in groups(see):
        nodes = minor(group.get("version"))
        if nodes and cluster and not cluster[1] - 3 <= nodes[1] <= cluster[1]:
            yield (f"{path}.version", f"nodes of {group['version']} do not work with a cluster of "
                   f"{see.part('eks_cluster')['version']}")


@rule(RULES, "spot-single-type", WARNING, "name three or more types of the same size")
def spot_single(see: View):
    """Spot capacity of one instance type, which one shortage ends"""
    for path, _name, group, _zones in groups(see):
        if is_spot(group) and len(types(group)) == 1:
            yield f"{path}.instance_types", f"Spot capacity of {types(group)[0]} alone"


@rule(RULES, "system-spot", WARNING, "use ON_DEMAND for one group without taints")
def system_spot(see: View):
    """A production cluster whose only groups without taints are Spot"""
    free = [group for _path, _name, group, _zones in groups(see) if not group.get("taints")]
    if getattr(see.stack, "production", False) and free and all(map(is_spot, free)):
        yield ("eks_nodegroups.nodegroups", "all groups for DNS and controllers are Spot, and one "
               "shortage takes them along")


@rule(RULES, "no-room-for-system", WARNING, "leave one group without taints, min_size 1 or more")
def untainted(see: View):
    """No node for DNS and controllers: all groups are tainted or may be empty"""
    all_groups = groups(see)
    free = [g for _p, _n, g, _z in all_groups if not g.get("taints")]
    if all_groups and not any((g.get("min_size") or 0) > 0 or (g.get("desired_size") or 0) > 0
                              for g in free):
        yield ("eks_nodegroups.nodegroups", "no group without taints has a node at its least; "
               "coredns would have no place")


def quantity(text, memory: bool = False) -> float:
    """A Kubernetes quantity in millicores, or in MiB."""
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)(m|[KMGT]i?|)", str(text).strip())
    if not match:
        return 0
    if memory:
        return float(match[1]) * UNITS.get(match[2], 0)
    return float(match[1]) * (1 if match[2] == "m" else 1000)


def needs(pods: list[dict]) -> dict:
    """Sums of pods: cpus in millicores, memory in MiB, number of pods."""
    count = [p.get("replicas") or 1 for p in pods]
    return dict(cpus=sum(n * quantity(p.get("cpu") or 0) for n, p in zip(count, pods)),
                memory=sum(n * quantity(p.get("memory") or 0, True) for n, p in zip(count, pods)),
                pods=sum(count))


def smallest(group: dict) -> dict | None:
    """What a node of the group leaves to pods at the least, beside those of EKS on each node."""
    rooms = [tables.allocatable(kind) for kind in types(group)]
    if not rooms or None in rooms:
        return None
    least = {name: min(room[name] for room in rooms) for name in rooms[0]}
    return dict(cpus=least["cpus"] - NODE_MILLICORES, memory=least["memory"] - NODE_MEMORY,
                pods=least["pods"] - PODS_PER_NODE)


def shown(name: str, value: float) -> str:
    """An amount as people write it."""
    return {"cpus": f"{value / 1000:.1f} vCPU", "memory": f"{value / 1024:.1f} GiB",
            "pods": f"{value:.0f} pods"}[name]


@rule(RULES, "node-capacity", ERROR, "use larger or more nodes", decision=16)
def capacity(see: View):
    """Pods whose requests, or number, do not fit on the nodes of their group at its most"""
    for path, name, group, _zones in groups(see):
        pods = [p or {} for p in see.part("capacity", "pods").values()
                if (p or {}).get("nodegroup") == name]
        room, most = smallest(group), group.get("max_size") or group.get("min_size") or 1
        if not pods or not room:
            continue
        wanted = needs(pods)
        if not group.get("taints"):
            wanted = {name: wanted[name] + PER_CLUSTER[name] for name in wanted}
        short = [f"{shown(n, wanted[n])} wanted, {shown(n, room[n] * most)} there"
                 for n in room if wanted[n] > room[n] * most]
        single = [n for n in ("cpus", "memory") for p in pods
                  if needs([dict(p, replicas=1)])[n] > room[n]]
        if short:
            yield path, f"up to {most} x {', '.join(types(group))}: {'; '.join(short)}"
        elif single:
            yield path, f"a pod wants more {' and '.join(dict.fromkeys(single))} than a node has"


@rule(RULES, "capacity-nodegroup", ERROR, "name a node group of the stack")
def capacity_group(see: View):
    """Pods of `capacity` for a node group that the stack does not have"""
    known = [name for _path, name, _group, _zones in groups(see)]
    for name, pod in see.part("capacity", "pods").items():
        group = (pod or {}).get("nodegroup")
        if known and group and group not in known:
            yield (f"capacity.pods.{name}.nodegroup", f"there is no node group {group}",
                   nearest(group, known))


@rule(RULES, "gpu-quota-sum", WARNING, "raise the limit of the pools, or lower the quotas",
      decision=6)
def gpu_quota_sum(see: View):
    """Namespaces' GPU quotas that add up to more than the pools, or groups, can give"""
    capacities = see.part("capacity")
    quotas, limit = capacities.get("gpu_quotas") or {}, capacities.get("gpu_limit")
    if limit is None:
        limit = sum(max(s["gpus"] for s in kinds if s) * (group.get("max_size") or 0)
                    for _path, _name, group, _zones in groups(see)
                    if any(kinds := [tables.size(k) for k in types(group) if gpu(k)]))
    total = sum(int(n) for n in quotas.values())
    if quotas and total > limit:
        yield ("capacity.gpu_quotas", f"{' + '.join(f'{k} {n}' for k, n in quotas.items())} = "
               f"{total} GPUs, the pools stop at {limit}")
