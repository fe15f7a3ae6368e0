# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a role's list no longer has."""
from __future__ import annotations

import pytest
from tests.kube_world import KubeWorld
from tests.rendering import rendered
from tests.world import actions

pytestmark = pytest.mark.kube


def tenant(*accounts: str) -> list[dict]:
    return rendered("tenancy", {"tenancy_namespaces": [
        {"name": "{ns}", "service_accounts": [{"name": name} for name in accounts]}]})


def test_an_object_removed_from_a_roles_list_is_pruned_and_one_of_somebody_else_is_not():
    world = KubeWorld()
    assert actions(world.run(tenant("stays", "leaves")))
    world.make([{"apiVersion": "v1", "kind": "ServiceAccount",
                 "metadata": {"name": "visits", "namespace": "{ns}"}}])
    assert actions(world.run(tenant("stays"))) == {
        world.named("{ns}/serviceaccount/{ns}:leaves"): "delete"}
    found = world.get("/api/v1/namespaces/{ns}/serviceaccounts")["items"]
    assert {item["metadata"]["name"] for item in found} == {"default", "stays", "visits"}
    world.run(state="absent", allow_data_loss=["*"])
    world.clear()
