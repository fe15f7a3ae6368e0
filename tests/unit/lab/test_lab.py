# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab itself: accounts, counting, faults, time, throttling, idempotency."""
from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import botocore.config
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError
from tests.unit.lab import lab_worlds

from lab.aws import Killed, Lab

NO_RETRY = botocore.config.Config(retries={"total_max_attempts": 1})


def code(call, *args, **parameters):
    with pytest.raises(ClientError) as refused:
        call(*args, **parameters)
    return refused.value.response["Error"]["Code"]


# ---- who calls -------------------------------------------------------------------------------

def test_the_access_key_names_the_account(aws):
    assert aws("sts").get_caller_identity()["Account"] == lab_worlds.ACCOUNT
    other = aws.session("LAB0999999999999")
    other.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")
    assert [item["account"] for item in aws.lab.inventory()["ec2.vpc"]] == ["999999999999"]


@pytest.mark.parametrize(("service", "call", "key", "expected"), [
    ("sts", "get_caller_identity", "AKIANOBODY", "InvalidClientTokenId"),
    ("ec2", "describe_vpcs", "AKIANOBODY", "AuthFailure"),
    ("eks", "list_clusters", "AKIANOBODY", "UnrecognizedClientException"),
    ("s3", "list_buckets", "AKIANOBODY", "InvalidAccessKeyId"),
    ("sts", "get_caller_identity", "LABEXPIRED1", "ExpiredToken"),
    ("ec2", "describe_vpcs", "LABEXPIRED1", "RequestExpired"),
    ("eks", "list_clusters", "LABEXPIRED1", "ExpiredTokenException"),
])
def test_bad_keys_are_refused(aws, service, call, key, expected):
    assert code(getattr(aws.session(key).client(service), call)) == expected


@pytest.mark.parametrize(("action", "service", "call", "parameters", "expected"), [
    ("ec2:CreateVpc", "ec2", "create_vpc", {"CidrBlock": "10.0.0.0/16"}, "UnauthorizedOperation"),
    ("iam:List*", "iam", "list_roles", {}, "AccessDenied"),
    ("eks:ListClusters", "eks", "list_clusters", {}, "AccessDeniedException"),
    ("elasticfilesystem:*", "efs", "describe_file_systems", {}, "AccessDeniedException"),
])
def test_single_actions_can_be_denied(make_aws, action, service, call, parameters, expected):
    aws = make_aws(deny={"*": [action]})
    with pytest.raises(ClientError) as refused:
        getattr(aws(service), call)(**parameters)
    error = refused.value.response["Error"]
    assert error["Code"] == expected
    assert action.split(":")[0] + ":" in error["Message"]
    assert aws("sts").get_caller_identity()


# ---- counting, checking ----------------------------------------------------------------------

def test_calls_are_counted_by_name(aws):
    aws("ec2").create_vpc(CidrBlock="10.0.0.0/16")
    aws("ec2").describe_vpcs()
    code(aws("ec2").create_vpc, CidrBlock="10.0.0.0/16", DryRun=True)
    aws("secretsmanager").get_random_password()
    assert aws.lab.calls.count["ec2.CreateVpc"] == 2
    assert aws.lab.calls.writes == ["ec2.CreateVpc"]
    assert aws.lab.calls.summary()["failed"] == 1
    assert len(aws.lab.inventory()["ec2.vpc"]) == 1


def test_violations_of_the_model_are_remembered(aws):
    code(aws("ec2").create_vpc, CidrBlock="10.0.0.0/16", InstanceTenancy="x")
    assert "InstanceTenancy" in aws.lab.violations[0]


def test_unknown_json_members_are_refused(aws):
    def smuggle(request, **_):
        request.data = json.dumps({**json.loads(request.data), "surprise": 1}).encode()

    aws("logs").meta.events.register("before-sign.cloudwatch-logs", smuggle)
    assert code(aws("logs").create_log_group, logGroupName="x") == "InvalidParameterException"
    assert "surprise" in aws.lab.violations[0]


@pytest.mark.parametrize(("service", "call"), [
    ("elasticache", "describe_events"), ("eks", "list_insights"), ("rds", "describe_events")])
def test_what_is_missing_is_not_retried(aws, service, call):
    parameters = {"clusterName": "x"} if service == "eks" else {}
    try:
        getattr(aws(service), call)(**parameters)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "InvalidAction"
        assert len(aws.lab.calls.log) == 1


def test_sixteen_threads(aws):
    ec2 = aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    aws.lab.set(quotas={"security_groups": 1000})

    def make(number):
        return ec2.create_security_group(GroupName=f"g{number}", Description="d", VpcId=vpc)

    with ThreadPoolExecutor(16) as pool:
        ids = {answer["GroupId"] for answer in pool.map(make, range(64))}
    assert len(ids) == 64
    assert len(aws.lab.inventory()["ec2.security_group"]) == 64


