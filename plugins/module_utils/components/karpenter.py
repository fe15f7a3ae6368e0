# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""karpenter: what Karpenter needs in AWS before it is installed in the cluster."""
from __future__ import annotations

from ..engine.resource import OWNER
from ..types.discovery import DISCOVERY, SecurityGroupTag
from ..types.eks import AccessEntry, Cluster, PodIdentityAssociation
from ..types.events import Rule, Target
from ..types.iam import (
    InstanceProfile, OidcProvider, Role, RolePolicy, RolePolicyAttachment, home,
)
from ..types.policies import document
from ..types.sqs import Queue
from .permissions import (
    cluster_name, irsa_trust, managed_policy, pod_identity_statement, service_statement,
)

SPEC = dict(
    cluster_name=dict(type="str"),
    namespace=dict(type="str", default="kube-system"),
    service_account=dict(type="str", default="karpenter"),
    controller_identity=dict(type="str", default="irsa", choices=["irsa", "pod_identity"]),
    controller_role_name=dict(type="str"),
    node_role_name=dict(type="str"),
    node_managed_policies=dict(type="list", elements="str", default=[
        "AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy",
        "AmazonEC2ContainerRegistryPullOnly", "AmazonSSMManagedInstanceCore"]),
    instance_profile=dict(type="bool", default=True),
    access_entry=dict(type="bool", default=True),
    tag_cluster_security_group=dict(type="bool", default=True),
    interruption_queue=dict(type="bool", default=True),
    message_retention_period=dict(type="int", default=300),
    require_stack_tag=dict(type="bool", default=True),
    path=dict(type="str"),
    permissions_boundary=dict(type="str"),
)
# Name -> (source, kind) of the events that tell of a node's end:
# https://karpenter.sh/docs/concepts/disruption/#interruption
EVENTS = {
    "capacity-reservation": ("aws.ec2", "EC2 Capacity Reservation Instance Interruption Warning"),
    "spot-interruption": ("aws.ec2", "EC2 Spot Instance Interruption Warning"),
    "rebalance": ("aws.ec2", "EC2 Instance Rebalance Recommendation"),
    "instance-state-change": ("aws.ec2", "EC2 Instance State-change Notification"),
    "scheduled-change": ("aws.health", "AWS Health Event"),
}
LAUNCH = ["ec2:RunInstances", "ec2:CreateFleet"]
MADE = ("fleet", "instance", "volume", "network-interface", "launch-template",
        "spot-instances-request")
DESCRIBED = ("CapacityReservations", "Images", "Instances", "InstanceStatus",
             "InstanceTypeOfferings", "InstanceTypes", "LaunchTemplates", "PlacementGroups",
             "SecurityGroups", "SpotPriceHistory", "Subnets")
NODEPOOL, NODECLASS = "karpenter.sh/nodepool", "karpenter.k8s.aws/ec2nodeclass"
REGION, EKS_NAME = "topology.kubernetes.io/region", "eks:eks-cluster-name"


def build(options: dict, stack) -> list:
    """The nodes' role, the controller's role, and the queue of interruptions."""
    retention = options["message_retention_period"]
    if not 60 <= retention <= 1209600:
        raise ValueError(f"message_retention_period: {retention} must be from 60 seconds to "
                         "1209600 (14 days)")
    cluster = cluster_name(options["cluster_name"], stack)
    nodes = _nodes(options, stack)
    if options["tag_cluster_security_group"]:
        nodes.append(SecurityGroupTag(
            key="karpenter/security_group_tag/discovery", tag_key=DISCOVERY, value=cluster,
            cluster=stack.use(Cluster, "eks_cluster/cluster/main")))
    queue = _queue(options, stack) if options["interruption_queue"] else []
    rights = Rights(stack, cluster, nodes[0], options)
    return [*nodes, *queue, *_controller(options, stack, cluster, rights, queue[:1])]


def _role(name: str, options: dict, stack, trust) -> Role:
    boundary = options["permissions_boundary"]
    return Role(key=f"karpenter/role/{name}", path=options["path"] or home(stack.id), trust=trust,
                role_name=options[f"{name}_role_name"] or stack.name("role", "karpenter", name),
                permissions_boundary=managed_policy(boundary, stack) if boundary else "")


