"""Node objects as EKS's instances register them: capacity, labels, taints, addresses.

Sources: awslabs/amazon-eks-ami, nodeadm (kubelet: reserved memory and CPU, eviction thresholds)
and eni-max-pods.txt; userguide/choosing-instance-type.html (pods of managed groups);
karpenter.sh/docs/reference/settings (VM_MEMORY_OVERHEAD_PERCENT);
userguide/managed-node-update-behavior.html (labels).
"""

import hashlib
from dataclasses import dataclass, field

from lab.kube.parts import MANAGED

MIB, GIB = 2**20, 2**30
MEMORY_OVERHEAD = 0.075          # of the listed memory, kept by hypervisor and kernel
EVICTION_MEMORY_MIB = 100        # memory.available
EVICTION_DISK = 0.10             # nodefs.available
RESERVED_DISK_GIB = 1
# Reserved millicores: of the first core, the second, the next two, each further one.
RESERVED_CPU = ((1, 60), (1, 10), (2, 5), (float("inf"), 2.5))
EFFECTS = {"NO_SCHEDULE": "NoSchedule", "NO_EXECUTE": "NoExecute",
           "PREFER_NO_SCHEDULE": "PreferNoSchedule"}


@dataclass
class Machine:
    """One instance. `info` is its type as DescribeInstanceTypes tells it."""

    instance_id: str
    address: str
    zone: str
    zone_id: str
    type: str
    info: dict
    image: str
    kubelet: str                 # version
    capacity_type: str = "ON_DEMAND"
    disk_gib: int = 20
    labels: dict = field(default_factory=dict)
    taints: list = field(default_factory=list)
    interface: str = ""
    managed: bool = True         # by a node group of EKS
    old: bool = False            # an update replaces it

    @property
    def region(self):
        return self.zone.rstrip("abcdef")

    @property
    def name(self):
        domain = "ec2" if self.region == "us-east-1" else f"{self.region}.compute"
        return f"ip-{self.address.replace('.', '-')}.{domain}.internal"


def max_pods(info):
    """By addresses of network interfaces, two pods with the host's; limited in managed groups."""
    network, cores = info["NetworkInfo"], info["VCpuInfo"]["DefaultVCpus"]
    found = network["MaximumNetworkInterfaces"] * (network["Ipv4AddressesPerInterface"] - 1) + 2
    return min(found, 110 if cores < 30 else 250)


def reserved_cpu(cores):
    """Millicores that kubelet and system keep."""
    total, left = 0, cores
    for count, each in RESERVED_CPU:
        taken = min(left, count)
        total, left = total + taken * each, left - taken
    return int(total)


def resources(info, disk_gib):
    """(capacity, allocatable) of an instance type with a root disk of that size."""
    pods, cores = max_pods(info), info["VCpuInfo"]["DefaultVCpus"]
    memory = int(info["MemoryInfo"]["SizeInMiB"] * (1 - MEMORY_OVERHEAD))
    free = memory - (255 + 11 * pods) - EVICTION_MEMORY_MIB
    disk = disk_gib * GIB
    free_disk = int(disk * (1 - EVICTION_DISK)) - RESERVED_DISK_GIB * GIB
    both = {"pods": str(pods), "hugepages-1Gi": "0", "hugepages-2Mi": "0", **devices(info)}
    return ({"cpu": str(cores), "memory": f"{memory}Mi", "ephemeral-storage": str(disk), **both},
            {"cpu": f"{cores * 1000 - reserved_cpu(cores)}m", "memory": f"{free}Mi",
             "ephemeral-storage": str(free_disk), **both})


def devices(info):
    """What the device plugin of the GPUs announces."""
    count = sum(row["Count"] for row in info.get("GpuInfo", {}).get("Gpus", [])
                if row["Manufacturer"] == "NVIDIA")
    return {"nvidia.com/gpu": str(count)} if count else {}


def architecture(info):
    arm = "arm64" in info["ProcessorInfo"]["SupportedArchitectures"]
    return "arm64" if arm else "amd64"


def labels_of(machine):
    arch, region, zone = architecture(machine.info), machine.region, machine.zone
    managed = {"eks.amazonaws.com/capacityType": machine.capacity_type,
               "eks.amazonaws.com/nodegroup-image": machine.image} if machine.managed else {}
    return {
        "kubernetes.io/arch": arch, "beta.kubernetes.io/arch": arch,
        "kubernetes.io/os": "linux", "beta.kubernetes.io/os": "linux",
        "kubernetes.io/hostname": machine.name,
        "node.kubernetes.io/instance-type": machine.type,
        "beta.kubernetes.io/instance-type": machine.type,
        "topology.kubernetes.io/region": region, "failure-domain.beta.kubernetes.io/region": region,
        "topology.kubernetes.io/zone": zone, "failure-domain.beta.kubernetes.io/zone": zone,
        "topology.k8s.aws/zone-id": machine.zone_id,
        **managed, **machine.labels}


def taint(row):
    """A node group's taint in Kubernetes' words."""
    value = {"value": row["value"]} if row.get("value") else {}
    return {"key": row["key"], "effect": EFFECTS[row["effect"]], **value}


def node(machine):
    """The Node object. KWOK lets it become Ready and keeps it so."""
    capacity, allocatable = resources(machine.info, machine.disk_gib)
    key, value = MANAGED.split("=")
    seed = hashlib.sha256(machine.instance_id.encode()).hexdigest()
    return {
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": machine.name, "labels": labels_of(machine),
                     "annotations": {key: value, "alpha.kubernetes.io/provided-node-ip":
                                     machine.address}},
        "spec": {"providerID": f"aws:///{machine.zone}/{machine.instance_id}",
                 "taints": [taint(row) for row in machine.taints]},
        "status": {
            "capacity": capacity, "allocatable": allocatable,
            "addresses": [{"type": "InternalIP", "address": machine.address},
                          {"type": "InternalDNS", "address": machine.name},
                          {"type": "Hostname", "address": machine.name}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {
                "architecture": architecture(machine.info), "operatingSystem": "linux",
                "osImage": "Amazon Linux 2023", "kernelVersion": "6.12.0-lab.amzn2023",
                "containerRuntimeVersion": "containerd://2.1.4",
                "kubeletVersion": machine.kubelet, "kubeProxyVersion": machine.kubelet,
                "machineID": f"ec2{seed[:29]}", "systemUUID": f"ec2{seed[:29]}",
                "bootID": seed[32:]}}}
