# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What lives in a stack's cluster and has AWS objects made for it: it goes first, while its
controllers can still remove these. Only a removal looks for it.
"""
from __future__ import annotations

from datetime import datetime, timezone

from ..clients.servers import INSTEAD, server
from ..engine.errors import Denied, NotFound
from ..engine.resource import KEY, OWNER, Resource, attr, create_only, search
from .declared import Declared
from .ec2 import NatGateway, Route, RouteTableAssociation, SecurityGroupRule, VpcEndpoint
from .eks import AccessEntry, AccessPolicy, Addon, Cluster, PodIdentityAssociation
from .eks_nodes import Nodegroup
from .iam import OidcProvider, Role, RolePolicy, RolePolicyAttachment
from .kubernetes import group_version, place
from .leavings import (
    ClassicLoadBalancer, EbsVolume, LeftGroupRule, LeftInstance, LeftInstanceProfile,
    LeftLaunchTemplate, LeftSecurityGroup, LoadBalancer, TargetGroup, clusters, key_of,
)

LABEL = "app.kubernetes.io/name"  # of their Deployments, in the charts of all of them
BALANCERS, KARPENTER = "aws-load-balancer-controller", "karpenter"
# Beginning of a finalizer -> who removes it. Sources: aws-load-balancer-controller,
# pkg/shared_constants/finalizers.go; karpenter-provider-aws, pkg/apis/v1/labels.go.
CLEANERS = {"ingress.k8s.aws/": BALANCERS, "group.ingress.k8s.aws/": BALANCERS,
            "service.k8s.aws/": BALANCERS, "gateway.k8s.aws/": BALANCERS,
            "karpenter.sh/": KARPENTER, "karpenter.k8s.aws/": KARPENTER}
PATIENCE = 600.0  # seconds in which a controller that runs cleans up
RUNNING = ("ACTIVE", "UPDATING")


class Deployment(Resource):
    """The Deployments of those who clean up: nobody's own resource."""

    external = True

    @classmethod
    def fetch(cls, scan):
        """Of each cluster, those that have a pod that works; all, where nobody may know."""
        return [{"cluster": name, "name": who} for name, api in servers(scan)
                for who in cls.working(api)]

    @staticmethod
    def working(api) -> set[str]:
        """Their labels."""
        query = {"labelSelector": f"{LABEL} in ({BALANCERS},{KARPENTER})"}
        found = {item["metadata"]["labels"][LABEL]
                 for item in api.listed("apps", "Deployment", **query)
                 if (item.get("status") or {}).get("readyReplicas")}
        return {BALANCERS, KARPENTER} if "Deployment" in api.refused else found


def servers(scan) -> list[tuple]:
    """(name, API server) of the stack's clusters that can be asked."""
    known = clusters(scan)
    found = [(c["name"], server(scan.api, c)) for c in scan.of(Cluster).items
             if c["name"] in known and c["status"] in RUNNING]
    return [(name, api) for name, api in found if api]


def absent(scan, cluster: str, finalizers) -> set[str]:
    """Who would have to remove finalizers, and does not run."""
    who = {CLEANERS[begin] for f in finalizers for begin in CLEANERS if f.startswith(begin)}
    return who - {d["name"] for d in scan.of(Deployment).items if d["cluster"] == cluster}


def overdue(meta: dict, now: datetime) -> bool:
    """Whether it should have gone long ago."""
    begun = meta.get("deletionTimestamp")
    return bool(begun) and (now - datetime.fromisoformat(begun.replace("Z", "+00:00"))
                            ).total_seconds() > PATIENCE


def kept_by(item: dict) -> str:
    """Whose finalizers keep it, and what it says of its state while it goes."""
    meta, told = item["metadata"], []
    for finalizer in meta.get("finalizers") or ():
        who = next((w for begin, w in CLEANERS.items() if finalizer.startswith(begin)), "")
        told.append(f"kept by finalizer {finalizer}" + (f" of {who}" if who else ""))
    if meta.get("deletionTimestamp"):
        told += [f"{c['type']}: {c.get('message') or c.get('reason', '')}"
                 for c in (item.get("status") or {}).get("conditions") or ()
                 if c.get("status") != "True"]
    return "; ".join(told)


