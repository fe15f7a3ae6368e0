# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""EventBridge, on the default bus: https://docs.aws.amazon.com/eventbridge/latest/APIReference/."""
from __future__ import annotations

import json

from ..clients.tags import pairs
from ..engine.errors import NotFound
from ..engine.resource import attr, create_only, updates
from .declared import Declared, agrees
from .sqs import Queue


class Rule(Declared):
    """Which events go to the targets."""

    name: str = create_only("Name")
    event_pattern: dict = attr("EventPattern", read=json.loads)
    description: str = attr("Description")
    state: str = attr("State")

    service, ref, identity, tags_path = "events", "Name", ("name",), "Tags"
    deletes = ("delete_rule", "Name")
    delete_first = True
    outputs = {"arn": "Arn", "name": "Name"}
    tells = ("description",)

    @classmethod
    def fetch(cls, scan):
        """Rules by the stack's prefix and by wanted name, each with its tags."""
        api, found, wanted = scan.api, {}, scan.named(cls)
        late = api.tagged("events:rule")
        own = f"{scan.owner}-"
        for prefix in {own, *(n for n in wanted if not n.startswith(own))}:
            rules = api.pages("events", "list_rules", "Rules", NamePrefix=prefix)
            found.update({r["Name"]: r for r in rules if prefix == own or r["Name"] == prefix})

        def tagged(rule):
            if agrees(wanted.get(rule["Name"]), late.get(rule["Arn"])):
                return {**rule, "Tags": pairs(late[rule["Arn"]])}
            try:
                answer = api.events.list_tags_for_resource(ResourceARN=rule["Arn"])
            except NotFound:  # removed since it was listed
                return None
            return {**rule, "Tags": answer["Tags"]}

        return [r for r in api.map(tagged, found.values()) if r]

    def params(self):
        return {**super().params(), "EventPattern": json.dumps(self.event_pattern)}

    def create(self, api):
        answer = api.events.put_rule(**self.params(), **self.tagging())
        return {"Name": self.name, "Arn": answer["RuleArn"]}

    @updates("event_pattern", "description", "state")
    def change(self, api, live):
        """Writes the rule anew; its targets and tags stay."""
        api.events.put_rule(**self.params())

    @updates("tags")
    def retag(self, api, live):
        """Adds or overwrites our tags."""
        api.events.tag_resource(ResourceARN=live["Arn"], Tags=pairs(self.tags))


class Target(Declared):
    """Where the events of a rule go."""

    rule: Rule = create_only("Rule")
    target_id: str = create_only("Id")
    arn: Queue | str = attr("Arn", of="QueueArn")

    service, identity, member_of = "events", ("rule", "target_id"), "rule"
    tells = ()

    @classmethod
    def fetch(cls, scan):
        """Targets of our rules: a call for each, for there is none for all."""
        api = scan.api
        rules = [name for rules in scan.of(Rule).owned.values() for name in
                 (rule["Name"] for rule in rules)]

        def targets(name):
            found = api.pages("events", "list_targets_by_rule", "Targets", Rule=name)
            return [{**target, "Rule": name} for target in found]

        return [target for found in api.map(targets, rules) for target in found]

    def create(self, api):
        self.put(api, {})

    @updates("arn")
    def put(self, api, live):
        """Writes the target, whether it is there or not."""
        target = {"Id": self.target_id, "Arn": self.arn}
        api.events.put_targets(Rule=self.rule, Targets=[target])

    def delete(self, api, live):
        api.events.remove_targets(Rule=live["Rule"], Ids=[live["Id"]])
