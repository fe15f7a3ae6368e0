# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a role does not take of a stack's variables: `misled` of tests/roles/*.yml."""
from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.groundwork.aws.plugins.plugin_utils.roles import Role
from tests.rendering import CASES, ROLES, STACK, options

LOADER = DataLoader()
MISLED = [pytest.param(path.stem, case, id=case["name"]) for path in sorted(CASES.glob("*.yml"))
          for case in LOADER.load_from_file(str(path), trusted_as_template=True)["cases"]
          if "misled" in case]


@pytest.mark.parametrize(("role", "case"), MISLED)
def test_misled(role, case):
    variables = {**STACK, "stack_result": {"outputs": {}}, **case["variables"]}
    found = Role(LOADER, str(ROLES / role), variables).misled(options(role))
    assert len(found) == len(case["misled"]), found
    for text in case["misled"]:
        assert any(text in line for line in found), found


@pytest.mark.parametrize(("told", "unchecked"), [
    ({}, False), ({"stack_role": "groundwork.aws.tenancy"}, False),
    ({"stack_role": "acme.shop.tenancy"}, True), ({"stack_role": "gpu"}, True),
    ({"stack_role": "mine"}, True),
    ({"stack_result": {"changed": True}}, True), ({"stack_roles_tasks": "failover_drill"}, True),
], ids=str)
def test_where_ansible_looks_itself(told, unchecked):
    """At roles of others and removed ones, and where outputs have changed since."""
    assert of_the_stack("stack_role_unchecked", told) is unchecked


def test_who_is_looked_at_before():
    """Those of this collection, unless none of them runs."""
    assert len(of_the_stack("stack_role_specs", {})) == 2
    assert of_the_stack("stack_role_specs", {"stack_roles_skipped": "no way"}) == []


def of_the_stack(name: str, told: dict):
    """A variable of the role `stack`."""
    names = LOADER.load_from_file(str(ROLES / "stack/vars/main.yml"), trusted_as_template=True)
    known = {**names, "role_path": str(ROLES / "stack"), "stack_roles_skipped": "",
             "stack_role": "tenancy", "stack_roles_tasks": "main",
             "stack_result": {"changed": False}, "stack_roles": ["tenancy", "mine", *(
                 f"{c}.tenancy" for c in ("groundwork.aws", "acme.shop"))], **told}
    return Templar(LOADER, known).template(names[name])
