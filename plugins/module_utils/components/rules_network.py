# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules about the network and the security groups."""
from __future__ import annotations

import itertools
import math

from . import tables
from .findings import ERROR, WARNING, View, cidr, nearest, rule
from .log_groups import DAYS
from .network import has_internet, nat_gateways, zone_letter

RULES: list = []
# Ports that belong to data stores and to administration.
INNER_PORTS = {22: "SSH", 2049: "NFS", 3389: "RDP", 5432: "PostgreSQL", 6379: "Redis"}
ANYWHERE = ("0.0.0.0/0", "::/0")


@rule(RULES, "network-cidr", ERROR, "use a block of /16 to /28 such as 10.0.0.0/16")
def network_cidr(see: View):
    """A CIDR block of the VPC or of a subnet that is none, or not /16 to /28"""
    blocks = [("network.cidr_block", see.part("network").get("cidr_block"))]
    for tier in see.tiers:
        blocks += [(f"network.subnets.{tier}.cidr_blocks.{zone}", block) for zone, block
                   in see.part("network", "subnets", tier, "cidr_blocks").items()]
    for path, text in blocks:
        block = cidr(text)
        if text is None:
            continue
        if block is None:
            yield path, f"{text} is not an IPv4 CIDR block"
        elif str(block) != text:
            yield path, f"{text} has host bits set", f"use {block}"
        elif not 16 <= block.prefixlen <= 28:
            yield path, f"{text} is a /{block.prefixlen}, AWS takes /16 to /28"


@rule(RULES, "subnet-outside-vpc", ERROR, "choose a part of the VPC's block")
def subnet_outside(see: View):
    """A subnet that is not a part of the VPC's CIDR block"""
    vpc = cidr(see.part("network").get("cidr_block"))
    for tier, zone, text in see.subnets:
        block = cidr(text)
        if vpc and block and not block.subnet_of(vpc):
            yield (f"network.subnets.{tier}.cidr_blocks.{zone}",
                   f"{text} is outside the VPC's {vpc}")


@rule(RULES, "subnet-overlap", ERROR, "give each subnet a block of its own")
def subnet_overlap(see: View):
    """Two subnets that share addresses"""
    known = [(t, z, cidr(text)) for t, z, text in see.subnets if cidr(text)]
    for (tier, zone, one), (tier2, zone2, two) in itertools.combinations(known, 2):
        if one.overlaps(two):
            yield (f"network.subnets.{tier2}.cidr_blocks.{zone2}",
                   f"{two} overlaps {one} of {tier} in {zone}")


@rule(RULES, "cidr-overlap", ERROR, "choose a block that the VPC does not contain")
def cidr_overlap(see: View):
    """The cluster's service addresses overlap the VPC's"""
    vpc = cidr(see.part("network").get("cidr_block"))
    others = [("eks_cluster.service_ipv4_cidr", see.part("eks_cluster").get("service_ipv4_cidr"))]
    for path, text in others:
        block = cidr(text) if text else None
        if vpc and block and block.overlaps(vpc):
            yield path, f"{text} overlaps the VPC's {vpc}"


@rule(RULES, "zone-region", ERROR, "name zones of the stack's region")
def zone_region(see: View):
    """A zone that is not in the stack's region"""
    region = see.stack.region
    for place, zone in enumerate(see.zones):
        if not zone.startswith(region) or len(zone) == len(region):
            yield (f"network.availability_zones[{place}]", f"{zone} is not a zone of {region}",
                   f"use {region}{zone[-1] if zone[-1:].isalpha() else 'a'}")


@rule(RULES, "zone-twice", ERROR, "name each zone once")
def zone_twice(see: View):
    """A zone that is named twice"""
    for zone in dict.fromkeys(see.zones):
        if see.zones.count(zone) > 1:
            yield "network.availability_zones", f"{zone} is named {see.zones.count(zone)} times"


