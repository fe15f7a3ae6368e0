# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""eks_cluster: a control plane with its role, logs, access entries, add-ons and OIDC provider."""
from __future__ import annotations

from ..types.declared import merged
from ..types.ec2 import Subnet
from ..types.eks import (
    LOG_TYPES, MODES, AccessEntry, AccessPolicy, Addon, AddonVersion, Cluster,
    PodIdentityAssociation,
)
from ..types.eks_nodes import Nodegroup
from ..types.iam import OidcProvider, Role, RolePolicyAttachment
from ..types.logs import LogGroup
from ..types.policies import document
from .permissions import cluster_name, managed_policy, pod_identity_statement, service_statement
from .placement import group

ENTRY = dict(
    principal=dict(type="str", required=True),
    type=dict(type="str", default="STANDARD", choices=[
        "STANDARD", "EC2_LINUX", "EC2_WINDOWS", "EC2", "FARGATE_LINUX", "HYBRID_LINUX",
        "HYPERPOD_LINUX"]),
    kubernetes_groups=dict(type="list", elements="str", default=[]),
    username=dict(type="str"),
    policies=dict(type="dict", default={}),
)
POLICY = dict(namespaces=dict(type="list", elements="str", default=[]))
ADDON = dict(
    addon_version=dict(type="str", default="default"),
    configuration_values=dict(type="dict", default={}),
    resolve_conflicts=dict(type="str", default="OVERWRITE",
                           choices=["NONE", "OVERWRITE", "PRESERVE"]),
    service_account_role=dict(type="str"),
    pod_identity=dict(type="dict", default={}),
)
IDENTITY = dict(
    namespace=dict(type="str", required=True),
    service_account=dict(type="str", required=True),
    role=dict(type="str", required=True),
)
SPEC = dict(
    name=dict(type="str"),
    version=dict(type="str"),
    role=dict(type="str"),
    subnet_tiers=dict(type="list", elements="str", default=["private"],
                      choices=["public", "private", "isolated"]),
    subnets=dict(type="list", elements="str", default=[]),
    security_groups=dict(type="list", elements="str", default=[]),
    endpoint_public_access=dict(type="bool", default=True),
    endpoint_private_access=dict(type="bool", default=True),
    public_access_cidrs=dict(type="list", elements="str", default=["0.0.0.0/0"]),
    service_ipv4_cidr=dict(type="str"),
    ip_family=dict(type="str", choices=["ipv4", "ipv6"]),
    logging=dict(type="list", elements="str", choices=list(LOG_TYPES),
                 default=["api", "audit", "authenticator"]),
    log_retention_in_days=dict(type="int", default=30),
    encryption_key=dict(type="str", no_log=False),
    authentication_mode=dict(type="str", default="API", choices=list(MODES)),
    bootstrap_cluster_creator_admin_permissions=dict(type="bool", default=True),
    bootstrap_self_managed_addons=dict(type="bool", default=False),
    access_entries=dict(type="dict", default={}),
    addons=dict(type="dict", default={
        "vpc-cni": {}, "kube-proxy": {}, "coredns": {}, "eks-pod-identity-agent": {},
        "aws-ebs-csi-driver": {}}),
    pod_identity_associations=dict(type="dict", default={}),
    oidc_provider=dict(type="bool", default=True),
    support_type=dict(type="str", choices=["STANDARD", "EXTENDED"]),
    zonal_shift=dict(type="bool"),
    deletion_protection=dict(type="bool", default=False),
)
NAMED = {"access_entries": (ENTRY, {"policies": POLICY}), "addons": ADDON,
         "pod_identity_associations": IDENTITY}
