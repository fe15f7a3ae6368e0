# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""EC2 networking: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/."""
from __future__ import annotations

import json

from ..clients.tags import pairs, specification
from ..engine.errors import NotFound
from ..engine.resource import Fact, attr, create_only, search, unknown_keys, updates
from .declared import Declared
from .iam import Role
from .logs import LogGroup


class Ec2(Declared):
    """An EC2 object: tags at creation by TagSpecifications, listed by the owner tag."""

    service = "ec2"
    kind = ""  # resource type in TagSpecifications
    holder = ""  # filter of DescribeNetworkInterfaces that finds what keeps it from being removed
    unique = ""  # filter of the name, where only one object may have it: the identity's first
    tags_path = "Tags"

    @classmethod
    def fetch(cls, scan):
        """What is the stack's; of unique names that it lacks, also what others have."""
        found = list(super().fetch(scan))
        there = {cls.read(cls.identity[0], item) for item in found} if cls.unique else ()
        missing = [n for n in scan.named(cls) if n not in there] if cls.unique else []
        return found + cls.filtered(scan, cls.unique, missing)

    @classmethod
    def filtered(cls, scan, name, values):
        """The objects that a filter lets pass; AWS takes 200 values for one."""
        return [item for start in range(0, len(values), 200) for item in scan.api.pages(
            cls.service, *cls.reads,
            Filters=[{"Name": name, "Values": values[start:start + 200]}])]

    @classmethod
    def narrow(cls, api):
        return {"Filters": api.owner_filter}

    def tagging(self):
        return {"TagSpecifications": specification(self.kind, self.tags)} if self.tags else {}

    @updates("tags")
    def retag(self, api, live):
        """Adds or overwrites our tags, never removes others'; None: it must not be there."""
        ids, unwanted = [search(self.ref, live)], [k for k, v in self.tags.items() if v is None]
        api.ec2.create_tags(Resources=ids, Tags=pairs(self.tags))
        if unwanted:
            api.ec2.delete_tags(Resources=ids, Tags=[{"Key": key} for key in unwanted])

    def explain(self, api, live):
        """The network interfaces in it, with who made them."""
        held = [{"Name": self.holder, "Values": [search(self.ref, live)]}]
        found = self.holder and api.pages("ec2", "describe_network_interfaces",
                                          "NetworkInterfaces", Filters=held)
        names = [f"{i['NetworkInterfaceId']} ({_user(i)})" for i in found or ()]
        return f"in use by {', '.join(names)}: remove them, then run again" if names else ""


def _user(interface: dict) -> str:
    """Whose a network interface is, as far as it tells."""
    instance = search("Attachment.InstanceId", interface)
    return instance or interface.get("Description") or interface.get("RequesterId") \
        or interface.get("InterfaceType", "interface")


class Vpc(Ec2):
    """A virtual private cloud."""

    cidr_block: str = create_only("CidrBlock")
    enable_dns_support: bool = attr("EnableDnsSupport", later=True)
    enable_dns_hostnames: bool = attr("EnableDnsHostnames", later=True)

    holder = "vpc-id"
    kind, ref = "vpc", "VpcId"
    reads, creates = ("describe_vpcs", "Vpcs"), ("create_vpc", "Vpc")
    deletes = ("delete_vpc", "VpcId")
    outputs = {"id": "VpcId", "cidr_block": "CidrBlock"}

    @classmethod
    def fetch(cls, scan):
        """The VPCs with those DNS attributes that somebody asks for (one call each)."""
        vpcs = list(super().fetch(scan))
        wanted = {"enable_dns_support": "EnableDnsSupport",
                  "enable_dns_hostnames": "EnableDnsHostnames"}
        asked = [(v, wanted[n]) for v in vpcs for n in wanted if n in scan.asked(cls)]

        def read(vpc, name):
            answer = scan.api.ec2.describe_vpc_attribute(
                VpcId=vpc["VpcId"], Attribute=name[0].lower() + name[1:])
            vpc[name] = answer[name]["Value"]

        scan.api.map(lambda pair: read(*pair), asked)
        return vpcs

    def _switch(self, api, live, name, value):
        api.ec2.modify_vpc_attribute(VpcId=live["VpcId"], **{name: {"Value": value}})

    @updates("enable_dns_support")
    def switch_dns_support(self, api, live):
        """DNS resolution inside the VPC."""
        self._switch(api, live, "EnableDnsSupport", self.enable_dns_support)

    @updates("enable_dns_hostnames")
    def switch_dns_hostnames(self, api, live):
        """Host names for instances with public addresses; private endpoints need it."""
        self._switch(api, live, "EnableDnsHostnames", self.enable_dns_hostnames)


