# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The user's tags are text that AWS takes, and none of those by which a stack finds its own."""
from __future__ import annotations

import json

import pytest
from ansible_collections.groundwork.aws.plugins.module_utils.components.context import Stack
from ansible_collections.groundwork.aws.plugins.module_utils.components.registry import COMPONENTS
from ansible_collections.groundwork.aws.plugins.module_utils.components.tags import checked_tags
from ansible_collections.groundwork.aws.plugins.module_utils.options import checked
from tests.world import ACCOUNT, REGION, World, actions, cases, stack

NETWORK = {"network": {"cidr_block": "10.0.0.0/16", "availability_zones": ["us-east-1a"],
                       "nat_gateways": "none", "gateway_endpoints": []}}


def tagged(**tags) -> dict:
    return {"network": {**NETWORK["network"], "subnets": {"private": {"tags": tags}}}}


def test_values_become_text():
    world = World()
    tags = {"CostCenter": 1234, "Critical": True, "Share": 0.5, 7: "seven", "Empty": ""}
    actions(world.run(tagged(Tier=2), stack_tags=tags))
    (subnet,) = world.lab.inventory()["ec2.subnet"][-1:]
    assert subnet["tags"].items() >= {"CostCenter": "1234", "Critical": "true", "Share": "0.5",
                                      "7": "seven", "Empty": "", "Tier": "2"}.items()
    assert actions(world.run(tagged(Tier=2), stack_tags=tags)) == {}


@pytest.mark.parametrize(("tags", "says"), [
    ({"aws:foo": "x"}, "aws:foo: tags that begin with aws: are reserved"),
    ({"AWS:foo": "x"}, "AWS:foo: tags that begin with AWS: are reserved"),
    ({"groundwork:stack": "x"}, "groundwork:stack: tags that begin with groundwork: are reserved"),
    ({"": "x"}, "a tag's name has 1 to 128 letters"),
    ({"k" * 129: "x"}, "a tag's name has 1 to 128 letters"),
    ({"a,b": "x"}, "a,b: a tag's name has 1 to 128 letters"),
    ({"k": "v" * 257}, "k: a tag's value has up to 256 letters"),
    ({"k": "v;w"}, "k: a tag's value has up to 256 letters"),
    ({"k": ["v"]}, "k: the value is not text"),
    ({f"k{n}": "v" for n in range(51)}, ": 51 tags, AWS takes 50"),
])
def test_refused_before_anything_is_read(tags, says):
    for path, world, result in (
            ("stack_tags", w := World(), w.run(NETWORK, check=True, stack_tags=tags)),
            ("network.subnets.private.tags", w := World(), w.run(tagged(**tags), check=True))):
        assert result["failed"] and len(result["problems"]) == 1
        assert result["problems"][0].startswith(path) and says in result["problems"][0]
        assert not world.lab.calls.names


def test_all_problems_at_once():
    result = World().run(tagged(**{"aws:b": 1}), stack_tags={"aws:a": 1, "k": "v;w"})
    assert len(result["problems"]) == 3


def test_the_most_that_aws_takes():
    assert checked_tags("t", {"k" * 128: "v" * 256, "É _.:/=+-@": "ü 1"})[1] == []
    many = {f"k{n}": "v" for n in range(45)}
    result = World().run(NETWORK, stack_tags=many, check=True)
    assert "network: tags of network/vpc/main: 52 tags, AWS takes 50; leave some out" in \
        result["problems"][0]


@pytest.mark.parametrize("name", ["a,b", "x" * 257])
def test_a_name_that_no_tag_can_hold(name):
    world = World()
    result = world.run({"efs": {"file_systems": {name: {"mount_targets": {"subnets": []}}}}},
                       check=True)
    assert f"efs/file_system/{name}: it is a tag's value" in result["msg"]
    assert not world.lab.calls.names


def test_tags_that_objects_are_asked_for_are_no_tags_of_ours():
    rule = {"filter": {"tags": {"groundwork:kind": "x"}}, "expiration": {"days": 3}}
    options = {"s3_buckets": {"buckets": {"b": {"lifecycle_rules": {"old": rule}}}}}
    assert actions(World().run(options, check=True))


def test_what_others_make_for_a_stack_has_its_tags():
    """By roles to controllers in the cluster, and by its add-on to the volumes of claims."""
    world, zones = World(), ["us-east-1a", "us-east-1b"]
    network = {"cidr_block": "10.0.0.0/16", "availability_zones": zones}
    driver = {"configuration_values": {"controller": {"replicaCount": 3}}}
    options = {"network": network, "eks_cluster": {"addons": {"aws-ebs-csi-driver": driver}}}
    tags = {"Owner": "web", "Tier": 2, "kubernetes.io/role": "x"}
    done = world.run(options, stack_tags=tags)
    shared = {"Project": "acme", "Environment": "test", "Owner": "web", "Tier": "2"}
    assert not done["failed"], done["msg"]
    assert done["tags"] == {**shared, "kubernetes.io/role": "x"}
    values = json.loads(world.asked["eks.CreateAddon"][0]["configurationValues"])
    assert values == {"controller": {"replicaCount": 3, "extraVolumeTags": {
        "ManagedBy": "aws-ebs-csi-driver", "Component": "eks_cluster", **shared}}}
    other = actions(world.run(options, check=True, stack_tags={**tags, "Tier": 3}))
    assert other["eks_cluster/addon/aws-ebs-csi-driver"] == "update"


@pytest.mark.parametrize("component", COMPONENTS)
def test_the_tag_name_is_the_objects_own_name(component):
    """What the console shows as its name is the name that calls and logs have."""
    _name, case = next((n, c) for n, c in cases(component) if "options" in c)
    made = Stack("acme", "test", REGION, ACCOUNT)
    for name, given in case["options"].items():
        part = COMPONENTS[name]
        made.options[name], _problems = checked(name, given, part.SPEC,
                                                getattr(part, "NAMED", None))
        made.add(name, part.build(made.options[name], made))
    for resource in made.resources.values():
        names = [getattr(resource, n) for n in NAMES if isinstance(getattr(resource, n, 0), str)]
        if names and resource.tags_path and not resource.external:
            assert resource.tags["Name"] == names[0], resource.key


NAMES = ("name", "group_name", "role_name", "policy_name", "instance_profile_name", "bucket",
         "queue_name", "nodegroup_name", "repository_name", "db_cluster_identifier",
         "db_instance_identifier", "db_subnet_group_name", "cache_cluster_id",
         "replication_group_id", "cache_subnet_group_name", "db_cluster_parameter_group_name",
         "db_parameter_group_name", "cache_parameter_group_name", "launch_template_name")


def test_our_stacks_keep_within():
    assert not World().run(stack("sentineltranslate-dev"), check=True)["failed"]
