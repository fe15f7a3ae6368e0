"""VPC endpoints: API_CreateVpcEndpoint, API_ModifyVpcEndpoint, API_DeleteVpcEndpoints,
API_DescribeVpcEndpoints."""

import json

from moto.ec2.models.vpcs import VPCEndPoint

from lab import kit
from lab.ec2_kit import drop_tags, filtered, tag_specification, tags_of
from lab.errors import Refusal
from lab.extensions.ec2_nat import mismatch
from lab.registry import handler

# Source: vpc/latest/privatelink/aws-services-privatelink-support.html
GATEWAY = {"s3", "dynamodb"}
INTERFACE = {
    "access-analyzer", "acm-pca", "application-autoscaling", "athena", "autoscaling",
    "autoscaling-plans", "backup", "bedrock", "bedrock-runtime", "cloudformation", "cloudtrail",
    "dynamodb", "ec2", "ec2messages", "ecr.api", "ecr.dkr", "ecs", "ecs-agent", "ecs-telemetry",
    "eks", "eks-auth", "elasticache", "elasticfilesystem", "elasticloadbalancing", "events",
    "execute-api", "glue", "guardduty-data", "kinesis-firehose", "kinesis-streams", "kms",
    "lambda", "logs", "monitoring", "rds", "rds-data", "s3", "sagemaker.api",
    "sagemaker.runtime", "secretsmanager", "sns", "sqs", "ssm", "ssmmessages", "states", "sts",
    "synthetics", "xray"}


def service_of(call):
    """The short name of the service, or InvalidServiceName."""
    name = call.params["ServiceName"]
    prefix = f"com.amazonaws.{call.region}."
    short = name[len(prefix):] if name.startswith(prefix) else None
    kind = call.params.get("VpcEndpointType", "Gateway")
    if short not in (GATEWAY if kind == "Gateway" else INTERFACE):
        raise Refusal("InvalidServiceName",
                      f"The Vpc Endpoint Service '{name}' does not exist")
    return short


def check_gateway(call, backend, vpc):
    asked = call.params
    for table in asked.get("RouteTableIds") or []:
        if backend.get_route_table(table).vpc_id != vpc.id:
            raise Refusal("InvalidParameter", f"Route table {table} belongs to another VPC")
    for other in living(backend):
        if other.service_name == asked["ServiceName"] and other.vpc_endpoint_type == "Gateway":
            both = set(other.route_table_ids) & set(asked.get("RouteTableIds") or [])
            if both:
                raise Refusal("RouteAlreadyExists", f"route table {sorted(both)[0]} already has a "
                              f"route with destination-prefix-list-id for {other.service_name}")


def check_interface(call, backend, vpc):
    asked = call.params
    subnets = [backend.get_subnet(key) for key in asked.get("SubnetIds") or []]
    check_zones(subnets)
    if any(subnet.vpc_id != vpc.id for subnet in subnets):
        raise Refusal("InvalidParameter", "The subnets must belong to the VPC of the endpoint")
    kit.check_groups(call, asked.get("SecurityGroupIds") or [], no_group)
    if private_dns(asked):
        check_private_dns(backend, vpc, asked["ServiceName"])


def no_group(key):
    return Refusal("InvalidGroup.NotFound", f"The security group '{key}' does not exist")


def check_zones(subnets):
    zones = [subnet.availability_zone for subnet in subnets]
    if len(set(zones)) != len(zones):
        raise Refusal("DuplicateSubnetsInSameZone",
                      "Found another VPC endpoint subnet in the availability zone")


def private_dns(asked):
    """On by default for AWS's own services."""
    return asked.get("PrivateDnsEnabled", True)


def check_private_dns(backend, vpc, service):
    if str(vpc.enable_dns_support).lower() != "true" or (
            str(vpc.enable_dns_hostnames).lower() != "true"):
        raise Refusal("InvalidParameter", "Enabling private DNS requires both enableDnsSupport and "
                      f"enableDnsHostnames VPC attributes set to true for {vpc.id}")
    for other in living(backend):
        if other.vpc_id == vpc.id and other.service_name == service and other.private_dns_enabled:
            raise Refusal("InvalidParameter", "private-dns-enabled cannot be set because there is "
                          f"already a conflicting DNS domain for {service} in the VPC {vpc.id}")


