# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What controllers inside a cluster may do in AWS, and as which service account they run: data."""
from __future__ import annotations

from dataclasses import dataclass

ALL = ("*",)
CLUSTER = "elbv2.k8s.aws/cluster"
OURS = {f"aws:ResourceTag/{CLUSTER}": "false"}  # Null: false means that the tag is there
ASKED = {f"aws:RequestTag/{CLUSTER}": "false"}
RETAGGED = {f"aws:RequestTag/{CLUSTER}": "true", **OURS}
ELB = "arn:{partition}:elasticloadbalancing:*:*:"
GROUPS = ("arn:{partition}:ec2:*:*:security-group/*",)
BALANCERS = tuple(ELB + kind for kind in (
    "targetgroup/*/*", "loadbalancer/net/*/*", "loadbalancer/app/*/*"))
LISTENERS = tuple(f"{ELB}{kind}/{family}/*/*/*" for kind in ("listener", "listener-rule")
                  for family in ("net", "app"))


@dataclass(frozen=True)
class Controller:
    """A service account, and rows of (service, actions, resources, condition)."""

    namespace: str
    service_account: str
    rows: tuple

    @property
    def account(self) -> dict:
        """The service account, as roles name it."""
        return {"namespace": self.namespace, "service_account": self.service_account}

    def statements(self, cluster: str) -> list[dict]:
        """Statements of a policy, with the name of the cluster put in."""
        return [_statement(row, cluster) for row in self.rows]


def _statement(row: tuple, cluster: str) -> dict:
    service, actions, resources, condition = row
    found = {"Effect": "Allow", "Action": [f"{service}:{name}" for name in actions.split()],
             "Resource": list(resources)}
    filled = {operator: {key.replace("{cluster}", cluster): value for key, value in pairs.items()}
              for operator, pairs in condition.items()}
    return {**found, **({"Condition": filled} if filled else {})}


CONTROLLERS = {
    # https://github.com/kubernetes-sigs/aws-load-balancer-controller/blob/v3.5.0/docs/install/
    # iam_policy.json
    "aws-load-balancer-controller": Controller("kube-system", "aws-load-balancer-controller", (
        ("iam", "CreateServiceLinkedRole", ALL,
         {"StringEquals": {"iam:AWSServiceName": "elasticloadbalancing.amazonaws.com"}}),
        ("ec2", "DescribeAccountAttributes DescribeAddresses DescribeAvailabilityZones "
                "DescribeCoipPools DescribeInstances DescribeInternetGateways DescribeIpamPools "
                "DescribeNetworkInterfaces DescribeRouteTables DescribeSecurityGroups "
                "DescribeSubnets DescribeTags DescribeVpcPeeringConnections DescribeVpcs "
                "GetCoipPoolUsage GetSecurityGroupsForVpc", ALL, {}),
        ("elasticloadbalancing",
         "DescribeCapacityReservation DescribeListenerAttributes DescribeListenerCertificates "
         "DescribeListeners DescribeLoadBalancerAttributes DescribeLoadBalancers DescribeRules "
         "DescribeSSLPolicies DescribeTags DescribeTargetGroupAttributes DescribeTargetGroups "
         "DescribeTargetHealth DescribeTrustStores", ALL, {}),
        ("cognito-idp", "DescribeUserPoolClient", ALL, {}),
        ("acm", "DescribeCertificate ListCertificates", ALL, {}),
        ("iam", "GetServerCertificate ListServerCertificates", ALL, {}),
        ("waf-regional", "AssociateWebACL DisassociateWebACL GetWebACL GetWebACLForResource",
         ALL, {}),
        ("wafv2", "AssociateWebACL DisassociateWebACL GetWebACL GetWebACLForResource", ALL, {}),
        ("shield", "CreateProtection DeleteProtection DescribeProtection GetSubscriptionState",
         ALL, {}),
        ("ec2", "AuthorizeSecurityGroupIngress CreateSecurityGroup RevokeSecurityGroupIngress",
         ALL, {}),
        ("ec2", "CreateTags", GROUPS,
         {"StringEquals": {"ec2:CreateAction": "CreateSecurityGroup"}, "Null": ASKED}),
        ("ec2", "CreateTags DeleteTags", GROUPS, {"Null": RETAGGED}),
        ("ec2", "DeleteSecurityGroup", ALL, {"Null": OURS}),
        ("elasticloadbalancing", "CreateLoadBalancer CreateTargetGroup", ALL, {"Null": ASKED}),
        ("elasticloadbalancing",
         "AddListenerCertificates CreateListener CreateRule DeleteListener DeleteRule "
         "ModifyListener ModifyRule RemoveListenerCertificates SetRulePriorities SetWebAcl",
         ALL, {}),
        ("elasticloadbalancing", "AddTags RemoveTags", BALANCERS, {"Null": RETAGGED}),
        ("elasticloadbalancing", "AddTags RemoveTags", LISTENERS, {}),
        ("elasticloadbalancing", "AddTags", BALANCERS,
         {"StringEquals": {"elasticloadbalancing:CreateAction": [
             "CreateLoadBalancer", "CreateTargetGroup"]}, "Null": ASKED}),
        ("elasticloadbalancing",
         "DeleteLoadBalancer DeleteTargetGroup ModifyCapacityReservation ModifyIpPools "
         "ModifyListenerAttributes ModifyLoadBalancerAttributes ModifyTargetGroup "
         "ModifyTargetGroupAttributes SetIpAddressType SetSecurityGroups SetSubnets",
         ALL, {"Null": OURS}),
        ("elasticloadbalancing", "DeregisterTargets RegisterTargets", BALANCERS[:1], {}),
    )),
    # https://github.com/kubernetes/autoscaler/blob/cluster-autoscaler-chart-9.59.0/
    # cluster-autoscaler/cloudprovider/aws/README.md, writes to this cluster's groups only.
    "cluster-autoscaler": Controller("kube-system", "cluster-autoscaler", (
        ("autoscaling", "DescribeAutoScalingGroups DescribeAutoScalingInstances "
                        "DescribeLaunchConfigurations DescribeScalingActivities", ALL, {}),
        ("ec2", "DescribeImages DescribeInstanceTypes DescribeLaunchTemplateVersions "
                "GetInstanceTypesFromInstanceRequirements", ALL, {}),
        ("eks", "DescribeNodegroup", ALL, {}),
        ("autoscaling", "SetDesiredCapacity TerminateInstanceInAutoScalingGroup", ALL,
         {"StringEquals": {"aws:ResourceTag/k8s.io/cluster-autoscaler/{cluster}": "owned"}}),
    )),
}
