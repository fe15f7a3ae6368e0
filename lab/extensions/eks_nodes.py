"""The nodes of a managed node group in a real control plane: they come, go and are replaced.

What happens in the cluster is a Job beside the requests; the lab's lock is held only while its
own objects change. Sources: userguide/managed-node-update-behavior.html,
userguide/delete-managed-node-group.html.
"""

import hashlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from moto.ec2.models.instance_types import INSTANCE_TYPES

from lab import kit
from lab.extensions import autoscaling
from lab.extensions import eks_shared as eks
from lab.extensions.eks_callers import dismiss, enroll
from lab.extensions.eks_kubernetes import Job, PodsStayed, plane_of
from lab.kube import drain
from lab.kube.machines import Machine, labels_of, node, taint

WAVE = 16  # nodes that are drained side by side when a whole group goes


def begin(call, cluster, group, kind, *arguments):
    """A Job of the Nodes method `kind`; None for a cluster without a control plane."""
    plane = plane_of(call, cluster)
    if plane is None or not plane.ready.is_set():
        return None
    nodes = Nodes(call, cluster, group, plane.api)
    job = Job(lambda: getattr(nodes, kind)(*arguments), group.get("_last_job"))
    group["_job"] = group["_last_job"] = job
    return job


class Nodes:
    """What EKS does with the machines of one group."""

    def __init__(self, call, cluster, group, api):
        self.call, self.cluster, self.group, self.api = call, cluster, group, api
        self.machines = group.setdefault("_machines", [])
        self.patience = call.lab.settings.eviction_seconds

    # ---- what is asked of it ------------------------------------------------------------------

    def create(self):
        """The first nodes of the group, which must be known to the cluster."""
        if self.by_config_map():
            enroll(self.api, self.group["nodeRole"])
        self.scale(self.group["scalingConfig"]["desiredSize"])

    def scale(self, size):
        """Come to the desired size: by joining nodes, or draining those of the fullest zone."""
        have = len(self.machines)
        if size > have:
            self.launch(size - have)
        elif size < have:
            self.retire(self.surplus(have - size), force=True)

    def adapt(self):
        """Changed labels and taints of the group reach its nodes in place."""
        for machine in self.machines:
            before, gone = labels_of(machine), {taint(row)["key"] for row in machine.taints}
            machine.labels, machine.taints = self.labels(), list(self.group["taints"])
            after = labels_of(machine)
            path = f"{drain.NODES}/{machine.name}"
            live = self.api.get(path)["spec"].get("taints", [])
            mine = [taint(row) for row in machine.taints]
            kept = [row for row in live if row["key"] not in gone | {row["key"] for row in mine}]
            removed = {key: None for key in set(before) - set(after)}
            self.api.patch(path, {"metadata": {"labels": {**after, **removed}},
                                  "spec": {"taints": kept + mine}})

    def adapt_and_scale(self, size):
        self.adapt()
        self.scale(size)

    def clear(self):
        """The group goes: pods that stay are killed with their instance after some minutes."""
        self.retire(list(self.machines), force=True)
        with self.call.lab.lock:
            groups = eks.members(self.call, "nodegroup", self.cluster["name"]).values()
            last = [group["nodeRole"] for group in groups].count(self.group["nodeRole"]) == 1
        if last and self.by_config_map():
            dismiss(self.api, self.group["nodeRole"])

    def by_config_map(self):
        return self.cluster["accessConfig"]["authenticationMode"] == "CONFIG_MAP"

    def renew(self, version, force):
        """Replace every node by one of that version, `maxUnavailable` at a time."""
        old, strategy = list(self.machines), self.group["updateConfig"].get("updateStrategy")
        for machine in old:
            machine.old = True
        at_once = max_unavailable(self.group["updateConfig"], len(old))
        surge = 0 if strategy == "MINIMAL" else min(
            len(old), max(at_once, len({machine.zone for machine in old})))
        self.launch(surge, version)
        for machine in old if surge else []:
            drain.cordon(self.api, machine.name)
        missing = len(old) - surge
        while old:
            batch, old = old[:at_once], old[at_once:]
            try:
                self.retire(batch, force)
            except PodsStayed:
                self.give_up()
                raise
            new = min(missing, len(batch))
            missing -= new
            self.launch(new, version)

    # ---- how it is done -----------------------------------------------------------------------

    def give_up(self):
        """After a failed update the nodes left over serve on; the size is the desired one."""
        left = [machine for machine in self.machines if machine.old]
        for machine in left:
            machine.old = False
            drain.uncordon(self.api, machine.name)
        over = len(self.machines) - self.group["scalingConfig"]["desiredSize"]
        fresh = [machine for machine in self.machines if machine not in left]
        if over > 0:
            self.retire(fresh[:over], force=True)

    def launch(self, count, version=None):
        """Instances in the emptiest zones, and their nodes."""
        fresh = []
        with self.call.lab.lock:
            for _turn in range(count):
                fresh.append(self.machine(version or self.group["version"]))
                self.machines.append(fresh[-1])
            self.tell()
        if not drain.join(self.api, [node(machine) for machine in fresh]):
            raise OSError(f"nodes of {self.group['nodegroupName']} did not become Ready")

    def machine(self, version):
        call, group = self.call, self.group
        used = Counter(machine.zone for machine in self.machines)
        found = kit.subnets(call, group["subnets"], eks.invalid)
        subnet = min(found, key=lambda item: used[item.availability_zone])
        key = kit.network_interface(call, subnet, group["_groups"],
                                    f"node of {group['nodegroupName']}")
        group["_interfaces"].append(key)
        data = group["_template_data"]
        kind = data.get("InstanceType") or group["instanceTypes"][0]
        return Machine(
            f"i-{kit.hex_id(17)}", call.backend("ec2").enis[key].private_ip_address,
            subnet.availability_zone, subnet.availability_zone_id, kind, INSTANCE_TYPES[kind],
            data.get("ImageId") or image(group["amiType"], version), kubelet(version),
            group["capacityType"], disk(data, group), self.labels(), list(group["taints"]), key)

    def labels(self):
        group, template = self.group, self.group["launchTemplate"]
        source = {"eks.amazonaws.com/sourceLaunchTemplateId": template["id"],
                  "eks.amazonaws.com/sourceLaunchTemplateVersion": template["version"]
                  } if template else {}
        return {**group["labels"], "eks.amazonaws.com/nodegroup": group["nodegroupName"], **source}

    def surplus(self, count):
        """The zones stay level; of a zone, the oldest goes first, as Auto Scaling's default."""
        rest, chosen = list(self.machines), []
        for _turn in range(count):
            used = Counter(machine.zone for machine in rest)
            chosen.append(max(rest, key=lambda item: (used[item.zone], -rest.index(item))))
            rest.remove(chosen[-1])
        return chosen

    def retire(self, machines, force):
        """Drain and end them side by side; PodsStayed where pods do not leave, without force."""
        with ThreadPoolExecutor(WAVE) as pool:
            stayed = dict(zip([machine.name for machine in machines],
                              pool.map(lambda item: self.end(item, force), machines)))
        refusing = [name for name, pods in stayed.items() if pods]
        if refusing:
            pods = sorted(pod for name in refusing for pod in stayed[name])
            raise PodsStayed(refusing, f"{self.group['nodegroupName']}: {', '.join(pods)}")

    def end(self, machine, force):
        stayed = drain.drain(self.api, machine.name, self.patience, force)
        if not stayed:
            drain.remove(self.api, machine.name)
            with self.call.lab.lock:
                self.machines.remove(machine)
                self.group["_interfaces"].remove(machine.interface)
                kit.drop_interfaces(self.call, [machine.interface])
                self.tell()
        return stayed

    def tell(self):
        """The Auto Scaling group lists its instances."""
        autoscaling.fill(self.call, self.group["resources"]["autoScalingGroups"][0]["name"], [
            (machine.instance_id, machine.zone, machine.type) for machine in self.machines])


def max_unavailable(config, count):
    if config.get("maxUnavailablePercentage"):
        return max(1, count * config["maxUnavailablePercentage"] // 100)
    return config.get("maxUnavailable") or 1


def kubelet(version):
    patch = eks.VERSIONS[version]["patch"]
    return f"v{patch}-eks-{hashlib.sha256(patch.encode()).hexdigest()[:7]}"


def image(ami_type, version):
    """One AMI for each family and version."""
    return f"ami-{hashlib.sha256(f'{ami_type} {version}'.encode()).hexdigest()[:17]}"


def disk(data, group):
    """GiB of the root volume."""
    sizes = [row["Ebs"]["VolumeSize"] for row in data.get("BlockDeviceMappings") or []
             if (row.get("Ebs") or {}).get("VolumeSize")]
    return int(sizes[0] if sizes else group["diskSize"] or 20)
