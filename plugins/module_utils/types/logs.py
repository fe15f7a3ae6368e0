# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""CloudWatch Logs: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/."""
from __future__ import annotations

from ..engine.resource import attr, create_only, updates
from .declared import Declared, agrees
from .kms import Key

BATCH = 50  # names a call: API_DescribeLogGroups


class LogGroup(Declared):
    """A log group with the days its events are kept."""

    name: str = create_only("logGroupName")
    kms_key: Key | str = attr("kmsKeyId", of="Arn")
    log_group_class: str = create_only("logGroupClass")
    retention_in_days: int = attr("retentionInDays", later=True)

    service, ref, identity, tags_path = "logs", "logGroupName", ("name",), "tags"
    reads = ("describe_log_groups", "logGroups")
    creates = ("create_log_group", "")
    deletes = ("delete_log_group", "logGroupName")
    delete_first = True
    outputs = {"name": "logGroupName", "arn": "arn"}
    tells = ("name", "retention_in_days")

    @classmethod
    def fetch(cls, scan):
        """The wanted groups and those that the tagging API knows, each with its tags."""
        api = scan.api
        late = {arn.split(":log-group:")[1]: tags
                for arn, tags in api.tagged("logs:log-group").items()}
        wanted = scan.named(cls)
        names = sorted({*wanted, *late})
        found = [group for start in range(0, len(names), BATCH) for group in
                 api.pages(cls.service, *cls.reads,
                           logGroupIdentifiers=names[start:start + BATCH])]

        def tags(group):
            name, arn = group["logGroupName"], group["arn"].removesuffix(":*")
            if agrees(wanted.get(name), late.get(name)):
                return {**group, "tags": late[name]}
            return {**group, "tags": api.logs.list_tags_for_resource(resourceArn=arn)["tags"]}

        return api.map(tags, found)

    def tagging(self):
        return {"tags": self.tags} if self.tags else {}

    def create(self, api):
        super().create(api)
        place = f"arn:{api.partition}:logs:{api.region}:{api.account_id}"
        return {"logGroupName": self.name, "arn": f"{place}:log-group:{self.name}:*"}

    @updates("retention_in_days")
    def retain(self, api, live):
        """How long events are kept."""
        api.logs.put_retention_policy(logGroupName=self.name,
                                      retentionInDays=self.retention_in_days)

    @updates("kms_key")
    def encrypt(self, api, live):
        """Encrypts what comes from now on."""
        api.logs.associate_kms_key(logGroupName=self.name, kmsKeyId=self.kms_key)

    @updates("tags")
    def retag(self, api, live):
        """Adds or overwrites our tags."""
        api.logs.tag_log_group(logGroupName=live["logGroupName"], tags=self.tags)
