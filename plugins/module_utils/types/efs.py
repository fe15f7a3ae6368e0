# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""EFS: https://docs.aws.amazon.com/efs/latest/ug/api-reference.html."""
from __future__ import annotations

from ..clients.tags import pairs
from ..engine.errors import NotFound
from ..engine.resource import OWNER, attr, create_only, search, updates
from . import policies
from .declared import Declared
from .ec2 import SecurityGroup, Subnet
from .kms import Key

# What DescribeFileSystems does not show:
# field -> (method, its place in the answer, its name in the item, what it is without an answer).
PARTS = {
    "lifecycle_policies": ("describe_lifecycle_configuration", "LifecyclePolicies",
                           "LifecyclePolicies", []),
    "backup_policy": ("describe_backup_policy", "BackupPolicy.Status", "BackupPolicy", "DISABLED"),
    "policy": ("describe_file_system_policy", "Policy", "Policy", None),
}
BACKUPS = {"ENABLING": "ENABLED", "DISABLING": "DISABLED"}  # on the way is as good as there


def read_part(api, item: dict, field: str) -> None:
    """Puts one part of the configuration into a file system's item."""
    method, path, name, missing = PARTS[field]
    try:
        answer = getattr(api.efs, method)(FileSystemId=item["FileSystemId"])
        item[name] = search(path, answer)
    except NotFound:
        item[name] = missing


def same_policy(wanted, live) -> bool:
    """Whether two policies agree; EFS may add the file system itself as the resource."""
    statements = [{k: v for k, v in s.items() if k != "Resource"}
                  for s in (live or {}).get("Statement", ())]
    return policies.same(wanted, {"Statement": statements})


class Efs(Declared):
    """An EFS object: creation and states."""

    service = "efs"
    ready, failed = "LifeCycleState=='available'", "LifeCycleState=='error'"
    leaving, gone = "LifeCycleState=='deleting'", "LifeCycleState=='deleted'"

    @updates("tags")
    def retag(self, api, live):
        """Adds or overwrites our tags."""
        api.efs.tag_resource(ResourceId=search(self.ref, live), Tags=pairs(self.tags))


class FileSystem(Efs):
    """A file system. Its creation token belongs to its key: there is never a second one."""

    creation_token: str = attr(param="CreationToken")
    encrypted: bool = create_only("Encrypted")
    kms_key: Key | str = create_only("KmsKeyId", of="Arn")
    performance_mode: str = create_only("PerformanceMode")
    throughput_mode: str = attr("ThroughputMode")
    provisioned_throughput_in_mibps: float = attr("ProvisionedThroughputInMibps")
    backup_policy: str = attr("BackupPolicy", param="-", read=lambda s: BACKUPS.get(s, s))
    lifecycle_policies: list = attr("LifecyclePolicies", later=True)
    policy: dict = attr("Policy", later=True, read=policies.parse, same=same_policy)
    deletion_protection: bool = attr()

    ref, tags_path = "FileSystemId", "Tags"
    reads, creates = ("describe_file_systems", "FileSystems"), ("create_file_system", "@")
    deletes = ("delete_file_system", "FileSystemId")
    stateful = delete_first = True
    seconds = {"create": 10, "delete": 10}
    outputs = {"id": "FileSystemId", "arn": "FileSystemArn"}
    tells = ("performance_mode", "throughput_mode")

    @property
    def protected(self):
        return self.deletion_protection is not False

    @classmethod
    def fetch(cls, scan):
        """All file systems in one listing; what it does not show only of the stack's own."""
        items = scan.api.pages("efs", *cls.reads)
        parts = [(item, field) for item in items if cls.tags_of(item).get(OWNER) == scan.owner
                 for field in PARTS if field in scan.asked(cls)]
        scan.api.map(lambda job: read_part(scan.api, *job), parts)
        return items

    def params(self):
        backup = {"Backup": self.backup_policy == "ENABLED"} if self.backup_policy else {}
        return {**super().params(), **backup}

    @updates("throughput_mode", "provisioned_throughput_in_mibps")
    def speed(self, api, live):
        """AWS allows less throughput, and another mode, once in 24 hours."""
        wanted = {"ThroughputMode": self.throughput_mode,
                  "ProvisionedThroughputInMibps": self.provisioned_throughput_in_mibps}
        api.efs.update_file_system(FileSystemId=live["FileSystemId"],
                                   **{k: v for k, v in wanted.items() if v is not None})

    @updates("backup_policy")
    def back_up(self, api, live):
        """Daily backups by AWS Backup's own plan."""
        api.efs.put_backup_policy(FileSystemId=live["FileSystemId"],
                                  BackupPolicy={"Status": self.backup_policy})

    @updates("lifecycle_policies")
    def age(self, api, live):
        """All transitions at once; a new file system without any needs no call."""
        if self.lifecycle_policies or live.get("LifecyclePolicies"):
            api.efs.put_lifecycle_configuration(FileSystemId=live["FileSystemId"],
                                                LifecyclePolicies=self.lifecycle_policies)

    @updates("policy")
    def allow(self, api, live):
        """Who may mount it, and how."""
        if self.policy:
            api.efs.put_file_system_policy(FileSystemId=live["FileSystemId"],
                                           Policy=policies.text(self.policy))
        elif live.get("Policy"):
            api.efs.delete_file_system_policy(FileSystemId=live["FileSystemId"])


