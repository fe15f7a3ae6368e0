#!/usr/bin/python
# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module groundwork.aws.karpenter."""
from __future__ import annotations

DOCUMENTATION = r"""
module: karpenter
short_description: What Karpenter needs in AWS
version_added: 0.1.0
description:
  - Plans and converges what Karpenter (v1) needs before it is installed in the stack's cluster.
    That is a role for its nodes with instance profile and access entry, a role for its
    controller, and a queue with the EventBridge rules that tell of Spot interruptions, rebalance
    recommendations, changes of instance states and scheduled maintenance.
  - The controller may only start, tag and end instances with the cluster's tags. The tags by
    which it finds subnets and security groups are options C(karpenter_discovery) of
    M(groundwork.aws.network) and M(groundwork.aws.security_groups).
author: groundwork.aws contributors (@groundwork-aws)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - groundwork.aws.stack
options:
  cluster_name:
    description:
      - Name of the cluster in the controller's rights. Default is the name of the stack's own
        cluster, C(PRODUCT-ENVIRONMENT-eks).
    type: str
  namespace:
    description: Namespace that Karpenter will be installed in.
    type: str
    default: kube-system
  service_account:
    description: Service account of the controller.
    type: str
    default: karpenter
  controller_identity:
    description:
      - How the controller gets its role. V(irsa) trusts the cluster's OIDC provider,
        V(pod_identity) makes an association of EKS Pod Identity.
    type: str
    choices: [irsa, pod_identity]
    default: irsa
  controller_role_name:
    description:
      - Name of the controller's role, C(PRODUCT-ENVIRONMENT-role-karpenter-controller) by
        default. Changing it replaces the role.
    type: str
  node_role_name:
    description:
      - Name of the nodes' role and instance profile, C(PRODUCT-ENVIRONMENT-role-karpenter-node)
        by default. Changing it replaces them.
    type: str
  node_managed_policies:
    description: Policies of the nodes' role, AWS's own by name, others by ARN.
    type: list
    elements: str
    default:
      - AmazonEKSWorkerNodePolicy
      - AmazonEKS_CNI_Policy
      - AmazonEC2ContainerRegistryPullOnly
      - AmazonSSMManagedInstanceCore
  instance_profile:
    description:
      - Make the instance profile of the nodes, for C(spec.instanceProfile) of an EC2NodeClass.
        Without it the controller may make profiles of its own, for C(spec.role).
    type: bool
    default: true
  access_entry:
    description: Make the access entry (type C(EC2_LINUX)) that lets the nodes into the cluster.
    type: bool
    default: true
  tag_cluster_security_group:
    description:
      - Tag the security group that EKS makes for the cluster with C(karpenter.sh/discovery). That
        group admits only itself, so nodes without it reach neither the control plane nor pods on
        nodes of managed groups.
    type: bool
    default: true
  interruption_queue:
    description: Make the queue and the rules that fill it.
    type: bool
    default: true
  message_retention_period:
    description: Seconds that the queue keeps a message, 60 to 1209600.
    type: int
    default: 300
  require_stack_tag:
    description:
      - Let the controller only make what carries C(groundwork:stack) as well, so that the
        removal of the stack finds it. C(spec.tags) of each EC2NodeClass must then hold that tag
        with the name of the stack.
    type: bool
    default: true
  path:
    description:
      - Path of roles and instance profile, C(/groundwork/STACK/) by default. Changing it
        replaces them.
    type: str
  permissions_boundary:
    description: Boundary of both roles, AWS's own by name, others by ARN.
    type: str
"""

EXAMPLES = r"""
- name: What Karpenter needs, with a role by EKS Pod Identity
  groundwork.aws.karpenter:
    product: pingvas
    environment: shared
    region: us-east-1
    controller_identity: pod_identity
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
  sample: {"karpenter/queue/interruption": {name: pingvas-shared-queue-karpenter}}
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
  sample: {karpenter/queue/interruption: {state: done, why: "", seconds: 2.1}}
problems:
  description: The lines of C(msg), a problem each.
  returned: failure
  type: list
  elements: str
"""

from ansible_collections.groundwork.aws.plugins.module_utils.components import karpenter
from ansible_collections.groundwork.aws.plugins.module_utils.run import component_module


def main():
    """Converges what Karpenter needs alone."""
    component_module("karpenter", karpenter)


if __name__ == "__main__":
    main()