class InternetGateway(Ec2):
    """The way to the internet."""

    kind, ref = "internet-gateway", "InternetGatewayId"
    reads = ("describe_internet_gateways", "InternetGateways")
    creates = ("create_internet_gateway", "InternetGateway")
    deletes = ("delete_internet_gateway", "InternetGatewayId")
    outputs = {"id": "InternetGatewayId"}


class InternetGatewayAttachment(Declared):
    """An internet gateway in its VPC."""

    internet_gateway: InternetGateway = create_only("InternetGatewayId")
    vpc: Vpc = attr("VpcId")

    service = "ec2"
    identity = ("internet_gateway",)
    member_of = "internet_gateway"
    creates = ("attach_internet_gateway", "")

    @classmethod
    def fetch(cls, scan):
        return [{"InternetGatewayId": gateway["InternetGatewayId"], "VpcId": a["VpcId"]}
                for gateway in scan.of(InternetGateway).items
                for a in gateway.get("Attachments", ())]

    @updates("vpc")
    def move(self, api, live):
        """Leaves the VPC it is in; the next look finds no attachment and makes one."""
        self.delete(api, live)
        self.create(api)

    def delete(self, api, live):
        api.ec2.detach_internet_gateway(InternetGatewayId=live["InternetGatewayId"],
                                        VpcId=live["VpcId"])


class Subnet(Ec2):
    """A subnet of one availability zone."""

    vpc: Vpc = create_only("VpcId")
    cidr_block: str = create_only("CidrBlock")
    availability_zone: str = create_only("AvailabilityZone")
    map_public_ip_on_launch: bool = attr("MapPublicIpOnLaunch", later=True)

    holder = "subnet-id"
    kind, ref = "subnet", "SubnetId"
    reads, creates = ("describe_subnets", "Subnets"), ("create_subnet", "Subnet")
    deletes = ("delete_subnet", "SubnetId")
    outputs = {"id": "SubnetId", "availability_zone": "AvailabilityZone",
               "cidr_block": "CidrBlock"}

    @updates("map_public_ip_on_launch")
    def switch_public_addresses(self, api, live):
        """Public addresses for what starts here."""
        api.ec2.modify_subnet_attribute(
            SubnetId=live["SubnetId"], MapPublicIpOnLaunch={"Value": self.map_public_ip_on_launch})


class ElasticIp(Ec2):
    """A public address of our own."""

    kind, ref = "elastic-ip", "AllocationId"
    reads, creates = ("describe_addresses", "Addresses"), ("allocate_address", "@")
    deletes = ("release_address", "AllocationId")
    outputs = {"id": "AllocationId", "public_ip": "PublicIp"}

    def params(self):
        return {"Domain": "vpc"}


class NatGateway(Ec2):
    """Outbound internet for private subnets."""

    subnet: Subnet = create_only("SubnetId")
    elastic_ip: ElasticIp | str = create_only("NatGatewayAddresses[0].AllocationId",
                                              param="AllocationId")
    internet: InternetGatewayAttachment = attr()  # AWS refuses a NAT gateway without one

    kind, ref = "natgateway", "NatGatewayId"
    reads, creates = ("describe_nat_gateways", "NatGateways"), ("create_nat_gateway", "NatGateway")
    deletes = ("delete_nat_gateway", "NatGatewayId")
    ready, failed = "State=='available'", "State=='failed'"
    leaving, gone, reason = "State=='deleting'", "State=='deleted'", "FailureMessage"
    seconds = {"create": 106, "delete": 60}  # medians of public logs
    outputs = {"id": "NatGatewayId", "public_ip": "NatGatewayAddresses[0].PublicIp"}

    @classmethod
    def narrow(cls, api):
        return {"Filter": api.owner_filter}


