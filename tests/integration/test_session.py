# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is checked and written down is what is carried out, though it is planned twice."""
from __future__ import annotations

import json

from tests.world import ACCOUNT, REGION, World, actions

NETWORK = {"network": {"cidr_block": "10.0.0.0/16", "availability_zones": ["us-east-1a"]}}
LATER = {"network": {**NETWORK["network"], "availability_zones": ["us-east-1a", "us-east-1b"]}}


def when_leased(world: World, happens) -> None:
    """Something that happens in AWS between the first plan and the one under the lease."""
    handle = world.lab.handle

    def handled(method, url, *args, **kwargs):
        if method == "PUT" and "/leases/" in url and world.lab.handle is handled:
            world.lab.handle = handle
            happens()
        return handle(method, url, *args, **kwargs)

    world.lab.handle = handled


def ec2(world: World):
    return world.session(aws_access_key_id=f"LAB0{ACCOUNT}", aws_secret_access_key="x",
                         region_name=REGION).client("ec2")


def drifted(world: World):
    """Somebody changes the VPC by hand."""
    client = ec2(world)
    mine = [{"Name": "tag:groundwork:stack", "Values": ["acme-test"]}]
    vpc = client.describe_vpcs(Filters=mine)["Vpcs"][0]["VpcId"]
    client.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": False})


def test_the_plan_file_is_what_was_carried_out(tmp_path):
    world, file = World(), tmp_path / "plan.json"
    actions(world.run(NETWORK))
    when_leased(world, lambda: drifted(world))
    made = world.run(LATER, plan_file=str(file))
    assert actions(made)["network/vpc/main"] == "update"
    assert json.loads(file.read_text())["plan"] == made["plan"]


def test_the_plan_under_the_lease_is_checked_too():
    world = World()
    actions(world.run(NETWORK))

    def another():
        world.lab.set(quotas={"elastic_ips": 0})
        client = ec2(world)
        mine = [{"Name": "tag:groundwork:stack", "Values": ["acme-test"]}]
        for nat in client.describe_nat_gateways(Filters=mine)["NatGateways"]:
            client.delete_nat_gateway(NatGatewayId=nat["NatGatewayId"])
        for address in client.describe_addresses(Filters=mine)["Addresses"]:
            client.release_address(AllocationId=address["AllocationId"])

    when_leased(world, another)
    result = world.run(LATER)
    assert result["failed"] and "[quota]" in result["msg"] and not result.get("outcomes")
    assert not [w for w in world.writes() if "Subnet" in w]


def test_the_configuration_of_boto3_is_taken():
    assert actions(World().run(NETWORK, check=True, aws_config={"read_timeout": 5}))


def test_progress_that_nobody_can_read_ends_no_run(monkeypatch, tmp_path):
    """A module may run where the folder of the controller is not."""
    monkeypatch.setenv("GROUNDWORK_PROGRESS", str(tmp_path / "not there" / "progress"))
    assert actions(World().run(NETWORK))


def test_warnings_are_shown_once():
    world = World(deny={"*": ["servicequotas:GetServiceQuota"]}, quotas={"elastic_ips": 9})
    actions(world.run(NETWORK))
    zones = [f"us-east-1{letter}" for letter in "abcdef"]
    when_leased(world, lambda: drifted(world))
    result = world.run({"network": {**NETWORK["network"], "availability_zones": zones,
                                    "nat_gateways": "one_per_zone"}})
    assert actions(result)["network/vpc/main"] == "update"
    found = [f["id"] for f in result["findings"]]
    assert "quota-default" in found and len(set(found)) == len(found) == len(result["warnings"])
