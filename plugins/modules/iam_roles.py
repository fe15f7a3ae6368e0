#!/usr/bin/python
# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module groundwork.aws.iam_roles."""
from __future__ import annotations

DOCUMENTATION = r"""
module: iam_roles
short_description: IAM policies, roles and instance profiles
version_added: 0.1.0
description:
  - Plans and converges policies of the stack's own, and roles for AWS services, for service
    accounts of the stack's cluster (by IRSA or EKS Pod Identity) and for others.
  - Policies on a role that nobody wants are drift and are removed.
  - In statements C({account_id}), C({region}), C({partition}) and C({stack}) stand for those of
    the stack.
author: groundwork.aws contributors (@groundwork-aws)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - groundwork.aws.stack
options:
  cluster_name:
    description:
      - Name of the cluster whose pods may assume roles by EKS Pod Identity. Default is the name
        of the stack's own cluster, C(PRODUCT-ENVIRONMENT-eks).
    type: str
  path:
    description:
      - Path of policies, roles and instance profiles. Changing it replaces them.
      - Default is C(/groundwork/STACK/), by which what is left over is found; below another path
        only roles are.
    type: str
  permissions_boundary:
    description: Boundary of all roles that name none of their own, as in O(roles).
    type: str
  policies:
    description:
      - Name in the stack to options of a managed policy. Its key is
        C(iam_roles/managed_policy/NAME).
      - C(statements) (list of dictionaries, required) are those of the policy, up to 6144
        characters. A change is a new version; the oldest goes when there are five.
      - C(policy_name) (string, default C(PRODUCT-ENVIRONMENT-policy-NAME)) can only be changed
        by a replacement.
      - C(description) (string) matters at creation only, AWS cannot change it.
      - C(tags) (dictionary) are further tags.
    type: dict
    default: {}
  roles:
    description:
      - Name in the stack to options of a role. Its key is C(iam_roles/role/NAME).
      - C(role_name) (string, default C(PRODUCT-ENVIRONMENT-role-NAME)) and C(path) (string,
        default O(path)) can only be changed by a replacement. C(description) (string) matters at
        creation only.
      - C(trusted_services) (list of strings) are services that may assume it, such as
        V(ec2.amazonaws.com).
      - C(service_accounts) (list of dictionaries with C(namespace) and C(service_account)) may
        assume it as C(service_account_identity) says. With V(irsa), the default, the trust policy
        holds the cluster's OIDC provider. With V(pod_identity) it holds cluster, namespaces and
        service accounts, and each service account gets an association with the role.
      - C(controller) (V(aws-load-balancer-controller) or V(cluster-autoscaler)) gives the role an
        inline policy of that name with what this controller may do, and, where no
        C(service_accounts) are given, its own in C(kube-system).
      - C(trust_statements) (list of dictionaries) are further statements of the trust policy.
      - C(managed_policies) (list of strings) are names of O(policies), names of AWS's own such as
        V(AmazonSSMManagedInstanceCore), or ARNs.
      - C(inline_policies) (dictionary) is name to C(statements) (list of dictionaries), up to
        10240 characters for all of them.
      - C(permissions_boundary) (string) is named like a managed policy. Not set means that of the
        component, else none of the stack's own policies under the default O(path); any other is
        left as it is.
      - C(instance_profile) (boolean) makes an instance profile of the role's name.
      - C(tags) (dictionary) are further tags.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: A role for workers on the cluster, and one for instances
  groundwork.aws.iam_roles:
    product: sentineltranslate
    environment: dev
    region: us-east-1
    policies:
      translation-data:
        statements:
          - Effect: Allow
            Action: ["s3:GetObject", "s3:PutObject"]
            Resource: "arn:{partition}:s3:::sentineltranslate-translation-data-{account_id}/*"
    roles:
      worker:
        service_accounts:
          - {namespace: sentineltranslate, service_account: sentineltranslate-worker}
        service_account_identity: pod_identity
        managed_policies: [translation-data]
      bastion:
        trusted_services: [ec2.amazonaws.com]
        managed_policies: [AmazonSSMManagedInstanceCore]
        instance_profile: true
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
  sample: {"iam_roles/role/worker": {name: acme-dev-role-worker}}
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
  sample: {iam_roles/role/worker: {state: done, why: "", seconds: 2.1}}
problems:
  description: The lines of C(msg), a problem each.
  returned: failure
  type: list
  elements: str
"""

from ansible_collections.groundwork.aws.plugins.module_utils.components import iam_roles
from ansible_collections.groundwork.aws.plugins.module_utils.run import component_module


def main():
    """Converges the roles and policies alone."""
    component_module("iam_roles", iam_roles)


if __name__ == "__main__":
    main()
