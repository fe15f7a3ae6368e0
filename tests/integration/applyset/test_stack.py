# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A set on the cluster of a stack: by EKS's description of it, with a token of the caller."""
from __future__ import annotations

import pytest
from ansible_collections.groundwork.aws.plugins.module_utils import connect
from tests.integration.kube.worlds import ACCOUNT, REGION, World
from tests.kube_world import KubeWorld, manifests, plane
from tests.world import actions

pytestmark = pytest.mark.kube
OBJECTS = manifests("""
apiVersion: v1
kind: Namespace
metadata: {name: tenants}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: tenants}
""")
STACK = dict(product="acme", environment="test", region=REGION, kubeconfig=None,
             access_key=f"LAB0{ACCOUNT}", secret_key="lab", aws_account_id=ACCOUNT)


@pytest.fixture(name="aws")
def made(monkeypatch):
    """An emulated EKS, where clusters are real."""
    plane()  # skips where nothing is built
    world = World()

    class Sessions:
        """As much of boto3 as connect.py uses."""

        class session:
            Session = staticmethod(lambda **options: world.session(
                options["aws_access_key_id"], options["aws_secret_access_key"]))

    monkeypatch.setattr(connect, "boto3", Sessions)
    yield world
    world.lab.close()


def test_from_nothing_to_gone(aws):
    """Without the cluster all of it is planned; with it, it is made, found and removed."""
    world = KubeWorld()
    plan = world.run(OBJECTS, check=True, **STACK)
    assert (plan["stack"], set(actions(plan).values())) == ("EKS cluster acme-test-eks", {"create"})
    refused = world.run(OBJECTS, **STACK)
    assert refused["msg"] == "cluster acme-test-eks: it is not there; converge the stack first"
    aws.cluster("acme-test-eks")
    assert actions(world.run(OBJECTS, **STACK)) == actions(plan)
    assert actions(world.run(OBJECTS, **STACK)) == {}
    assert aws.core("acme-test-eks").read_namespaced_config_map("settings", "tenants")
    gone = world.run(state="absent", allow_data_loss=["{ns}/namespace/tenants"], **STACK)
    assert set(actions(gone)) == set(actions(plan))
    session, _arn = aws.user("stranger")
    keys = session.get_credentials()
    stranger = dict(STACK, access_key=keys.access_key, secret_key=keys.secret_key)
    assert "EKS cluster acme-test-eks refuses the credentials" in \
        world.run(OBJECTS, **stranger)["msg"]
    wrong = world.run(OBJECTS, **dict(STACK, aws_account_id="999988887777"))
    assert "the credentials belong to account" in wrong["msg"]
