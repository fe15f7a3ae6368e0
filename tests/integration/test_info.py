# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""stack_info lists what a stack has: all that was made, and all that a removal would find."""
from __future__ import annotations

import collections
import json

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.groundwork.aws.plugins.module_utils import run
from ansible_collections.groundwork.aws.plugins.module_utils.components.registry import COMPONENTS
from tests.world import ACCOUNT, REGION, World, actions, patched

STACK = {
    "network": {"cidr_block": "10.0.0.0/16", "flow_logs": {},
                "availability_zones": ["us-east-1a", "us-east-1b"]},
    "security_groups": {"groups": {"apps": {"rules": {
        "web": {"from_port": 443, "cidr_ipv4": "0.0.0.0/0"}}}}},
    "iam_roles": {"roles": {"worker": {
        "trusted_services": ["ec2.amazonaws.com"], "instance_profile": True,
        "managed_policies": ["AmazonSSMManagedInstanceCore"]}}},
    "eks_cluster": {"version": "1.35", "access_entries": {
        "workers": {"principal": "worker", "policies": {"AmazonEKSViewPolicy": {}}}}},
    "s3_buckets": {"buckets": {"logs": {}}},
}
GONE = dict(state="absent", confirm_destroy="acme-test", allow_data_loss=["s3_buckets/bucket/logs"])


def info(world: World, capsys, **options) -> dict:
    given = {**dict(product="acme", environment="test", region=REGION, aws_account_id=ACCOUNT,
                    access_key=f"LAB0{ACCOUNT}", secret_key="emulated-secret-key"), **options}
    with patch_module_args(given), patched(world), pytest.raises(SystemExit):
        run.info_module(COMPONENTS)
    return json.loads(capsys.readouterr().out)


def types(changes) -> collections.Counter:
    return collections.Counter(change["type"] for change in changes)


def test_everything_is_listed(capsys):
    world = World()
    assert info(world, capsys)["objects"] == {}
    made = world.run(STACK)
    actions(made)
    found = info(world, capsys)
    assert types(found["objects"].values()) == types(made["plan"])
    assert not types(world.run(STACK, check=True, **GONE)["plan"]) - types(
        found["objects"].values())
    assert found["objects"]["network/route/private-a:0.0.0.0/0"]["id"] == "0.0.0.0/0"
    assert found["objects"]["eks_cluster/cluster/main"]["version"] == "1.35"
    assert found["objects"]["eks_cluster/access_entry/workers"]["state"] == "ready"
    assert not found["not_ready"] and not found["changed"]
    actions(world.run(STACK, **GONE))
    assert info(world, capsys)["objects"] == {}


def test_credentials_are_refused_once(capsys):
    """Not once for each type that is read."""
    found = info(World(), capsys, access_key="LABEXPIRED0123456", aws_account_id=None)
    assert found["failed"] and "ExpiredToken" in found["msg"]
    assert len(found["msg"].splitlines()) == 1, found["msg"]


def test_what_is_on_its_way_is_not_ready(capsys):
    world = World()
    actions(world.run({"network": STACK["network"]}))
    world.lab.set(time_scale=1)
    ec2 = world.client("ec2")
    (nat,) = ec2.describe_nat_gateways()["NatGateways"]
    ec2.delete_nat_gateway(NatGatewayId=nat["NatGatewayId"])
    found = info(world, capsys)
    assert found["not_ready"] == ["network/nat_gateway/a"]
    assert found["objects"]["network/nat_gateway/a"]["state"] == "leaving"


def test_a_kubeconfig_is_written_when_asked(capsys, tmp_path):
    world, path = World(), tmp_path / "kubeconfig"
    refused = info(world, capsys, kubeconfig=str(path))
    assert refused["msg"] == "kubeconfig: acme-test has no cluster; converge the stack first"
    refused = info(world, capsys, kubeconfig=str(tmp_path))
    assert refused["msg"] == f"kubeconfig: {tmp_path} cannot be written"
    actions(world.run({"network": STACK["network"], "eks_cluster": {"version": "1.35"}}))
    assert info(world, capsys, kubeconfig=str(path), _ansible_check_mode=True)["changed"]
    assert not path.exists()
    assert info(world, capsys, kubeconfig=str(path))["changed"]
    assert not info(world, capsys, kubeconfig=str(path))["changed"]
    assert path.stat().st_mode & 0o777 == 0o600
    written = json.loads(path.read_text())
    live = world.client("eks").describe_cluster(name="acme-test-eks")["cluster"]
    assert written["clusters"][0]["cluster"]["server"] == live["endpoint"]
    assert written["users"][0]["user"]["exec"]["args"] == [
        "--region", REGION, "eks", "get-token", "--cluster-name", "acme-test-eks"]
    token = info(world, capsys, kubeconfig=str(path), kubeconfig_user="token")
    assert token["changed"]
    token = json.loads(path.read_text())["users"][0]["user"]["token"]
    assert token.startswith("k8s-aws-v1.")