def _nodes(options: dict, stack) -> list:
    """The role of the nodes, its way into the cluster and onto instances."""
    role = _role("node", options, stack, document([service_statement(["ec2.amazonaws.com"])]))
    found = [role, *(RolePolicyAttachment(
        key=f"karpenter/role_policy_attachment/node-{name.split('/')[-1]}", role=role,
        policy=managed_policy(name, stack)) for name in options["node_managed_policies"])]
    if options["instance_profile"]:
        found.append(InstanceProfile(key="karpenter/instance_profile/node", role=role,
                                     path=role.path, instance_profile_name=role.role_name))
    if options["access_entry"]:
        found.append(AccessEntry(key="karpenter/access_entry/node", entry_type="EC2_LINUX",
                                 cluster=stack.use(Cluster, "eks_cluster/cluster/main"),
                                 principal=role))
    return found


def _queue(options: dict, stack) -> list:
    """A queue of interruptions, and the rules that fill it."""
    name = stack.name("queue", "karpenter")
    arn = stack.arn("sqs", name, stack.region, stack.account_id)
    rules = stack.arn("events", f"rule/{stack.name('rule', 'karpenter')}-*", stack.region,
                      stack.account_id)

    def send(service: str, condition: dict) -> dict:
        return {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn,
                "Principal": {"Service": service}, "Condition": condition}

    policy = document([
        send("events.amazonaws.com", {"ArnLike": {"aws:SourceArn": rules}}),
        send("sqs.amazonaws.com", {"StringEquals": {"aws:SourceAccount": stack.account_id}}),
        {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": arn,
         "Condition": {"Bool": {"aws:SecureTransport": "false"}}}])
    queue = Queue(key="karpenter/queue/interruption", queue_name=name, policy=policy,
                  message_retention_period=options["message_retention_period"],
                  sqs_managed_sse_enabled=True)
    found = [queue]
    for event, (source, kind) in EVENTS.items():
        rule = Rule(key=f"karpenter/rule/{event}", name=stack.name("rule", "karpenter", event),
                    description=f"{kind}: tells Karpenter", state="ENABLED",
                    event_pattern={"source": [source], "detail-type": [kind]})
        found += [rule, Target(key=f"karpenter/target/{event}", rule=rule, arn=queue,
                               target_id="interruption-queue")]
    return found


def _controller(options: dict, stack, cluster: str, rights: "Rights", queue: list) -> list:
    """The role of the controller, for its service account."""
    account = {n: options[n] for n in ("namespace", "service_account")}
    irsa = options["controller_identity"] == "irsa"
    trust = irsa_trust(stack.use(OidcProvider, "eks_cluster/oidc_provider/main"), [account], []) \
        if irsa else document([pod_identity_statement(cluster, [account], stack)])
    role = _role("controller", options, stack, trust)
    arn = stack.arn("sqs", queue[0].queue_name, stack.region, stack.account_id) if queue else ""
    statements = [*rights.launching(), *rights.tagging(), *rights.reading(),
                  *rights.profiles(options["instance_profile"]), *rights.interruptions(arn)]
    policy = RolePolicy(key="karpenter/role_policy/controller", role=role,
                        policy_name="karpenter", policy_document=document(statements))
    return [role, policy] if irsa else [role, policy, PodIdentityAssociation(
        key="karpenter/pod_identity_association/controller", role=role, **account,
        policies=[policy], cluster=stack.use(Cluster, "eks_cluster/cluster/main"))]


