#!/usr/bin/python
# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module groundwork.aws.log_groups."""
from __future__ import annotations

DOCUMENTATION = r"""
module: log_groups
short_description: CloudWatch log groups with retention
version_added: 0.1.0
description:
  - Plans and converges log groups in CloudWatch Logs, with the days that events are kept.
author: groundwork.aws contributors (@groundwork-aws)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - groundwork.aws.stack
options:
  groups:
    description:
      - Name in the stack to options of the log group. Its key is C(log_groups/log_group/NAME).
      - C(name) (string, default C(/STACK/NAME)) is its name in AWS. It and C(log_group_class)
        (V(STANDARD), AWS's default, V(INFREQUENT_ACCESS) or V(DELIVERY)) can only be changed by a
        replacement.
      - C(retention_in_days) (integer, default V(30)) is how long events are kept, one of the
        numbers that CloudWatch Logs knows; V(0) leaves it as it is, which is for ever in a new
        group.
      - C(kms_key) (string) is the name of a key in M(groundwork.aws.kms_keys), or an ARN; its
        policy must let C(logs.REGION.amazonaws.com) use it. Not set means left as it is.
      - C(tags) (dictionary) are further tags.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Logs of the application for a month, of audits for a year
  groundwork.aws.log_groups:
    product: sentineltranslate
    environment: dev
    region: us-east-1
    groups:
      application: {}
      audit: {retention_in_days: 365, log_group_class: INFREQUENT_ACCESS}
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
  sample: {"log_groups/log_group/application": {name: /sentineltranslate-dev/application}}
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
  sample: {log_groups/log_group/application: {state: done, why: "", seconds: 2.1}}
problems:
  description: The lines of C(msg), a problem each.
  returned: failure
  type: list
  elements: str
"""

from ansible_collections.groundwork.aws.plugins.module_utils.components import log_groups
from ansible_collections.groundwork.aws.plugins.module_utils.run import component_module


def main():
    """Converges the log groups alone."""
    component_module("log_groups", log_groups)


if __name__ == "__main__":
    main()
