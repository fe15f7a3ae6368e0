# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options that matter when something is made or removed, and those whose value only a run knows."""
from __future__ import annotations

import json

import jmespath
import pytest
from tests.world import World, actions, changed

NETWORK = {"cidr_block": "10.0.0.0/16", "availability_zones": ["us-east-1a", "us-east-1b"],
           "nat_gateways": "none", "gateway_endpoints": []}
CLUSTER = {"addons": {}, "logging": [], "oidc_provider": False, "version": "1.34"}
EKS = {"network": {**NETWORK, "nat_gateways": "one"},
       "iam_roles": {"roles": {"admin": {"trusted_services": ["ec2.amazonaws.com"]}}},
       "eks_cluster": {**CLUSTER, "access_entries": {"admins": {
           "principal": "admin", "policies": {"AmazonEKSClusterAdminPolicy": {}}}}}}
NODES = {**EKS, "eks_nodegroups": {"nodegroups": {"cpu": {
    "instance_types": ["t3.medium"], "desired_size": 2, "max_size": 3}}}}
SERVICE = {"trusted_services": ["ec2.amazonaws.com"]}
AURORA = {"network": NETWORK, "aurora_cluster": {
    "engine_version": "16", "instances": {"only": {}}, "deletion_protection": False}}
CACHE = {"network": NETWORK, "elasticache": {"caches": {"dev": {
    "topology": "standalone", "engine_version": "7.1", "cache_node_type": "cache.t4g.medium"}}}}
KEY = {"kms_keys": {"keys": {"data": {"deletion_protection": False}}}}
SECRET = {"secrets": {"secrets": {"token": {"deletion_protection": False}}}}
REGISTRY = {"ecr_repositories": {"repositories": {"api": {}}}}
BUCKET = {"s3_buckets": {"buckets": {"logs": {}}}}
FILES = {"network": NETWORK,
         "efs": {"file_systems": {"models": {"mount_targets": {"subnets": []}}}}}
TOKEN = ["secrets", "secrets", "token"]
HOW = [*TOKEN, "generate_secret_string"]
GONE = dict(state="absent", confirm_destroy="acme-test")


def given(options: dict, path: list, value) -> dict:
    return changed(options, {"path": path, "to": value})


def told(world: World, call: str, path: str):
    """What a JMESPath expression finds in the parameters of the only call of its kind."""
    (params,) = world.asked[call]
    return jmespath.search(path, params)


# Options, the place of one of them, its value, and where the call that makes the object has it.
MADE = [
    ({"iam_roles": {"roles": {"app": SERVICE}}}, ["iam_roles", "roles", "app", "description"],
     "Of the app", "iam.CreateRole", "Description"),
    (EKS, ["eks_cluster", "bootstrap_cluster_creator_admin_permissions"], False,
     "eks.CreateCluster", "accessConfig.bootstrapClusterCreatorAdminPermissions"),
    (EKS, ["eks_cluster", "bootstrap_self_managed_addons"], True, "eks.CreateCluster",
     "bootstrapSelfManagedAddons"),
    (EKS, ["eks_cluster", "addons", "kube-proxy", "resolve_conflicts"], "NONE",
     "eks.CreateAddon", "resolveConflicts"),
    (NODES, ["eks_nodegroups", "nodegroups", "cpu", "desired_size"], 3, "eks.CreateNodegroup",
     "scalingConfig.desiredSize"),
    *((SECRET, [*HOW, option], value, "secretsmanager.GetRandomPassword", parameter)
      for option, value, parameter in (
          ("exclude_characters", "abc", "ExcludeCharacters"),
          ("exclude_numbers", True, "ExcludeNumbers"),
          ("exclude_uppercase", True, "ExcludeUppercase"),
          ("exclude_lowercase", True, "ExcludeLowercase"),
          ("include_space", True, "IncludeSpace"),
          ("require_each_included_type", False, "RequireEachIncludedType"))),
]


@pytest.mark.parametrize(("options", "path", "value", "call", "where"), MADE,
                         ids=[case[1][-1] for case in MADE])
def test_at_the_creation(options, path, value, call, where):
    world = World()
    actions(world.run(given(options, path, value)))
    assert told(world, call, where) == value


# The same for the call that removes the object.
REMOVED = [
    (KEY, ["kms_keys", "keys", "data", "deletion_window_in_days"], 7, "kms.ScheduleKeyDeletion",
     "PendingWindowInDays"),
    (SECRET, [*TOKEN, "recovery_window_in_days"], 14, "secretsmanager.DeleteSecret",
     "RecoveryWindowInDays"),
    (AURORA, ["aurora_cluster", "skip_final_snapshot"], True, "rds.DeleteDBCluster",
     "SkipFinalSnapshot"),
]


@pytest.mark.parametrize(("options", "path", "value", "call", "where"), REMOVED,
                         ids=[case[1][-1] for case in REMOVED])
