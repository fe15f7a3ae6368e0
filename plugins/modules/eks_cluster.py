#!/usr/bin/python
# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module groundwork.aws.eks_cluster."""
from __future__ import annotations

DOCUMENTATION = r"""
module: eks_cluster
short_description: An EKS control plane with its role, logs, access entries and add-ons
version_added: 0.1.0
description:
  - Plans and converges the control plane of a stack's Kubernetes cluster, with its role, log group,
    OIDC provider, access entries, add-ons and EKS Pod Identity associations.
  - The subnets are those of the stack's network, which must be there or part of the same stack.
  - Versions go up one minor at a time and never back. A cluster is not counted as data, since what
    runs in it is declared elsewhere; O(deletion_protection) keeps it from being removed.
  - Its removal first deletes what in it has load balancers, claims with EBS volumes and Karpenter's
    nodes, then what is left of these in the account, by their controllers' own tags. Volumes only
    go when O(allow_data_loss) names them, as C(eks_cluster/ebs_volume/main:NAMESPACE/CLAIM).
  - Removing an add-on from O(addons) shows it as left over; it goes with O(prune). An access entry
    or an association that the stack made and no longer wants is removed; those of others are left
    alone.
author: groundwork.aws contributors (@groundwork-aws)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - groundwork.aws.stack
options:
  name:
    description: Name of the cluster. Default is C({product}-{environment}-eks).
    type: str
  version:
    description:
      - Kubernetes version such as V(1.35). Not set means EKS's default at the creation, and no
        change afterwards.
      - An upgrade takes about 10 minutes and leaves workloads running. The node groups follow.
    type: str
  role:
    description:
      - Role of the control plane, by its ARN or by its name in the component C(iam_roles). Default
        is a role of its own with C(AmazonEKSClusterPolicy) and C(AmazonEKSVPCResourceController).
        Changing it replaces the cluster.
    type: str
  subnet_tiers:
    description:
      - Tiers of the stack's network that the control plane gets interfaces in. Two zones are
        needed.
    type: list
    elements: str
    choices: [public, private, isolated]
    default: [private]
  subnets:
    description: Ids of subnets, instead of O(subnet_tiers).
    type: list
    elements: str
    default: []
  security_groups:
    description:
      - More security groups for the interfaces of the control plane, by id or by name in the
        component C(security_groups). EKS always adds one of its own.
    type: list
    elements: str
    default: []
  endpoint_public_access:
    description: Whether the API server is reachable from the internet.
    type: bool
    default: true
  endpoint_private_access:
    description: Whether the API server is reachable from inside the VPC without leaving it.
    type: bool
    default: true
  public_access_cidrs:
    description: Ranges that may reach the API server over the internet.
    type: list
    elements: str
    default: [0.0.0.0/0]
  service_ipv4_cidr:
    description:
      - Range of the services' addresses. EKS chooses one by default. Changing it replaces the
        cluster.
    type: str
  ip_family:
    description: Family of pods' and services' addresses. Changing it replaces the cluster.
    type: str
    choices: [ipv4, ipv6]
  logging:
    description:
      - Logs of the control plane that go to CloudWatch, into C(/aws/eks/<name>/cluster), which is
        made before the cluster.
    type: list
    elements: str
    choices: [api, audit, authenticator, controllerManager, scheduler]
    default: [api, audit, authenticator]
  log_retention_in_days:
    description: How long they are kept.
    type: int
    default: 30
  encryption_key:
    description:
      - Key for the envelope encryption of secrets, by its ARN or by its name in the component
        C(kms_keys). It can be added later (about 20 minutes), and neither changed nor taken away.
    type: str
  authentication_mode:
    description:
      - Who lets principals in. A cluster goes from V(CONFIG_MAP) towards V(API) and never back.
    type: str
    choices: [CONFIG_MAP, API_AND_CONFIG_MAP, API]
    default: API
  bootstrap_cluster_creator_admin_permissions:
    description: Whether who creates the cluster is its administrator. Matters at the creation only.
    type: bool
    default: true
  bootstrap_self_managed_addons:
    description:
      - Whether EKS installs the VPC CNI, kube-proxy and CoreDNS by itself, outside of O(addons).
        Matters at the creation only.
    type: bool
    default: false
  access_entries:
    description:
      - Principals that may use the API server, by a name of your choice. Each has C(principal)
        (required; an ARN, or the name of a role in the component C(iam_roles)), C(type) (default
        V(STANDARD); or V(EC2_LINUX), V(EC2_WINDOWS), V(EC2), V(FARGATE_LINUX), V(HYBRID_LINUX),
        V(HYPERPOD_LINUX)), C(kubernetes_groups) (a list), C(username), and C(policies).
      - C(policies) is a dictionary of access policies, by name such as C(AmazonEKSViewPolicy) or by
        ARN. Each may have C(namespaces), a list; without it the policy holds for the whole cluster.
    type: dict
    default: {}
  addons:
    description:
      - Add-ons by their names. Each may have C(addon_version) (V(default), V(latest) or an exact
        one; default V(default)), C(configuration_values) (a dictionary), C(resolve_conflicts)
        (V(OVERWRITE), V(NONE) or V(PRESERVE); default V(OVERWRITE)), C(service_account_role) (for
        IRSA; an ARN, or the name of a role in the component C(iam_roles)), and C(pod_identity)
        (service account of C(kube-system) to role, the same way).
      - C(vpc-cni) gets C(enableNetworkPolicy) V("true").
      - C(aws-ebs-csi-driver) gets C(controller.extraVolumeTags), the tags that it gives to the
        volumes of claims from then on. They are those of the stack, C(Project), C(Environment),
        C(Component) and C(ManagedBy), here V(aws-ebs-csi-driver).
      - C(configuration_values) are merged over these, at every depth.
      - C(aws-ebs-csi-driver) and C(aws-efs-csi-driver) get a role of their own by EKS Pod Identity
        where none is given and C(eks-pod-identity-agent) is there.
      - C(vpc-cni) and C(kube-proxy) come before the node groups of the same run; what needs nodes
        comes after those that have any.
    type: dict
    default:
      vpc-cni: {}
      kube-proxy: {}
      coredns: {}
      eks-pod-identity-agent: {}
      aws-ebs-csi-driver: {}
  pod_identity_associations:
    description:
      - Roles of service accounts that the component C(iam_roles) does not give, by a name of your
        choice. Each has C(namespace), C(service_account) and C(role) (an ARN, or the name of a role
        in the component C(iam_roles)), all required.
    type: dict
    default: {}
  oidc_provider:
    description:
      - Whether IAM trusts the cluster's OIDC issuer, so that roles for service accounts (IRSA)
        work.
    type: bool
    default: true
  support_type:
    description:
      - What happens when standard support of the version ends. V(STANDARD) upgrades by itself,
        V(EXTENDED) costs 0.60 USD an hour instead of 0.10. Not set means AWS's default, which is
        V(EXTENDED).
    type: str
    choices: [STANDARD, EXTENDED]
  zonal_shift:
    description: Whether traffic may be moved away from a failing zone.
    type: bool
  deletion_protection:
    description:
      - Whether EKS refuses to delete the cluster. A removal of the stack lifts it only where this
        is V(false).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show what the cluster would take
  groundwork.aws.eks_cluster:
    product: sentineltranslate
    environment: dev
    region: us-east-1
    version: "1.34"
  check_mode: true
  diff: true

- name: Build it, for administrators of one role and from one network only
  groundwork.aws.eks_cluster:
    product: sentineltranslate
    environment: dev
    region: us-east-1
    version: "1.34"
    public_access_cidrs: [203.0.113.0/24]
    access_entries:
      admins:
        principal: arn:aws:iam::123456789012:role/admins
        policies:
          AmazonEKSClusterAdminPolicy: {}
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
  sample:
    eks_cluster/cluster/main:
      name: sentineltranslate-dev-eks
      version: "1.34"
      status: ACTIVE
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
  sample: {eks_cluster/cluster/main: {state: done, why: "", seconds: 2.1}}
problems:
  description: The lines of C(msg), a problem each.
  returned: failure
  type: list
  elements: str
"""

from ansible_collections.groundwork.aws.plugins.module_utils.components import eks_cluster
from ansible_collections.groundwork.aws.plugins.module_utils.run import component_module


def main():
    """Converges the control plane alone."""
    component_module("eks_cluster", eks_cluster)


if __name__ == "__main__":
    main()
