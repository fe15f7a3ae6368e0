# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The policies of docs/permissions.md; that runs make no other calls is what `World.run` holds."""
from __future__ import annotations

from tools import permissions


def test_page_is_current():
    assert permissions.PAGE.read_text().endswith(permissions.page()), "run make docs"


def test_policies_fit_and_a_plan_changes_nothing():
    found = permissions.policies()
    assert all(permissions.size(policy) <= permissions.MOST for policy in found.values())
    (plan,) = found["To plan"]["Statement"]
    verbs = {name.split(":")[1] for name in plan["Action"]}
    assert all(verb.startswith(("Describe", "Get", "List")) for verb in verbs)
    assert not verbs & {*permissions.CONTENTS, "GetRandomPassword"}