ROLE_POLICIES = ("AmazonEKSClusterPolicy", "AmazonEKSVPCResourceController")
AGENT = "eks-pod-identity-agent"
# Daemons: healthy on a cluster without nodes; the first two must be there before nodes are.
WITHOUT_NODES = ("vpc-cni", "kube-proxy", AGENT, "eks-node-monitoring-agent")
EBS = "aws-ebs-csi-driver"
# The driver does not start with tags of its own kind:
# https://github.com/kubernetes-sigs/aws-ebs-csi-driver: pkg/driver/validation.go
DRIVERS_OWN = "kubernetes.io"
# Add-ons that get a role of their own where nothing is given: service account and policy, from
# https://docs.aws.amazon.com/eks/latest/userguide/workloads-add-ons-available-eks.html
OWN_ROLES = {EBS: ("ebs-csi-controller-sa", "AmazonEBSCSIDriverPolicy"),
             "aws-efs-csi-driver": ("efs-csi-controller-sa", "AmazonEFSCSIDriverPolicy")}
ACCESS_POLICY = "cluster-access-policy/"


def build(options: dict, stack) -> list:
    """The resources of one cluster."""
    name = cluster_name(options["name"], stack)
    subnets = _subnets(options, stack)
    role = _role(stack, options["role"]) if options["role"] else Role(
        key="eks_cluster/role/cluster", role_name=stack.name("role", "eks-cluster"),
        path=f"/groundwork/{stack.id}/",
        trust=document([service_statement(["eks.amazonaws.com"])]))
    own = [] if options["role"] else [role, *_attachments(stack, role, "cluster", ROLE_POLICIES)]
    logs = [LogGroup(key="eks_cluster/log_group/control-plane", name=f"/aws/eks/{name}/cluster",
                     retention_in_days=options["log_retention_in_days"])] \
        if options["logging"] else []
    cluster = _cluster(options, stack, name, {
        "role": role, "subnets": subnets, "policies": own[1:] or None,
        "log_group": logs[0] if logs else None})
    provider = [OidcProvider(key="eks_cluster/oidc_provider/main",
                             url=cluster.get("identity.oidc.issuer"),
                             client_id_list=["sts.amazonaws.com"])] \
        if options["oidc_provider"] else []
    return [*own, *logs, cluster, *provider, *_access(options, stack, cluster),
            *_identities(options, stack, cluster), *_addons(options, stack, cluster)]


def _cluster(options: dict, stack, name: str, parts: dict) -> Cluster:
    public = options["endpoint_public_access"]
    same = ("version", "service_ipv4_cidr", "ip_family", "logging", "authentication_mode",
            "bootstrap_cluster_creator_admin_permissions", "bootstrap_self_managed_addons",
            "support_type", "zonal_shift", "deletion_protection", "endpoint_private_access")
    key = options["encryption_key"]
    return Cluster(key="eks_cluster/cluster/main", name=name, endpoint_public_access=public,
                   public_access_cidrs=options["public_access_cidrs"] if public else None,
                   security_groups=[group(stack, g) for g in options["security_groups"]],
                   encryption_key=stack.kms_key(key) if key else "",  # empty: none is wanted
                   **{n: options[n] for n in same}, **parts)


def _role(stack, given: str):
    """A role of the component iam_roles by its name, or any role by its ARN."""
    return given if given.startswith("arn:") else stack.use(Role, f"iam_roles/role/{given}")


def _subnets(options: dict, stack) -> list:
    return options["subnets"] or [subnet for tier in options["subnet_tiers"]
                                  for subnet in stack.use_all(Subnet, f"network/subnet/{tier}-")]


def _attachments(stack, role: Role, name: str, policies) -> list:
    return [RolePolicyAttachment(key=f"eks_cluster/role_policy_attachment/{name}-{policy}",
                                 role=role, policy=managed_policy(policy, stack))
            for policy in policies]


def _access(options: dict, stack, cluster: Cluster) -> list:
    """Access entries and their policies."""
    found = []
    for name, given in options["access_entries"].items():
        entry = AccessEntry(
            key=f"eks_cluster/access_entry/{name}", cluster=cluster, username=given["username"],
            principal=_role(stack, given["principal"]), entry_type=given["type"],
            kubernetes_groups=given["kubernetes_groups"] if given["type"] == "STANDARD" else None)
        found += [entry, *(AccessPolicy(
            key=f"eks_cluster/access_policy/{name}-{policy.split('/')[-1]}", cluster=cluster,
            entry=entry, namespaces=scope["namespaces"], policy=policy if ":" in policy else
            stack.arn("eks", f"{ACCESS_POLICY}{policy}", account="aws"))
            for policy, scope in given["policies"].items())]
    return found


