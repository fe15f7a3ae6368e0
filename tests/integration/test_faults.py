# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Calls that fail, answers that are lost, objects of others: a run ends in the wanted state."""
from __future__ import annotations

import pytest
from tests.world import ACCOUNT, STACK, World, actions

NETWORK = {"network": {"cidr_block": "10.0.0.0/16", "nat_gateways": "none",
                       "availability_zones": ["us-east-1a", "us-east-1b"]}}
GROUP = {**NETWORK, "security_groups": {"groups": {"db": {"rules": {}}}}}
NODES = {**NETWORK, "network": {**NETWORK["network"], "nat_gateways": "one"},
         "eks_cluster": {"version": "1.35"},
         "eks_nodegroups": {"nodegroups": {"a": {"instance_types": ["t3.medium"], "max_size": 1}}}}


def client(world: World, service: str = "ec2"):
    return world.session(aws_access_key_id=f"LAB0{ACCOUNT}", aws_secret_access_key="x",
                         region_name="us-east-1").client(service)


def ours(world: World, kind: str) -> dict:
    """The one object of a kind that the stack has."""
    mine = [{"Name": "tag:groundwork:stack", "Values": [STACK]}]
    answer = getattr(client(world), f"describe_{kind}")(Filters=mine)
    return next(v for v in answer.values() if isinstance(v, list))[0]


@pytest.mark.parametrize(("what", "when"), [
    ("500", "before"), ("500", "after"), ("drop", "before"), ("drop", "after"),
    ("throttle", "before"), ("InvalidGroup.NotFound", "before")])
def test_a_group_lets_nothing_out_whatever_becomes_of_the_call(what, when):
    world = World(faults=[
        {"match": "ec2.RevokeSecurityGroupEgress", "what": what, "when": when}])
    actions(world.run(GROUP))
    assert not ours(world, "security_groups")["IpPermissionsEgress"]
    assert actions(world.run(GROUP)) == {}


def test_a_group_that_is_not_visible_yet():
    world = World(visibility_ms=60, visibility_writes=True)
    actions(world.run(GROUP))
    assert not ours(world, "security_groups")["IpPermissionsEgress"]


@pytest.mark.parametrize("name", ["DestinationIpv6CidrBlock", "DestinationPrefixListId"])
def test_a_route_by_hand_is_drift_and_goes_with_its_table(name):
    for params in ({}, {"state": "absent", "confirm_destroy": STACK}):
        world = World()
        prefixes = client(world).create_managed_prefix_list(
            PrefixListName="office", MaxEntries=1, AddressFamily="IPv4")["PrefixList"]
        destination = {name: "::/0" if "Ipv6" in name else prefixes["PrefixListId"]}
        world.before = world.objects()
        actions(world.run(NETWORK))
        table = [t for t in client(world).describe_route_tables()["RouteTables"]
                 if {"Key": "groundwork:key", "Value": "network/route_table/public"} in t["Tags"]]
        gateway = ours(world, "internet_gateways")["InternetGatewayId"]
        client(world).create_route(RouteTableId=table[0]["RouteTableId"], GatewayId=gateway,
                                   **destination)
        plan = world.run(NETWORK, check=True)
        assert actions(plan) == {f"network/route/public:{[*destination.values()][0]}": "delete"}
        result = world.run(NETWORK, **params)
        assert not result["failed"], result["msg"]
        assert world.left() == set() if params else actions(world.run(NETWORK)) == {}


def test_what_an_answer_says_was_not_done_is_a_failure():
    world, logs = World(), {"network": {**NETWORK["network"], "flow_logs": {}}}
    actions(world.run(logs))
    log = client(world).describe_flow_logs()["FlowLogs"][0]
    client(world).delete_tags(Resources=[log["FlowLogId"]], Tags=[{"Key": "groundwork:stack"}])
    result = world.run(logs)
    assert result["failed"]
    assert "create network/flow_log/main: FlowLogAlreadyExists" in result["msg"]


def foreign_group(world):
    actions(world.run(NETWORK))
    client(world).create_security_group(GroupName="acme-test-sg-db", Description="db of acme-test",
                                        VpcId=ours(world, "vpcs")["VpcId"])


