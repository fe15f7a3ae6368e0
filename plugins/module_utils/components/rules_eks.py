# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules about the control plane of EKS."""
from __future__ import annotations

import datetime

from ..types.eks import minor
from . import tables
from .findings import ERROR, WARNING, View, cidr, nearest, rule
from .rules_network import has_way_out

RULES: list = []
VERSION = "eks_cluster.version"
PRIVATE = tuple(cidr(b) for b in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))


def ends(version: str) -> tuple[datetime.date, datetime.date] | None:
    """The last days of standard and of extended support, by the table."""
    found = tables.KUBERNETES.get(version)
    return tuple(datetime.date.fromisoformat(day) for day in found) if found else None


def in_standard(see: View) -> list[str]:
    """Versions in standard support on the day, newest first."""
    return [v for v in tables.KUBERNETES if see.today <= ends(v)[0]] or [[*tables.KUBERNETES][0]]


def recommended(see: View) -> str:
    """What to write instead: the newest version but one has been in use for a while."""
    return f"use {(in_standard(see)[1:] or in_standard(see))[0]}"


def asked(see: View) -> str:
    """The wanted version; nothing where none is given."""
    return str(see.part("eks_cluster").get("version") or "")


@rule(RULES, "eks-version-unknown", ERROR, "use a version that EKS runs, such as 1.35", decision=1)
def version_unknown(see: View):
    """A Kubernetes version that is none, or older than all that EKS is known to have run"""
    version = asked(see)
    parts = minor(version)
    if version and (not parts or parts < min(map(minor, tables.KUBERNETES))):
        yield VERSION, f"{version} is not a version that EKS runs", recommended(see)


@rule(RULES, "eks-version-ended", ERROR, "use a version in standard support", decision=1)
def version_ended(see: View):
    """A Kubernetes version out of extended support, which EKS no longer runs"""
    days = ends(asked(see))
    if days and see.today > days[1]:
        yield (VERSION, f"{asked(see)} left extended support on {days[1]}, EKS no longer runs it",
               recommended(see))


@rule(RULES, "eks-version-extended", WARNING, "use a version in standard support", decision=1)
def version_extended(see: View):
    """A Kubernetes version in extended support, which costs more"""
    days = ends(asked(see))
    if days and days[0] < see.today <= days[1]:
        more = (tables.CONTROL_PLANE_EXTENDED - tables.CONTROL_PLANE) * tables.MONTH
        yield (VERSION, f"{asked(see)} is in extended support until {days[1]}: "
               f"{tables.CONTROL_PLANE_EXTENDED:.2f} instead of {tables.CONTROL_PLANE:.2f} USD an "
               f"hour, {more:.0f} USD more a month", recommended(see))


@rule(RULES, "eks-version-ending", WARNING, "plan the upgrade", decision=1)
def version_ending(see: View):
    """A Kubernetes version whose standard support ends within 30 days"""
    days = ends(asked(see))
    if days and see.today <= days[0] <= see.today + datetime.timedelta(days=30):
        yield VERSION, f"standard support of {asked(see)} ends on {days[0]}", recommended(see)


@rule(RULES, "eks-upgrade-policy", WARNING, "set support_type to EXTENDED, or upgrade before",
      decision=1)
def upgrade_policy(see: View):
    """Support type STANDARD with a version that EKS will upgrade by itself"""
    days = ends(asked(see))
    if days and see.part("eks_cluster").get("support_type") == "STANDARD" and \
            days[0] < see.today + datetime.timedelta(days=30):
        yield ("eks_cluster.support_type", f"EKS upgrades {asked(see)} by itself after {days[0]}",
               f"{recommended(see)}, or set support_type: EXTENDED")


@rule(RULES, "eks-endpoint-open", WARNING, "name the networks that may in public_access_cidrs, or "
      "set endpoint_public_access to false")
def endpoint_open(see: View):
    """A public API server that everybody can reach"""
    options = see.part("eks_cluster")
    cidrs = options.get("public_access_cidrs") or ["0.0.0.0/0"]
    if options.get("endpoint_public_access") and "0.0.0.0/0" in cidrs:
        yield "eks_cluster.public_access_cidrs", "the API server is open to 0.0.0.0/0"


@rule(RULES, "eks-endpoint-closed", ERROR, "set endpoint_private_access or "
      "endpoint_public_access to true")
def endpoint_closed(see: View):
    """An API server that can be reached neither from outside nor from inside"""
    options = see.part("eks_cluster")
    if options.get("endpoint_public_access") is False \
            and options.get("endpoint_private_access") is False:
        yield "eks_cluster.endpoint_private_access", "nobody reaches the API server"


