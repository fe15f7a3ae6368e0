#!/usr/bin/python
# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module groundwork.aws.network."""
from __future__ import annotations

DOCUMENTATION = r"""
module: network
short_description: A VPC with its subnets, ways out, endpoints and flow logs
version_added: 0.1.0
description:
  - Plans and converges the network of a stack. Subnets are keyed by tier and zone, so that another
    zone moves nothing that exists.
author: groundwork.aws contributors (@groundwork-aws)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - groundwork.aws.stack
options:
  cidr_block:
    description: IPv4 range of the VPC, C(/16) to C(/28).
    type: str
    required: true
  availability_zones:
    description: Full names of the zones that get subnets, such as V(us-east-1a). EKS needs two.
    type: list
    elements: str
    required: true
  subnets:
    description:
      - The tiers. V(public) routes to the internet gateway, V(private) to a NAT gateway,
        V(isolated) nowhere. A tier that is not named has no subnets.
    type: dict
    default: {public: {}, private: {}}
    suboptions:
      public: &tier
        description: Subnets of this tier.
        type: dict
        suboptions:
          cidr_blocks:
            description:
              - Zone to CIDR block. Where none is given it is computed from the tier and the zone's
                letter.
            type: dict
            default: {}
          tags:
            description: Tags for the subnets of this tier.
            type: dict
            default: {}
          map_public_ip_on_launch:
            description: Give a public address to everything that starts here.
            type: bool
            default: false
      private: *tier
      isolated: *tier
  subnet_prefix_length:
    description: Prefix length of computed CIDR blocks.
    type: int
    default: 24
  nat_gateways:
    description:
      - How many NAT gateways. V(one) saves about 33 USD a month for each zone and stops outbound
        traffic of all zones when its zone fails.
      - Default is V(one) where there is an internet gateway, else V(none); to ask for one without
        internet is an error.
    type: str
    choices: [none, one, one_per_zone]
  nat_gateway_zone:
    description: The zone of the only NAT gateway. Default is the first of O(availability_zones).
    type: str
  allocation_ids:
    description:
      - Zone to allocation id, for NAT gateways with Elastic IP addresses that exist already.
    type: dict
    default: {}
  internet_gateway:
    description: Whether the VPC has an internet gateway. Default is to have one with a public tier.
    type: bool
  enable_dns_support:
    description: DNS resolution in the VPC. Not set means AWS's default, which is on.
    type: bool
  enable_dns_hostnames:
    description: Host names for instances; EKS and private endpoint names need them.
    type: bool
    default: true
  gateway_endpoints:
    description:
      - Services with a gateway endpoint in all route tables, V(s3) or V(dynamodb). They are free.
    type: list
    elements: str
    default: [s3]
  interface_endpoints:
    description:
      - Services with an interface endpoint in each private (else isolated) subnet, such as
        V(ecr.api).
    type: list
    elements: str
    default: []
  flow_logs:
    description: Record traffic in CloudWatch Logs, with a role and a log group of its own.
    type: dict
    suboptions:
      traffic_type:
        description: What is recorded.
        type: str
        choices: [ACCEPT, REJECT, ALL]
        default: ALL
      retention_in_days:
        description: How long records are kept.
        type: int
        default: 30
      max_aggregation_interval:
        description: Seconds that one record sums up.
        type: int
        choices: [60, 600]
        default: 600
  load_balancer_tags:
    description: Tag public and private subnets for the AWS Load Balancer Controller.
    type: bool
    default: true
  karpenter_discovery:
    description: Cluster name for the tag C(karpenter.sh/discovery) on private subnets.
    type: str
"""

EXAMPLES = r"""
- name: Show what the network would take
  groundwork.aws.network:
    product: pingvas
    environment: shared
    region: us-east-1
    cidr_block: 10.0.0.0/16
    availability_zones: [us-east-1a, us-east-1b, us-east-1c]
  check_mode: true
  diff: true

- name: Build it with a NAT gateway in each zone
  groundwork.aws.network:
    product: pingvas
    environment: shared
    region: us-east-1
    cidr_block: 10.0.0.0/16
    availability_zones: [us-east-1a, us-east-1b, us-east-1c]
    nat_gateways: one_per_zone
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

from ansible_collections.groundwork.aws.plugins.module_utils.components import network
from ansible_collections.groundwork.aws.plugins.module_utils.run import component_module


def main():
    """Converges the network alone."""
    component_module("network", network)


if __name__ == "__main__":
    main()