@rule(RULES, "zone-unknown", ERROR, "name one of the network's availability_zones")
def zone_unknown(see: View):
    """A zone of an option that is not one of the network's zones"""
    network = see.part("network")
    places = [(f"network.allocation_ids.{z}", z) for z in network.get("allocation_ids") or ()]
    places.append(("network.nat_gateway_zone", network.get("nat_gateway_zone")))
    for tier in see.tiers:  # a block may wait for a zone to come, but not for one elsewhere
        places += [(f"network.subnets.{tier}.cidr_blocks.{z}", z)
                   for z in see.part("network", "subnets", tier, "cidr_blocks")
                   if not str(z).startswith(see.stack.region)]
    for path, zone in places:
        if zone and zone not in see.zones:
            yield (path, f"{zone} is not among network.availability_zones",
                   nearest(zone, see.zones))


@rule(RULES, "nat-without-public", ERROR, "add the public tier, or set nat_gateways to none")
def nat_without_public(see: View):
    """NAT gateways without a public tier to put them in"""
    network = see.part("network")
    if has_way_out(see) and "public" not in see.tiers:
        yield "network.nat_gateways", "a NAT gateway lives in a public subnet, and there is none"


@rule(RULES, "nat-without-internet", ERROR, "set internet_gateway to true, or nat_gateways to none")
def nat_without_internet(see: View):
    """NAT gateways in a VPC without an internet gateway"""
    network = see.part("network")
    if nat_gateways(network) != "none" and not has_internet(network):
        yield "network.nat_gateways", (f"{nat_gateways(network)} is wanted, and there is no "
                                       "internet gateway to go out by")


@rule(RULES, "zones-too-few", ERROR, "name two zones; one NAT gateway and nodes in one zone "
      "make it cheap, not one subnet", decision=4)
def zones_too_few(see: View):
    """EKS or a database with subnets in one zone only"""
    for component, option in (("eks_cluster", "subnet_tiers"), ("aurora_cluster", "subnets")):
        given = see.part(component).get("subnets")
        if component in see and "network" in see and not given and len(set(see.zones)) < 2:
            yield (f"{component}.{option}", "two zones are needed, network.availability_zones has "
                   f"{', '.join(set(see.zones)) or 'none'}")
        elif given and len({zone_letter(name) for name in given}) < 2 and not any(
                name.startswith("subnet-") for name in given):
            yield (f"{component}.subnets", "two zones are needed, these subnets are all in zone "
                   f"{zone_letter(given[0])}", "name another such as private-b")


@rule(RULES, "dns-names", ERROR, "set enable_dns_support and enable_dns_hostnames to true")
def dns_names(see: View):
    """No DNS host names in a VPC whose cluster, file system or endpoints need them"""
    network = see.part("network")
    wants = [n for n in ("eks_cluster", "efs") if n in see] + (
        ["interface_endpoints"] if network.get("interface_endpoints") else [])
    for option in ("enable_dns_support", "enable_dns_hostnames"):
        if wants and network.get(option) is False:
            yield f"network.{option}", f"{', '.join(wants)} need it, it is false"


@rule(RULES, "endpoint-name", ERROR, "use the service's part of the endpoint's name")
def endpoint_name(see: View):
    """An endpoint service that is misspelt, or has no gateway endpoint"""
    network = see.part("network")
    for name in network.get("gateway_endpoints") or ():
        if name not in ("s3", "dynamodb"):
            yield ("network.gateway_endpoints", f"{name} has no gateway endpoint",
                   f"name {name} in interface_endpoints, or s3 or dynamodb here")
    for name in network.get("interface_endpoints") or ():
        close = nearest(name, tables.ENDPOINTS, "-")
        if name not in tables.ENDPOINTS and close != "-":
            yield "network.interface_endpoints", f"there is no service {name}", close


def has_way_out(see: View) -> bool:
    """Whether private subnets reach the internet."""
    network = see.part("network")
    return has_internet(network) and nat_gateways(network) != "none"


def needed_endpoints(see: View) -> dict[str, str]:
    """Endpoint -> what needs it, of a cluster whose nodes have no way to the internet.

    https://docs.aws.amazon.com/eks/latest/userguide/private-clusters.html
    """
    addons = see.part("eks_cluster", "addons")
    needed = {"ec2": "the VPC CNI", "ecr.api": "pulling images", "ecr.dkr": "pulling images",
              "s3": "layers of images", "sts": "roles of service accounts", "eks": "nodes"}
    if "eks-pod-identity-agent" in addons:
        needed["eks-auth"] = "EKS Pod Identity"
    if "karpenter" in see:
        needed.update(sqs="Karpenter's interruption queue", ssm="Karpenter's AMI look-up")
    if "secrets" in see:
        needed["secretsmanager"] = "secrets"
    return needed