class Rights:
    """What the controller may do: what its documentation asks for, to this cluster's objects only.

    https://karpenter.sh/docs/reference/cloudformation/#karpentercontrollerpolicy
    """

    def __init__(self, stack, cluster: str, node: Role, options: dict):
        self.stack, self.cluster, self.node = stack, cluster, node
        self.owned = {f"kubernetes.io/cluster/{cluster}": "owned"}
        self.stacks = {OWNER: stack.id} if options["require_stack_tag"] else {}

    def _ec2(self, *kinds: str, account: str = "*") -> list[str]:
        return [self.stack.arn("ec2", f"{kind}/*", self.stack.region, account) for kind in kinds]

    @staticmethod
    def _tags(where: str, tags: dict) -> dict:
        return {f"aws:{where}Tag/{name}": value for name, value in tags.items()}

    @staticmethod
    def _allow(actions, resources, **conditions) -> dict:
        """A statement; conditions are given as operator={key: value}."""
        found = {"Effect": "Allow", "Action": actions, "Resource": resources}
        wanted = {name.replace("ForAllString", "ForAllValues:String"): keys
                  for name, keys in conditions.items() if keys}
        return {**found, **({"Condition": wanted} if wanted else {})}

    def launching(self) -> list[dict]:
        """Start and end instances that carry the cluster's tags, and the stack's."""
        asked = self._tags("Request", {**self.owned, EKS_NAME: self.cluster, **self.stacks})
        have = self._tags("Resource", {**self.owned, **self.stacks})
        pool = {"aws:ResourceTag/" + NODEPOOL: "*"}
        used = self._ec2("image", "snapshot", account="") + \
            self._ec2("security-group", "subnet", "capacity-reservation", "placement-group")
        return [
            self._allow(LAUNCH, used),
            self._allow(LAUNCH, self._ec2("launch-template"), StringEquals=have, StringLike=pool),
            self._allow([*LAUNCH, "ec2:CreateLaunchTemplate"], self._ec2(*MADE),
                        StringEquals=asked, StringLike={"aws:RequestTag/" + NODEPOOL: "*"}),
            self._allow(["ec2:TerminateInstances", "ec2:DeleteLaunchTemplate"],
                        self._ec2("instance", "launch-template"), StringEquals=have,
                        StringLike=pool)]

    def tagging(self) -> list[dict]:
        """Tag what it starts at its creation; later only what says which node it became."""
        asked = self._tags("Request", {**self.owned, EKS_NAME: self.cluster, **self.stacks})
        asked["ec2:CreateAction"] = ["RunInstances", "CreateFleet", "CreateLaunchTemplate"]
        return [
            self._allow("ec2:CreateTags", self._ec2(*MADE), StringEquals=asked,
                        StringLike={"aws:RequestTag/" + NODEPOOL: "*"}),
            self._allow("ec2:CreateTags", self._ec2("instance"),
                        StringEquals=self._tags("Resource", {**self.owned, **self.stacks}),
                        StringLike={"aws:ResourceTag/" + NODEPOOL: "*"},
                        StringEqualsIfExists={"aws:RequestTag/" + EKS_NAME: self.cluster},
                        ForAllStringEquals={"aws:TagKeys": [
                            EKS_NAME, "karpenter.sh/nodeclaim", "Name"]})]

    def reading(self) -> list[dict]:
        """Look at offers, prices and images of the region, and at the cluster's endpoint."""
        stack = self.stack
        return [
            self._allow([f"ec2:Describe{name}" for name in DESCRIBED], "*",
                        StringEquals={"aws:RequestedRegion": stack.region}),
            self._allow("ssm:GetParameter", stack.arn("ssm", "parameter/aws/service/*",
                                                      stack.region)),
            self._allow("pricing:GetProducts", "*"),
            self._allow("eks:DescribeCluster", stack.arn("eks", f"cluster/{self.cluster}",
                                                         stack.region, stack.account_id))]

    def profiles(self, given: bool) -> list[dict]:
        """Hand the nodes' role to EC2; without a given instance profile, make profiles for it."""
        stack, profiles = self.stack, self.stack.arn("iam", "instance-profile/*",
                                                     account=self.stack.account_id)
        role = stack.arn("iam", f"role{self.node.path}{self.node.role_name}",
                         account=stack.account_id)
        to_ec2 = {"iam:PassedToService": ["ec2.amazonaws.com", "ec2.amazonaws.com.cn"]}
        found = [self._allow("iam:PassRole", role, StringEquals=to_ec2),
                 self._allow("iam:GetInstanceProfile", profiles),
                 self._allow("iam:ListInstanceProfiles", "*")]
        if given:
            return found
        here = {**self.owned, REGION: stack.region}
        asked = self._tags("Request", {**here, EKS_NAME: self.cluster})
        have = self._tags("Resource", here)
        new, old = ({f"aws:{w}Tag/{NODECLASS}": "*"} for w in ("Request", "Resource"))
        change = ["iam:AddRoleToInstanceProfile", "iam:RemoveRoleFromInstanceProfile",
                  "iam:DeleteInstanceProfile"]
        return [*found,
                self._allow("iam:CreateInstanceProfile", profiles, StringEquals=asked,
                            StringLike=new),
                self._allow("iam:TagInstanceProfile", profiles, StringEquals={**asked, **have},
                            StringLike={**new, **old}),
                self._allow(change, profiles, StringEquals=have, StringLike=old)]

    def interruptions(self, arn: str) -> list[dict]:
        """Take messages out of the queue."""
        return [self._allow(["sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"],
                            arn)] if arn else []