def living(backend):
    return [point for point in backend.vpc_end_points.values()
            if point.state not in ("deleting", "deleted", "failed")]


@handler("ec2", "CreateVpcEndpoint")
def create(call):
    known = kit.same_request(call, "ClientToken", mismatch())
    if known:
        return known
    backend, asked = call.backend("ec2"), call.params
    vpc = backend.get_vpc(asked["VpcId"])
    service_of(call)
    kind = asked.get("VpcEndpointType", "Gateway")
    if kind not in ("Gateway", "Interface"):
        raise Refusal("InvalidParameter", f"Endpoint type {kind} is not in the lab")
    (check_gateway if kind == "Gateway" else check_interface)(call, backend, vpc)
    point = build(call, backend, kind, vpc)
    backend.vpc_end_points[point.id] = point
    if kind == "Gateway":
        add_routes(backend, point, asked.get("RouteTableIds") or [])
    else:
        add_interfaces(call, backend, point, asked.get("SubnetIds") or [])
        point.state = "pending"
        call.lab.later("ec2.vpc_endpoint.create", lambda: available(point))

    def answer():
        return {"VpcEndpoint": describe_one(backend, point),
                "ClientToken": asked.get("ClientToken")}

    kit.remember_request(call, "ClientToken", answer)
    return answer()


def available(point):
    if point.state == "pending":
        point.state = "available"


def build(call, backend, kind, vpc):
    asked = call.params
    key = f"vpce-{kit.hex_id()}"
    groups = list(asked.get("SecurityGroupIds") or [])
    if kind == "Interface" and not groups:
        default = backend.get_security_group_by_name_or_id("default", vpc.id)
        groups = [default.id]
    prefix_list = None
    if kind == "Gateway":
        prefix_list = next(row.id for row in backend.managed_prefix_lists.values()
                           if row.prefix_list_name == asked["ServiceName"])
    short = asked["ServiceName"].split(".", 3)[-1]
    names = [] if kind == "Gateway" else [
        {"DnsName": f"{key}-{kit.hex_id(8)}.{short}.{call.region}.vpce.amazonaws.com",
         "HostedZoneId": "Z7HUB22UULQXV"}]
    point = VPCEndPoint(
        backend, key, vpc.id, asked["ServiceName"], kind, asked.get("PolicyDocument"), [], [], [],
        dns_entries=names, security_group_ids=groups, tags=tag_specification(call),
        private_dns_enabled=kind == "Interface" and private_dns(asked),
        destination_prefix_list_id=prefix_list)
    point.created = kit.now(call)
    return point


def add_routes(backend, point, tables):
    for table in tables:
        backend.create_route(table, None, gateway_id=point.id,
                             destination_prefix_list_id=point.destination_prefix_list_id)
        point.route_table_ids.append(table)


def remove_routes(backend, point, tables):
    for table in tables:
        if table in point.route_table_ids:
            point.route_table_ids.remove(table)
            if table in backend.route_tables:
                backend.delete_route(table, None, None, point.destination_prefix_list_id)


def add_interfaces(call, backend, point, subnet_ids):
    for key in subnet_ids:
        point.network_interface_ids.append(kit.network_interface(
            call, backend.get_subnet(key), point.security_group_ids,
            f"VPC Endpoint Interface {point.id}"))
        point.subnet_ids.append(key)


@handler("ec2", "ModifyVpcEndpoint")
def modify(call):
    backend, asked = call.backend("ec2"), call.params
    point = need(backend, asked["VpcEndpointId"])
    if point.state == "pending":
        raise Refusal("IncorrectState", f"The endpoint {point.id} is pending")
    if point.vpc_endpoint_type == "Gateway":
        add_routes(backend, point, asked.get("AddRouteTableIds") or [])
        remove_routes(backend, point, asked.get("RemoveRouteTableIds") or [])
    else:
        modify_interface(call, backend, point)
    if asked.get("ResetPolicy"):
        point.policy_document = json.dumps(VPCEndPoint.DEFAULT_POLICY)
    elif asked.get("PolicyDocument"):
        point.policy_document = asked["PolicyDocument"]
    return {"Return": True}