@rule(RULES, "endpoints-missing", ERROR, "name them in interface_endpoints (s3 in "
      "gateway_endpoints), or have a NAT gateway", decision=10)
def endpoints_missing(see: View):
    """Nodes without a way to the internet, and endpoints that they cannot do without"""
    if "network" not in see or not {"eks_cluster", "eks_nodegroups"} & {*see.options} \
            or has_way_out(see):
        return
    network = see.part("network")
    there = {*(network.get("interface_endpoints") or ()), *(network.get("gateway_endpoints") or ())}
    missing = [f"{name} ({why})" for name, why in needed_endpoints(see).items()
               if name not in there]
    if missing:
        yield "network.interface_endpoints", f"missing without internet: {', '.join(missing)}"


@rule(RULES, "endpoints-maybe-missing", WARNING, "add those whose features the stack uses",
      decision=10)
def endpoints_maybe(see: View):
    """Nodes without internet, and endpoints that common controllers and agents use"""
    if "network" not in see or "eks_nodegroups" not in see or has_way_out(see):
        return
    uses = {"elasticloadbalancing": "AWS Load Balancer Controller", "logs": "logs to CloudWatch",
            "autoscaling": "Cluster Autoscaler"}
    there = see.part("network").get("interface_endpoints") or ()
    missing = [f"{name} ({why})" for name, why in uses.items() if name not in there]
    if missing:
        yield "network.interface_endpoints", f"without internet not there: {', '.join(missing)}"


@rule(RULES, "endpoints-cost", WARNING, "keep them for isolation, not for their price",
      decision=11)
def endpoints_cost(see: View):
    """Interface endpoints that cost more than the NAT gateway they stand for"""
    endpoints = see.part("network").get("interface_endpoints") or ()
    zones = len(set(see.zones))
    price = len(endpoints) * zones * tables.INTERFACE_ENDPOINT * tables.MONTH
    one = tables.NAT_GATEWAY * tables.MONTH
    if "network" in see and not has_way_out(see) and price > one:
        yield ("network.interface_endpoints",
               f"{len(endpoints)} endpoints in {zones} zones cost {price:.2f} USD a month before "
               f"traffic, one NAT gateway {one:.2f}")


@rule(RULES, "quota-elastic-ips", WARNING, "ask for a higher quota L-0263D0A3, or have fewer "
      "NAT gateways")
def quota_addresses(see: View):
    """More Elastic IP addresses than the default quota of a region"""
    network = see.part("network")
    if nat_gateways(network) == "one_per_zone" and has_way_out(see):
        own = len(set(see.zones) - set(network.get("allocation_ids") or ()))
        most = tables.QUOTAS["elastic_ips"][2]
        if own > most:
            yield "network.nat_gateways", f"{own} Elastic IPs, the default quota is {most}"


@rule(RULES, "log-retention", ERROR, "use a number of days that CloudWatch Logs knows")
def log_retention(see: View):
    """A retention in days that CloudWatch Logs does not know"""
    places = [("network.flow_logs.retention_in_days",
               see.part("network", "flow_logs").get("retention_in_days"))]
    places += [(f"{name}.log_retention_in_days", see.part(name).get("log_retention_in_days"))
               for name in ("eks_cluster", "aurora_cluster")]
    places += [(f"{path}.retention_in_days", group.get("retention_in_days"))
               for path, _name, group in see.each("log_groups", "groups")]
    places += [(f"{path}.log_delivery.{kind}.retention_in_days", log.get("retention_in_days"))
               for path, _name, cache in see.each("elasticache", "caches")
               for kind, log in (cache.get("log_delivery") or {}).items() if log]
    for path, days in places:
        if days and days not in DAYS:
            near = min(DAYS, key=lambda d: abs(d - days))
            yield path, f"{days} days cannot be kept", f"use {near}"


