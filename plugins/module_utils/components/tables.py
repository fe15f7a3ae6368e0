# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Outside facts that change slowly, each with its source and the day it was read.

What AWS itself can be asked for (clients/facts.py) wins over these tables.
"""
from __future__ import annotations

# Kubernetes minor -> last days of standard and of extended support on EKS.
# https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html: 1.29 to 1.35 in copies
# of it from 2025-10 to 2026-04, 1.36 in one of 2026-08-06; found on 2026-11-21. EKS's dates of
# 1.37 (Kubernetes: 2026-08-26) were in none, so it is left to what EKS itself offers.
KUBERNETES = {
    "1.36": ("2027-08-02", "2028-08-02"),
    "1.35": ("2027-03-27", "2028-03-27"),
    "1.34": ("2026-12-02", "2027-12-02"),
    "1.33": ("2026-07-29", "2027-07-29"),
    "1.32": ("2026-03-23", "2027-03-23"),
    "1.31": ("2025-11-26", "2026-11-26"),
    "1.30": ("2025-07-23", "2026-07-23"),
    "1.29": ("2025-03-23", "2026-03-23"),
    "1.28": ("2024-11-26", "2025-11-26"),
}
# USD an hour in us-east-1: https://aws.amazon.com/eks/pricing/,
# https://aws.amazon.com/vpc/pricing/, https://aws.amazon.com/privatelink/pricing/, 2026-11-21.
CONTROL_PLANE, CONTROL_PLANE_EXTENDED = 0.10, 0.60
NAT_GATEWAY, INTERFACE_ENDPOINT = 0.045, 0.01
MONTH = 730  # hours

# Size -> (vCPU, pods) of a family, as DescribeInstanceTypes tells; pods = interfaces x (addresses
# of each - 1) + 2, before the ceiling of managed groups. Memory is vCPU x GiB of the family.
# https://docs.aws.amazon.com/eks/latest/userguide/choosing-instance-type.html, 2026-11-21.
_BURST = {"nano": (2, 4), "micro": (2, 4), "small": (2, 11), "medium": (2, 17), "large": (2, 35),
          "xlarge": (4, 58), "2xlarge": (8, 58)}
_ALL = {"large": (2, 29), "xlarge": (4, 58), "2xlarge": (8, 58), "4xlarge": (16, 234),
        "12xlarge": (48, 234)}
_ARM = {"medium": (1, 8), **_ALL, "8xlarge": (32, 234), "16xlarge": (64, 737)}
_X86 = {**_ALL, "8xlarge": (32, 234), "16xlarge": (64, 737), "24xlarge": (96, 737)}
_AMD7 = {"medium": (1, 8), **_X86}
_C5 = {**_ALL, "9xlarge": (36, 234), "18xlarge": (72, 737), "24xlarge": (96, 737)}
_G4DN = {"xlarge": (4, 29), "2xlarge": (8, 29), "4xlarge": (16, 29), "8xlarge": (32, 58),
         "12xlarge": (48, 234), "16xlarge": (64, 58)}
# The least of g5, g6 and g6e where they differ in pods.
_G = {"xlarge": (4, 58), "2xlarge": (8, 58), "4xlarge": (16, 234), "8xlarge": (32, 234),
      "12xlarge": (48, 234), "16xlarge": (64, 234), "24xlarge": (96, 737), "48xlarge": (192, 345)}
_BURST_MEMORY = {"nano": 0.5, "micro": 1, "small": 2, "medium": 4}  # GiB; above: 4 a vCPU
# Family -> (its sizes, GiB a vCPU).
FAMILIES = {
    "t3": (_BURST, 4), "t3a": ({**_BURST, "small": (2, 8)}, 4), "t4g": (_BURST, 4),
    **{f: (_X86, 4) for f in ("m5", "m5a", "m6i", "m6a", "m7i")},
    **{f: (_X86, 2) for f in ("c5a", "c6i", "c7i")}, "c5": (_C5, 2),
    **{f: (_X86, 8) for f in ("r5", "r6i", "r7i")}, "m7a": (_AMD7, 4),
    "m6g": (_ARM, 4), "m7g": (_ARM, 4), "c6g": (_ARM, 2), "c7g": (_ARM, 2),
    "r6g": (_ARM, 8), "r7g": (_ARM, 8),
    "g4dn": (_G4DN, 4), "g5": (_G, 4), "g6": (_G, 4), "g6e": (_G, 8),
}
GPUS = {"12xlarge": 4, "24xlarge": 4, "48xlarge": 8}  # of g4dn, g5, g6, g6e; else 1
# EC2 default quotas: https://docs.aws.amazon.com/general/latest/gr/ec2-service.html and
# https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html, 2026-11-21.
# Name -> (service code, quota code, default, what it is called)
QUOTAS = {
    "vpcs": ("vpc", "L-F678F1CE", 5, "VPCs per Region"),
    "nat_gateways": ("vpc", "L-FE5A380F", 5, "NAT gateways per Availability Zone"),
    "elastic_ips": ("ec2", "L-0263D0A3", 5, "EC2-VPC Elastic IPs"),
    "gpu_on_demand": ("ec2", "L-DB2E81BA", 0, "vCPUs of running On-Demand G and VT instances"),
    "gpu_spot": ("ec2", "L-3819A6DF", 0, "vCPUs of G and VT Spot Instance requests"),
}
# Interface endpoints that our products' features use, by the service's part of the name:
# https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
ENDPOINTS = (
    "autoscaling", "ec2", "ec2messages", "ecr.api", "ecr.dkr", "ecs", "ecs-agent", "ecs-telemetry",
    "eks", "eks-auth", "elasticache", "elasticfilesystem", "elasticloadbalancing", "events", "kms",
    "logs", "monitoring", "rds", "secretsmanager", "sns", "sqs", "ssm", "ssmmessages", "sts",
    "xray",
)


def size(instance_type: str) -> dict | None:
    """vCPUs, memory in GiB, pods and GPUs of an instance type; None when it is not in the table.

    Pods: the ceiling of managed node groups, 110 below 30 vCPUs and 250 from there, is applied.
    """
    name, _dot, kind = instance_type.partition(".")
    sizes, each = FAMILIES.get(name, ({}, 0))
    if kind not in sizes:
        return None
    cpus, pods = sizes[kind]
    memory = _BURST_MEMORY.get(kind) if name.startswith("t") else None
    return dict(cpus=cpus, memory=memory or cpus * each, pods=min(pods, 110 if cpus < 30 else 250),
                gpus=GPUS.get(kind, 1) if name.startswith("g") else 0)


def allocatable(instance_type: str) -> dict | None:
    """What a node of this type leaves to pods: cpus in millicores, memory in MiB, pods.

    The kubelet keeps 255 MiB + 11 MiB a pod, 100 MiB before eviction, and 6, 1, 0.5, 0.5 and then
    0.25 % of the vCPUs: https://github.com/awslabs/amazon-eks-ami (nodeadm, kubelet reserved
    resources). About 7 % of the memory is the kernel's and never seen by the kubelet.
    """
    known = size(instance_type)
    if not known:
        return None
    cpus = known["cpus"]
    shares = (60, 10, 5, 5)
    kept = sum(shares[:cpus]) + 2.5 * max(0, cpus - len(shares))
    memory = known["memory"] * 1024 * 0.93 - 255 - 11 * known["pods"] - 100
    return dict(cpus=round(cpus * 1000 - kept), memory=round(memory), pods=known["pods"])
