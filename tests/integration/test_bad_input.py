# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bad input and bad circumstances: a clear message, a failure, and no write to AWS."""
from __future__ import annotations

import json
import os
import signal
import threading

import boto3
import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.groundwork.aws.plugins.module_utils import run, run_applyset, session
from ansible_collections.groundwork.aws.plugins.module_utils.components.registry import COMPONENTS
from tests.world import ACCOUNT, PLANS, REGION, STACK, World, actions, patched

NETWORK = {"network": {"cidr_block": "10.0.0.0/16", "availability_zones": ["us-east-1a"]}}
ZONES = {"network": {"cidr_block": "10.0.0.0/16",
                     "availability_zones": ["us-east-1a", "us-east-1b"]}}
OPTIONS = yaml.safe_load((PLANS / "bad_input.yml").read_text())["refused"]
FLOW_LOGS = {"network": {**NETWORK["network"], "flow_logs": {}}}
ROLE = "acme-test-role-flow-logs"


def refused(world: World, options: dict, *says: str, writes: int = 0, **params) -> dict:
    """The failure of a run, which must say this and may not have written more than that."""
    result = world.run(options, **params)
    assert result["failed"]
    for text in says:
        assert text in result["msg"], result["msg"]
    assert "Traceback" not in result["msg"]
    assert len(world.writes()) <= writes, world.writes()
    return result


@pytest.mark.parametrize("case", [pytest.param(c, id=c["name"]) for c in OPTIONS])
@pytest.mark.parametrize("check", [True, False])
def test_options(case, check):
    world = World()
    refused(world, case["options"], *case["says"], check=check)
    assert not any(name.startswith("s3.") for name in world.lab.calls.names)  # no lease either


def ran(main, given: dict, capsys) -> dict:
    """What a module prints that Ansible gives these arguments."""
    with patch_module_args(given), patched(World()), pytest.raises(SystemExit):
        main()
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("case", [pytest.param(c, id=c["name"]) for c in OPTIONS])
def test_options_of_a_component_alone(case, capsys):
    """Its own module says the same as the stack's."""
    ((name, options),) = case["options"].items()
    given = dict(product="acme", environment="test", region=REGION, aws_account_id=ACCOUNT,
                 access_key=f"LAB0{ACCOUNT}", secret_key="emulated-secret-key")
    alone = ran(lambda: run.component_module(name, COMPONENTS[name]), {**given, **options}, capsys)
    assert alone["failed"] and alone["msg"].splitlines() == alone["problems"]
    assert sorted(alone["problems"]) == sorted(refused(World(), case["options"])["problems"])


@pytest.mark.parametrize(("name", "main"), [
    ("stack", lambda: run.stack_module(COMPONENTS)),
    ("stack_info", lambda: run.info_module(COMPONENTS)),
    ("k8s_applyset", run_applyset.applyset_module)])
def test_options_of_the_module_itself(name, main, capsys):
    found = ran(main, dict(product="acme", enviroment="test"), capsys)["problems"]
    assert f"{name}.enviroment: unknown option; did you mean environment?" in found


def test_wrong_account():
    refused(World(), NETWORK, "the credentials belong to account 123456789012",
            "999988887777", aws_account_id="999988887777", access_key=f"LAB0{ACCOUNT}")


@pytest.mark.parametrize(("key", "says"), [
    ("AKIAIOSFODNN7EXAMPLE", "InvalidClientTokenId"), ("LABEXPIRED0123456", "ExpiredToken")])
def test_credentials_that_are_not_accepted(key, says):
    refused(World(), NETWORK, says, "log in, or name another profile", access_key=key)


def test_no_credentials(monkeypatch):
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    refused(World(), NETWORK, "NoCredentials", "Unable to locate credentials; log in",
            access_key=None, secret_key=None)


def test_no_permission_for_one_read():
    world = World(deny={"*": ["ec2:DescribeSubnets"]})
    refused(world, NETWORK, "read Subnet", "ec2:DescribeSubnets")


def test_no_permission_for_one_write_names_the_action_and_goes_on_elsewhere():
    world = World(deny={"*": ["ec2:CreateSubnet"]})
    result = refused(world, NETWORK, "create network/subnet/private-a: UnauthorizedOperation",
                     "ec2:CreateSubnet", "not done because of that", writes=99)
    assert result["outcomes"]["network/internet_gateway/main"]["state"] == "done"
    assert result["outcomes"]["network/route_table_association/private-a"]["state"] == "skipped"


def test_endpoint_unreachable():
    world = World()
    world.session = boto3.session.Session
    refused(world, NETWORK, "Could not connect to the endpoint URL",
            endpoint_url="http://localhost:9")


@pytest.mark.parametrize("given", [
    {"endpoint_url": "localhost:9"}, {"endpoint_url": ""}, {"AWS_RETRY_MODE": "none"}])
def test_connection_that_cannot_be_tried(given, monkeypatch):
    for name in [n for n in given if n.isupper()]:
        monkeypatch.setenv(name, given.pop(name))
    refused(World(), NETWORK, "connect: Invalid", "look at aws_endpoint_url", **given)