def test_at_the_removal(options, path, value, call, where):
    world, options = World(), given(options, path, value)
    actions(world.run(options))
    actions(world.run(options, **GONE))
    assert told(world, call, where) == value


@pytest.mark.parametrize(("options", "path"), [
    (KEY, ["kms_keys", "keys", "data"]), (SECRET, TOKEN), (AURORA, ["aurora_cluster"]),
    (FILES, ["efs", "file_systems", "models"]), (CACHE, ["elasticache", "caches", "dev"])],
    ids=lambda value: value[0] if isinstance(value, list) else "")
def test_deletion_protection(options, path):
    world, path = World(), [*path, "deletion_protection"]
    kept, free = given(options, path, True), given(options, path, False)
    actions(world.run(kept))
    refused = world.run(kept, **GONE)
    assert refused["failed"] and "holds data and is protected" in refused["msg"]
    assert not world.writes()
    assert not world.run(free, **GONE)["failed"] and not world.left()


def test_generate_and_the_template_of_a_secret():
    world = World()
    options = given(SECRET, HOW, {"secret_string_template": {"username": "app"},
                                  "generate_string_key": "password"})
    actions(world.run(given(options, ["secrets", "secrets", "by-hand"], {"generate": False})))
    values = {p["Name"]: p.get("SecretString")
              for p in world.asked["secretsmanager.CreateSecret"]}
    assert set(json.loads(values["acme-test/token"])) == {"username", "password"}
    assert values["acme-test/by-hand"] is None


def test_force_update_moves_pods_that_refuse():
    world, options = World(), given(
        NODES, ["eks_nodegroups", "nodegroups", "cpu", "force_update"], True)
    actions(world.run(options))
    actions(world.run(given(options, ["eks_cluster", "version"], "1.35")))
    assert told(world, "eks.UpdateNodegroupVersion", "force") is True


@pytest.mark.parametrize("force", [True, False])
def test_force_destroy_empties_a_bucket(force):
    world, options = World(), given(
        BUCKET, ["s3_buckets", "buckets", "logs", "force_destroy"], force)
    name = world.run(options)["outputs"]["s3_buckets/bucket/logs"]["name"]
    world.client("s3").put_object(Bucket=name, Key="a", Body=b"a")
    gone = world.run(options, **GONE, allow_data_loss=["s3_buckets/bucket/logs"])
    assert gone["failed"] is not force
    assert force or "set force_destroy for it" in gone["msg"]


@pytest.mark.parametrize("force", [True, False])
def test_force_delete_takes_images_along(force):
    world, options = World(), given(
        REGISTRY, ["ecr_repositories", "repositories", "api", "force_delete"], force)
    name = world.run(options)["outputs"]["ecr_repositories/repository/api"]["name"]
    world.client("ecr").put_image(
        repositoryName=name, imageTag="1", imageManifest='{"schemaVersion": 2}',
        imageManifestMediaType="application/vnd.docker.distribution.manifest.v2+json")
    gone = world.run(options, **GONE, allow_data_loss=["ecr_repositories/repository/api"])
    assert gone["failed"] is not force
    assert force or "set force_delete for it" in gone["msg"]


def test_stack_tags_are_on_everything():
    world = World()
    actions(world.run(KEY, stack_tags={"CostCenter": "ml"}))
    assert {"TagKey": "CostCenter", "TagValue": "ml"} in told(world, "kms.CreateKey", "Tags")
    found = actions(world.run(KEY, check=True, stack_tags={"CostCenter": "web"}))
    assert found == {"kms_keys/key/data": "update"}


def test_lease_bucket_holds_the_lease():
    world = World()
    actions(world.run(KEY, lease_bucket="acme-locks"))
    assert {params["Bucket"] for params in world.asked["s3.PutObject"]} == {"acme-locks"}


# ---- networks ----------------------------------------------------------------------------------

def test_ranges_of_subnets():
    tiers = {"public": "10.4.1", "private": "10.4.2", "isolated": "10.4.3"}
    world = World()
    found = world.run({"network": {
        **NETWORK, "cidr_block": "10.4.0.0/16", "subnet_prefix_length": 26,
        "subnets": {tier: {"cidr_blocks": {"us-east-1a": f"{start}.0/24"}}
                    for tier, start in tiers.items()}}})["outputs"]
    assert found["network/vpc/main"]["cidr_block"] == "10.4.0.0/16"
    for tier, start in tiers.items():
        assert found[f"network/subnet/{tier}-a"]["cidr_block"] == f"{start}.0/24"
        assert found[f"network/subnet/{tier}-b"]["cidr_block"].endswith("/26")


def test_allocation_ids_give_nat_gateways_their_addresses():
    world = World()
    address = world.client("ec2").allocate_address(Domain="vpc")["AllocationId"]
    found = actions(world.run({"network": {**NETWORK, "nat_gateways": "one",
                                           "allocation_ids": {"us-east-1a": address}}}))
    assert told(world, "ec2.CreateNatGateway", "AllocationId") == address
    assert not any("elastic_ip" in key for key in found)