# ---- faults ----------------------------------------------------------------------------------

def test_a_lost_answer_is_retried_by_boto_and_makes_two(aws):
    aws.lab.set(faults=[{"match": "ec2.CreateVpc", "when": "after", "what": "drop"}])
    aws("ec2").create_vpc(CidrBlock="10.0.0.0/16")
    assert len(aws.lab.inventory()["ec2.vpc"]) == 2


@pytest.mark.parametrize(("when", "left"), [("before", 0), ("after", 1)])
@pytest.mark.parametrize(("what", "error"), [
    ("drop", ConnectionClosedError), ("500", ClientError), ("503", ClientError),
    ("throttle", ClientError), ("VpcLimitExceeded", ClientError)])
def test_faults_strike_before_or_after(aws, when, left, what, error):
    aws.lab.set(faults=[{"match": 1, "when": when, "what": what}])
    ec2 = aws.session().client("ec2", config=NO_RETRY)
    with pytest.raises(error):
        ec2.create_vpc(CidrBlock="10.0.0.0/16")
    assert len(aws.lab.inventory().get("ec2.vpc", [])) == left
    ec2.create_vpc(CidrBlock="10.0.0.0/16")


def test_after_a_kill_nothing_is_called_until_revived(aws):
    aws.lab.set(faults=[{"match": "write", "nth": 2, "when": "after", "what": "kill"}])
    ec2 = aws("ec2")
    ec2.create_vpc(CidrBlock="10.0.0.0/16")
    with pytest.raises(Killed):
        ec2.create_vpc(CidrBlock="10.1.0.0/16")
    with pytest.raises(Killed):
        ec2.describe_vpcs()
    aws.lab.revive()
    assert len(aws.lab.inventory()["ec2.vpc"]) == 2
    ec2.describe_vpcs()


def test_random_faults_repeat_with_their_seed(make_aws):
    def story():
        aws = make_aws(seed=7, faults=[{"match": "*", "rate": 0.5, "what": "503"}])
        ec2 = aws.session().client("ec2", config=NO_RETRY)
        for _try in range(20):
            try:
                ec2.describe_vpcs()
            except ClientError:
                pass
        return [entry["ok"] for entry in aws.lab.calls.log]

    first = story()
    assert first == story()
    assert 0 < sum(first) < 20


def test_a_wrong_fault_is_named():
    with pytest.raises(ValueError, match="nonsense"):
        Lab({"faults": [{"match": "*", "nonsense": 1}]})
    with pytest.raises(ValueError, match="unknown lab setting"):
        Lab({"nonsense": 1})


# ---- time ------------------------------------------------------------------------------------

def test_latency_is_slept_outside_the_lock(make_aws):
    aws = make_aws(latency_ms=100)
    before = aws.clock.now
    aws("ec2").describe_vpcs()
    assert aws.clock.now == pytest.approx(before + 0.1)


def test_published_buckets_throttle(make_aws):
    aws = make_aws(throttle=True)
    ec2 = aws.session().client("ec2", config=NO_RETRY)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    endpoint = {"VpcId": vpc, "ServiceName": "com.amazonaws.us-east-1.none"}
    codes = [code(ec2.create_vpc_endpoint, **endpoint) for _try in range(5)]
    assert codes == ["InvalidServiceName"] * 4 + ["RequestLimitExceeded"]
    aws.after(3)
    assert code(ec2.create_vpc_endpoint, **endpoint) == "RequestLimitExceeded"
    aws.after(1)
    assert code(ec2.create_vpc_endpoint, **endpoint) == "InvalidServiceName"


def test_new_objects_are_not_seen_at_once(make_aws):
    aws = make_aws(visibility_ms=500)
    ec2, iam = aws("ec2"), aws("iam")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=lab_worlds.trust("ec2.amazonaws.com"))
    assert vpc not in [row["VpcId"] for row in ec2.describe_vpcs()["Vpcs"]]
    assert code(ec2.describe_vpcs, VpcIds=[vpc]) == "InvalidVpcID.NotFound"
    assert iam.list_roles()["Roles"] == []
    assert code(iam.get_role, RoleName="r") == "NoSuchEntity"
    aws.after(0.5)
    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]
    assert iam.list_roles()["Roles"]


