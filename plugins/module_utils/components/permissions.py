# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What components that grant rights share: statements, trust policies, names of policies."""
from __future__ import annotations

import difflib

from ..engine.resource import Computed
from ..types.policies import document

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
ELEMENTS = ("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource",
            "NotResource", "Condition")
# AWS's own policies that do not live at the root of its paths, of those that clusters need:
# https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html
PATHS = {"AmazonEBSCSIDriverPolicy": "service-role/", "AmazonEFSCSIDriverPolicy": "service-role/",
         "AmazonEKSVPCResourceController": "", "AmazonRDSEnhancedMonitoringRole": "service-role/",
         "AmazonEC2RoleforSSM": "service-role/", "AWSBackupServiceRolePolicyForBackup":
             "service-role/", "AWSBackupServiceRolePolicyForRestores": "service-role/"}


def checked_statements(path: str, statements: list, stack, problems: list,
                       principal: bool = False) -> list[dict]:
    """Statements with the stack's values put in; what IAM would not take is noted.

    `principal`: for policies that say who may (those of keys, queues and trust), which may leave
    Resource out here.
    """
    for number, statement in enumerate(statements):
        where = f"{path}[{number}]"
        for name in statement:
            if name not in ELEMENTS:
                close = difflib.get_close_matches(str(name).capitalize(), ELEMENTS, 1, 0.6)
                problems.append(f"{where}.{name}: unknown element"
                                + (f"; did you mean {close[0]}?" if close else ""))
        if statement.get("Effect") not in ("Allow", "Deny"):
            problems.append(f"{where}.Effect: must be Allow or Deny")
        needed = ["Action", "Principal" if principal else "Resource"]
        problems += [f"{where}: needs {name} (or Not{name})" for name in needed
                     if name not in statement and f"Not{name}" not in statement]
        if not principal and ("Principal" in statement or "NotPrincipal" in statement):
            problems.append(f"{where}: a policy of a role names no principal; leave it out")
    return stack.filled(statements)


def cluster_name(given: str | None, stack) -> str:
    """The name of the stack's cluster, which goes into tags and conditions."""
    return given or (stack.options.get("eks_cluster") or {}).get("name") or stack.name("eks")


def managed_policy(given: str, stack) -> str:
    """The ARN of a policy: given as such, or as the name of one of AWS's own."""
    if given.startswith("arn:"):
        return given
    return stack.arn("iam", f"policy/{PATHS.get(given, '')}{given}", account="aws")


def service_statement(services: list[str]) -> dict:
    """AWS services that may assume a role."""
    names = sorted(services)
    return {"Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"Service": names if len(names) > 1 else names[0]}}


def pod_identity_statement(cluster: str, accounts: list[dict], stack) -> dict:
    """Pods of these service accounts, by EKS Pod Identity.

    The conditions compare the session tags that EKS puts in:
    https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html
    """
    arn = stack.arn("eks", f"cluster/{cluster}", stack.region, stack.account_id)
    return {"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Principal": {"Service": "pods.eks.amazonaws.com"},
            "Condition": {"StringEquals": {
                "aws:RequestTag/eks-cluster-arn": arn,
                "aws:RequestTag/kubernetes-namespace": _several(accounts, "namespace"),
                "aws:RequestTag/kubernetes-service-account":
                    _several(accounts, "service_account")}}}


def _several(accounts: list[dict], name: str):
    values = sorted({account[name] for account in accounts})
    return values if len(values) > 1 else values[0]


def irsa_trust(provider, accounts: list[dict], others: list[dict]) -> Computed:
    """A trust policy for service accounts by the cluster's OIDC provider (IRSA), and for others.

    https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html
    """
    subjects = sorted(f"system:serviceaccount:{a['namespace']}:{a['service_account']}"
                      for a in accounts)

    def made(live: dict) -> dict | None:
        arn = provider.identify(live, "Arn")
        if not arn:
            return None
        issuer = arn.split(":oidc-provider/")[1]
        return document([*others, {
            "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": arn},
            "Condition": {"StringEquals": {
                f"{issuer}:sub": subjects if len(subjects) > 1 else subjects[0],
                f"{issuer}:aud": "sts.amazonaws.com"}}}])

    return Computed((provider,), made)
