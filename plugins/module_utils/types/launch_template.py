# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""EC2 launch templates: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/."""
from __future__ import annotations

from ..clients.tags import pairs
from ..engine.resource import (
    Computed, Fact, attr, create_only, diff, needs, resolved, updates,
)
from .declared import settled
from .ec2 import Ec2, SecurityGroup
from .kms import Key

VOLUME = "LaunchTemplateData.BlockDeviceMappings[-1].Ebs."
# Size, and what else only the last volume gets: field -> name in the API.
LAST = {"volume_size": "VolumeSize", "iops": "Iops", "throughput": "Throughput"}


def _plain(tags: list) -> dict:
    return {tag["Key"]: tag["Value"] for tag in tags}


class LaunchTemplate(Ec2):
    """What instances start with. A change makes a new version; who uses it moves by itself."""

    launch_template_name: str = create_only("LaunchTemplateName")
    devices: list = attr("LaunchTemplateData.BlockDeviceMappings[].DeviceName")
    volume_size: int = attr(VOLUME + "VolumeSize")  # GiB, of the last device
    volume_type: str = attr(VOLUME + "VolumeType")
    iops: int = attr(VOLUME + "Iops")
    throughput: int = attr(VOLUME + "Throughput")  # MiB/s
    encrypted: bool = attr(VOLUME + "Encrypted")
    volume_kms_key: Key | str = attr(VOLUME + "KmsKeyId", of="Arn")
    http_tokens: str = attr("LaunchTemplateData.MetadataOptions.HttpTokens")
    http_put_response_hop_limit: int = attr(
        "LaunchTemplateData.MetadataOptions.HttpPutResponseHopLimit")
    security_groups: list[SecurityGroup] = attr("LaunchTemplateData.SecurityGroupIds")
    instance_tags: dict = attr(  # of volumes, too
        "LaunchTemplateData.TagSpecifications[?ResourceType=='instance'].Tags | [0]", read=_plain)

    kind, ref, unique = "launch-template", "LaunchTemplateId", "launch-template-name"
    identity = ("launch_template_name",)
    reads = ("describe_launch_templates", "LaunchTemplates")
    deletes = ("delete_launch_template", "LaunchTemplateId")
    outputs = {"id": "LaunchTemplateId", "version": "LatestVersionNumber"}

    @classmethod
    def narrow(cls, api):
        return {**super().narrow(api), "MaxResults": 200}

    @classmethod
    def fetch(cls, scan):
        """The latest versions of all templates, in one call; the stack's are those that the
        tagging API knows or, unless these are certainly all, those that a list by tag tells."""
        versions = scan.api.pages("ec2", "describe_launch_template_versions",
                                  "LaunchTemplateVersions", Versions=["$Latest"], MaxResults=200)
        latest = {v["LaunchTemplateId"]: {**v, "LatestVersionNumber": v["VersionNumber"]}
                  for v in versions}
        late = {arn.split("/")[-1]: {"Tags": pairs(tags)} for arn, tags in
                scan.api.tagged("ec2:launch-template").items()}
        found = {name: {**latest[name], **late[name]} for name in late if name in latest}
        if settled(cls, scan, found, late):
            return found.values()
        return [{**latest[t["LaunchTemplateId"]], **t} for t in super().fetch(scan)
                if t["LaunchTemplateId"] in latest]

    def data(self) -> dict:
        """LaunchTemplateData."""
        common = {"Encrypted": self.encrypted, "VolumeType": self.volume_type,
                  "KmsKeyId": self.volume_kms_key}
        common = {k: v for k, v in common.items() if v not in (None, "")}
        mappings = [{"DeviceName": name, "Ebs": dict(common)} for name in self.devices]
        mappings[-1]["Ebs"].update({name: getattr(self, field) for field, name in LAST.items()
                                    if getattr(self, field) is not None})
        groups = {"SecurityGroupIds": self.security_groups} if self.security_groups else {}
        return {"BlockDeviceMappings": mappings, **groups,
                "MetadataOptions": {"HttpTokens": self.http_tokens,
                                    "HttpPutResponseHopLimit": self.http_put_response_hop_limit},
                "TagSpecifications": [{"ResourceType": kind, "Tags": pairs(self.instance_tags)}
                                      for kind in ("instance", "volume")]}

    def create(self, api):
        data = self.data()
        made = api.ec2.create_launch_template(LaunchTemplateName=self.launch_template_name,
                                              LaunchTemplateData=data, **self.tagging())
        return {**made["LaunchTemplate"], "LaunchTemplateData": data}

    @updates("devices", "volume_size", "volume_type", "iops", "throughput", "encrypted",
             "volume_kms_key", "http_tokens", "http_put_response_hop_limit", "security_groups",
             "instance_tags")
    def change(self, api, live):
        """A new version with all that is wanted."""
        api.ec2.create_launch_template_version(LaunchTemplateId=live["LaunchTemplateId"],
                                               LaunchTemplateData=self.data())

    def version(self) -> Computed:
        """The number of the version that says what is wanted; not known while none does."""
        uses = needs(self)

        def number(live, *lives):
            wanted = resolved(self, {use.key: live for use, live in zip(uses, lives)})
            return None if diff(wanted, live).keys() - {"tags"} else live["LatestVersionNumber"]

        return Computed([self, *uses], number)


class InstanceType(Fact):
    """What an instance type has."""

    instance_type: str = attr("InstanceType")

    identity, ref = ("instance_type",), "InstanceType"

    @classmethod
    def fetch(cls, scan):
        """One call for all."""
        return scan.api.pages("ec2", "describe_instance_types", "InstanceTypes",
                              InstanceTypes=sorted(scan.named(cls)))