@rule(RULES, "subnet-addresses", WARNING, "use larger blocks or fewer nodes")
def subnet_addresses(see: View):
    """Fewer addresses in the private subnets than pods on the nodes at their most"""
    blocks = [cidr(text) for tier, _zone, text in see.subnets if tier == "private"]
    room = sum(b.num_addresses - 5 for b in blocks if b)  # AWS keeps five of each
    pods = 0
    for _path, _name, group in see.each("eks_nodegroups", "nodegroups"):
        sizes = [tables.size(t) for t in group.get("instance_types") or ()]
        most = max((s["pods"] for s in sizes if s), default=0)
        pods += most * (group.get("max_size") or 0)
    if blocks and pods > room:
        yield ("network.subnets.private", f"{room} addresses for up to {pods} pods; the VPC CNI "
               "gives each pod one", f"use /{prefix_for(pods, len(blocks))} blocks or fewer nodes")


def prefix_for(pods: int, subnets: int) -> int:
    """The smallest block that holds the pods."""
    return max(16, 32 - math.ceil(math.log2(pods / subnets + 5)))


def ingress(see: View):
    """(path, rule) of each rule that lets something in."""
    for path, _name, group in see.each("security_groups", "groups"):
        for name, given in (group.get("rules") or {}).items():
            if given.get("direction") != "egress":
                yield f"{path}.rules.{name}", given


@rule(RULES, "ingress-anywhere", WARNING, "name the group or the range that may")
def ingress_anywhere(see: View):
    """A data store's or an administration port that is open to everybody"""
    for path, given in ingress(see):
        if given.get("cidr_ipv4") not in ANYWHERE and given.get("cidr_ipv6") not in ANYWHERE:
            continue
        open_to = [name for port, name in INNER_PORTS.items() if covers(given, port)]
        if open_to:
            yield path, f"{', '.join(open_to)} open to {' '.join(ANYWHERE[:1])}"


def covers(given: dict, port: int) -> bool:
    """Whether a rule of security_groups is for this TCP port."""
    low, high = given.get("from_port"), given.get("to_port")
    ranges = [text.partition("-") for text in given.get("ports") or ()]
    spans = [(int(a), int(b or a)) for a, _dash, b in ranges if a.strip().isdigit()
             and (b or a).strip().isdigit()]
    if low is not None:
        spans.append((low, low if high is None else high))
    if str(given.get("ip_protocol")) in ("-1", "all"):
        return True
    return given.get("ip_protocol") in ("tcp", "6") and any(a <= port <= b for a, b in spans)


@rule(RULES, "egress-s3", WARNING, "add an egress rule on 443 with the prefix list of S3",
      decision=9)
def egress_s3(see: View):
    """Egress on 443 to a group and nothing else, which blocks the S3 gateway endpoint"""
    if "s3" not in (see.part("network").get("gateway_endpoints") or ()):
        return
    for path, _name, group in see.each("security_groups", "groups"):
        out = [r for r in (group.get("rules") or {}).values() if r.get("direction") == "egress"]
        if out and all(r.get("source_group") and covers(r, 443) and not covers(r, 80)
                       for r in out):
            yield (f"{path}.rules", "egress 443 goes to groups only; the S3 gateway endpoint is "
                   "reached by its public addresses", "add an egress rule on 443 with "
                   f"prefix_list: com.amazonaws.{see.stack.region}.s3")


@rule(RULES, "cluster-tag", WARNING, "leave cluster_tag out: EKS's own group for the cluster has "
      "the tag, and nodes have that group")
def cluster_tag(see: View):
    """Nodes with a second security group that has the cluster's tag

    The AWS Load Balancer Controller wants exactly one:
    https://docs.aws.amazon.com/eks/latest/userguide/sec-group-reqs.html
    """
    tagged = {name for _path, name, group in see.each("security_groups", "groups")
              if group.get("cluster_tag")}
    for path, _name, group in see.each("eks_nodegroups", "nodegroups"):
        for both in sorted(tagged & {*(group.get("security_groups") or ())}):
            yield (f"{path}.security_groups", f"{both} has the cluster's tag, as has the group "
                   "that EKS makes for the cluster")
