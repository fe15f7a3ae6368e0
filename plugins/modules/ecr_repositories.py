#!/usr/bin/python
# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module groundwork.aws.ecr_repositories."""
from __future__ import annotations

DOCUMENTATION = r"""
module: ecr_repositories
short_description: Repositories of container images
version_added: 0.1.0
description:
  - Plans and converges the ECR repositories of a stack, with lifecycle, scanning and policy.
  - A repository holds data. It is replaced or removed only when O(allow_data_loss) names it, or
    when its option C(force_delete) is set; only then are its images deleted.
author: groundwork.aws contributors (@groundwork-aws)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - groundwork.aws.stack
options:
  repositories:
    description:
      - Name in the stack to options of the repository. Its key is
        C(ecr_repositories/repository/NAME).
      - C(repository_name) (string) is its name in AWS. Default is C(PRODUCT-ENVIRONMENT/NAME). It
        can only be
        changed by a replacement.
      - C(image_tag_mutability) is V(MUTABLE) (default) or V(IMMUTABLE); the latter keeps a tag at
        its first image.
      - C(scan_on_push) (boolean, default V(true)) scans images for known weaknesses when they
        come.
      - C(encryption) (dictionary) has C(encryption_type) (V(AES256), V(KMS) or V(KMS_DSSE),
        default V(AES256)) and C(kms_key) (name of a key in M(groundwork.aws.kms_keys), or an
        ARN). It can only be changed by a replacement.
      - C(lifecycle_policy) (dictionary) has C(untagged_expiry_days) (integer; untagged images go
        that many days after their push) and C(keep_last) (integer; only so many images stay), or
        C(rules), the rules of a lifecycle policy as ECR writes them. Without any of them the
        repository has no policy.
      - C(policy_statements) (list of dictionaries) are the statements of the repository policy,
        with C({account_id}), C({region}), C({partition}) and C({stack}) put in. Not set means
        left as it is, an empty list means no policy.
      - C(tags) (dictionary) are further tags.
      - C(force_delete) (boolean, default V(false)) lets the repository be deleted with its images
        when the stack is removed.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: The registries of sentineltranslate
  groundwork.aws.ecr_repositories:
    product: sentineltranslate
    environment: dev
    region: us-east-1
    repositories:
      api: {lifecycle_policy: {untagged_expiry_days: 7}}
      sidecar: {lifecycle_policy: {untagged_expiry_days: 7}}
      worker: {lifecycle_policy: {untagged_expiry_days: 7}}
      triton:
        image_tag_mutability: IMMUTABLE
        lifecycle_policy: {untagged_expiry_days: 7, keep_last: 20}
"""

RETURN = r"""
stack:
  description: Name of the stack.
  returned: whenever a plan could be made
  type: str
  sample: sentineltranslate-dev
plan:
  description: What the run does, or in check mode would do, in the order of the graph.
  returned: whenever a plan could be made
  type: list
  elements: dict
  contains:
    key: {description: "Key of the object, C(component/type/name).", type: str}
    type: {description: Type of the object., type: str}
    action: {description: "One of create, update, replace, delete, keep.", type: str}
    impact:
      description: "One of none, in place, rolling, replace, downtime, data loss."
      type: str
    expected_seconds: {description: How long AWS usually takes., type: int}
    before: {description: Live values of what changes., type: dict}
    after: {description: Wanted values of what changes., type: dict}
    unknown: {description: Fields that only the apply can tell., type: list, elements: str}
    reason: {description: Why an object that nobody changed is replaced or deleted., type: str}
    about: {description: "What is to be made, or how it is called that goes.", type: str}
summary:
  description: Number of objects per action.
  returned: whenever a plan could be made
  type: dict
  sample: {create: 45, update: 0, replace: 0, delete: 0, keep: 0}
left_over:
  description: Keys of objects that carry the stack's tags and are no longer wanted.
  returned: whenever a plan could be made
  type: list
  elements: str
outputs:
  description: What is worth knowing of each object, by key.
  returned: whenever a plan could be made
  type: dict
  sample: {"ecr_repositories/repository/api": {name: sentineltranslate/api}}
tags:
  description:
    - Tags of everything that belongs to the stack, for what controllers in its cluster make. Those
      of the stack, C(Project) and C(Environment).
  returned: whenever a plan could be made
  type: dict
  sample: {Project: sentineltranslate, Environment: dev, Owner: platform-team}
findings:
  description: What the validator found that did not stop the run.
  returned: whenever a plan could be made
  type: list
  elements: dict
  contains:
    id: {description: Id of the finding., type: str}
    severity: {description: "V(error) when it is waived, else V(warning).", type: str}
    path: {description: Place in the options., type: str}
    message: {description: What is wrong., type: str}
    replacement: {description: What to write instead., type: str}
    waived: {description: Whether the stack waives it., type: bool}
calls:
  description: API calls of the run.
  returned: whenever a plan could be made
  type: dict
  sample: {reads: 12, writes: 0}
expected_seconds:
  description: How long the whole run usually takes.
  returned: whenever a plan could be made
  type: int
outcomes:
  description:
    - What became of each change, by its step; empty in check mode. Each has C(state) (V(done),
      V(failed) or V(skipped)), C(why) and C(seconds).
  returned: whenever a plan could be made
  type: dict
  sample: {ecr_repositories/repository/api: {state: done, why: "", seconds: 2.1}}
problems:
  description: The lines of C(msg), a problem each.
  returned: failure
  type: list
  elements: str
"""

from ansible_collections.groundwork.aws.plugins.module_utils.components import ecr_repositories
from ansible_collections.groundwork.aws.plugins.module_utils.run import component_module


def main():
    """Converges the repositories alone."""
    component_module("ecr_repositories", ecr_repositories)


if __name__ == "__main__":
    main()
