# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""EKS managed node groups: https://docs.aws.amazon.com/eks/latest/APIReference/."""
from __future__ import annotations

import re

from ..clients.models import accepted
from ..engine.errors import Exists, Refused
from ..engine.resource import KEY, REPLACED, Impact, attr, create_only, equal, updates
from .ec2 import Subnet
from .eks import ISSUES, Child, Cluster, minor
from .iam import Role, RolePolicyAttachment
from .launch_template import LaunchTemplate

ROLLING = {"impact": Impact.ROLLING, "seconds": 300}


def ami_types() -> list[str]:
    """The AMI types that EKS takes, as botocore's own model of it knows them."""
    return accepted("eks", "AMITypes")


def _name(wanted: str, live: str) -> bool:
    """The heir of a replaced group stands beside it and keeps its number."""
    return bool(re.fullmatch(re.escape(wanted) + r"(-2)?", live))


def _version(wanted: str, live: str) -> bool:
    if minor(wanted) < minor(live):
        raise Refused([f"eks_nodegroups.nodegroups.*.version: the nodes run {live}, EKS cannot go "
                       f"back to {wanted}; set version: '{live}' or newer, or leave it out"])
    return wanted == live


def _labels(wanted: dict | None, live: dict) -> dict:
    have = live.get("labels") or {}
    return {} if wanted is None else _part("labels", {
        "addOrUpdateLabels": {k: v for k, v in wanted.items() if have.get(k) != v},
        "removeLabels": sorted(have.keys() - wanted.keys())})


def _taints(wanted: list | None, live: dict) -> dict:
    """A taint is named by its key and effect."""
    new, have = ({(t["key"], t["effect"]): t for t in taints or ()}
                 for taints in (wanted, live.get("taints")))
    return {} if wanted is None else _part("taints", {
        "addOrUpdateTaints": [t for k, t in new.items() if not equal(t, have.get(k))],
        "removeTaints": [t for k, t in have.items() if k not in new]})


def _part(name: str, change: dict) -> dict:
    change = {k: v for k, v in change.items() if v}
    return {name: change} if change else {}


class Nodegroup(Child):
    """A managed node group. A replacement is made beside it, under the name with or without -2.

    DEGRADED is a state to look at, not to wait in: a change is what may heal it.
    """

    cluster: Cluster = create_only("clusterName")
    nodegroup_name: str = create_only("nodegroupName", same=_name)
    node_role: Role | str = create_only("nodeRole", of="Arn")
    subnets: list[Subnet] = create_only("subnets")
    instance_types: list = create_only("instanceTypes")
    capacity_type: str = create_only("capacityType")
    ami_type: str = create_only("amiType")
    launch_template: LaunchTemplate = create_only("launchTemplate.id")
    launch_template_version: int = attr("launchTemplate.version", read=int, **ROLLING)
    version: str = attr("version", same=_version, **ROLLING)
    release_version: str = attr("releaseVersion", **ROLLING)
    min_size: int = attr("scalingConfig.minSize", seconds=15)
    max_size: int = attr("scalingConfig.maxSize", seconds=15)
    desired_size: int = attr(param="scalingConfig.desiredSize")  # the autoscaler's
    labels: dict = attr("labels", seconds=15)
    taints: list = attr("taints", seconds=15)
    max_unavailable: int = attr("updateConfig.maxUnavailable", seconds=15)
    max_unavailable_percentage: int = attr("updateConfig.maxUnavailablePercentage", seconds=15)
    update_strategy: str = attr("updateConfig.updateStrategy", seconds=15)
    node_repair: bool = attr("nodeRepairConfig.enabled", seconds=15)
    force_update: bool = attr()  # a rolling change goes on though pods cannot be moved
    policies: list[RolePolicyAttachment] = attr()  # the role's: nodes cannot join without
    before: list = attr()  # add-ons and routes that nodes need

    ref, arn = "nodegroupArn", "nodegroupArn"
    ready = "status=='ACTIVE' || status=='DEGRADED'"
    failed, leaving = "status=='CREATE_FAILED'", "status=='DELETING'"
    reason = ISSUES
    # Medians of public logs; one failure was told after 33 minutes, and moving pods takes time.
    seconds = {"create": 119, "delete": 180, "longest": 3600}
    outputs = {"name": "nodegroupName", "arn": "nodegroupArn", "status": "status",
               "version": "version", "release_version": "releaseVersion",
               "autoscaling_group": "resources.autoScalingGroups[0].name"}
    reads = ("list_nodegroups", "nodegroups")
    describes, tagged_as = ("describe_nodegroup", "nodegroupName", "nodegroup"), "eks:nodegroup"
    tells = ("instance_types", "capacity_type", "min_size", "max_size")

    def params(self):
        found = super().params()
        if "launchTemplate" in found:
            found["launchTemplate"] = self._template()
        return found

    def _template(self) -> dict:
        return {"id": self.launch_template, "version": str(self.launch_template_version)}

    def create(self, api):
        call = {**self.params(), **self.tagging()}
        try:
            return api.eks.create_nodegroup(**call)["nodegroup"]
        except Exists:
            old = api.eks.describe_nodegroup(clusterName=self.cluster,
                                             nodegroupName=self.nodegroup_name)["nodegroup"]
            tags = old.get("tags", {})
            if (tags.get(KEY), tags.get(REPLACED)) != (self.tags.get(KEY), "true"):
                raise
        call["nodegroupName"] += "-2"
        return api.eks.create_nodegroup(**call)["nodegroup"]

    @updates("launch_template_version", "version", "release_version")
    def roll(self, api, live):
        """New nodes for old ones, group by group as the update configuration says."""
        call = {}
        if self.launch_template_version != self.read("launch_template_version", live):
            call["launchTemplate"] = self._template()
        for name in ("version", "release_version"):
            value = getattr(self, name)
            if value is not None and value != self.read(name, live):
                call[self.attrs[name].path] = value
        api.eks.update_nodegroup_version(
            clusterName=live["clusterName"], nodegroupName=live["nodegroupName"],
            force=bool(self.force_update), **call)

    @updates("min_size", "max_size", "labels", "taints", "max_unavailable",
             "max_unavailable_percentage", "update_strategy", "node_repair")
    def change(self, api, live):
        """All that changes without new nodes, in one call."""
        call = {**self._sizes(live), **_labels(self.labels, live), **_taints(self.taints, live)}
        whole = self.params()
        for part, names in (("updateConfig", ("max_unavailable", "max_unavailable_percentage",
                                              "update_strategy")),
                            ("nodeRepairConfig", ("node_repair",))):
            if any(self._differs(name, live) for name in names):
                call[part] = whole[part]
        api.eks.update_nodegroup_config(clusterName=live["clusterName"],
                                        nodegroupName=live["nodegroupName"], **call)

    def _differs(self, name: str, live: dict) -> bool:
        wanted = getattr(self, name)
        return wanted is not None and not equal(wanted, self.read(name, live))

    def _sizes(self, live: dict) -> dict:
        """The limits; the desired size only where they leave it no choice."""
        if not (self._differs("min_size", live) or self._differs("max_size", live)):
            return {}
        desired = live["scalingConfig"]["desiredSize"]
        clamped = min(max(desired, self.min_size), self.max_size)
        sizes = {"minSize": self.min_size, "maxSize": self.max_size}
        return {"scalingConfig": sizes if clamped == desired else
                {**sizes, "desiredSize": clamped}}

    def delete(self, api, live):
        api.eks.delete_nodegroup(clusterName=live["clusterName"],
                                 nodegroupName=live["nodegroupName"])
