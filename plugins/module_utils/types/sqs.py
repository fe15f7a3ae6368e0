# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""SQS: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/."""
from __future__ import annotations

from ..engine.errors import NotFound
from ..engine.resource import attr, create_only, updates
from . import policies
from .declared import Declared, agrees
from .kms import Key


def yes(value: str) -> bool:
    """Attributes of queues are strings."""
    return value == "true"


class Queue(Declared):
    """A queue with its policy."""

    queue_name: str = create_only("QueueName")
    message_retention_period: int = attr("MessageRetentionPeriod", read=int)  # seconds
    visibility_timeout: int = attr("VisibilityTimeout", read=int)  # seconds
    receive_message_wait_time_seconds: int = attr("ReceiveMessageWaitTimeSeconds", read=int)
    sqs_managed_sse_enabled: bool = attr("SqsManagedSseEnabled", read=yes)
    kms_key: Key | str = attr("KmsMasterKeyId", of="Arn")
    policy: dict = attr("Policy", read=policies.parse, same=policies.same)

    service, ref, identity, tags_path = "sqs", "QueueUrl", ("queue_name",), "Tags"
    deletes = ("delete_queue", "QueueUrl")
    delete_first = True
    outputs = {"url": "QueueUrl", "arn": "QueueArn", "name": "QueueName"}
    tells = ("queue_name",)

    @classmethod
    def fetch(cls, scan):
        """Queues by the stack's prefix and by wanted name, each with its attributes and tags."""
        api, urls, own, wanted = scan.api, set(), f"{scan.owner}-", scan.named(cls)
        late = {arn.split(":")[-1]: tags for arn, tags in api.tagged("sqs").items()}
        for prefix in {own, *(n for n in wanted if not n.startswith(own))}:
            found = api.pages("sqs", "list_queues", "QueueUrls", QueueNamePrefix=prefix,
                              MaxResults=1000)
            urls |= {u for u in found if prefix == own or u.split("/")[-1] == prefix}

        def read(url):
            name = url.split("/")[-1]
            tags = late.get(name) if agrees(wanted.get(name), late.get(name)) else None
            return cls._read(api, url, tags)

        return [queue for queue in api.map(read, sorted(urls)) if queue]

    @staticmethod
    def _read(api, url: str, tags: dict | None = None) -> dict | None:
        """A queue with its attributes, and its tags unless they are given."""
        try:
            answer = api.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
            if tags is None:
                tags = api.sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
        except NotFound:  # it is listed for a minute after its removal
            return None
        return {**answer["Attributes"], "QueueUrl": url, "QueueName": url.split("/")[-1],
                "Tags": tags}

    def attributes(self) -> dict:
        """What is given, as the API takes it: strings."""
        found = {}
        for name, value in self.params().items():
            if name == "Policy":
                value = policies.text(value) if value else ""
            found[name] = str(value).lower() if isinstance(value, bool) else str(value)
        found.pop("QueueName")
        return found

    def create(self, api):
        answer = api.sqs.create_queue(QueueName=self.queue_name, Attributes=self.attributes(),
                                      tags=self.tags)
        return self._read(api, answer["QueueUrl"])

    @updates("message_retention_period", "visibility_timeout", "policy", "kms_key",
             "receive_message_wait_time_seconds", "sqs_managed_sse_enabled")
    def change(self, api, live):
        """All attributes at once."""
        api.sqs.set_queue_attributes(QueueUrl=live["QueueUrl"], Attributes=self.attributes())

    @updates("tags")
    def retag(self, api, live):
        """Adds or overwrites our tags."""
        api.sqs.tag_queue(QueueUrl=live["QueueUrl"], Tags=self.tags)
