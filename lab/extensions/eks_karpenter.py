"""Karpenter: its real core runs beside the cluster while its Deployment has ready replicas. Here is
the cloud that it asks, and what its provider for AWS does besides: statuses of EC2NodeClasses.

Sources: karpenter.sh/docs/concepts/nodeclasses; github.com/aws/karpenter-provider-aws,
pkg/providers/instance/instance.go (tags), pkg/controllers/nodeclass (conditions).
"""

import fnmatch

from moto.ec2.models.instance_types import INSTANCE_TYPES

from lab import kit
from lab.extensions.eks_controllers import Program, program
from lab.extensions.eks_nodes import image, kubelet
from lab.kube import drain, offers
from lab.kube.machines import Machine, devices, node
from lab.timing import iso

CLASSES = "/apis/karpenter.k8s.aws/v1/ec2nodeclasses"
CLAIMS = "/apis/karpenter.sh/v1/nodeclaims"
POOL, CLAIM = "karpenter.sh/nodepool", "karpenter.sh/nodeclaim"
CLASS, KIND = "karpenter.k8s.aws/ec2nodeclass", "karpenter.sh/capacity-type"
TYPE, ZONE = "node.kubernetes.io/instance-type", "topology.kubernetes.io/zone"
FINALIZER = "karpenter.k8s.aws/termination"
UNREGISTERED = {"key": "karpenter.sh/unregistered", "effect": "NO_EXECUTE"}


@program
class Karpenter(Program):
    """The controller."""

    name = "karpenter"

    def look(self):
        self.plane.door.webhooks.update({f"/{self.name}/{path}": answer for path, answer in {
            "types": lambda _asked: offers.rows(INSTANCE_TYPES), "launch": self.launch,
            "terminate": self.terminate, "running": self.running}.items()})
        for item in self.listed(CLASSES):
            self.keep(item)
        self.plane.begin(self.name)

    def rest(self):
        self.plane.finish(self.name)

    # ---- classes of nodes ---------------------------------------------------------------------

    def keep(self, item):
        """The status of a class, or its end when no node is of it."""
        path, meta = f"{CLASSES}/{item['metadata']['name']}", item["metadata"]
        held = meta.get("finalizers") or []
        if "deletionTimestamp" in meta:
            of_it = [claim for claim in self.listed(CLAIMS)
                     if claim["spec"]["nodeClassRef"]["name"] == meta["name"]]
            if FINALIZER in held and not of_it:
                self.finalizers(path, [name for name in held if name != FINALIZER])
            return
        if FINALIZER not in held:
            self.finalizers(path, [*held, FINALIZER])
        with self.call.lab.lock:
            found = self.found(item.get("spec", {}))
        status, before = status_of(found), item.get("status") or {}
        if unstamped(status) != unstamped(before):
            self.api.patch(f"{path}/status", {"status": stamped(
                status, before, f"{iso(self.call.lab.clock()):%Y-%m-%dT%H:%M:%SZ}")})

    def found(self, spec):
        """{condition: what the class chooses}: subnets, security groups, instance profile."""
        backend, iam = self.call.backend("ec2"), self.call.backend("iam")
        subnets = [{"id": key, "zone": subnet.availability_zone,
                    "zoneID": subnet.availability_zone_id}
                   for zone in backend.subnets.values() for key, subnet in zone.items()
                   if chosen(spec.get("subnetSelectorTerms", []), key, backend.tags.get(key) or {})]
        groups = [{"id": key, "name": group.name}
                  for vpc in backend.groups.values() for key, group in vpc.items()
                  if chosen(spec.get("securityGroupSelectorTerms", []), key,
                            backend.tags.get(key) or {}, group.name)]
        profiles = {item.name for item in iam.instance_profiles.values()}
        roles = {role.name for role in iam.roles.values()}
        name = spec.get("instanceProfile")
        there = name in profiles if name else spec.get("role") in roles
        return {"SubnetsReady": {"subnets": subnets}, "SecurityGroupsReady":
                {"securityGroups": groups}, "InstanceProfileReady":
                {"instanceProfile": (name or spec["role"]) if there else ""}}

    # ---- instances ----------------------------------------------------------------------------

    def launch(self, order):
        """Start an instance for a NodeClaim, whose node joins the cluster."""
        item, labels = self.api.get(f"{CLASSES}/{order['class']}"), order["labels"]
        with self.account():
            there = [each for each in self.instances() if own(each)[CLAIM] == order["claim"]]
            instance = there[0] if there else self.start(item, order["claim"], labels)
        if instance is None:
            return {"refused": f"no subnet in {labels[ZONE]} has a free address"}
        found = self.machine(instance, item["spec"], labels)
        if not self.api.find(f"{drain.NODES}/{found.name}"):
            self.api.post(drain.NODES, node(found))
        return self.told(instance)

    def start(self, item, claim, labels):
        backend, spec, name = self.call.backend("ec2"), item["spec"], self.cluster["name"]
        ids = [row["id"] for row in item["status"]["subnets"] if row["zone"] == labels[ZONE]]
        subnets = [subnet for subnet in kit.subnets(self.call, ids, KeyError)
                   if subnet.available_ip_address_count]
        if not subnets:
            return None
        subnet = max(subnets, key=lambda each: each.available_ip_address_count)
        tags = {**spec.get("tags", {}), "Name": claim, POOL: labels[POOL], CLAIM: claim,
                CLASS: item["metadata"]["name"], "eks:eks-cluster-name": name,
                f"kubernetes.io/cluster/{name}": "owned"}
        gpu = "NVIDIA" if devices(INSTANCE_TYPES[labels[TYPE]]) else "STANDARD"
        spot = {"instance_market_options": {"MarketType": "spot"}} \
            if labels[KIND] == "spot" else {}
        reservation = backend.run_instances(
            image(f"AL2023_{labels['kubernetes.io/arch']}_{gpu}", self.cluster["version"]), 1,
            None, [], security_group_ids=[row["id"] for row in item["status"]["securityGroups"]],
            instance_type=labels[TYPE], is_instance_type_default=False, subnet_id=subnet.id,
            region_name=self.call.region, tags={"instance": tags, "volume": tags}, **spot)
        return reservation.instances[0]

    def machine(self, instance, spec, labels):
        zone_id = self.call.backend("ec2").get_subnet(instance.subnet_id).availability_zone_id
        disks = [row["ebs"]["volumeSize"] for row in spec.get("blockDeviceMappings") or []
                 if (row.get("ebs") or {}).get("volumeSize", "").endswith("Gi")]
        disk = int(disks[0].removesuffix("Gi")) if disks else offers.DISK_GIB
        return Machine(
            instance.id, instance.private_ip, labels[ZONE], zone_id, labels[TYPE],
            INSTANCE_TYPES[labels[TYPE]], instance.image_id, kubelet(self.cluster["version"]),
            disk_gib=disk, labels=labels, taints=[UNREGISTERED], managed=False)

    def instances(self):
        """Those of this cluster that run."""
        return [item for each in self.call.backend("ec2").reservations.values()
                for item in each.instances if item.state == "running" and CLAIM in own(item)
                and own(item)["eks:eks-cluster-name"] == self.cluster["name"]]

    def terminate(self, asked):
        with self.account():
            ids = [item.id for item in self.instances()
                   if provider_id(item) == asked["provider_id"]]
            if ids:
                self.call.backend("ec2").terminate_instances(ids)
                kit.drop_interfaces(self.call, [
                    key for key, eni in self.call.backend("ec2").enis.items()
                    if eni.instance and eni.instance.id in ids])
        return {}

    def running(self, _asked):
        with self.account():
            return [self.told(item) for item in self.instances()]

    def told(self, item):
        return {"provider_id": provider_id(item), "image": item.image_id,
                "claim": own(item)[CLAIM], "labels": {
                    TYPE: item.instance_type, ZONE: item.placement.zone, POOL: own(item)[POOL]}}


