#!/usr/bin/python
# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module groundwork.aws.stack."""
from __future__ import annotations

DOCUMENTATION = r"""
module: stack
short_description: All components of a stack, in one graph
version_added: 0.1.0
description:
  - Plans and converges everything that a product has in an environment. All components are one
    graph in one process, so that each object starts the moment its own needs are met.
author: groundwork.aws contributors (@groundwork-aws)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - groundwork.aws.stack
options:
  components:
    description:
      - Component to its options, which are those of the module of the same name, such as
        M(groundwork.aws.network).
    type: dict
    required: true
  variables:
    description:
      - Names of the host's variables. One that is nearly a component's name, or that of a variable
        of the role P(groundwork.aws.stack#role) or of O(roles), is refused as a typing error.
    type: list
    elements: str
    default: []
  roles:
    description:
      - Roles for the stack's cluster, by their folders, each with the options of its argument
        specification. What they do not take of the host's variables, with the outputs of the plan,
        is refused before anything is changed.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show what a network and a bucket would take
  groundwork.aws.stack:
    product: sentineltranslate
    environment: dev
    region: us-east-1
    components:
      network:
        cidr_block: 10.0.0.0/16
        availability_zones: [us-east-1a, us-east-1b]
      s3_buckets:
        buckets:
          translation-data:
            versioning: Enabled
  check_mode: true
  diff: true
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
  sample: {"network/vpc/main": {id: vpc-0a1b2c3d4e5f67890, cidr_block: 10.0.0.0/16}}
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
  sample: {network/vpc/main: {state: done, why: "", seconds: 2.1}}
problems:
  description: The lines of C(msg), a problem each.
  returned: failure
  type: list
  elements: str
"""

from ansible_collections.groundwork.aws.plugins.module_utils.components.registry import COMPONENTS
from ansible_collections.groundwork.aws.plugins.module_utils.run import stack_module


def main():
    """Converges the whole stack."""
    stack_module(COMPONENTS)


if __name__ == "__main__":
    main()
