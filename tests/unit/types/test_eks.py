# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is particular to EKS, beside the laws."""
from __future__ import annotations

import datetime

import pytest
from ansible_collections.groundwork.aws.plugins.module_utils.engine.resource import search
from ansible_collections.groundwork.aws.plugins.module_utils.types import eks, eks_nodes
from tests.world import ACCOUNT, World, actions

NETWORK = {"network": {"cidr_block": "10.0.0.0/16",
                       "availability_zones": ["us-east-1a", "us-east-1b"]}}
BARE = {"addons": {}, "logging": [], "oidc_provider": False}
NOBODY = f"arn:aws:iam::{ACCOUNT}:role/nobody"


def stack(principal: str, **roles) -> dict:
    return {**NETWORK, "iam_roles": {"roles": roles},
            "eks_cluster": {**BARE, "access_entries": {"admins": {"principal": principal}}}}


@pytest.mark.parametrize("cls", [eks.Cluster, eks.Addon, eks_nodes.Nodegroup])
def test_what_ails_it_is_told_in_words(cls):
    issues = [{"code": "NodeCreationFailure", "message": "they did not join", "resourceIds": ["i"]},
              {"code": "AccessDenied"}]
    assert search(cls.reason, {"health": {"issues": issues}}) == \
        "NodeCreationFailure: they did not join; AccessDenied"
    assert not search(cls.reason, {"health": {"issues": []}}) and not search(cls.reason, {})


def test_a_principal_that_is_not_there_is_refused_before_anything_is_made():
    world = World()
    result = world.run(stack(NOBODY))
    assert result["failed"] and not world.writes()
    assert f"eks_cluster.access_entries.admins.principal: there is no role {NOBODY}" \
        in result["msg"]


def test_a_principal_that_eks_does_not_know_is_not_waited_for():
    world, later = World(), datetime.date.today() + datetime.timedelta(days=1)
    result = world.run(stack(NOBODY), waivers={"unknown-role": {"reason": "a test", "until":
                                                                str(later)}})
    assert "create eks_cluster/access_entry/admins: InvalidParameterException The specified " \
        "principalArn is invalid" in result["msg"]
    assert world.writes().count("eks.CreateAccessEntry") == 1


def test_a_role_of_the_same_run_is_waited_for():
    world, options = World(), stack("admins", admins={"trusted_services": ["ec2.amazonaws.com"]})
    actions(world.run({**options, "iam_roles": {}, "eks_cluster": BARE}))
    world.lab.set(role_delay_ms=300)
    assert actions(world.run(options))["eks_cluster/access_entry/admins"] == "create"
    assert world.writes().count("eks.CreateAccessEntry") > 1


@pytest.mark.parametrize("alone", ["eks_cluster", ""])
def test_an_oidc_provider_that_is_switched_off_is_left_over_and_pruned(alone):
    world, options = World(), {**NETWORK, "eks_cluster": {**BARE, "oidc_provider": True}}
    provider = "eks_cluster/oidc_provider/main"
    assert provider in actions(world.run(options))
    options["eks_cluster"]["oidc_provider"] = False
    found = world.run(options, alone=alone)
    assert (found["left_over"], found["changed"]) == ([provider], False)
    assert actions(world.run(options, alone=alone, prune=True)) == {provider: "delete"}
    assert not world.run(options, alone=alone)["left_over"]


def test_what_flow_logs_leave_behind_is_left_over():
    world, options = World(), {"network": {**NETWORK["network"], "flow_logs": {}}}
    actions(world.run(options, alone="network"))
    found = world.run(NETWORK, alone="network")
    assert set(found["left_over"]) == {
        f"network/{name}" for name in ("role/flow-logs", "role_policy/flow-logs:write-logs",
                                       "flow_log/main", "log_group/flow-logs")}
    actions(world.run(NETWORK, alone="network", prune=True))
    assert not world.run(NETWORK, alone="network")["left_over"]
