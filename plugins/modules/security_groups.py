#!/usr/bin/python
# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module groundwork.aws.security_groups."""
from __future__ import annotations

DOCUMENTATION = r"""
module: security_groups
short_description: Security groups with their rules
version_added: 0.1.0
description:
  - Plans and converges the security groups of a stack. Each rule is an object of its own, found
    by what it says; a rule that nobody wants is drift and is removed.
  - A group lets nothing out unless a rule does. Rules that the AWS Load Balancer Controller adds
    are left alone.
author: groundwork.aws contributors (@groundwork-aws)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - groundwork.aws.stack
options:
  vpc_id:
    description: A VPC that exists. Default is that of M(groundwork.aws.network) of the stack.
    type: str
  cluster_name:
    description:
      - Name of the cluster in the tag that C(cluster_tag) sets. Default is the name of the
        stack's own cluster, C(PRODUCT-ENVIRONMENT-eks).
    type: str
  groups:
    description:
      - Name in the stack to options of the group. Its key is
        C(security_groups/security_group/NAME).
      - C(group_name) (string, default C(PRODUCT-ENVIRONMENT-sg-NAME)) and C(description) (string)
        can only be changed by a replacement, which deletes the old group first. AWS refuses that
        as long as anything uses it. To rename one in use, add a group of another name, let its
        users name that one, then remove the first.
      - C(cluster_tag) (boolean) tags the group C(kubernetes.io/cluster/CLUSTER=owned), by which
        the AWS Load Balancer Controller finds the group of the nodes. One group at most may have
        it; another that has it loses it.
      - C(karpenter_discovery) (string) is the value of the tag C(karpenter.sh/discovery), the
        name of the cluster. Without it the group has no such tag.
      - C(tags) (dictionary) are further tags.
      - C(rules) (dictionary) is name to rule. A rule has C(direction) (V(ingress), the default,
        or V(egress)), C(ip_protocol) (V(tcp), the default, V(udp), V(icmp), V(icmpv6), a number,
        or V(-1) for all), ports, exactly one source or destination, and C(description).
      - Ports of V(tcp) and V(udp) are C(from_port) and C(to_port) (default is C(from_port)), or
        C(ports), a list of ports and ranges such as V(8001-8005), each a rule of its own. For
        V(icmp) they are type and code, all by default.
      - The source or destination is C(cidr_ipv4), C(cidr_ipv6), C(prefix_list) (id, or name such
        as V(com.amazonaws.us-east-1.s3)) or C(source_group) (name of another of these groups,
        V(self), or an id C(sg-...)).
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: A load balancer, nodes behind it, and a database that only the nodes reach
  groundwork.aws.security_groups:
    product: pingvas
    environment: shared
    region: us-east-1
    groups:
      alb:
        description: Load balancer
        rules:
          web: {ports: [80, 443], cidr_ipv4: 0.0.0.0/0}
          services: {direction: egress, ports: [8001-8005], source_group: nodes}
      nodes:
        description: Worker nodes
        cluster_tag: true
        rules:
          services: {ports: [8001-8005], source_group: alb}
          pods: {ip_protocol: "-1", source_group: self}
          out: {direction: egress, ip_protocol: "-1", cidr_ipv4: 0.0.0.0/0}
      rds:
        description: Aurora
        rules:
          postgresql: {from_port: 5432, source_group: nodes}
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
  sample: {"security_groups/security_group/alb": {id: sg-0a1b2c3d4e5f67890}}
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
  sample: {security_groups/security_group/alb: {state: done, why: "", seconds: 2.1}}
problems:
  description: The lines of C(msg), a problem each.
  returned: failure
  type: list
  elements: str
"""

from ansible_collections.groundwork.aws.plugins.module_utils.components import security_groups
from ansible_collections.groundwork.aws.plugins.module_utils.run import component_module


def main():
    """Converges the security groups alone."""
    component_module("security_groups", security_groups)


if __name__ == "__main__":
    main()
