# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""ECR: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/."""
from __future__ import annotations

import json

from ..clients.tags import pairs
from ..engine.errors import Failure, NotFound, ServiceFailure
from ..engine.resource import KEY, attr, create_only, search, updates
from . import policies
from .declared import Declared, agrees, given
from .kms import Key

# What DescribeRepositories does not show: field -> (method, its place in the answer and the item).
PARTS = {"lifecycle_policy": ("get_lifecycle_policy", "lifecyclePolicyText"),
         "policy": ("get_repository_policy", "policyText")}


def read_part(api, repository: dict, field: str) -> None:
    """Puts one more policy into the item."""
    method, name = PARTS[field]
    try:
        answer = getattr(api.ecr, method)(repositoryName=repository["repositoryName"])
        repository[name] = answer[name]
    except NotFound:
        repository[name] = None


def read_tags(api, repository: dict) -> None:
    """Puts the tags into the item."""
    answer = api.ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])
    repository["tags"] = answer["tags"]


class Repository(Declared):
    """A repository of container images."""

    repository_name: str = create_only("repositoryName")
    image_tag_mutability: str = attr("imageTagMutability")
    scan_on_push: bool = attr("imageScanningConfiguration.scanOnPush")
    encryption_type: str = create_only("encryptionConfiguration.encryptionType")
    kms_key: Key | str = create_only("encryptionConfiguration.kmsKey", of="Arn")
    lifecycle_policy: dict = attr("lifecyclePolicyText", later=True, read=json.loads)
    policy: dict = attr("policyText", later=True, read=policies.parse, same=policies.same)
    force_delete: bool = attr()

    service, ref, identity, tags_path = "ecr", "repositoryName", ("repository_name",), "tags"
    reads = ("describe_repositories", "repositories")
    creates = ("create_repository", "repository")
    stateful = delete_first = True
    outputs = {"arn": "repositoryArn", "uri": "repositoryUri", "name": "repositoryName"}
    tells = ("repository_name",)

    @property
    def protected(self):
        return not self.force_delete

    @classmethod
    def fetch(cls, scan):
        """The wanted repositories and those that the tagging API knows: one call for all.

        Named in the call, a single missing one would fail it, so it lists the registry.
        """
        api, wanted, keys = scan.api, scan.named(cls), scan.keyed(cls)
        late = api.tagged("ecr:repository")
        found = [{**item, "tags": late.get(item["repositoryArn"])}
                 for item in api.pages("ecr", *cls.reads, maxResults=1000)
                 if item["repositoryName"] in wanted or item["repositoryArn"] in late]
        doubtful = [r for r in found if not agrees(wanted.get(r["repositoryName"]), r["tags"])]
        api.map(lambda repository: read_tags(api, repository), doubtful)
        # One may yet have its former name.
        parts = [(r, field) for r in found for field in PARTS if field in given(
            wanted.get(r["repositoryName"]) or keys.get(cls.tags_of(r).get(KEY)))]
        api.map(lambda job: read_part(api, *job), parts)
        return found

    def params(self):
        found = {**super().params(),
                 "imageScanningConfiguration": {"scanOnPush": bool(self.scan_on_push)}}
        if self.encryption_type:
            key = {"kmsKey": self.kms_key} if self.kms_key else {}
            found["encryptionConfiguration"] = {"encryptionType": self.encryption_type, **key}
        return found

    def tagging(self):
        return {"tags": pairs(self.tags)}

    @updates("image_tag_mutability")
    def fix_tags(self, api, live):
        """Whether a tag can be moved to another image."""
        api.ecr.put_image_tag_mutability(repositoryName=self.repository_name,
                                         imageTagMutability=self.image_tag_mutability)

    @updates("scan_on_push")
    def scan_images(self, api, live):
        """Whether images are scanned for known weaknesses when they come."""
        api.ecr.put_image_scanning_configuration(
            repositoryName=self.repository_name,
            imageScanningConfiguration={"scanOnPush": self.scan_on_push})

    @updates("lifecycle_policy")
    def age(self, api, live):
        """When images go; a new repository without rules needs no call."""
        if self.lifecycle_policy:
            api.ecr.put_lifecycle_policy(repositoryName=self.repository_name,
                                         lifecyclePolicyText=json.dumps(self.lifecycle_policy))
        elif live.get("lifecyclePolicyText"):
            api.ecr.delete_lifecycle_policy(repositoryName=self.repository_name)

    @updates("policy")
    def allow(self, api, live):
        """Who else may pull or push."""
        if self.policy:
            api.ecr.set_repository_policy(repositoryName=self.repository_name,
                                          policyText=policies.text(self.policy))
        elif live.get("policyText"):
            api.ecr.delete_repository_policy(repositoryName=self.repository_name)

    @updates("tags")
    def retag(self, api, live):
        """Adds or overwrites our tags."""
        api.ecr.tag_resource(resourceArn=live["repositoryArn"], tags=pairs(self.tags))

    def delete(self, api, live):
        """Deletes the repository, with its images only where that is wanted."""
        try:
            api.ecr.delete_repository(repositoryName=search(self.ref, live),
                                      force=bool(self.force_delete))
        except ServiceFailure as failure:
            if failure.code != "RepositoryNotEmptyException":
                raise
            raise Failure(f"{failure}; delete its images, or set force_delete for it") from failure
