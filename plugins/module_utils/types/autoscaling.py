# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Auto Scaling: https://docs.aws.amazon.com/autoscaling/ec2/APIReference/."""
from __future__ import annotations

from ..engine.resource import attr, create_only, updates
from .declared import Declared
from .eks_nodes import Nodegroup

# https://github.com/kubernetes/autoscaler: cluster-autoscaler/cloudprovider/aws/README.md
NODE_TEMPLATE = "k8s.io/cluster-autoscaler/node-template/"


class AsgTag(Declared):
    """What the cluster autoscaler expects of the nodes of a group that has none.

    Tags of the same Auto Scaling group that say anything else are EKS's, and left alone.
    """

    group: Nodegroup = create_only("ResourceId", of="resources.autoScalingGroups[0].name")
    tag_key: str = create_only("Key")
    value: str = attr("Value")

    service, identity, member_of = "autoscaling", ("group", "tag_key"), "group"
    dies_with_parent = True
    tells = ("value",)

    @classmethod
    def fetch(cls, scan):
        """One paged call for all groups."""
        names = [asg["name"] for group in scan.of(Nodegroup).items
                 for asg in group.get("resources", {}).get("autoScalingGroups", ())]
        found = []
        for start in range(0, len(names), 50):  # fewer values per filter than any limit
            filters = [{"Name": "auto-scaling-group", "Values": names[start:start + 50]}]
            found += scan.api.pages("autoscaling", "describe_tags", "Tags", Filters=filters)
        return [tag for tag in found if tag["Key"].startswith(NODE_TEMPLATE)]

    def create(self, api):
        self.put(api, {})

    @updates("value")
    def put(self, api, live):
        """Sets the tag, whether it is there or not; instances do not inherit it."""
        api.autoscaling.create_or_update_tags(Tags=[{
            "ResourceId": self.group, "ResourceType": "auto-scaling-group", "Key": self.tag_key,
            "Value": self.value, "PropagateAtLaunch": False}])

    def delete(self, api, live):
        api.autoscaling.delete_tags(Tags=[{
            "ResourceId": live["ResourceId"], "ResourceType": "auto-scaling-group",
            "Key": live["Key"]}])
