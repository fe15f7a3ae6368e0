# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names and manifests that are none: who says so, and what of them is shown."""
from __future__ import annotations

import json

import pytest
from tests.integration.applyset.test_bad_input import SETTINGS, SPACE, refused
from tests.world import actions

pytestmark = pytest.mark.kube


@pytest.mark.parametrize("name", ["A B", "", "a/b", "a..b", "-a", "x" * 243])
def test_names_of_sets(world, name):
    refused(world, [SETTINGS], f"name '{name}': a set's name is at most 242", name=name, check=True)


@pytest.mark.parametrize("name", ["a/b", "Web", "x" * 54])
def test_names_of_releases(world, name):
    release = {"name": name, "chart": "charts/web", "version": "1.0.0"}
    refused(world, [], f"releases[0]: '{name}' is no name of a release", releases=[release],
            check=True)


def malformed(kind, version="v1", **fields):
    return {"apiVersion": version, "kind": kind, **fields,
            "metadata": {"name": "odd", **({} if "." in version else {"namespace": "{ns}"})}}


@pytest.mark.parametrize("manifest", [
    malformed("CustomResourceDefinition", "apiextensions.k8s.io/v1"),
    malformed("CustomResourceDefinition", "apiextensions.k8s.io/v1", spec={}),
    malformed("CustomResourceDefinition", "apiextensions.k8s.io/v1", spec="x"),
    malformed("ValidatingWebhookConfiguration", "admissionregistration.k8s.io/v1",
              webhooks=[{"name": "a.example.com", "clientConfig": {"service": "s"}}]),
    malformed("Pod", spec={"serviceAccountName": {"a": "b"}, "containers": [{"name": "c"}]}),
    malformed("Service", spec="x"),
], ids=lambda m: f"{m['kind']}: {m.get('spec', m.get('webhooks'))}"[:60])
def test_what_cannot_be_read_is_for_the_server_to_refuse(world, manifest):
    world.run([SPACE])
    result = refused(world, [SPACE, manifest])
    assert world.named("/odd") in result["msg"] or world.named(":odd") in result["msg"]
    assert "Error" not in result["msg"]


def test_an_object_too_large_for_etcd(world):
    """https://kubernetes.io/docs/concepts/configuration/configmap/#motivation: 1 MiB."""
    large = {"level": "x" * 1_600_000}
    refused(world, [SPACE, {**SETTINGS, "data": large}], "settings", writes=10)


def test_a_secret_by_any_spelling_is_veiled(world):
    """An unknown kind is only warned of in check mode, and its values are still secret."""
    odd = {"apiVersion": "v1", "kind": "secret", "metadata": {"name": "a", "namespace": "{ns}"},
           "stringData": {"pin": "CANARY"}}
    noted = {"apiVersion": "v1", "kind": "Secret", "metadata": {
        "name": "b", "namespace": "{ns}", "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": '{"data": "CANARY"}'}}}
    plan = world.run([SPACE, odd, noted], check=True)
    assert "CANARY" not in json.dumps(plan, default=str)


def test_a_namespace_of_nothing_is_the_default(world):
    made = world.run([{**SETTINGS, "metadata": {"name": "{ns}-x", "namespace": None}}])
    assert world.named("{ns}/configmap/default:{ns}-x") in actions(made)
