# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules over the changes of a plan; what only AWS knows they ask from `facts`, when they need it.

`see.creates` are the keys that the plan creates, `see.updates` key -> {field: (live, wanted)}.
A stack that stays as it is asks nothing.
"""
from __future__ import annotations

from ..types.eks import minor
from . import tables
from .findings import ERROR, WARNING, View, nearest, rule
from .rules_nodes import groups, is_spot
from .rules_references import REFERENCES, walk

RULES: list = []
CLUSTER = "eks_cluster/cluster/main"


def wanted_version(see: View) -> str | None:
    """The Kubernetes version that a plan brings, when it brings one."""
    changed = see.updates.get(CLUSTER, {}).get("version")
    if changed:
        return str(changed[1])
    version = see.part("eks_cluster").get("version")
    return str(version) if version and CLUSTER in see.creates else None


def places(path: str, value):
    """(path, value) of everything in options, names of the user's choice too, at any depth."""
    pairs = value.items() if isinstance(value, dict) else \
        enumerate(value) if isinstance(value, list) else ()
    for name, inner in pairs:
        here = f"{path}.{name}" if isinstance(value, dict) else f"{path}[{name}]"
        yield here, name
        yield here, inner
        yield from places(here, inner)


@rule(RULES, "api-value", ERROR, "write one that the API takes")
def api_value(see: View, _facts):
    """A value that the API does not take, by the model of it that botocore has"""
    for key, found in see.violations:
        component, name = key.split("/", 1)
        last = found.path.rpartition(".")[2].lower()
        options = [path for path, value in places(component, see.options.get(component))
                   if value == found.value and type(value) is type(found.value)]
        # Of several, that of the object, and of the parameter's name.
        path = max(options, default=component, key=lambda path: (
            name.rpartition("/")[2] in path.split("."),
            path.rpartition(".")[2].replace("_", "") == last))
        yield path, f"{found.path} of {name} must {found.rule}, and is {found.value!r:.80}"


@rule(RULES, "eks-version-step", ERROR, "go up one minor at a time", decision=1)
def version_step(see: View, _facts):
    """A Kubernetes version below the cluster's, or more than one minor above it"""
    live, wanted = see.updates.get(CLUSTER, {}).get("version", (None, None))
    now, then = minor(live), minor(wanted)
    if not now or not then:
        return
    if then < now:
        yield ("eks_cluster.version", f"the cluster runs {live}, EKS cannot go back to {wanted}",
               f"set {live} or a later version")
    elif then > (now[0], now[1] + 1):
        yield ("eks_cluster.version", f"the cluster runs {live}, {wanted} is {then[1] - now[1]} "
               "minors above", f"set {now[0]}.{now[1] + 1} first")


@rule(RULES, "eks-version-offered", ERROR, "choose a version that EKS offers", decision=1)
def version_offered(see: View, facts):
    """A Kubernetes version that EKS does not offer in the region"""
    version = wanted_version(see)
    offered = facts.cluster_versions() if version else None
    if offered and version not in offered:
        yield ("eks_cluster.version", f"EKS does not offer {version} in {see.stack.region}",
               f"choose one of {', '.join(sorted(offered, key=minor, reverse=True))}")


@rule(RULES, "addon-version-offered", ERROR, "choose a version that EKS offers, or default")
def addon_offered(see: View, facts):
    """An exact version of an add-on that EKS does not offer for the Kubernetes version"""
    live = see.lives.get(CLUSTER) or {}
    version = see.part("eks_cluster").get("version") or live.get("version")
    for path, name, addon in see.each("eks_cluster", "addons"):
        exact, key = addon.get("addon_version"), f"eks_cluster/addon/{name}"
        if not version or exact in (None, "default", "latest") or not (
                key in see.creates or "addon_version" in see.updates.get(key, ())):
            continue
        offers = facts.addon_versions(str(version))
        if offers and name not in offers:
            yield (path, f"EKS offers no such add-on for Kubernetes {version}",
                   nearest(name, offers))
        elif offers and exact not in offers[name]:
            yield (f"{path}.addon_version", f"EKS does not offer {exact} for Kubernetes {version}",
                   f"choose one of {', '.join(offers[name][:5])}, or default")


@rule(RULES, "unknown-access-policy", ERROR, "name an access policy of EKS")
def unknown_access_policy(see: View, facts):
    """An access policy that EKS does not have"""
    asked = [(f"{path}.policies.{policy}", policy)
             for path, name, entry in see.each("eks_cluster", "access_entries")
             for policy in entry.get("policies") or ()
             if f"eks_cluster/access_policy/{name}-{policy.split('/')[-1]}" in see.creates]
    known = facts.access_policies() if asked else None
    names = {arn.split("/")[-1] for arn in known or ()}
    for path, policy in asked if known else ():
        if policy not in known and policy not in names:
            yield path, f"EKS has no access policy {policy}", nearest(policy.split("/")[-1], names)


def asked_types(see: View) -> list[tuple[str, str, list]]:
    """(path, instance type, zones) of the node groups that a plan creates."""
    return [(f"{path}.instance_types", kind, zones) for path, name, group, zones in groups(see)
            if f"eks_nodegroups/nodegroup/{name}" in see.creates
            for kind in group.get("instance_types") or ()]


@rule(RULES, "instance-type-offered", ERROR, "choose another instance type or zone")
def type_offered(see: View, facts):
    """An instance type that no zone of its node group has"""
    asked = asked_types(see)
    offered = facts.offered_zones(kind for _path, kind, _zones in asked) if asked else None
    for path, kind, zones in asked if offered is not None else ():
        there = offered.get(kind) or set()
        if not there:
            yield path, f"{see.stack.region} has no {kind}"
        elif zones and not there & {*zones}:
            yield (path, f"{kind} is in none of {', '.join(zones)}",
                   f"zones that have it: {', '.join(sorted(there))}")


