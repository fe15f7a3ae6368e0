"""What EC2 refuses around VPCs, subnets, gateways, addresses and routes, and moto lets pass.
Sources: the Errors section of each operation, ec2/latest/devguide/errors-overview.html."""

import ipaddress

from lab import kit, quotas
from lab.ec2_kit import dependency, drop_tags, has_gateway
from lab.errors import Refusal
from lab.registry import after, guard, handler


def interfaces(backend, **match):
    """Network interfaces by subnet or VPC."""
    return [eni for eni in backend.enis.values()
            if ("subnet" not in match or eni.subnet.id == match["subnet"])
            and ("vpc" not in match or eni.subnet.vpc_id == match["vpc"])]


# ---- quotas -----------------------------------------------------------------------------------

@guard("ec2", "CreateVpc")
def limit_vpcs(call):
    quotas.check(call, "vpcs", len(call.backend("ec2").vpcs))


@guard("ec2", "CreateInternetGateway")
def limit_gateways(call):
    quotas.check(call, "internet_gateways", len(call.backend("ec2").internet_gateways))


@guard("ec2", "AllocateAddress")
def limit_addresses(call):
    quotas.check(call, "elastic_ips", len(call.backend("ec2").addresses))


@guard("ec2", "CreateNatGateway")
def limit_nat(call):
    backend = call.backend("ec2")
    zone = backend.get_subnet(call.params["SubnetId"]).availability_zone
    quotas.check(call, "nat_gateways", sum(
        gateway.state in ("pending", "available")
        and backend.get_subnet(gateway.subnet_id).availability_zone == zone
        for gateway in backend.nat_gateways.values()))


@guard("ec2", "CreateSubnet")
def limit_subnets(call):
    vpc = call.params["VpcId"]
    count = sum(subnet.vpc_id == vpc for zone in call.backend("ec2").subnets.values()
                for subnet in zone.values())
    quotas.check(call, "subnets", count)


@guard("ec2", "CreateVpcEndpoint")
def limit_endpoints(call):
    backend, vpc = call.backend("ec2"), call.params["VpcId"]
    quotas.check(call, "vpc_endpoints", sum(
        point.vpc_id == vpc and point.vpc_endpoint_type == "Interface"
        for point in backend.vpc_end_points.values()))


# ---- CIDR blocks ------------------------------------------------------------------------------

@guard("ec2", "CreateVpc", "CreateSubnet")
def whole_block(call):
    """EC2 takes only the first address of a block (10.0.0.1/16 is refused), /16 to /28."""
    text = call.params.get("CidrBlock")
    if not text:
        return
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise Refusal("InvalidParameterValue", f"Value ({text}) for parameter cidrBlock is "
                      "invalid. This is not a valid CIDR block.") from error
    if not 16 <= network.prefixlen <= 28:
        kind = "Vpc" if call.operation == "CreateVpc" else "Subnet"
        raise Refusal(f"Invalid{kind}.Range", f"The CIDR '{text}' is invalid.")


# ---- deletions --------------------------------------------------------------------------------

@guard("ec2", "DeleteVpc")
def vpc_in_use(call):
    backend, vpc = call.backend("ec2"), call.params["VpcId"]
    backend.get_vpc(vpc)
    groups = [group for group in backend.groups.get(vpc, {}).values() if group.name != "default"]
    subnets = [subnet for zone in backend.subnets.values() for subnet in zone.values()
               if subnet.vpc_id == vpc]
    tables = [table for table in backend.route_tables.values()
              if table.vpc_id == vpc and not table.main_association_id]
    points = [point for point in backend.vpc_end_points.values() if point.vpc_id == vpc]
    if (groups or subnets or tables or points or has_gateway(backend, vpc)
            or interfaces(backend, vpc=vpc)):
        raise dependency(f"The vpc '{vpc}' has dependencies and cannot be deleted.")


@guard("ec2", "DeleteSubnet")
def subnet_in_use(call):
    backend, subnet = call.backend("ec2"), call.params["SubnetId"]
    backend.get_subnet(subnet)
    if interfaces(backend, subnet=subnet):
        raise dependency(f"The subnet '{subnet}' has dependencies and cannot be deleted.")


@after("ec2", "DeleteSubnet")
def drop_association(call):
    """A subnet takes its route table association with it."""
    subnet = call.params["SubnetId"]
    for table in call.backend("ec2").route_tables.values():
        for key in [key for key, target in table._associations.items() if target == subnet]:
            del table._associations[key]


@guard("ec2", "DetachInternetGateway")
def mapped_addresses(call):
    backend, vpc = call.backend("ec2"), call.params["VpcId"]
    for address in backend.addresses:
        if address.eni and address.eni.subnet.vpc_id == vpc:
            raise dependency(f"Network {vpc} has some mapped public address(es). Please unmap "
                             "those public address(es) before detaching the gateway.")


@guard("ec2", "AttachInternetGateway")
def one_gateway(call):
    vpc = call.params["VpcId"]
    if has_gateway(call.backend("ec2"), vpc):
        raise Refusal("InvalidParameterValue",
                      f"Network {vpc} already has an internet gateway attached")


@guard("ec2", "DeleteInternetGateway")
def attached_gateway(call):
    key = call.params["InternetGatewayId"]
    gateway = call.backend("ec2").internet_gateways.get(key)
    if gateway and gateway.vpc:
        raise dependency(f"The internetGateway '{key}' has dependencies and cannot be deleted.")


@guard("ec2", "ReleaseAddress")
def address_in_use(call):
    key = call.params.get("AllocationId")
    for address in call.backend("ec2").addresses:
        if key and address.allocation_id == key and address.association_id:
            raise Refusal("InvalidIPAddress.InUse",
                          f"Address {address.public_ip} is in use.")


