"""What Karpenter may start: the instance types with their labels, resources and prices.

Source of the labels: karpenter.sh/docs/concepts/scheduling (well-known labels).
"""

import json
import re
from decimal import Decimal
from pathlib import Path

from lab.kube.machines import architecture, resources

PRICES = json.loads((Path(__file__).parents[1] / "data" / "prices.json").read_text())
AWS = "karpenter.k8s.aws/instance-"
DISK_GIB = 20   # of a node whose class says nothing
UNITS = {"": 1, "m": Decimal("0.001"), "Mi": 2**20}


def rows(types):
    """Of instance types as DescribeInstanceTypes tells them, by name."""
    return [row(name, info) for name, info in types.items()
            if {"x86_64", "arm64"} & set(info["ProcessorInfo"]["SupportedArchitectures"])]


def row(name, info):
    capacity, allocatable = resources(info, DISK_GIB)
    overhead = {key: str(number(capacity[key]) - number(allocatable[key]))
                for key in ("cpu", "memory", "ephemeral-storage")}
    hour = price(info)
    return {"name": name, "labels": labels(name, info), "capacity": capacity,
            "overhead": overhead, "prices": {
                kind: hour * (PRICES["spot"] if kind == "spot" else 1)
                for kind in info["SupportedUsageClasses"] if kind in ("spot", "on-demand")}}


def number(quantity):
    digits, unit = re.fullmatch(r"(\d+)(\D*)", quantity).groups()
    return int(digits) * UNITS[unit]


def price(info):
    """USD an hour, on demand."""
    memory = info["MemoryInfo"]["SizeInMiB"] / 1024
    return (PRICES["cpu"] * info["VCpuInfo"]["DefaultVCpus"] + PRICES["memory_gib"] * memory
            + sum(gpu["Count"] * price_of_gpu(gpu) for gpu in gpus(info)))


def price_of_gpu(gpu):
    memory = gpu.get("MemoryInfo", {}).get("SizeInMiB", 0) / 1024
    return PRICES["gpu"].get(gpu["Name"], PRICES["gpu_memory_gib"] * memory)


def gpus(info):
    return info.get("GpuInfo", {}).get("Gpus", [])


def labels(name, info):
    family, size = name.split(".", 1)
    category, generation = re.match(r"([a-z]+)-?(\d*)", family).groups()
    found = {"category": category, "family": family, "generation": generation, "size": size,
             "cpu": info["VCpuInfo"]["DefaultVCpus"],
             "cpu-manufacturer": info["ProcessorInfo"].get("Manufacturer", "").lower(),
             "memory": info["MemoryInfo"]["SizeInMiB"], "hypervisor": info.get("Hypervisor", ""),
             "local-nvme": info.get("InstanceStorageInfo", {}).get("TotalSizeInGB", "")}
    for gpu in gpus(info):
        found |= {"gpu-name": gpu["Name"].lower().replace(" ", "-"), "gpu-count": gpu["Count"],
                  "gpu-manufacturer": gpu["Manufacturer"].lower(),
                  "gpu-memory": gpu.get("MemoryInfo", {}).get("SizeInMiB", "")}
    return {"node.kubernetes.io/instance-type": name, "kubernetes.io/arch": architecture(info),
            "kubernetes.io/os": "linux",
            **{AWS + key: str(value) for key, value in found.items() if str(value)}}