@rule(RULES, "instance-type-zones", WARNING, "name more instance types, or the zones that have it")
def type_zones(see: View, facts):
    """An instance type that some zones of its node group do not have"""
    asked = asked_types(see)
    offered = facts.offered_zones(kind for _path, kind, _zones in asked) if asked else None
    for path, kind, zones in asked if offered is not None else ():
        there = offered.get(kind) or set()
        missing = sorted({*zones} - there)
        if there & {*zones} and missing:
            yield path, f"{', '.join(missing)} do not have {kind}"


@rule(RULES, "unknown-role", ERROR, "make it first, or name a role of the component iam_roles")
def unknown_role(see: View, facts):
    """An ARN of a role that the account does not have"""
    changing = {key.split("/")[0] for key in see.creates}
    asked = [(path, text) for component, options in see.options.items() if component in changing
             for path, option, text in walk(component, options)
             if REFERENCES.get(option, [""])[0] == "iam_roles"
             and f":iam::{see.stack.account_id}:role/" in text]
    known = facts.roles() if asked else None
    for path, arn in asked if known is not None else ():
        if arn not in known:
            yield (path, f"there is no role {arn}",
                   nearest(arn, known, "make it first, or name a role of the component iam_roles"))


@rule(RULES, "security-group-in-use", ERROR, "make a group of another name beside it")
def group_in_use(see: View, _facts):
    """A security group that a change would delete while other components use it"""
    for path, name, _given in see.each("security_groups", "groups"):
        changed = see.updates.get(f"security_groups/security_group/{name}", {})
        fixed = [n for n in ("group_name", "description") if n in changed]
        users = [where for component, options in see.options.items() if fixed
                 for where, option, text in walk(component, options)
                 if option == "security_groups" and text == name]
        if users:
            yield (f"{path}.{fixed[0]}", "its change deletes the group and makes it again, and "
                   f"AWS deletes none in use: {', '.join(users)} name it", "make a group of "
                   "another name beside it, name that one there, then remove this one (prune)")


def demands(see: View, facts):
    """(path, quota, how many are wanted, how many are used) of what a plan creates."""
    made = [key.rsplit("/", 1)[0] for key in see.creates]
    for name, kind, path in (("vpcs", "network/vpc", "network"),
                             ("elastic_ips", "network/elastic_ip", "network.nat_gateways")):
        if count := made.count(kind):
            yield path, name, count, facts.used(name) or 0
    nats = [key for key in see.creates if key.startswith("network/nat_gateway/")]
    there = (facts.nat_zones() or []) if nats else []
    for key in sorted(nats):
        used = len([z for z in there if z[-1:] == key[-1]])
        yield "network.nat_gateways", "nat_gateways", 1, used
    yield from gpu_demands(see)


def gpu_demands(see: View):
    """vCPUs of GPU groups at their most, of those that a plan creates or lets grow."""
    wanted = {}
    for path, name, group, _zones in groups(see):
        key = f"eks_nodegroups/nodegroup/{name}"
        grows = "max_size" in see.updates.get(key, ())
        sizes = [s for s in map(tables.size, group.get("instance_types") or ())
                 if s and s["gpus"]]
        if sizes and (key in see.creates or grows):
            which = "gpu_spot" if is_spot(group) else "gpu_on_demand"
            most = max(s["cpus"] for s in sizes) * (group.get("max_size") or 0)
            wanted[which] = (path, wanted.get(which, ("", 0))[1] + most)
    for which, (path, cpus) in wanted.items():
        if cpus:
            yield path, which, cpus, 0


@rule(RULES, "quota", ERROR, "ask AWS for a higher quota, or want less")
def quota(see: View, facts):
    """More VPCs, Elastic IPs, NAT gateways in a zone or GPU vCPUs than the account's quota"""
    for path, name, count, used in demands(see, facts):
        service, code, _default, title = tables.QUOTAS[name]
        limit = facts.quota(service, code)
        if limit is not None and used + count > limit:
            yield (path, f"{title}: {used} used and {count} wanted, the quota is {limit:g}",
                   f"ask AWS for a higher quota {code}, or want less")


@rule(RULES, "quota-default", WARNING, "allow servicequotas:GetServiceQuota, or compare by hand")
def quota_default(see: View, facts):
    """The same against AWS's defaults, where the account's quotas cannot be read"""
    for path, name, count, used in demands(see, facts):
        service, code, default, title = tables.QUOTAS[name]
        if facts.quota(service, code) is None and used + count > default:
            yield (path, f"{title}: {used} used and {count} wanted, AWS's default quota {code} is "
                   f"{default} and the account's own cannot be read")


@rule(RULES, "engine-version-taken", WARNING, "write the version that is taken", decision=18)
def engine_version(see: View, _facts):
    """A version of Aurora, Valkey or Redis that AWS no longer offers, and what is taken for it"""
    new = any(key.startswith(("aurora_cluster/", "elasticache/")) for key in see.creates) or any(
        "engine_version" in changed for changed in see.updates.values())
    for key, live in see.lives.items() if new else ():
        component, kind, asked = key.split("/", 2)
        if not kind.endswith("engine_version"):
            continue
        asked = asked.rpartition("-")[2]
        taken = (live or {}).get("EngineVersion", asked)
        if not f"{taken}.".startswith(f"{asked}."):
            yield (f"{component}.engine_version", f"AWS does not offer {asked}, {taken} is taken",
                   f"write engine_version: \"{taken}\"")