@guard("ec2", "DisassociateAddress")
def address_of_nat(call):
    key = call.params.get("AssociationId")
    for gateway in call.backend("ec2").nat_gateways.values():
        if any(key and row.get("associationId") == key for row in gateway.address_set):
            raise Refusal("AuthFailure", "You do not have permission to access the specified "
                          "resource.", 403)


@guard("ec2", "DeleteNetworkInterface")
def managed_interface(call):
    key = call.params["NetworkInterfaceId"]
    eni = call.backend("ec2").enis.get(key)
    if eni is not None and getattr(eni, "managed", False):
        raise Refusal("InvalidParameterValue", f"Network interface '{key}' is currently in use.")


@after("ec2", "TerminateInstances")
def primary_interfaces(call):
    """They go with their instance. Source: API_LaunchTemplateInstanceNetworkInterfaceSpecification,
    DeleteOnTermination."""
    ids = call.params["InstanceIds"]
    kit.drop_interfaces(call, [key for key, eni in call.backend("ec2").enis.items()
                               if eni.instance and eni.instance.id in ids])


# ---- route tables -----------------------------------------------------------------------------

@guard("ec2", "DeleteRouteTable")
def table_in_use(call):
    key = call.params["RouteTableId"]
    table = call.backend("ec2").get_route_table(key)
    if table._associations or table.main_association_id:
        raise dependency(f"The routeTable '{key}' has dependencies and cannot be deleted.")


@guard("ec2", "CreateRoute", "ReplaceRoute")
def route_target(call):
    """A route needs one target, and the target must be there."""
    backend, asked = call.backend("ec2"), call.params
    table = backend.get_route_table(asked["RouteTableId"])
    targets = [key for key in (
        "GatewayId", "NatGatewayId", "NetworkInterfaceId", "TransitGatewayId", "InstanceId",
        "VpcPeeringConnectionId", "EgressOnlyInternetGatewayId", "VpcEndpointId",
        "CarrierGatewayId", "LocalGatewayId", "CoreNetworkArn", "LocalTarget") if asked.get(key)]
    if len(targets) != 1:
        raise Refusal("InvalidParameterCombination",
                      "The parameters must contain exactly one target")
    check_nat_target(backend, asked.get("NatGatewayId"))
    gateway = backend.internet_gateways.get(asked.get("GatewayId") or "")
    if (asked.get("GatewayId") or "").startswith("igw-"):
        if gateway is None:
            raise Refusal("InvalidInternetGatewayID.NotFound",
                          f"The gateway ID '{asked['GatewayId']}' does not exist")
        if not gateway.vpc or gateway.vpc.id != table.vpc_id:
            raise Refusal("InvalidParameterValue", f"route table {table.id} and network gateway "
                          f"{gateway.id} belong to different networks")
    check_local(backend, table, asked.get("DestinationCidrBlock"), call.operation)


def check_nat_target(backend, key):
    if not key:
        return
    gateway = backend.nat_gateways.get(key)
    if gateway is None or gateway.state in ("deleted", "failed"):
        raise Refusal("InvalidNatGatewayID.NotFound", f"The natGateway ID '{key}' does not exist")


def check_local(backend, table, destination, operation):
    if not destination:
        return
    network = ipaddress.ip_network(destination, strict=False)
    if str(network) != destination:
        raise Refusal("InvalidParameterValue", f"Value ({destination}) for parameter "
                      "destinationCidrBlock is invalid. This is not a valid CIDR block.")
    blocks = [ipaddress.ip_network(backend.get_vpc(table.vpc_id).cidr_block)]
    if operation == "CreateRoute" and network in blocks:
        raise Refusal("RouteAlreadyExists",
                      f"The route identified by {destination} already exists.")


@guard("ec2", "AssociateRouteTable")
def one_table(call):
    """A subnet has one route table. Source: API_AssociateRouteTable."""
    backend, subnet = call.backend("ec2"), call.params.get("SubnetId")
    backend.get_route_table(call.params["RouteTableId"])
    for table in backend.route_tables.values():
        if subnet and subnet in table._associations.values():
            if table.id == call.params["RouteTableId"]:
                return
            raise Refusal("Resource.AlreadyAssociated",
                          f"the specified association for route table {call.params['RouteTableId']}"
                          " conflicts with an existing association")


# ---- tags of what is gone ---------------------------------------------------------------------

DELETED = {
    "DeleteVpc": "VpcId", "DeleteSubnet": "SubnetId", "DeleteInternetGateway": "InternetGatewayId",
    "DeleteRouteTable": "RouteTableId", "DeleteSecurityGroup": "GroupId",
    "ReleaseAddress": "AllocationId", "DeleteFlowLogs": "FlowLogIds",
    "DeleteLaunchTemplate": "LaunchTemplateId", "DeleteNetworkInterface": "NetworkInterfaceId",
}


@after("ec2", *DELETED)
def forget_tags(call):
    ids = call.params.get(DELETED[call.operation])
    for key in ids if isinstance(ids, list) else [ids]:
        drop_tags(call.backend("ec2"), key)


@handler("ec2", "DescribeAccountAttributes")
def account_attributes(call):
    """API_DescribeAccountAttributes; the answer changes nowhere in the lab."""
    rows = {"supported-platforms": "VPC", "default-vpc": "none", "max-instances": "256",
            "vpc-max-elastic-ips": str(quotas.value(call.lab, "elastic_ips")),
            "max-elastic-ips": str(quotas.value(call.lab, "elastic_ips"))}
    return {"AccountAttributes": [
        {"AttributeName": name, "AttributeValues": [{"AttributeValue": value}]}
        for name, value in rows.items()]}
