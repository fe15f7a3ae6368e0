# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""network: a VPC with its subnets, ways out, endpoints and flow logs."""
from __future__ import annotations

import ipaddress

from ..types.ec2 import (
    ElasticIp, FlowLog, InternetGateway, InternetGatewayAttachment, NatGateway, Route, RouteTable,
    RouteTableAssociation, SecurityGroup, SecurityGroupRule, Subnet, Vpc, VpcEndpoint,
)
from ..types.iam import Role, RolePolicy
from ..types.logs import LogGroup

TIERS = ("public", "private", "isolated")
SUBNET = dict(type="dict", options=dict(
    cidr_blocks=dict(type="dict", default={}),
    tags=dict(type="dict", default={}),
    map_public_ip_on_launch=dict(type="bool", default=False),
))
SPEC = dict(
    cidr_block=dict(type="str", required=True),
    availability_zones=dict(type="list", elements="str", required=True),
    subnets=dict(type="dict", default={"public": {}, "private": {}},
                 options={tier: SUBNET for tier in TIERS}),
    subnet_prefix_length=dict(type="int", default=24),
    nat_gateways=dict(type="str", choices=["none", "one", "one_per_zone"]),
    nat_gateway_zone=dict(type="str"),
    allocation_ids=dict(type="dict", default={}),
    internet_gateway=dict(type="bool"),
    enable_dns_support=dict(type="bool"),
    enable_dns_hostnames=dict(type="bool", default=True),
    gateway_endpoints=dict(type="list", elements="str", default=["s3"]),
    interface_endpoints=dict(type="list", elements="str", default=[]),
    flow_logs=dict(type="dict", options=dict(
        traffic_type=dict(type="str", default="ALL", choices=["ACCEPT", "REJECT", "ALL"]),
        retention_in_days=dict(type="int", default=30),
        max_aggregation_interval=dict(type="int", default=600, choices=[60, 600]),
    )),
    load_balancer_tags=dict(type="bool", default=True),
    karpenter_discovery=dict(type="str"),
)
FLOW_LOG_ACTIONS = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogGroups",
                    "logs:DescribeLogStreams"]


def zone_letter(zone: str) -> str:
    """us-east-1a -> a: the part of a zone's name that names its subnets."""
    return zone[-1]


def has_internet(options: dict) -> bool:
    """Whether the VPC has an internet gateway: as given, else where it has a public tier."""
    given = options.get("internet_gateway")
    return (options.get("subnets") or {}).get("public") is not None if given is None else given


def nat_gateways(options: dict) -> str:
    """none, one or one_per_zone: as given, else one where there is internet to go to."""
    return options.get("nat_gateways") or ("one" if has_internet(options) else "none")


def subnet_cidr(options: dict, tier: str, zone: str) -> str:
    """The given CIDR block of a subnet, else one computed from tier and zone letter alone.

    Each tier has room for 16 zones, so that another zone or tier moves nothing.
    """
    given = options["subnets"][tier]["cidr_blocks"].get(zone)
    if given:
        return given
    network = ipaddress.ip_network(options["cidr_block"])
    bits = options["subnet_prefix_length"] - network.prefixlen
    position = TIERS.index(tier) * 16 + ord(zone_letter(zone)) - ord("a")
    if bits < 0 or position >= 2 ** bits:
        raise ValueError(f"{network} has no room for /{options['subnet_prefix_length']} "
                         f"subnet {tier} in {zone}; give its cidr_blocks")
    size = 2 ** (32 - options["subnet_prefix_length"])
    return f"{network[position * size]}/{options['subnet_prefix_length']}"


def build(options: dict, stack) -> list:
    """The resources of one network."""
    vpc = Vpc(key="network/vpc/main", cidr_block=options["cidr_block"],
              enable_dns_support=options["enable_dns_support"],
              enable_dns_hostnames=options["enable_dns_hostnames"])
    tiers = [t for t in TIERS if options["subnets"].get(t) is not None]
    problems = _problems(options, tiers)
    if problems:
        raise ValueError("\n".join(problems))
    subnets = {(tier, zone): _subnet(options, vpc, tier, zone)
               for tier in tiers for zone in options["availability_zones"]}
    internet = _internet(vpc) if has_internet(options) else []
    addresses, nats = _nat_gateways(options, subnets, internet) if internet else ([], {})
    tables = {}
    routing = _routing(subnets, tables, internet, nats)
    return [vpc, *subnets.values(), *internet, *addresses, *nats.values(), *routing,
            *_endpoints(options, stack, vpc, subnets, tables),
            *_flow_logs(options, stack, vpc)]


def _problems(options: dict, tiers: list[str]) -> list[str]:
    """Zones and tiers without which the rest cannot be placed."""
    zones, wanted = options["availability_zones"], options["nat_gateway_zone"]
    if not zones:
        return ["availability_zones: none is named; name at least one, such as us-east-1a"]
    if not has_internet(options) or nat_gateways(options) == "none":
        return []
    if "public" not in tiers:
        return ["nat_gateways: they live in public subnets; add subnets.public, or set it to none"]
    if nat_gateways(options) == "one" and wanted and wanted not in zones:
        return [f"nat_gateway_zone: {wanted} is not among availability_zones; name one of these"]
    return []