def _identities(options: dict, stack, cluster: Cluster) -> list:
    return [PodIdentityAssociation(
        key=f"eks_cluster/pod_identity_association/{name}", cluster=cluster,
        namespace=given["namespace"], service_account=given["service_account"],
        role=_role(stack, given["role"]))
        for name, given in options["pod_identity_associations"].items()]


def _addons(options: dict, stack, cluster: Cluster) -> list:
    """Add-ons with what they need: versions, roles, and nodes where these come in the same run."""
    groups = (stack.options.get("eks_nodegroups") or {}).get("nodegroups") or {}
    nodes = [stack.use(Nodegroup, f"eks_nodegroups/nodegroup/{name}")
             for name, group in groups.items() if group["min_size"]]
    found = []
    for name, given in options["addons"].items():
        version = _version(options, name, given, cluster)
        identities = _addon_identities(options, stack, name, cluster)
        found += [*([version] if isinstance(version, AddonVersion) else []), *identities]
        given_role = given["service_account_role"]
        found.append(Addon(
            key=f"eks_cluster/addon/{name}", cluster=cluster, addon_name=name,
            addon_version=version, resolve_conflicts=given["resolve_conflicts"],
            configuration_values=merged(_values(name, stack), given["configuration_values"]),
            service_account_role=_role(stack, given_role) if given_role else None,
            identities=[i for i in identities if isinstance(i, PodIdentityAssociation)] or None,
            nodes=None if name in WITHOUT_NODES else nodes or None))
    return found


def _values(name: str, stack) -> dict:
    """What an add-on is configured with, under what is given."""
    if name == "vpc-cni":  # without this it enforces no network policy:
        # https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy-configure.html
        return {"enableNetworkPolicy": "true"}
    if name == EBS:  # of the volumes it makes: charts/aws-ebs-csi-driver/values.schema.json
        tags = {"ManagedBy": EBS, "Component": "eks_cluster", **stack.shared_tags}
        return {"controller": {"extraVolumeTags": {
            k: v for k, v in tags.items() if not k.startswith(DRIVERS_OWN)}}}
    return {}


def _version(options: dict, name: str, given: dict, cluster: Cluster):
    """An exact version, a fact to ask for, or nothing: EKS takes its default at the creation."""
    choice = given["addon_version"]
    if choice not in ("default", "latest"):
        return choice
    return AddonVersion(key=f"eks_cluster/addon_version/{name}", addon_name=name, choice=choice,
                        kubernetes_version=options["version"]) if cluster.version else None


def _addon_identities(options: dict, stack, name: str, cluster: Cluster) -> list:
    """Roles of an add-on's service accounts; one of ours for those that cannot do without."""
    given, found = options["addons"][name], []
    for account, role in given["pod_identity"].items():
        if not (role and isinstance(role, str)):
            raise ValueError(f"addons.{name}.pod_identity.{account}: {role} is not a role; write "
                             "a name of iam_roles or an ARN")
        found.append(PodIdentityAssociation(
            key=f"eks_cluster/pod_identity_association/{name}-{account}", cluster=cluster,
            namespace="kube-system", service_account=account, role=_role(stack, role)))
    if name not in OWN_ROLES or AGENT not in options["addons"] or found \
            or given["service_account_role"]:
        return found
    account, policy = OWN_ROLES[name]
    short = name.removeprefix("aws-").removesuffix("-driver")
    statement = pod_identity_statement(
        cluster.name, [{"namespace": "kube-system", "service_account": account}], stack)
    role = Role(key=f"eks_cluster/role/{short}", role_name=stack.name("role", short),
                path=f"/groundwork/{stack.id}/", trust=document([statement]))
    attached = _attachments(stack, role, short, [policy])
    return [role, *attached, PodIdentityAssociation(
        key=f"eks_cluster/pod_identity_association/{name}", cluster=cluster, role=role,
        namespace="kube-system", service_account=account, policies=attached)]