@pytest.fixture(name="place")
def _place():
    """A world, and the ids of the VPC and of the private subnets of another stack in it."""
    world = World()
    found = world.run({"network": NETWORK}, environment="base")["outputs"]
    return world, found["network/vpc/main"]["id"], [
        found[f"network/subnet/private-{letter}"]["id"] for letter in "ab"]


def test_vpc_id_of_security_groups(place):
    world, vpc, _subnets = place
    options = {"security_groups": {"vpc_id": vpc, "groups": {"apps": {}}}}
    actions(world.run(options))
    assert told(world, "ec2.CreateSecurityGroup", "VpcId") == vpc
    other = world.client("ec2").create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    found = world.run(given(options, ["security_groups", "vpc_id"], other), check=True,
                      allow_replace=["*"])
    assert actions(found) == {"security_groups/security_group/apps": "replace"}


@pytest.mark.parametrize(("options", "path"), [
    (AURORA, ["aurora_cluster"]), (CACHE, ["elasticache", "caches", "dev"])],
    ids=["aurora", "elasticache"])
def test_vpc_id_of_databases(place, options, path):
    world, vpc, subnets = place
    options = given(given({path[0]: options[path[0]]}, [*path, "vpc_id"], vpc),
                    [*path, "subnets"], subnets)
    actions(world.run(options))
    assert told(world, "ec2.CreateSecurityGroup", "VpcId") == vpc


def test_subnets_of_clusters_and_nodes_by_their_ids(place):
    world, _vpc, subnets = place
    actions(world.run({
        "eks_cluster": {**CLUSTER, "subnets": subnets},
        "eks_nodegroups": {"nodegroups": {"cpu": {"instance_types": ["t3.medium"],
                                                  "max_size": 1, "subnets": subnets[:1]}}}}))
    assert told(world, "eks.CreateCluster", "resourcesVpcConfig.subnetIds") == subnets
    assert told(world, "eks.CreateNodegroup", "subnets") == subnets[:1]


# ---- data --------------------------------------------------------------------------------------

def test_restore_from_a_snapshot_or_a_moment():
    """The data is the source's: so are its name and its user."""
    world = World()
    source = given(given(AURORA, ["aurora_cluster", "database_name"], "shop"),
                   ["aurora_cluster", "name"], "source")
    actions(world.run(source))
    for name, where, call in (
            ("moment", {"cluster": "source", "time": "2026-11-01T00:00:00Z"},
             "RestoreToTime"), ("latest", {"cluster": "source"}, "UseLatestRestorableTime")):
        options = given(given(AURORA, ["aurora_cluster", "restore_from"], where),
                        ["aurora_cluster", "name"], name)
        actions(world.run(options, environment=name))
        assert told(world, "rds.RestoreDBClusterToPointInTime", call)
        assert actions(world.run(options, environment=name)) == {}
    assert not world.run(source, **GONE)["failed"]
    (snapshot,) = [name for kind, name in world.objects() if kind == "rds.cluster-snapshot"]
    options = given(AURORA, ["aurora_cluster", "restore_from"], {"snapshot": snapshot})
    found = world.run(options)
    assert told(world, "rds.RestoreDBClusterFromSnapshot", "SnapshotIdentifier") == snapshot
    assert found["outputs"]["aurora_cluster/db_cluster/main"]["database_name"] == "shop"
    assert actions(world.run(options)) == {}


def test_snapshot_name_brings_a_cache_back():
    world = World()
    actions(world.run(given(CACHE, ["elasticache", "caches", "dev", "deletion_protection"],
                            False)))
    actions(world.run(given(CACHE, ["elasticache", "caches", "dev", "deletion_protection"],
                            False), **GONE))
    (snapshot,) = [name for kind, name in world.objects() if kind == "elasticache.snapshot"]
    actions(world.run(given(CACHE, ["elasticache", "caches", "dev", "snapshot_name"], snapshot)))
    assert told(world, "elasticache.CreateCacheCluster", "SnapshotName") == snapshot


def test_skip_final_snapshot_of_a_cache():
    world = World()
    options = given(CACHE, ["elasticache", "caches", "dev"], {
        **CACHE["elasticache"]["caches"]["dev"], "deletion_protection": False,
        "skip_final_snapshot": True})
    actions(world.run(options))
    actions(world.run(options, **GONE))
    assert told(world, "elasticache.DeleteCacheCluster", "FinalSnapshotIdentifier") is None


def test_auth_token_key_picks_the_token():
    world, token = World(), "abcdefghijklmnopqrst"
    secret = world.client("secretsmanager").create_secret(
        Name="theirs", SecretString=json.dumps({"other": "x" * 20, "token": token}))["ARN"]
    actions(world.run(given(CACHE, ["elasticache", "caches", "dev"], {
        **CACHE["elasticache"]["caches"]["dev"], "topology": "replication_group",
        "auth_token_secret": secret, "auth_token_key": "token"})))
    assert told(world, "elasticache.CreateReplicationGroup", "AuthToken") == token
