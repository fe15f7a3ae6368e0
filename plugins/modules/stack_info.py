#!/usr/bin/python
# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module groundwork.aws.stack_info."""
from __future__ import annotations

DOCUMENTATION = r"""
module: stack_info
short_description: What a stack has, by listing
version_added: 0.1.0
description:
  - Lists everything that a removal of the stack would find, with state, version and endpoints, for
    people and for inventories. These are the objects that carry the stack's tags, and what belongs
    to them, such as routes, rules and attachments. It needs none of the stack's options.
author: groundwork.aws contributors (@groundwork-aws)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
options:
  product:
    description: The product of the stack.
    type: str
    required: true
  environment:
    description: The environment of the stack.
    type: str
    required: true
  aws_account_id:
    description: The account of the stack. Credentials of another account are refused.
    type: str
  kubeconfig:
    description:
      - Where to write a kubeconfig for the stack's cluster. By default none is written.
      - Nobody else may read the file. It names one context, as the cluster is named.
      - On the connection C(local) a relative path begins where Ansible was started.
    type: path
  kubeconfig_user:
    description:
      - V(exec) lets C(kubectl) ask the AWS CLI (C(aws eks get-token)) for tokens.
      - V(token) puts one token into the file. EKS takes it for 15 minutes, and it is a new one each
        time, so that the file always changes.
    type: str
    choices: [exec, token]
    default: exec
requirements:
  - python >= 3.11
  - boto3
  - jmespath
attributes:
  check_mode:
    description: It only reads, and writes no kubeconfig.
    support: full
  diff_mode:
    description: It changes nothing of the stack.
    support: none
"""

EXAMPLES = r"""
- name: Look what the stack has
  groundwork.aws.stack_info:
    product: sentineltranslate
    environment: dev
    region: us-east-1
  register: found

- name: Write a kubeconfig for kubectl
  groundwork.aws.stack_info:
    product: sentineltranslate
    environment: dev
    region: us-east-1
    kubeconfig: kubeconfig

- name: Show where its cluster answers
  ansible.builtin.debug:
    msg: "{{ found.objects['eks_cluster/cluster/main'].endpoint | default('there is none') }}"
"""

RETURN = r"""
stack:
  description: Name of the stack.
  returned: success
  type: str
  sample: sentineltranslate-dev
objects:
  description: What the stack has, by key.
  returned: success
  type: dict
  contains:
    type: {description: Type of the object., type: str}
    id: {description: "Its identifier, or what tells it from others of its parent.", type: str}
    state: {description: "One of ready, pending, failed, leaving.", type: str}
  sample:
    network/vpc/main: {type: Vpc, id: vpc-0a1b2c3d4e5f67890, state: ready, cidr_block: 10.0.0.0/16}
not_ready:
  description: Keys of the objects that are not ready.
  returned: success
  type: list
  elements: str
calls:
  description: API calls of the run.
  returned: success
  type: dict
  sample: {reads: 40, writes: 0}
"""

from ansible_collections.groundwork.aws.plugins.module_utils.components.registry import COMPONENTS
from ansible_collections.groundwork.aws.plugins.module_utils.run import info_module


def main():
    """Lists the stack."""
    info_module(COMPONENTS)


if __name__ == "__main__":
    main()
