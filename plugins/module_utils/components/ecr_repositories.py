# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""ecr_repositories: repositories of container images with their lifecycle and policy."""
from __future__ import annotations

import re

from ..types.ecr import Repository
from ..types.policies import document

REPOSITORY = dict(
    repository_name=dict(type="str"),
    image_tag_mutability=dict(type="str", default="MUTABLE", choices=["MUTABLE", "IMMUTABLE"]),
    scan_on_push=dict(type="bool", default=True),
    encryption=dict(type="dict", options=dict(
        encryption_type=dict(type="str", default="AES256", choices=["AES256", "KMS", "KMS_DSSE"]),
        kms_key=dict(type="str"),
    )),
    lifecycle_policy=dict(type="dict", default={}, options=dict(
        untagged_expiry_days=dict(type="int"),
        keep_last=dict(type="int"),
        rules=dict(type="list", elements="dict"),
    )),
    policy_statements=dict(type="list", elements="dict"),
    tags=dict(type="dict", default={}),
    force_delete=dict(type="bool", default=False),
)
SPEC = dict(repositories=dict(type="dict", default={}))
NAMED = {"repositories": REPOSITORY}
# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html
NAME = re.compile(r"(?=.{2,256}$)(?:[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*/)*"
                  r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*")


def build(options: dict, stack) -> list:
    """One repository for each name."""
    problems = []
    resources = [_repository(name, given, stack, problems)
                 for name, given in options["repositories"].items()]
    if problems:
        raise ValueError("\n".join(problems))
    return resources


def _repository(name: str, given: dict, stack, problems: list) -> Repository:
    path = f"repositories.{name}"
    repository = given["repository_name"] or f"{stack.id}/{name}"
    if not NAME.fullmatch(repository):
        problems.append(f"{path}.repository_name: {repository} is not a repository name; use 2 to "
                        "256 lower-case letters and digits, with . _ - and / between them")
    encryption = given["encryption"] or {}
    if encryption.get("kms_key") and encryption["encryption_type"] == "AES256":
        problems.append(f"{path}.encryption.kms_key: needs encryption_type KMS or KMS_DSSE")
    key = encryption.get("kms_key")
    statements = stack.filled(given["policy_statements"])
    return Repository(
        key=f"ecr_repositories/repository/{name}", repository_name=repository,
        tags=dict(given["tags"]), image_tag_mutability=given["image_tag_mutability"],
        scan_on_push=given["scan_on_push"], encryption_type=encryption.get("encryption_type"),
        kms_key=stack.kms_key(key) if key else None,
        lifecycle_policy=_lifecycle(f"{path}.lifecycle_policy", given["lifecycle_policy"],
                                    problems),
        policy=None if statements is None else document(statements),
        force_delete=given["force_delete"])


def _lifecycle(path: str, given: dict, problems: list) -> dict:
    """The lifecycle policy: rules as they are given, or made from the short forms."""
    days, last, rules = given["untagged_expiry_days"], given["keep_last"], given["rules"]
    if rules and (days is not None or last is not None):
        problems.append(f"{path}: give rules, or untagged_expiry_days and keep_last, not both")
    problems += [f"{path}.{name}: must be 1 or more" for name, value in
                 (("untagged_expiry_days", days), ("keep_last", last))
                 if value is not None and value < 1]
    rules = list(rules or ())
    if days is not None:
        rules.append(_rule(1, f"Untagged images go after {days} days", {
            "tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days",
            "countNumber": days}))
    if last is not None:  # AWS wants the rule for any image behind all others
        rules.append(_rule(2, f"The last {last} images stay", {
            "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": last}))
    return {"rules": rules} if rules else {}


def _rule(priority: int, description: str, selection: dict) -> dict:
    return {"rulePriority": priority, "description": description, "selection": selection,
            "action": {"type": "expire"}}