class RouteTable(Ec2):
    """A route table; its routes and associations are resources of their own."""

    vpc: Vpc = create_only("VpcId")

    kind, ref = "route-table", "RouteTableId"
    reads, creates = ("describe_route_tables", "RouteTables"), ("create_route_table", "RouteTable")
    deletes = ("delete_route_table", "RouteTableId")
    outputs = {"id": "RouteTableId"}

    @classmethod
    def fetch(cls, scan):
        """All tables of our VPCs: a subnet may have been associated with one of somebody else."""
        return cls.filtered(scan, "vpc-id", [vpc["VpcId"] for vpc in scan.of(Vpc).items])


class RouteTableAssociation(Declared):
    """Which route table a subnet uses."""

    route_table: RouteTable = attr("RouteTableId")
    subnet: Subnet = create_only("SubnetId")

    service, ref = "ec2", "RouteTableAssociationId"
    identity = ("subnet",)
    member_of = "route_table"
    ignore = "Main"
    creates = ("associate_route_table", "{RouteTableAssociationId: AssociationId}")
    deletes = ("disassociate_route_table", "AssociationId")

    @classmethod
    def fetch(cls, scan):
        return [a for table in scan.of(RouteTable).items for a in table.get("Associations", ())
                if a.get("AssociationState", {}).get("State", "associated") == "associated"]

    @updates("route_table")
    def move(self, api, live):
        """Points the subnet to another table without a gap."""
        api.ec2.replace_route_table_association(
            AssociationId=live["RouteTableAssociationId"], RouteTableId=self.route_table)


class Route(Declared):
    """One route; local routes and those of gateway endpoints belong to AWS."""

    route_table: RouteTable = create_only("RouteTableId")
    destination_cidr_block: str = create_only("DestinationCidrBlock")
    destination_ipv6_cidr_block: str = create_only("DestinationIpv6CidrBlock")
    destination_prefix_list_id: str = create_only("DestinationPrefixListId")
    internet_gateway: InternetGateway = attr("GatewayId")
    nat_gateway: NatGateway = attr("NatGatewayId")
    internet: InternetGatewayAttachment = attr()  # a gateway takes routes once it is attached

    service = "ec2"
    identity = ("route_table", "destination_cidr_block", "destination_ipv6_cidr_block",
                "destination_prefix_list_id")
    member_of = "route_table"
    ignore = ("GatewayId=='local' || Origin!='CreateRoute' || "
              "DestinationPrefixListId && starts_with(GatewayId || '', 'vpce-')")
    dies_with_parent = True
    creates = ("create_route", "")

    @classmethod
    def fetch(cls, scan):
        return [{**route, "RouteTableId": table["RouteTableId"]}
                for table in scan.of(RouteTable).items for route in table.get("Routes", ())]

    @updates("internet_gateway", "nat_gateway")
    def point(self, api, live):
        """Points the route elsewhere without a gap."""
        api.ec2.replace_route(**self.params())

    def delete(self, api, live):
        api.ec2.delete_route(**{name: value for name, value in live.items()
                                if name == "RouteTableId" or name.startswith("Destination")})


class SecurityGroup(Ec2):
    """A security group; its rules are resources of their own."""

    group_name: str = create_only("GroupName")
    description: str = create_only("Description")
    vpc: Vpc = create_only("VpcId")
    default_egress: bool = attr(later=True, default=False)  # to everywhere, as AWS makes it

    holder = "group-id"
    kind, ref, unique = "security-group", "GroupId", "group-name"
    identity = ("group_name", "vpc")
    reads, creates = ("describe_security_groups", "SecurityGroups"), ("create_security_group", "@")
    deletes = ("delete_security_group", "GroupId")
    delete_first = True
    outputs = {"id": "GroupId"}
    tells = ("group_name",)

    def create(self, api):
        return {**super().create(api), "GroupName": self.group_name, "VpcId": self.vpc}

    @updates("default_egress")
    def close(self, api, live):
        """Takes away the rule that AWS puts in, which lets everything out."""
        everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        try:
            api.ec2.revoke_security_group_egress(GroupId=live["GroupId"],
                                                 IpPermissions=[everything])
        except NotFound as failure:
            if failure.code != "InvalidPermission.NotFound":  # it was an earlier call's doing
                raise


