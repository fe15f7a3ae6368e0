# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who gets into a cluster, and what he may do there: tokens, access entries, policies, aws-auth."""
from __future__ import annotations

import json

import kubernetes
import pytest
import yaml
from kubernetes.client import ApiException
from tests.integration.kube.worlds import ACCOUNT, POLICY, STS, soon, token

pytestmark = pytest.mark.kube


def status(call, *arguments):
    """The HTTP status of a call of the Python client."""
    try:
        call(*arguments)
    except ApiException as error:
        return error.status
    return 200


def entry(world, arn, policy=None, scope=None, cluster="live", **fields):
    world("eks").create_access_entry(clusterName=cluster, principalArn=arn, **fields)
    if policy:
        world("eks").associate_access_policy(
            clusterName=cluster, principalArn=arn, policyArn=POLICY + policy,
            accessScope={"type": "namespace", "namespaces": scope} if scope else
            {"type": "cluster"})


def who(api):
    return kubernetes.client.AuthenticationV1Api(api.api_client).create_self_subject_review(
        {"kind": "SelfSubjectReview"}).status.user_info


def test_the_creator_is_administrator_by_an_entry(world):
    core = world.core()
    assert status(core.create_namespace, {"metadata": {"name": "by-creator"}}) == 200
    assert who(core).username == f"arn:aws:iam::{ACCOUNT}:user/lab"