class Reading:
    """How these are found: by asking the cluster."""

    those = "@"  # JMESPath: which of a kind have AWS objects

    @classmethod
    def tags_of(cls, live):
        """The tags that the engine knows the stack's own objects by."""
        return live.get("owned", {})

    @classmethod
    def fetch(cls, scan):
        """One listing for each cluster."""
        return [cls.shown(scan, name, item) for name, api in servers(scan)
                for item in cls.chosen(scan, name, api)]

    @classmethod
    def chosen(cls, scan, cluster, api):
        """The objects that have AWS objects."""
        return [item for item in api.listed(*cls.reads) if search(cls.those, item)]

    @classmethod
    def shown(cls, scan, cluster: str, item: dict) -> dict:
        """The item as the engine reads it, with whom it waits for."""
        meta, key = item["metadata"], clusters(scan)[cluster]
        missing = absent(scan, cluster, meta.get("finalizers") or ())
        late = overdue(meta, datetime.now(timezone.utc))
        found = {**item, "cluster": cluster, "place": place(meta), "waits": kept_by(item),
                 "id": f"{place(meta)}@{meta['uid'][:8]}", "given_up": bool(missing) or late,
                 "owned": {OWNER: scan.owner, KEY: key_of(cls, key, cls.label(item))}}
        notes = [f"EKS cluster {cluster}: {name} does not run in it; {INSTEAD}"
                 for name in sorted(missing)]
        if late and not missing:
            notes = [f"{found['owned'][KEY]}: {found['waits']} for more than "
                     f"{PATIENCE / 60:.0f} minutes; {INSTEAD}"]
        scan.api.notes += notes
        return found

    @classmethod
    def label(cls, item: dict) -> str:
        """What people know it by."""
        return place(item["metadata"])


class ClusterObject(Reading, Declared):
    """An object in a cluster. Nobody waits for a controller that does not come."""

    cluster: Cluster = create_only("cluster")
    place: str = create_only("place")
    # What its controller needs to do its work: all of that is removed later.
    needs: list[Nodegroup | Addon | AccessEntry | AccessPolicy | PodIdentityAssociation | Role
                | RolePolicy | RolePolicyAttachment | OidcProvider | Route | RouteTableAssociation
                | NatGateway | VpcEndpoint | SecurityGroupRule] = attr()

    reads = ()  # group and kind
    ref, leaving, reason, tells = "id", "metadata.deletionTimestamp", "waits", ()
    gone = "metadata.deletionTimestamp && given_up"
    seconds = {"delete": 60, "longest": 2 * PATIENCE}
    propagation = "Background"

    def delete(self, api, live):
        found = api.servers[live["cluster"]]
        found.read_only = api.read_only
        found.delete(live["path"], live["metadata"]["uid"], self.propagation == "Foreground")


class Ec2NodeClass(ClusterObject):
    """What Karpenter makes launch templates and an instance profile of."""

    leaves: list[LeftLaunchTemplate | LeftInstanceProfile] = attr()

    reads = ("karpenter.k8s.aws", "EC2NodeClass")


class NodeClaim(ClusterObject):
    """A node of Karpenter: it is drained, and its instance terminated."""

    node_class: Ec2NodeClass = attr()
    leaves: LeftInstance = attr()

    reads, seconds = ("karpenter.sh", "NodeClaim"), {"delete": 120, "longest": 2 * PATIENCE}


class NodePool(ClusterObject):
    """What would start nodes again."""

    claims: NodeClaim = attr()
    node_class: Ec2NodeClass = attr()

    reads, seconds = ("karpenter.sh", "NodePool"), {"delete": 5, "longest": 2 * PATIENCE}


