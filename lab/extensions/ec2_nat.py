"""NAT gateways: API_CreateNatGateway, API_DeleteNatGateway, API_DescribeNatGateways."""

from lab import kit
from lab.ec2_kit import drop_tags, filtered, has_gateway, tag_specification, tags_of
from lab.errors import Refusal
from lab.registry import handler

REMEMBERED = 3600  # a deleted gateway stays visible for about an hour (vpc-nat-gateway.html)
TAKEN = "Resource.AlreadyAssociated"


def mismatch():
    return Refusal("IdempotentParameterMismatch",
                   "The client token was used with other parameters")


@handler("ec2", "CreateNatGateway")
def create(call):
    known = kit.same_request(call, "ClientToken", mismatch())
    if known:
        return known
    backend, asked = call.backend("ec2"), call.params
    subnet = backend.get_subnet(asked["SubnetId"])
    public = asked.get("ConnectivityType", "public") == "public"
    allocation = asked.get("AllocationId")
    if public and not allocation:
        raise Refusal("MissingParameter", "The request must contain the parameter AllocationId")
    if not public and allocation:
        raise Refusal("InvalidParameterCombination",
                      "AllocationId cannot be given with ConnectivityType private")
    if allocation and backend.address_by_allocation([allocation])[0].association_id:
        raise Refusal(TAKEN, f"resource {allocation} is already associated")
    gateway = backend.create_nat_gateway(subnet.id, allocation, tag_specification(call),
                                         asked.get("ConnectivityType", "public"))
    gateway.created = kit.now(call)
    settle(call, backend, gateway, subnet.vpc_id, public)

    def answer():
        return {"NatGateway": describe_one(backend, gateway),
                "ClientToken": asked.get("ClientToken")}

    kit.remember_request(call, "ClientToken", answer)
    return answer()


def settle(call, backend, gateway, vpc_id, public):
    """pending, then available; failed where the VPC has no way out."""
    if public and not has_gateway(backend, vpc_id):
        gateway.state, gateway.failure = "failed", (
            "Gateway.NotAttached", f"Network {vpc_id} has no Internet gateway attached")
        release(backend, gateway)
        return
    gateway.state = "pending"

    def available():
        if gateway.state == "pending":
            gateway.state = "available"

    call.lab.later("ec2.nat_gateway.create", available)


def release(backend, gateway):
    """Give back the address and the interface."""
    for row in gateway.address_set:
        if row.get("associationId"):
            backend.disassociate_address(association_id=row["associationId"])
            row["associationId"] = None
    backend.enis.pop(gateway._eni.id, None)


def need(call):
    gateway = call.backend("ec2").nat_gateways.get(call.params["NatGatewayId"])
    if gateway is None or gateway.state == "deleted":
        raise Refusal("NatGatewayNotFound",
                      f"The Nat Gateway {call.params['NatGatewayId']} was not found")
    return gateway


@handler("ec2", "DeleteNatGateway")
def delete(call):
    backend, gateway = call.backend("ec2"), need(call)
    if gateway.state != "deleting":
        failed = gateway.state == "failed"
        gateway.state = "deleting"
        call.lab.later("ec2.nat_gateway.delete", lambda: gone(call, backend, gateway, failed))
    return {"NatGatewayId": gateway.id}


def gone(call, backend, gateway, failed):
    gateway.state = "deleted"
    if not failed:
        release(backend, gateway)

    def forget():
        backend.nat_gateways.pop(gateway.id, None)
        drop_tags(backend, gateway.id)

    call.lab.schedule.at(call.lab.clock() + REMEMBERED, forget)


def describe_one(backend, gateway):
    code, text = getattr(gateway, "failure", (None, None))
    return {
        "NatGatewayId": gateway.id, "State": gateway.state, "SubnetId": gateway.subnet_id,
        "VpcId": gateway.vpc_id, "ConnectivityType": gateway.connectivity_type,
        "CreateTime": gateway.created, "Tags": tags_of(backend, gateway.id),
        "FailureCode": code, "FailureMessage": text,
        "NatGatewayAddresses": [{
            "AllocationId": row.get("allocationId"), "PublicIp": row.get("publicIp"),
            "AssociationId": row.get("associationId"), "PrivateIp": row.get("privateIp"),
            "NetworkInterfaceId": row.get("networkInterfaceId"), "IsPrimary": True,
            "Status": "succeeded"} for row in gateway.address_set]}


FIELDS = {"nat-gateway-id": lambda row: row["NatGatewayId"],
          "state": lambda row: row["State"], "subnet-id": lambda row: row["SubnetId"],
          "vpc-id": lambda row: row["VpcId"]}


@handler("ec2", "DescribeNatGateways")
def describe(call):
    backend = call.backend("ec2")
    ids = call.params.get("NatGatewayIds")
    for key in ids or []:
        if key not in backend.nat_gateways:
            raise Refusal("NatGatewayNotFound", f"The Nat Gateway {key} was not found")
    rows = [describe_one(backend, gateway) for gateway in backend.nat_gateways.values()
            if not ids or gateway.id in ids]
    rows, token = kit.page(call, filtered(call, rows, FIELDS), ("MaxResults", 1000), "NextToken")
    return {"NatGateways": rows, "NextToken": token}