def test_half_a_listing_is_not_absence():
    """The first page comes, the second does not."""
    world, session = World(), World.session
    endpoints = {"network": {**NETWORK["network"], "gateway_endpoints": ["s3", "dynamodb"]}}
    actions(world.run(endpoints))

    def one_a_page(**options):
        made = session(world, **options)
        made.events.register("provide-client-params.ec2.DescribeVpcEndpoints",
                             lambda params, **_more: {**params, "MaxResults": 1})
        return made

    world.session = one_a_page
    assert actions(world.run(endpoints, check=True)) == {}
    assert world.lab.calls.names.count("ec2.DescribeVpcEndpoints") == 2
    world.lab.set(faults=[{"match": "ec2.DescribeVpcEndpoints", "nth": 2, "what": "500"}])
    assert actions(world.run(endpoints, check=True)) == {}  # a read is asked again
    world.lab.set(faults=[{"match": "ec2.DescribeVpcEndpoints", "nth": 2,
                           "what": "UnauthorizedOperation"}])
    refused(world, endpoints, "read VpcEndpoint: UnauthorizedOperation", check=True)


def test_same_named_foreign_object_and_its_adoption():
    world = World()
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole",
         "Principal": {"Service": "ec2.amazonaws.com"}}]}
    world.client("iam").create_role(RoleName=ROLE, Path=f"/groundwork/{STACK}/",
                                    AssumeRolePolicyDocument=json.dumps(trust))
    refused(world, FLOW_LOGS, f"{ROLE} exists and belongs to nobody known here",
            "adopt: [network/role/flow-logs]")
    assert actions(world.run(FLOW_LOGS, adopt=["network/role/flow-logs"]))[
        "network/role/flow-logs"] == "update"
    assert actions(world.run(FLOW_LOGS)) == {}


def test_destroy_without_confirmation():
    world = World()
    actions(world.run(NETWORK))
    refused(world, NETWORK, f"confirm with -e confirm_destroy={STACK}", state="absent")
    refused(world, NETWORK, f"confirm with -e confirm_destroy={STACK}", state="absent",
            confirm_destroy="acme-prod")


def test_quota_exceeded_in_the_middle():
    world = World(quotas={"internet_gateways": 0})  # one that the validator does not ask for
    result = refused(world, NETWORK, "create network/internet_gateway/main: "
                     "InternetGatewayLimitExceeded", writes=99)
    assert result["outcomes"]["network/subnet/private-a"]["state"] == "done"
    world.lab.set(quotas={})
    assert not world.run(NETWORK)["failed"]


def test_plan_file_that_cannot_be_written(tmp_path):
    refused(World(), NETWORK, "cannot be written", plan_file=str(tmp_path / "no" / "plan.json"))
    refused(World(), NETWORK, "cannot be written", plan_file=str(tmp_path))
    os.mkfifo(tmp_path / "stdout")  # such as a module's, which its result goes to
    refused(World(), NETWORK, "cannot be written", plan_file=str(tmp_path / "stdout"))


def test_plan_file_on_a_full_disk(monkeypatch):
    monkeypatch.setattr(session, "writable", lambda *_given: None)
    refused(World(), NETWORK, "plan_file: [Errno 28] No space left", plan_file="/dev/full")


@pytest.mark.parametrize("alone", ["eks_nodegroups", ""])
def test_a_plan_of_one_component_goes_on_without_the_others(alone):
    """What they are to make is told, and a run is refused."""
    world, key = World(), "eks_cluster/cluster/main"
    options = {"eks_nodegroups": {"nodegroups": {"cpu": {
        "instance_types": ["t3.medium"], "max_size": 2}}}}
    missing = f"{key} is needed and not there; converge its component first"
    refused(world, options, missing, alone=alone)
    if not alone:  # what the stack does not have, no other task is going to make
        refused(world, options, missing, check=True)
        return
    plan = world.run(options, check=True, alone=alone)
    assert missing in plan["warnings"]
    after = {c["key"]: c["after"] for c in plan["plan"]}
    assert after["eks_nodegroups/nodegroup/cpu"]["cluster"] == f"(after apply: {key})"


def test_replacement_that_nobody_allowed():
    world = World()
    actions(world.run(NETWORK))
    other = {"network": {**NETWORK["network"], "cidr_block": "10.9.0.0/16"}}
    refused(world, other, 'replace network/vpc/main: cidr_block "10.0.0.0/16" -> "10.9.0.0/16"',
            "allow_replace: [network/vpc/main]")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_middle(number):
    """What is in flight finishes, the rest is named, the next run goes on."""
    world = World()
    handle, seen, once = world.lab.handle, [], threading.Lock()

    def interrupted(*args, **kwargs):
        answer = handle(*args, **kwargs)
        with once:
            if len(world.lab.calls.writes) >= 8 and not seen:
                seen.append(number)
                os.kill(os.getpid(), number)
        return answer

    world.lab.handle = interrupted
    result = world.run(ZONES)
    world.lab.handle = handle
    assert result["failed"] and "stopped" in result["msg"]
    assert set(result["outcomes"]) == set(result_keys(result))
    assert actions(world.run(ZONES))
    assert actions(world.run(ZONES)) == {}


def result_keys(result: dict) -> list:
    return [c["key"] for c in result["plan"] if c["action"] != "keep"]