class PersistentVolumeClaim(ClusterObject):
    """A claim with an EBS volume. It takes the user's word for that volume, which is in the same
    plan, to delete it."""

    leaves: EbsVolume = attr()
    nodes: list[NodePool | NodeClaim] = attr()

    reads, stateful, protected = ("", "PersistentVolumeClaim"), True, False
    seconds = {"delete": 5, "longest": 2 * PATIENCE}

    @classmethod
    def chosen(cls, scan, cluster, api):
        """The claims that volumes of the account were made for."""
        made = {v["VolumeId"] for v in scan.of(EbsVolume).items if v["cluster"] == cluster}
        volumes = [v for v in (api.listed("", "PersistentVolume") if made else ())
                   if handle(v["spec"]) in made]
        claims = {place(v["spec"]["claimRef"]) for v in volumes if v["spec"].get("claimRef")}
        return [item for item in (super().chosen(scan, cluster, api) if claims else ())
                if place(item["metadata"]) in claims]


def handle(spec: dict) -> str:
    """The EBS volume of a PersistentVolume, by the driver or by the older way."""
    csi, old = spec.get("csi") or {}, spec.get("awsElasticBlockStore") or {}
    return csi.get("volumeHandle", "") if csi.get("driver") == "ebs.csi.aws.com" \
        else old.get("volumeID", "").split("/")[-1]


class Workload(ClusterObject):
    """What makes the pods that use such a claim: while they are there, the claim stays."""

    claims: list[PersistentVolumeClaim] = attr()

    reads, propagation = ("", "Pod"), "Foreground"

    @classmethod
    def chosen(cls, scan, cluster, api):
        """The topmost owner of each pod that mounts one of the claims."""
        listing = scan.of(PersistentVolumeClaim)
        claims = {c["place"] for c in [*listing.items, *listing.leaving.items]
                  if c["cluster"] == cluster}
        pods = [pod for pod in (super().chosen(scan, cluster, api) if claims else ())
                if mounted(pod) & claims and pod["status"].get("phase") not in
                ("Succeeded", "Failed")]
        owners = [topmost(api, pod) for pod in pods]
        return {item["metadata"]["uid"]: item for item in owners}.values()

    @classmethod
    def label(cls, item):
        return f"{place(item['metadata'])}/{item['kind']}"


def mounted(pod: dict) -> set[str]:
    """namespace/name of the claims of a pod, with those that are made for it alone."""
    meta = pod["metadata"]
    names = [v["persistentVolumeClaim"]["claimName"] if "persistentVolumeClaim" in v
             else f"{meta['name']}-{v['name']}" for v in pod["spec"].get("volumes") or ()
             if "persistentVolumeClaim" in v or "ephemeral" in v]
    return {f"{meta['namespace']}/{name}" for name in names}


def topmost(api, item: dict) -> dict:
    """The object whose controller makes the item, or makes what makes it."""
    while True:
        owner = search("metadata.ownerReferences[?controller] | [0]", item)
        served = owner and api.served(*_kind(owner))
        if not served or owner["kind"] == "Node":
            return item
        path = served.at(item["metadata"].get("namespace", ""), owner["name"])
        try:
            item = {**api.get(path), "path": path}
        except (Denied, NotFound):
            return item


def _kind(owner: dict) -> tuple:
    group, version = group_version(owner["apiVersion"])
    return group, owner["kind"], version


class Exposed(ClusterObject):
    """What load balancers are made for."""

    leaves: list[LoadBalancer | ClassicLoadBalancer | TargetGroup | LeftSecurityGroup
                 | LeftGroupRule] = attr()
    nodes: list[NodePool | NodeClaim] = attr()


class Ingress(Exposed):
    """An Ingress of the AWS Load Balancer Controller."""

    reads = ("networking.k8s.io", "Ingress")
    those = ("spec.ingressClassName=='alb' || metadata.finalizers[?"
             "starts_with(@, 'ingress.k8s.aws/') || starts_with(@, 'group.ingress.k8s.aws/')]")


class BalancedService(Exposed):
    """A Service of type LoadBalancer."""

    reads = ("", "Service")
    those = "spec.type=='LoadBalancer' || metadata.finalizers[?starts_with(@, 'service.k8s.aws/')]"


class Gateway(Exposed):
    """A Gateway of the AWS Load Balancer Controller."""

    reads = ("gateway.networking.k8s.io", "Gateway")
    those = "metadata.finalizers[?starts_with(@, 'gateway.k8s.aws/')]"


TYPES = (Ingress, BalancedService, Gateway, Workload, PersistentVolumeClaim, NodePool, NodeClaim,
         Ec2NodeClass)