class MountTarget(Efs):
    """The door to a file system in one subnet; there can be one in each availability zone."""

    file_system: FileSystem = create_only("FileSystemId")
    subnet: Subnet = create_only("SubnetId")
    security_groups: list[SecurityGroup | str] = attr("SecurityGroups")

    ref, identity, member_of = "MountTargetId", ("file_system", "subnet"), "file_system"
    creates = ("create_mount_target", "@")
    deletes = ("delete_mount_target", "MountTargetId")
    patience = (r"MountTargetConflict",)  # the one in the zone's former subnet is on its way out
    seconds = {"create": 90, "delete": 30}
    outputs = {"id": "MountTargetId", "ip_address": "IpAddress"}

    @classmethod
    def fetch(cls, scan):
        """One call for each of our file systems, and one for the security groups of all."""
        api = scan.api

        def targets(item):
            try:
                return api.pages("efs", "describe_mount_targets", "MountTargets",
                                 FileSystemId=item["FileSystemId"])
            except NotFound:  # gone since it was listed
                return []

        ours = [item for items in scan.of(FileSystem).owned.values() for item in items]
        found = [target for some in api.map(targets, ours) for target in some]
        if found and "security_groups" in scan.asked(cls):
            ids = [t["NetworkInterfaceId"] for t in found if t.get("NetworkInterfaceId")]
            filters = [{"Name": "network-interface-id", "Values": ids}]
            groups = {i["NetworkInterfaceId"]: [g["GroupId"] for g in i["Groups"]]
                      for i in api.pages("ec2", "describe_network_interfaces",
                                         "NetworkInterfaces", Filters=filters)}
            found = [{**t, "SecurityGroups": groups.get(t.get("NetworkInterfaceId"))}
                     for t in found]
        return found

    @updates("security_groups")
    def guard(self, api, live):
        """Who reaches it, without a break for those that stay."""
        api.efs.modify_mount_target_security_groups(
            MountTargetId=live["MountTargetId"], SecurityGroups=self.security_groups)


class AccessPoint(Efs):
    """A directory of a file system with the user whom every client is there."""

    file_system: FileSystem = create_only("FileSystemId")
    posix_user: dict = create_only("PosixUser")
    root_directory: dict = create_only("RootDirectory")

    ref, tags_path = "AccessPointId", "Tags"
    reads, creates = ("describe_access_points", "AccessPoints"), ("create_access_point", "@")
    deletes = ("delete_access_point", "AccessPointId")
    outputs = {"id": "AccessPointId", "arn": "AccessPointArn"}
