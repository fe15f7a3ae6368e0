# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a role does not take of a stack's variables: `misled` of tests/roles/*.yml."""
from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader
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