def test_the_creator_without_bootstrap_is_nobody(world):
    world("eks").create_cluster(
        name="alien", roleArn=world.names["role"],
        resourcesVpcConfig={"subnetIds": world.subnets()}, accessConfig={
            "authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False})
    world.active("alien")
    assert status(world.core("alien").list_namespace) == 401
    world("eks").delete_cluster(name="alien")


def test_an_unknown_caller_gets_401(world):
    session, _arn = world.user("stranger")
    assert status(world.core(session=session).list_namespace) == 401


@pytest.mark.parametrize("broken", [
    {"url": STS.replace("GetCallerIdentity", "AssumeRole")},
    {"url": STS.replace("sts.us-east-1.amazonaws.com", "evil.example.com")},
    {"url": STS + "&Extra=1"},
    {"headers": {}},
])
def test_a_token_that_is_none_is_refused(world, broken):
    bearer = token(world.session(), "live", **broken)
    assert status(kubernetes.client.CoreV1Api(world.client("live", bearer)).list_namespace) == 401


def test_keys_that_sts_refuses_are_refused(world):
    for key in (f"LABEXPIRED{ACCOUNT}", "AKIAIOSFODNN7EXAMPLE"):
        assert status(world.core(session=world.session(key)).list_namespace) == 401


def test_a_token_is_good_for_one_cluster_and_one_secret(world):
    session, arn = world.user("careful")
    entry(world, arn, "AmazonEKSViewPolicy")
    assert status(world.core(session=session).list_namespace) == 200
    other = kubernetes.client.CoreV1Api(world.client("live", token(session, "another")))
    assert status(other.list_namespace) == 401
    forged = world.session(session.get_credentials().access_key, "guessed")
    assert status(world.core(session=forged).list_namespace) == 401


def test_a_token_ends_after_a_quarter_of_an_hour(world):
    core, clock = world.core(), world.lab.clock
    try:
        world.lab.clock = lambda: clock() + 16 * 60
        assert soon(lambda: status(core.list_namespace) == 401)
    finally:
        world.lab.clock = clock
    soon(lambda: status(core.list_namespace) == 200)


def test_a_viewer_sees_and_cannot_delete(world):
    session, arn = world.role("viewer", "/team/a/")
    entry(world, arn, "AmazonEKSViewPolicy")
    core = world.core(session=session)
    assert who(core).username == f"arn:aws:sts::{ACCOUNT}:assumed-role/viewer/work"
    assert status(core.list_namespaced_config_map, "default") == 200
    assert status(core.list_namespaced_secret, "default") == 403
    assert status(core.delete_namespaced_config_map, "kube-root-ca.crt", "default") == 403
    assert status(core.list_node) == 403


def test_an_editor_of_two_namespaces_stays_in_them(world):
    admin = world.core()
    for name in ("team-a", "team-b", "other"):
        admin.create_namespace({"metadata": {"name": name}})
    session, arn = world.user("editor")
    entry(world, arn, "AmazonEKSEditPolicy", ["team-*"])
    core = world.core(session=session)
    made = {"metadata": {"name": "made"}, "data": {"a": "b"}}
    assert status(core.create_namespaced_config_map, "team-a", made) == 200
    assert status(core.create_namespaced_secret, "team-b", {"metadata": {"name": "s"}}) == 200
    assert status(core.create_namespaced_config_map, "other", made) == 403
    assert status(core.list_namespace) == 403
    assert status(core.read_namespace, "team-a") == 200
    rbac = kubernetes.client.RbacAuthorizationV1Api(core.api_client)
    assert status(rbac.list_namespaced_role, "team-a") == 403


def test_an_administrator_of_a_namespace_sees_its_roles(world):
    session, arn = world.user("namespace-admin")
    entry(world, arn, "AmazonEKSAdminPolicy", ["default"])
    rbac = kubernetes.client.RbacAuthorizationV1Api(world.login("live", session))
    assert status(rbac.list_namespaced_role, "default") == 200
    assert status(rbac.list_namespaced_role, "kube-system") == 403


def test_rights_end_with_the_policy_and_with_the_entry(world):
    session, arn = world.user("leaver")
    entry(world, arn, "AmazonEKSClusterAdminPolicy")
    core = world.core(session=session)
    assert status(core.list_node) == 200
    world("eks").disassociate_access_policy(
        clusterName="live", principalArn=arn, policyArn=POLICY + "AmazonEKSClusterAdminPolicy")
    soon(lambda: status(core.list_node) == 403, 10, "403")
    world("eks").delete_access_entry(clusterName="live", principalArn=arn)
    soon(lambda: status(core.list_node) == 401, 10, "401")


def test_groups_and_user_name_of_an_entry_reach_rbac(world):
    session, arn = world.role("deployer")
    entry(world, arn, kubernetesGroups=["readers"], username="deploy-{{SessionName}}")
    core = world.core(session=session)
    assert (who(core).username, status(core.list_node)) == ("deploy-work", 403)
    rbac = kubernetes.client.RbacAuthorizationV1Api(world.login("live"))
    rbac.create_cluster_role({"metadata": {"name": "nodes"}, "rules": [
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}]})
    rbac.create_cluster_role_binding({
        "metadata": {"name": "readers"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                    "name": "nodes"},
        "subjects": [{"kind": "Group", "name": "readers",
                      "apiGroup": "rbac.authorization.k8s.io"}]})
    soon(lambda: status(core.list_node) == 200, 10, "200")


@pytest.fixture(name="mapped", scope="module")
def cluster_with_aws_auth(world):
    """A cluster of mode CONFIG_MAP whose aws-auth names a role with a path and a user."""
    world.cluster("mapped", mode="CONFIG_MAP")
    role, user = world.role("mapped", "/with/path/"), world.user("mapped")
    world.core("mapped").create_namespaced_config_map("kube-system", {
        "metadata": {"name": "aws-auth"}, "data": {
            "mapRoles": yaml.safe_dump([{
                "rolearn": f"arn:aws:iam::{ACCOUNT}:role/mapped", "groups": ["system:masters"],
                "username": "role:{{SessionName}}"}]),
            "mapUsers": json.dumps([{"userarn": user[1], "username": "u",
                                     "groups": ["nothing"]}])}})
    yield {"role": role[0], "user": user[0]}
    world("eks").delete_cluster(name="mapped")


def test_aws_auth(world, mapped):
    creator, role = world.core("mapped"), world.core("mapped", mapped["role"])
    assert who(creator).username == "kubernetes-admin"
    assert (who(role).username, status(role.list_node)) == ("role:work", 200)
    user = world.core("mapped", mapped["user"])
    assert (who(user).username, status(user.list_node)) == ("u", 403)
    stranger, _arn = world.user("not-mapped")
    assert status(world.core("mapped", stranger).list_node) == 401


def test_the_role_of_nodes_comes_and_goes_in_aws_auth(world, mapped):
    def roles():
        found = world.core("mapped").read_namespaced_config_map("aws-auth", "kube-system")
        return [row["rolearn"].split("/")[-1] for row in yaml.safe_load(found.data["mapRoles"])]

    names = {"clusterName": "mapped", "nodegroupName": "n"}
    world("eks").create_nodegroup(**names, nodeRole=world.names["node_role"],
                                  subnets=world.subnets())
    soon(lambda: world("eks").describe_nodegroup(**names)["nodegroup"]["status"] == "ACTIVE")
    assert roles() == ["mapped", "n"]
    world("eks").delete_nodegroup(**names)
    world("eks").get_waiter("nodegroup_deleted").wait(**names, WaiterConfig={"Delay": 1})
    assert roles() == ["mapped"]


def test_an_entry_goes_before_aws_auth(world, mapped):
    world("eks").update_cluster_config(
        name="mapped", accessConfig={"authenticationMode": "API_AND_CONFIG_MAP"})
    world.active("mapped")
    role = world.core("mapped", mapped["role"])
    assert status(role.list_node) == 200
    entry(world, world("iam").get_role(RoleName="mapped")["Role"]["Arn"], cluster="mapped")
    soon(lambda: status(role.list_node) == 403, 10, "403")