def modify_interface(call, backend, point):
    asked = call.params
    removed = asked.get("RemoveSubnetIds") or []
    subnets = [key for key in point.subnet_ids if key not in removed]
    added = [key for key in asked.get("AddSubnetIds") or [] if key not in subnets]
    check_zones([backend.get_subnet(key) for key in [*subnets, *added]])
    kit.check_groups(call, asked.get("AddSecurityGroupIds") or [], no_group)
    gone = [key for key in point.network_interface_ids
            if backend.enis[key].subnet.id in removed]
    kit.drop_interfaces(call, gone)
    point.network_interface_ids = [key for key in point.network_interface_ids if key not in gone]
    point.subnet_ids = subnets
    groups = [key for key in point.security_group_ids
              if key not in (asked.get("RemoveSecurityGroupIds") or [])]
    groups += [key for key in asked.get("AddSecurityGroupIds") or [] if key not in groups]
    if not groups:
        raise Refusal("InvalidParameter", "An interface endpoint needs a security group")
    point.security_group_ids = groups
    for key in point.network_interface_ids:
        backend.enis[key]._group_set = [kit.security_group(call, group) for group in groups]
    add_interfaces(call, backend, point, added)
    if asked.get("PrivateDnsEnabled") is not None:
        if asked["PrivateDnsEnabled"] and not point.private_dns_enabled:
            check_private_dns(backend, backend.get_vpc(point.vpc_id), point.service_name)
        point.private_dns_enabled = asked["PrivateDnsEnabled"]


def need(backend, key):
    point = backend.vpc_end_points.get(key)
    if point is None or point.state == "deleted":
        raise Refusal("InvalidVpcEndpointId.NotFound",
                      f"The Vpc Endpoint Id '{key}' does not exist")
    return point


@handler("ec2", "DeleteVpcEndpoints")
def delete(call):
    backend, failed = call.backend("ec2"), []
    for key in call.params["VpcEndpointIds"]:
        try:
            point = need(backend, key)
        except Refusal as error:
            failed.append({"ResourceId": key, "Error": {"Code": error.code,
                                                        "Message": error.message}})
            continue
        remove_routes(backend, point, list(point.route_table_ids))
        point.state = "deleting"
        if point.vpc_endpoint_type == "Gateway":
            gone(call, backend, point)
        else:
            call.lab.later("ec2.vpc_endpoint.delete",
                           lambda point=point: gone(call, backend, point))
    return {"Unsuccessful": failed}


def gone(call, backend, point):
    kit.drop_interfaces(call, point.network_interface_ids)
    backend.vpc_end_points.pop(point.id, None)
    drop_tags(backend, point.id)


def describe_one(backend, point):
    groups = [backend.get_security_group_from_id(key) for key in point.security_group_ids]
    return {
        "VpcEndpointId": point.id, "VpcEndpointType": point.vpc_endpoint_type,
        "VpcId": point.vpc_id, "ServiceName": point.service_name, "State": point.state,
        "PolicyDocument": point.policy_document, "RouteTableIds": list(point.route_table_ids),
        "SubnetIds": list(point.subnet_ids), "DnsEntries": point.dns_entries,
        "Groups": [{"GroupId": group.id, "GroupName": group.name} for group in groups if group],
        "PrivateDnsEnabled": bool(point.private_dns_enabled), "RequesterManaged": False,
        "NetworkInterfaceIds": list(point.network_interface_ids), "OwnerId": backend.account_id,
        "CreationTimestamp": point.created, "Tags": tags_of(backend, point.id)}


FIELDS = {"vpc-endpoint-id": lambda row: row["VpcEndpointId"],
          "vpc-endpoint-state": lambda row: row["State"].lower(),
          "vpc-endpoint-type": lambda row: row["VpcEndpointType"],
          "vpc-id": lambda row: row["VpcId"], "service-name": lambda row: row["ServiceName"]}


@handler("ec2", "DescribeVpcEndpoints")
def describe(call):
    backend, ids = call.backend("ec2"), call.params.get("VpcEndpointIds")
    points = [need(backend, key) for key in ids] if ids else backend.vpc_end_points.values()
    rows = filtered(call, [describe_one(backend, point) for point in points], FIELDS)
    rows, token = kit.page(call, rows, ("MaxResults", 1000), "NextToken")
    return {"VpcEndpoints": rows, "NextToken": token}