class PrefixList(Fact):
    """A prefix list of AWS, such as that of S3, or of the account, by its name."""

    name: str = attr("PrefixListName")

    identity, ref = ("name",), "PrefixListId"

    @classmethod
    def fetch(cls, scan):
        filters = [{"Name": "prefix-list-name", "Values": sorted(scan.named(cls))}]
        return scan.api.pages("ec2", "describe_managed_prefix_lists", "PrefixLists",
                              Filters=filters)


class SecurityGroupRule(Declared):
    """One rule of a security group, with exactly one source or destination."""

    group: SecurityGroup = create_only("GroupId")
    direction: str = create_only("IsEgress", read=("ingress", "egress").__getitem__)
    ip_protocol: str = create_only("IpProtocol")
    from_port: int = create_only("FromPort")
    to_port: int = create_only("ToPort")
    cidr_ipv4: str = create_only("CidrIpv4")
    cidr_ipv6: str = create_only("CidrIpv6")
    prefix_list: PrefixList | str = create_only("PrefixListId")
    source_group: SecurityGroup | str = create_only("ReferencedGroupInfo.GroupId")
    description: str = attr("Description")

    service, ref = "ec2", "SecurityGroupRuleId"
    identity = ("group", "direction", "ip_protocol", "from_port", "to_port", "cidr_ipv4",
                "cidr_ipv6", "prefix_list", "source_group")
    member_of = "group"
    # The AWS Load Balancer Controller adds rules to node groups' security groups by itself.
    ignore = "Description && starts_with(Description, 'elbv2.k8s.aws')"

    @classmethod
    def fetch(cls, scan):
        groups = [group["GroupId"] for group in scan.of(SecurityGroup).items]
        found = []
        for start in range(0, len(groups), 200):  # values per filter
            filters = [{"Name": "group-id", "Values": groups[start:start + 200]}]
            found += scan.api.pages("ec2", "describe_security_group_rules", "SecurityGroupRules",
                                    Filters=filters, MaxResults=1000)
        return found

    def in_words(self) -> str:
        """What it lets through: tcp 443 from 0.0.0.0/0"""
        ports = dict.fromkeys(p for p in (self.from_port, self.to_port) if p not in (None, -1))
        what = "everything" if self.ip_protocol == "-1" else \
            " ".join(filter(None, [self.ip_protocol, "-".join(map(str, ports))]))
        where = self.cidr_ipv4 or self.cidr_ipv6 or self.prefix_list or self.source_group
        named = [key.rpartition("/")[2] for key in unknown_keys(where)] or [where]
        return f"{what} {'to' if self.direction == 'egress' else 'from'} {named[0]}"

    def _permission(self) -> dict:
        note = {"Description": self.description} if self.description else {}
        found = {"IpProtocol": self.ip_protocol, "FromPort": self.from_port,
                 "ToPort": self.to_port}
        if self.cidr_ipv4:
            found["IpRanges"] = [{"CidrIp": self.cidr_ipv4, **note}]
        if self.cidr_ipv6:
            found["Ipv6Ranges"] = [{"CidrIpv6": self.cidr_ipv6, **note}]
        if self.prefix_list:
            found["PrefixListIds"] = [{"PrefixListId": self.prefix_list, **note}]
        if self.source_group:
            found["UserIdGroupPairs"] = [{"GroupId": self.source_group, **note}]
        return found

    def create(self, api):
        call = api.ec2.authorize_security_group_egress if self.direction == "egress" \
            else api.ec2.authorize_security_group_ingress
        answer = call(GroupId=self.group, IpPermissions=[self._permission()])
        return (answer.get("SecurityGroupRules") or [{}])[0]

    @updates("description")
    def describe(self, api, live):
        """Changes the description."""
        call = api.ec2.update_security_group_rule_descriptions_egress \
            if self.direction == "egress" else \
            api.ec2.update_security_group_rule_descriptions_ingress
        rule = {"SecurityGroupRuleId": live["SecurityGroupRuleId"],
                "Description": self.description}
        call(GroupId=self.group, SecurityGroupRuleDescriptions=[rule])

    def delete(self, api, live):
        call = api.ec2.revoke_security_group_egress if live["IsEgress"] \
            else api.ec2.revoke_security_group_ingress
        call(GroupId=live["GroupId"], SecurityGroupRuleIds=[live["SecurityGroupRuleId"]])