def _subnet(options: dict, vpc: Vpc, tier: str, zone: str) -> Subnet:
    given = options["subnets"][tier]
    tags = dict(given["tags"])
    if options["load_balancer_tags"] and tier != "isolated":
        role = "elb" if tier == "public" else "internal-elb"
        tags[f"kubernetes.io/role/{role}"] = "1"
    if options["karpenter_discovery"] and tier == "private":
        tags["karpenter.sh/discovery"] = options["karpenter_discovery"]
    return Subnet(key=f"network/subnet/{tier}-{zone_letter(zone)}", vpc=vpc, tags=tags,
                  cidr_block=subnet_cidr(options, tier, zone), availability_zone=zone,
                  map_public_ip_on_launch=given["map_public_ip_on_launch"])


def _internet(vpc: Vpc) -> list:
    gateway = InternetGateway(key="network/internet_gateway/main")
    return [gateway, InternetGatewayAttachment(key="network/internet_gateway_attachment/main",
                                               internet_gateway=gateway, vpc=vpc)]


def _nat_gateways(options: dict, subnets: dict, internet: list) -> tuple[list, dict]:
    """Addresses of our own, and zone -> NAT gateway."""
    zones = {"none": [], "one_per_zone": options["availability_zones"],
             "one": [options["nat_gateway_zone"] or options["availability_zones"][0]]}
    addresses, found = [], {}
    for zone in zones[nat_gateways(options)]:
        letter = zone_letter(zone)
        address = options["allocation_ids"].get(zone)
        if not address:
            address = ElasticIp(key=f"network/elastic_ip/nat-{letter}")
            addresses.append(address)
        found[zone] = NatGateway(key=f"network/nat_gateway/{letter}", elastic_ip=address,
                                 subnet=subnets["public", zone], internet=internet[1])
    return addresses, found


def _routing(subnets: dict, tables: dict, internet: list, nats: dict) -> list:
    """One table for all public subnets, one for each private or isolated subnet."""
    resources = []
    default = next(iter(nats.values()), None)
    for (tier, zone), subnet in subnets.items():
        name = tier if tier == "public" else f"{tier}-{zone_letter(zone)}"
        if name not in tables:
            tables[name] = RouteTable(key=f"network/route_table/{name}", vpc=subnet.vpc)
            resources.append(tables[name])
            way = {"internet_gateway": internet[0], "internet": internet[1]} \
                if tier == "public" and internet else \
                {"nat_gateway": nats.get(zone, default)} if tier == "private" and default else {}
            if way:
                resources.append(Route(key=f"network/route/{name}-internet", **way,
                                       route_table=tables[name],
                                       destination_cidr_block="0.0.0.0/0"))
        resources.append(RouteTableAssociation(
            key=f"network/route_table_association/{tier}-{zone_letter(zone)}",
            route_table=tables[name], subnet=subnet))
    return resources


def _endpoints(options: dict, stack, vpc: Vpc, subnets: dict, tables: dict) -> list:
    """Gateway endpoints in all tables, interface endpoints in one subnet of each zone."""
    resources = [
        VpcEndpoint(key=f"network/vpc_endpoint/{service}", vpc=vpc, vpc_endpoint_type="Gateway",
                    service_name=f"com.amazonaws.{stack.region}.{service}",
                    route_tables=list(tables.values()))
        for service in options["gateway_endpoints"]]
    if not options["interface_endpoints"]:
        return resources
    group = SecurityGroup(key="network/security_group/endpoints", vpc=vpc,
                          group_name=stack.name("sg", "endpoints"),
                          description="Interface endpoints: HTTPS from the VPC")
    https = SecurityGroupRule(
        key="network/security_group_rule/endpoints-https", group=group, direction="ingress",
        ip_protocol="tcp", from_port=443, to_port=443, cidr_ipv4=options["cidr_block"],
        description="HTTPS from the VPC")
    inner = [s for (tier, _zone), s in subnets.items() if tier == "private"] or \
        [s for (tier, _zone), s in subnets.items() if tier == "isolated"]
    return [*resources, group, https, *(
        VpcEndpoint(key=f"network/vpc_endpoint/{service}", vpc=vpc, vpc_endpoint_type="Interface",
                    service_name=f"com.amazonaws.{stack.region}.{service}", subnets=inner,
                    security_groups=[group], private_dns_enabled=True)
        for service in options["interface_endpoints"])]


def _flow_logs(options: dict, stack, vpc: Vpc) -> list:
    """A log group, the role that may write to it, and the flow log."""
    wanted = options["flow_logs"]
    if not wanted:
        return []
    group = LogGroup(key="network/log_group/flow-logs", name=f"/{stack.id}/vpc/flow-logs",
                     retention_in_days=wanted["retention_in_days"])
    role = Role(key="network/role/flow-logs", role_name=stack.name("role", "flow-logs"),
                path=f"/groundwork/{stack.id}/", trust={
                    "Version": "2012-10-17", "Statement": [{
                        "Effect": "Allow", "Action": "sts:AssumeRole",
                        "Principal": {"Service": "vpc-flow-logs.amazonaws.com"}}]})
    arn = stack.arn("logs", f"log-group:{group.name}:*", stack.region, stack.account_id)
    policy = RolePolicy(key="network/role_policy/flow-logs", role=role, policy_name="write-logs",
                        policy_document={"Version": "2012-10-17", "Statement": [{
                            "Effect": "Allow", "Action": FLOW_LOG_ACTIONS, "Resource": arn}]})
    log = FlowLog(key="network/flow_log/main", vpc=vpc, traffic_type=wanted["traffic_type"],
                  log_group=group, iam_role=role,
                  max_aggregation_interval=wanted["max_aggregation_interval"])
    return [group, role, policy, log]
