#!/usr/bin/python
# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module groundwork.aws.eks_nodegroups."""
from __future__ import annotations

DOCUMENTATION = r"""
module: eks_nodegroups
short_description: EKS managed node groups with their launch templates and role
version_added: 0.1.0
description:
  - Plans and converges the managed node groups of a stack's cluster. Each has a launch template
    (encrypted root volume, IMDSv2 only, tags on instances and volumes).
  - What AWS can change in place is changed in place; a new launch template or Kubernetes version
    rolls the nodes. What AWS cannot change needs O(allow_replace); the new group is made beside the
    old one, then the old one goes.
  - The number of nodes belongs to the autoscaler once the group is there. It is only brought within
    its limits.
author: groundwork.aws contributors (@groundwork-aws)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - groundwork.aws.stack
options:
  node_role:
    description:
      - Role of all nodes, by its ARN or by its name in the component C(iam_roles). Default is a
        role of its own with C(AmazonEKSWorkerNodePolicy), C(AmazonEC2ContainerRegistryReadOnly) and
        C(AmazonEKS_CNI_Policy). Changing it replaces the groups.
    type: str
  node_role_policies:
    description: More managed policies for the role of its own, by name or ARN.
    type: list
    elements: str
    default: []
  nodegroups:
    description:
      - Node groups by a short name, such as V(cpu). The options of each follow.
      - C(name) (default C({product}-{environment}-<short name>-nodes)), C(instance_types)
        (required; a list of one kind of processor), C(capacity_type) (V(ON_DEMAND), V(SPOT) or
        V(CAPACITY_BLOCK); default V(ON_DEMAND)) and C(ami_type) (default is Amazon Linux 2023 for
        the family; families with NVIDIA GPUs get V(AL2023_x86_64_NVIDIA)). Changing one of them
        replaces the group.
      - C(min_size) (default 1), C(max_size) (required), and C(desired_size) (at the creation;
        default C(min_size)).
      - C(subnet_tier) (default V(private)) with C(availability_zones) (default all), or C(subnets)
        (ids). Changing them replaces the group.
      - C(disk_size) (GiB, default 50), C(volume_type) (V(gp3), V(gp2), V(io1) or V(io2); default
        V(gp3)), C(volume_iops), C(volume_throughput) (MiB/s, gp3), C(volume_kms_key) (ARN, or name
        in the component C(kms_keys); default is AWS's own key), C(http_put_response_hop_limit)
        (default 2; 1 keeps pods away from the nodes' role), C(security_groups) (besides the
        cluster's; ids, or names in the component C(security_groups)) and C(tags). They make a new
        version of the launch template, which rolls the nodes.
      - C(labels) (a dictionary) and C(taints) (a dictionary by key, each with C(effect), required,
        one of V(NO_SCHEDULE), V(NO_EXECUTE), V(PREFER_NO_SCHEDULE), and C(value)).
      - C(update_config) with C(max_unavailable) or C(max_unavailable_percentage), and
        C(update_strategy) (V(DEFAULT) or V(MINIMAL)).
      - C(node_repair) (default V(false)), whether EKS replaces nodes that are not healthy.
      - C(version) (default is the cluster's), C(release_version) (of the AMI; default the latest
        whenever nodes roll) and C(force_update) (default V(false); roll though pods cannot be
        moved).
      - A group with a C(min_size) of 0 gets the tags by which the Cluster Autoscaler knows its
        labels, taints and GPUs.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Nodes for general work and, when there is any, for GPU work
  groundwork.aws.eks_nodegroups:
    product: sentineltranslate
    environment: dev
    region: us-east-1
    nodegroups:
      cpu:
        instance_types: [t3.medium]
        min_size: 1
        desired_size: 2
        max_size: 4
        labels: {workload-type: general}
      gpu:
        instance_types: [g4dn.xlarge]
        min_size: 0
        desired_size: 1
        max_size: 2
        disk_size: 100
        labels: {workload-type: gpu, nvidia.com/gpu: "true"}
        taints:
          nvidia.com/gpu: {value: "true", effect: NO_SCHEDULE}
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
  sample: {create: 47, update: 0, replace: 0, delete: 0, keep: 0}
left_over:
  description: Keys of objects that carry the stack's tags and are no longer wanted.
  returned: whenever a plan could be made
  type: list
  elements: str
outputs:
  description: What is worth knowing of each object, by key.
  returned: whenever a plan could be made
  type: dict
  sample: {"eks_nodegroups/nodegroup/cpu": {name: sentineltranslate-dev-cpu-nodes, status: ACTIVE}}
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
  sample: {eks_nodegroups/nodegroup/cpu: {state: done, why: "", seconds: 2.1}}
problems:
  description: The lines of C(msg), a problem each.
  returned: failure
  type: list
  elements: str
"""

from ansible_collections.groundwork.aws.plugins.module_utils.components import eks_nodegroups
from ansible_collections.groundwork.aws.plugins.module_utils.run import component_module


def main():
    """Converges the node groups alone."""
    component_module("eks_nodegroups", eks_nodegroups)


if __name__ == "__main__":
    main()