def test_a_new_role_cannot_be_assumed_at_once(make_aws):
    aws = make_aws(role_delay_ms=8000)
    names = lab_worlds.network(aws)
    role = lab_worlds.role(aws, "c", "eks.amazonaws.com", "AmazonEKSClusterPolicy")
    wanted = {"name": "x", "roleArn": role, "resourcesVpcConfig": {
        "subnetIds": [names["subnet_a"], names["subnet_b"]]}}
    assert code(aws("eks").create_cluster, **wanted) == "InvalidParameterException"
    aws.after(8)
    assert aws("eks").create_cluster(**wanted)["cluster"]["status"] == "CREATING"


def test_states_take_as_long_as_in_aws(make_aws):
    aws = make_aws(time_scale=1)
    names, ec2 = lab_worlds.network(aws), aws("ec2")

    def nat():
        return ec2.describe_nat_gateways(NatGatewayIds=[names["nat"]])["NatGateways"][0]["State"]

    assert nat() == "pending"
    aws.after(105)
    assert nat() == "pending"
    aws.after(1)
    assert nat() == "available"
    ec2.delete_nat_gateway(NatGatewayId=names["nat"])
    assert nat() == "deleting"
    assert code(ec2.delete_subnet, SubnetId=names["subnet_a"]) == "DependencyViolation"
    aws.after(55)
    assert nat() == "deleted"
    ec2.release_address(AllocationId=names["eip"])


def test_a_nat_gateway_without_a_way_out_fails(aws):
    ec2 = aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    gateway = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]
    assert (gateway["State"], gateway["FailureCode"]) == ("failed", "Gateway.NotAttached")


def test_add_ons_wait_for_nodes(aws):
    names, eks = lab_worlds.cluster(aws), aws("eks")
    eks.delete_nodegroup(clusterName="live", nodegroupName="n1")
    eks.create_addon(clusterName="live", addonName="coredns")

    def status():
        return eks.describe_addon(clusterName="live", addonName="coredns")["addon"]["status"]

    assert status() == "DEGRADED"
    eks.create_nodegroup(clusterName="live", nodegroupName="n2", subnets=[names["subnet_a"]],
                         nodeRole=names["node_role"])
    assert status() == "ACTIVE"


def test_a_cluster_takes_everything_with_it(aws):
    lab_worlds.cluster(aws)
    eks = aws("eks")
    eks.delete_nodegroup(clusterName="live", nodegroupName="n1")
    eks.list_clusters()
    eks.delete_cluster(name="live")
    left = aws.lab.inventory()
    assert not [kind for kind in left if kind.startswith("eks.") or kind == "autoscaling.group"]
    assert not [group for group in left["ec2.security_group"]
                if group["name"].startswith("eks-cluster-sg")]


def test_quotas_are_settings(make_aws):
    aws = make_aws(quotas={"vpcs": 2})
    aws("ec2").create_vpc(CidrBlock="10.0.0.0/16")
    assert code(aws("ec2").create_vpc, CidrBlock="10.1.0.0/16") == "VpcLimitExceeded"
    quota = aws("service-quotas").get_service_quota(ServiceCode="vpc", QuotaCode="L-F678F1CE")
    assert quota["Quota"]["Value"] == 2.0


# ---- client tokens ---------------------------------------------------------------------------

def test_the_same_token_gives_the_same_object(aws):
    names, ec2 = lab_worlds.network(aws), aws("ec2")
    pairs = [
        (ec2.create_vpc_endpoint, {"VpcId": names["vpc"], "VpcEndpointType": "Interface",
                                   "ServiceName": "com.amazonaws.us-east-1.ec2",
                                   "ClientToken": "a"}, "VpcEndpoint.VpcEndpointId"),
        (ec2.create_route_table, {"VpcId": names["vpc"], "ClientToken": "b"},
         "RouteTable.RouteTableId"),
        (ec2.create_nat_gateway, {"SubnetId": names["subnet_b"], "ConnectivityType": "private",
                                  "ClientToken": "c"}, "NatGateway.NatGatewayId"),
    ]
    for call, parameters, path in pairs:
        first, second = call(**parameters), call(**parameters)
        outer, inner = path.split(".")
        assert first[outer][inner] == second[outer][inner]
    assert code(ec2.create_route_table, VpcId=names["other_vpc"], ClientToken="b") == \
        "IdempotentParameterMismatch"


def test_everything_tagged_is_found_by_the_tagging_api(aws):
    ec2, tags = aws("ec2"), [{"Key": "team", "Value": "a"}]
    ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=[
        {"ResourceType": "vpc", "Tags": tags}])
    aws("ecr").create_repository(repositoryName="repo", tags=tags)
    aws("sqs").create_queue(QueueName="q", tags={"team": "b"})
    found = aws("resourcegroupstaggingapi").get_resources(TagFilters=[
        {"Key": "team", "Values": ["a"]}])["ResourceTagMappingList"]
    assert sorted(row["ResourceARN"].split(":")[2] for row in found) == ["ec2", "ecr"]
