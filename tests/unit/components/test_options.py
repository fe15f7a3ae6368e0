# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every option of every component has a case that shows its effect."""
from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.groundwork.aws.plugins.module_utils.components.registry import COMPONENTS
from ansible_collections.groundwork.aws.plugins.module_utils.run import COMMON, VARIABLES
from tests.world import cases

TESTS = Path(__file__).parents[2]
# Options without a planned change to show: those that matter when something is made or removed,
# and those whose value only a run knows.
ELSEWHERE = (
    "network.cidr_block",
    "network.subnets.public.cidr_blocks",
    "network.subnets.private.cidr_blocks",
    "network.subnets.isolated.cidr_blocks",
    "network.subnet_prefix_length",
    "network.allocation_ids",
    "security_groups.vpc_id",
    "iam_roles.roles.*.description",
    "kms_keys.keys.*.deletion_window_in_days",
    "kms_keys.keys.*.deletion_protection",
    "eks_cluster.subnets",
    "eks_cluster.bootstrap_cluster_creator_admin_permissions",
    "eks_cluster.bootstrap_self_managed_addons",
    "eks_cluster.addons.*.resolve_conflicts",
    "eks_nodegroups.nodegroups.*.desired_size",
    "eks_nodegroups.nodegroups.*.subnets",
    "eks_nodegroups.nodegroups.*.force_update",
    "secrets.secrets.*.generate",
    "secrets.secrets.*.recovery_window_in_days",
    "secrets.secrets.*.deletion_protection",
    "s3_buckets.buckets.*.force_destroy",
    "ecr_repositories.repositories.*.force_delete",
    "efs.file_systems.*.deletion_protection",
    "aurora_cluster.vpc_id",
    "aurora_cluster.skip_final_snapshot",
    "aurora_cluster.restore_from",
    "elasticache.caches.*.vpc_id",
    "elasticache.caches.*.auth_token_key",
    "elasticache.caches.*.snapshot_name",
    "elasticache.caches.*.deletion_protection",
    "elasticache.caches.*.skip_final_snapshot",
    "secrets.secrets.*.generate_secret_string",
)
EFFECTS = TESTS / "unit" / "types" / "test_effects.py"


def options(spec: dict, named, way: tuple):
    """The place of every option; `*` stands for a name of the user's choice."""
    for name, given in spec.items():
        inner, deeper = given.get("options"), None
        if (named or {}).get(name):
            inner, deeper = named[name] if isinstance(named[name], tuple) else (named[name], None)
            yield (*way, name)
            yield from options(inner, deeper, (*way, name, "*"))
        elif inner:
            yield from options(inner, None, (*way, name))
        else:
            yield (*way, name)


def places(value, way: tuple):
    """The place of everything in a value; the items of a list stand where the list does."""
    yield way
    for name, inner in value.items() if isinstance(value, dict) else ():
        yield from places(inner, (*way, name))
    for inner in value if isinstance(value, list) else ():
        yield from places(inner, way)


def shown() -> set:
    """What single changes change, of those with an effect; names of the user's are in it."""
    return {way for _name, case in cases() for change in case.get("change", ())
            if change["expect"] or change.get("left_over")
            for way in places(change["to"], tuple(change["path"]))}


def same(option: tuple, way: tuple) -> bool:
    return len(way) >= len(option) and all(o in ("*", w) for o, w in zip(option, way))


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_option_has_a_case(component):
    part, ways = COMPONENTS[component], shown()
    found = options(part.SPEC, getattr(part, "NAMED", None), (component,))
    other, text = [tuple(o.split(".")) for o in ELSEWHERE], EFFECTS.read_text()
    assert not [".".join(option) for option in found if not any(same(option, w) for w in ways)
                and not (any(same(o, option) for o in other) and f'"{option[-1]}"' in text)]


def test_every_option_of_all_modules_has_a_test():
    text = "".join(path.read_text() for path in TESTS.rglob("test_*.py"))
    assert not [option for option in COMMON if not re.search(rf"\b{option}\b", text)]


def test_the_variables_of_the_role_are_known():
    """What is nearly one of them is refused as a typing error."""
    specs = yaml.safe_load((TESTS.parent / "roles/stack/meta/argument_specs.yml").read_text())
    names = {name for entry in specs["argument_specs"].values() for name in entry["options"]}
    assert VARIABLES == sorted(name for name in names if name.startswith("stack_"))
