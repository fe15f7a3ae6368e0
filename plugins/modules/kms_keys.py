#!/usr/bin/python
# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module groundwork.aws.kms_keys."""
from __future__ import annotations

DOCUMENTATION = r"""
module: kms_keys
short_description: KMS keys with aliases and rotation
version_added: 0.1.0
description:
  - Plans and converges keys of the stack's own, each with an alias.
  - A key holds data, for what it has encrypted is lost with it. It is replaced or removed only
    when O(allow_data_loss) names it, or when its option C(deletion_protection) is switched off.
author: groundwork.aws contributors (@groundwork-aws)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - groundwork.aws.stack
options:
  keys:
    description:
      - Name in the stack to options of the key. Its key is C(kms_keys/key/NAME), its alias
        C(kms_keys/alias/NAME).
      - C(alias) (string) is the name in AWS. Default is C(alias/PRODUCT-ENVIRONMENT-kms-NAME).
      - C(description) (string) says what it is for.
      - C(key_spec) (string, default V(SYMMETRIC_DEFAULT)), C(key_usage) (V(ENCRYPT_DECRYPT), the
        default, V(SIGN_VERIFY), V(GENERATE_VERIFY_MAC) or V(KEY_AGREEMENT)) and C(multi_region)
        (boolean, default V(false)) can only be changed by a replacement, which needs the alias in
        O(allow_replace), too.
      - C(enable_key_rotation) (boolean, default V(true) for symmetric keys) makes new key
        material every C(rotation_period_in_days) (90 to 2560, default V(365)).
      - C(policy_statements) (list of dictionaries) are statements of the key policy beside the
        one that lets IAM policies of the account decide, which is always there. Resource may be
        left out. C({account_id}), C({region}), C({partition}) and C({stack}) stand for those of
        the stack.
      - C(deletion_window_in_days) (7 to 30, default V(30)) is how long a removed key waits, and
        may be taken back, before it is lost.
      - C(deletion_protection) (boolean, default V(true)) keeps the key when the stack is removed,
        until O(allow_data_loss) names it. It is the collection's own, AWS knows no such switch.
      - C(tags) (dictionary) are further tags.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: A key for data and logs, with new material twice a year
  groundwork.aws.kms_keys:
    product: pingvas
    environment: shared
    region: us-east-1
    keys:
      data:
        description: All data of pingvas
        rotation_period_in_days: 180
        policy_statements:
          - Effect: Allow
            Principal: {Service: "logs.{region}.amazonaws.com"}
            Action:
              - kms:Encrypt*
              - kms:Decrypt*
              - kms:ReEncrypt*
              - kms:GenerateDataKey*
              - kms:Describe*
            Condition:
              ArnLike:
                kms:EncryptionContext:aws:logs:arn: arn:aws:logs:{region}:{account_id}:*
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
  sample: {"kms_keys/key/data": {id: 1234abcd-12ab-34cd-56ef-1234567890ab}}
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
  sample: {kms_keys/key/data: {state: done, why: "", seconds: 2.1}}
problems:
  description: The lines of C(msg), a problem each.
  returned: failure
  type: list
  elements: str
"""

from ansible_collections.groundwork.aws.plugins.module_utils.components import kms_keys
from ansible_collections.groundwork.aws.plugins.module_utils.run import component_module


def main():
    """Converges the keys alone."""
    component_module("kms_keys", kms_keys)


if __name__ == "__main__":
    main()