def own(item):
    return {tag["key"]: tag["value"] for tag in item.get_tags()}


def provider_id(item):
    return f"aws:///{item.placement.zone}/{item.id}"


def chosen(terms, key, tags, name=None):
    """Do all that one of the terms asks for: id, name, tags, `*` for any value."""
    return any(("id" not in term or term["id"] == key)
               and ("name" not in term or fnmatch.fnmatchcase(name or "", term["name"]))
               and all(key in tags and value in ("*", tags[key])
                       for key, value in term.get("tags", {}).items()) for term in terms)


def status_of(found):
    """Of a class: Ready is it when it finds something of everything."""
    conditions, status = [], {}
    for kind, content in found.items():
        there = any(content.values())
        status.update(content if there else {})
        conditions.append({
            "type": kind, "status": "True" if there else "False", "reason": kind if there else
            kind.replace("Ready", "NotFound"), "message": "" if there else
            f"{next(iter(content))}: nothing is found by what the class asks for"})
    missing = [row for row in conditions if row["status"] == "False"]
    ready = {**missing[0], "message": f"{missing[0]['type']}=False"} if missing else \
        {"status": "True", "reason": "Ready", "message": ""}
    return {**status, "conditions": [*conditions, {**ready, "type": "Ready"}]}


def unstamped(status):
    plain = [{key: value for key, value in row.items() if key != "lastTransitionTime"}
             for row in status.get("conditions", [])]
    return {**status, "conditions": plain}


def stamped(status, before, now):
    """Each condition with the time since when it is so."""
    kept = {(row["type"], row["status"]): row["lastTransitionTime"]
            for row in before.get("conditions", [])}
    return {**status, "conditions": [
        {**row, "lastTransitionTime": kept.get((row["type"], row["status"]), now)}
        for row in status["conditions"]]}
