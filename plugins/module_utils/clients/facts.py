# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What only AWS knows: asked when a rule of the validator needs it, at most once a run."""
from __future__ import annotations

from ..engine.errors import Credentials, ServiceFailure


class Facts:
    """Answers of AWS, kept. None is "AWS did not say", such as without the permission to ask."""

    def __init__(self, api):
        self._api, self._known = api, {}

    def _pages(self, service: str, method: str, path: str, **params) -> list | None:
        """The items of a read, or None; every read is made once."""
        key = (method, repr(params))
        if key not in self._known:
            try:
                self._known[key] = self._api.pages(service, method, path, **params)
            except Credentials:
                raise
            except ServiceFailure:
                self._known[key] = None
        return self._known[key]

    def cluster_versions(self) -> list[str] | None:
        """Kubernetes versions that EKS offers for new clusters and updates."""
        return self._pages("eks", "describe_cluster_versions", "clusterVersions[].clusterVersion")

    def addon_versions(self, kubernetes: str) -> dict[str, list] | None:
        """Add-on -> the versions of it that EKS offers for a Kubernetes version."""
        found = self._pages("eks", "describe_addon_versions", "addons[]",
                            kubernetesVersion=kubernetes)
        return None if found is None else {
            addon["addonName"]: [v["addonVersion"] for v in addon["addonVersions"]]
            for addon in found}

    def access_policies(self) -> list[str] | None:
        """ARNs of the access policies that EKS has."""
        return self._pages("eks", "list_access_policies", "accessPolicies[].arn")

    def offered_zones(self, instance_types) -> dict[str, set] | None:
        """Instance type -> names of the region's zones that have it."""
        wanted = sorted(set(instance_types))
        found = self._pages("ec2", "describe_instance_type_offerings", "InstanceTypeOfferings[]",
                            LocationType="availability-zone",
                            Filters=[{"Name": "instance-type", "Values": wanted}])
        return None if found is None else {
            name: {f["Location"] for f in found if f["InstanceType"] == name} for name in wanted}

    def roles(self) -> list[str] | None:
        """ARNs of all roles of the account."""
        return self._pages("iam", "list_roles", "Roles[].Arn", MaxItems=1000)

    def quota(self, service: str, code: str) -> float | None:
        """The applied quota of the account in the region."""
        found = self._pages("service-quotas", "get_service_quota", "[Quota.Value]",
                            ServiceCode=service, QuotaCode=code)
        return found[0] if found else None

    def used(self, name: str) -> int | None:
        """How many of "vpcs" or "elastic_ips" the account has in the region."""
        reads = {"vpcs": ("describe_vpcs", "Vpcs[].VpcId"),
                 "elastic_ips": ("describe_addresses", "Addresses[].AllocationId")}
        found = self._pages("ec2", *reads[name])
        return None if found is None else len(found)

    def nat_zones(self) -> list[str] | None:
        """The zone of each NAT gateway of the account, as often as it has one there."""
        nats = self._pages("ec2", "describe_nat_gateways", "NatGateways[].SubnetId",
                           Filter=[{"Name": "state", "Values": ["pending", "available"]}])
        if not nats:
            return nats
        subnets = self._pages("ec2", "describe_subnets", "Subnets[]",
                              Filters=[{"Name": "subnet-id", "Values": sorted(set(nats))}])
        zones = {s["SubnetId"]: s["AvailabilityZone"] for s in subnets or ()}
        return [zones.get(n, "") for n in nats]