class VpcEndpoint(Ec2):
    """A gateway or interface endpoint of an AWS service."""

    vpc: Vpc = create_only("VpcId")
    service_name: str = create_only("ServiceName")
    vpc_endpoint_type: str = create_only("VpcEndpointType")
    route_tables: list[RouteTable] = attr("RouteTableIds")
    subnets: list[Subnet] = attr("SubnetIds")
    security_groups: list[SecurityGroup] = attr("Groups[].GroupId", param="SecurityGroupIds")
    private_dns_enabled: bool = attr("PrivateDnsEnabled")
    policy_document: dict = attr("PolicyDocument", read=json.loads)

    kind, ref = "vpc-endpoint", "VpcEndpointId"
    reads = ("describe_vpc_endpoints", "VpcEndpoints")
    creates = ("create_vpc_endpoint", "VpcEndpoint")
    ready, failed = "State=='available'", "State=='failed' || State=='rejected'"
    leaving, gone = "State=='deleting'", "State=='deleted'"
    seconds = {"create": 60, "delete": 30}
    outputs = {"id": "VpcEndpointId"}

    def params(self):
        policy = {"PolicyDocument": json.dumps(self.policy_document)} \
            if self.policy_document else {}
        return {**super().params(), **policy}

    @updates("route_tables", "subnets", "security_groups", "private_dns_enabled",
             "policy_document")
    def change(self, api, live):
        """Adds and removes what differs, in one call."""
        call = {"VpcEndpointId": live["VpcEndpointId"]}
        lists = (("route_tables", "RouteTableIds"), ("subnets", "SubnetIds"),
                 ("security_groups", "SecurityGroupIds"))
        for name, param in lists:
            wanted, have = getattr(self, name), self.read(name, live) or []
            if wanted is not None:
                call[f"Add{param}"] = sorted(set(wanted) - set(have))
                call[f"Remove{param}"] = sorted(set(have) - set(wanted))
        if self.private_dns_enabled is not None:
            call["PrivateDnsEnabled"] = self.private_dns_enabled
        if self.policy_document:
            call["PolicyDocument"] = json.dumps(self.policy_document)
        api.ec2.modify_vpc_endpoint(**{k: v for k, v in call.items() if v != []})

    def delete(self, api, live):
        api.ec2.delete_vpc_endpoints(VpcEndpointIds=[live["VpcEndpointId"]])


class FlowLog(Ec2):
    """Traffic records of a VPC in CloudWatch Logs."""

    vpc: Vpc = create_only("ResourceId")
    traffic_type: str = create_only("TrafficType")
    log_group: LogGroup | str = create_only("LogGroupName")
    iam_role: Role | str = create_only("DeliverLogsPermissionArn", of="Arn")
    max_aggregation_interval: int = create_only("MaxAggregationInterval")

    kind, ref = "vpc-flow-log", "FlowLogId"
    delete_first = True  # AWS takes no second one with the same destination
    reads = ("describe_flow_logs", "FlowLogs")
    patience = (r"Unable to assume given IAM role", r"Access error")

    @classmethod
    def narrow(cls, api):
        return {"Filter": api.owner_filter}

    def create(self, api):
        call = {"ResourceIds": [self.vpc], "ResourceType": "VPC",
                "TrafficType": self.traffic_type, "LogDestinationType": "cloud-watch-logs",
                "LogGroupName": self.log_group, "DeliverLogsPermissionArn": self.iam_role,
                "MaxAggregationInterval": self.max_aggregation_interval}
        found = api.ec2.create_flow_logs(**{k: v for k, v in call.items() if v is not None},
                                         **self.tagging())
        return {"FlowLogId": found["FlowLogIds"][0]}

    def delete(self, api, live):
        api.ec2.delete_flow_logs(FlowLogIds=[live["FlowLogId"]])