def foreign_template(world):
    client(world).create_launch_template(
        LaunchTemplateName="acme-test-a-nodes", LaunchTemplateData={"InstanceType": "t3.medium"})


@pytest.mark.parametrize(("options", "make", "key"), [
    (GROUP, foreign_group, "security_groups/security_group/db"),
    (NODES, foreign_template, "eks_nodegroups/launch_template/a")])
def test_a_foreign_object_of_the_same_name(options, make, key):
    world = World()
    make(world)
    for check in (True, False):
        result = world.run(options, check=check)
        assert result["failed"] and f"adopt: [{key}]" in result["msg"]
        assert not world.writes()
    assert actions(world.run(options, adopt=[key]))[key] == "update"
    assert actions(world.run(options)) == {}


def test_a_name_of_another_vpc_is_nobody_elses():
    world = World()
    other = client(world).create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    client(world).create_security_group(GroupName="acme-test-sg-db", Description="theirs",
                                        VpcId=other)
    assert actions(world.run(GROUP))["security_groups/security_group/db"] == "create"


def test_a_group_of_another_key_is_the_same_group():
    world = World()
    actions(world.run(GROUP))
    renamed = {**NETWORK, "security_groups": {"groups": {"data": {
        "group_name": "acme-test-sg-db", "description": "db of acme-test"}}}}
    result = world.run(renamed)
    assert actions(result) == {"security_groups/security_group/data": "update"}
    assert actions(world.run(renamed)) == {}


def test_a_role_deleted_by_hand_comes_back_and_its_cluster_stays():
    world = World()
    actions(world.run(NODES))
    iam, name = client(world, "iam"), "acme-test-role-eks-cluster"
    for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
    iam.delete_role(RoleName=name)
    plan = actions(world.run(NODES, check=True))
    assert plan["eks_cluster/role/cluster"] == "create"
    assert "replace" not in plan.values()
    world.lab.calls.clear()
    actions(world.run(NODES))
    assert {n.split(".")[0] for n in world.lab.calls.writes} <= {"iam", "s3"}
    assert actions(world.run(NODES)) == {}


def test_a_template_deleted_by_hand_takes_its_group_along():
    """Its group is made anew: Ec2LaunchTemplateNotFound in
    https://docs.aws.amazon.com/eks/latest/userguide/troubleshooting.html
    """
    world, key = World(), "eks_nodegroups/nodegroup/a"
    actions(world.run(NODES))
    client(world).delete_launch_template(LaunchTemplateName="acme-test-a-nodes")
    for check in (True, False):
        result = world.run(NODES, check=check)
        assert result["failed"] and f"allow_replace: [{key}]" in result["msg"]
        assert not world.writes()
    plan = actions(world.run(NODES, check=True, allow_replace=[key]))
    assert plan == {"eks_nodegroups/launch_template/a": "create", key: "replace"}
    assert actions(world.run(NODES, allow_replace=[key])) == plan
    assert actions(world.run(NODES)) == {}


def test_what_blocks_a_removal_is_named():
    world = World()
    actions(world.run(NETWORK))
    subnet = ours(world, "subnets")["SubnetId"]
    held = client(world).create_network_interface(SubnetId=subnet, Description="a load balancer")
    name = held["NetworkInterface"]["NetworkInterfaceId"]
    result = world.run(NETWORK, state="absent", confirm_destroy=STACK)
    assert f"in use by {name} (a load balancer): remove them, then run again" in result["msg"]
    client(world).delete_network_interface(NetworkInterfaceId=name)
    actions(world.run(NETWORK, state="absent", confirm_destroy=STACK))
    assert world.left() == set()


@pytest.mark.parametrize(("what", "key"), [
    ("cluster", "eks_cluster/cluster/main"), ("nodegroup", "eks_nodegroups/nodegroup/a")])
def test_an_update_that_fails_in_aws_tells_why(what, key):
    world = World(update_errors={
        f"eks.{what}.version_update": ["PodEvictionFailure", "pods would not leave"]})
    actions(world.run({**NODES, "eks_cluster": {"version": "1.34"}}))
    result = world.run(NODES)
    assert result["failed"]
    assert f"update {key}: version did not take the wanted value; PodEvictionFailure: " \
        "pods would not leave" in result["msg"]