@rule(RULES, "eks-endpoint-nodes", ERROR, "set endpoint_private_access to true", decision=10)
def endpoint_nodes(see: View):
    """Nodes without a way to an API server that is public only, or not open to them"""
    private = see.part("eks_cluster").get("endpoint_private_access")
    if private is False and "network" in see and not has_way_out(see):
        yield ("eks_cluster.endpoint_private_access", "nodes without internet reach the API server "
               "by its private endpoint only, and it is off")


@rule(RULES, "eks-endpoint-cidrs", ERROR, "name public addresses, or set "
      "endpoint_public_access to false")
def endpoint_cidrs(see: View):
    """Public access for ranges that are not public, or are no ranges"""
    for place, text in enumerate(see.part("eks_cluster").get("public_access_cidrs") or ()):
        block, path = cidr(text), f"eks_cluster.public_access_cidrs[{place}]"
        if block is None and ":" not in str(text):
            yield path, f"{text} is not a CIDR block", "use a block such as 203.0.113.0/24"
        elif block and any(block.subnet_of(p) for p in PRIVATE):
            yield path, f"{text} is private, EKS takes public addresses here"


@rule(RULES, "eks-network-policy", WARNING, "set enableNetworkPolicy: \"true\"", decision=8)
def network_policy(see: View):
    """NetworkPolicies that the VPC CNI does not enforce"""
    values = see.part("eks_cluster", "addons", "vpc-cni", "configuration_values")
    if str(values.get("enableNetworkPolicy", "true")).lower() != "true":
        yield ("eks_cluster.addons.vpc-cni.configuration_values",
               "NetworkPolicies do nothing while enableNetworkPolicy is off")


@rule(RULES, "eks-creator-admin", WARNING, "give access_entries to people and roles, by name")
def creator_admin(see: View):
    """A cluster that only its creator could administer"""
    options = see.part("eks_cluster")
    if "eks_cluster" in see and options.get("access_entries") == {} and \
            options.get("bootstrap_cluster_creator_admin_permissions") is False:
        yield "eks_cluster.access_entries", "nobody would have access to the cluster"


@rule(RULES, "eks-config-map", ERROR, "use API or API_AND_CONFIG_MAP")
def config_map(see: View):
    """Access entries, or a creator who is no administrator, with authentication by a ConfigMap"""
    options = see.part("eks_cluster")
    if options.get("authentication_mode") == "CONFIG_MAP":
        if options.get("access_entries"):
            yield "eks_cluster.authentication_mode", "access_entries do not work with CONFIG_MAP"
        if options.get("bootstrap_cluster_creator_admin_permissions") is False:
            yield ("eks_cluster.bootstrap_cluster_creator_admin_permissions",
                   "with CONFIG_MAP nobody else gets in", "set it to true")


@rule(RULES, "eks-entry-type", ERROR, "leave them out, or use type STANDARD")
def entry_type(see: View):
    """An access entry of nodes with groups, a user name or policies"""
    for path, _name, entry in see.each("eks_cluster", "access_entries"):
        given = [n for n in ("kubernetes_groups", "username", "policies") if entry.get(n)]
        if entry.get("type") != "STANDARD" and given:
            yield path, f"type {entry.get('type')} takes no {' or '.join(given)}"


@rule(RULES, "addon-version", ERROR, "give eks_cluster.version, or use default")
def addon_version(see: View):
    """The latest version of an add-on, without a Kubernetes version to say of which"""
    for path, _name, addon in see.each("eks_cluster", "addons"):
        if addon.get("addon_version") == "latest" and not asked(see):
            yield f"{path}.addon_version", "latest of which Kubernetes version?"


@rule(RULES, "addon-role-twice", ERROR, "leave one of them out")
def addon_role(see: View):
    """An add-on with a role both ways, by EKS Pod Identity and by service_account_role"""
    for path, _name, addon in see.each("eks_cluster", "addons"):
        if addon.get("pod_identity") and addon.get("service_account_role"):
            yield path, "it has pod_identity and service_account_role"


@rule(RULES, "pod-identity-agent", ERROR, "add the add-on eks-pod-identity-agent to "
      "eks_cluster.addons")
def pod_identity_agent(see: View):
    """Roles by EKS Pod Identity on a cluster without its agent"""
    addons = see.part("eks_cluster", "addons")
    wants = [path for path, _name, role in see.each("iam_roles", "roles")
             if role.get("service_accounts")
             and role.get("service_account_identity") == "pod_identity"]
    if see.part("karpenter").get("controller_identity") == "pod_identity":
        wants.append("karpenter.controller_identity")
    wants += [f"{path}.pod_identity" for path, _name, addon in see.each("eks_cluster", "addons")
              if addon.get("pod_identity")]
    if addons and "eks-pod-identity-agent" not in addons:
        for path in wants:
            yield path, "EKS Pod Identity needs its agent on the nodes", nearest(
                "eks-pod-identity-agent", addons, "add the add-on eks-pod-identity-agent")
