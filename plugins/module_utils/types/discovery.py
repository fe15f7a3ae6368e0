# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tags of ours on what EKS makes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/."""
from __future__ import annotations

from ..engine.resource import attr, create_only, updates
from .declared import Declared
from .eks import Cluster

DISCOVERY = "karpenter.sh/discovery"


class SecurityGroupTag(Declared):
    """A tag on the security group that EKS makes for a cluster, and which admits only itself.

    EKS lets one tag it: https://docs.aws.amazon.com/eks/latest/userguide/sec-group-reqs.html
    """

    cluster: Cluster = create_only("ResourceId", of="resourcesVpcConfig.clusterSecurityGroupId")
    tag_key: str = create_only("Key")
    value: str = attr("Value")

    service, identity, member_of = "ec2", ("cluster", "tag_key"), "cluster"

    @classmethod
    def fetch(cls, scan):
        """One call for all clusters; tags that say anything else are left alone."""
        groups = [cluster["resourcesVpcConfig"].get("clusterSecurityGroupId")
                  for cluster in scan.of(Cluster).items]
        filters = [{"Name": "resource-id", "Values": [g for g in groups if g]},
                   {"Name": "key", "Values": [DISCOVERY]}]
        return scan.api.pages("ec2", "describe_tags", "Tags", Filters=filters) \
            if any(groups) else []

    def create(self, api):
        self.put(api, {})

    @updates("value")
    def put(self, api, live):
        """Sets the tag, whether it is there or not."""
        api.ec2.create_tags(Resources=[self.cluster],
                            Tags=[{"Key": self.tag_key, "Value": self.value}])

    def delete(self, api, live):
        api.ec2.delete_tags(Resources=[live["ResourceId"]], Tags=[{"Key": live["Key"]}])
