# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""kubectl and we mean the same by an ApplySet (KEP-3659)."""
from __future__ import annotations

import json
import os
import subprocess

import pytest
import yaml
from ansible_collections.groundwork.aws.plugins.module_utils.types import applyset
from tests.kube_world import KubeWorld, manifests, plane
from tests.world import actions

from lab.kube.build import built

pytestmark = pytest.mark.kube
OBJECTS = manifests("""
apiVersion: v1
kind: Namespace
metadata: {name: "{ns}"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: "{ns}"}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: "{ns}"}
rules: []
""")


def kubectl(*words: str, given: str = "") -> str:
    done = subprocess.run(
        [built("control")["control"], "kubectl", f"--kubeconfig={plane()}", *words], input=given,
        capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "KUBECTL_APPLYSET": "true"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_id_is_kubectls():
    world = KubeWorld()
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"{world.space}-m"}}
    kubectl("apply", "--prune", f"--applyset=configmap/{world.space}", "--server-side", "-n",
            "default", "-f", "-", given=yaml.safe_dump(manifest))
    parent = json.loads(kubectl("get", "configmap", world.space, "-o", "json"))
    assert parent["metadata"]["labels"][applyset.ID] == \
        applyset.applyset_id(world.space, "default")
    annotations = parent["metadata"]["annotations"]
    assert annotations[applyset.KINDS] == "ConfigMap"
    assert applyset.TOOLING in annotations


def test_kubectl_finds_the_members():
    world = KubeWorld()
    made = world.run(OBJECTS)
    assert actions(made)
    found = kubectl("get", "configmaps,roles,namespaces", "-A", "-o", "name",
                    "-l", f"{applyset.PART_OF}={made['applyset']}").split()
    assert sorted(found) == ["configmap/settings", f"namespace/{world.space}",
                             "role.rbac.authorization.k8s.io/reader"]
    parent = world.get("/api/v1/namespaces/default/configmaps/{ns}")["metadata"]
    assert parent["labels"] == {applyset.ID: made["applyset"]}
    assert parent["annotations"] == {
        applyset.TOOLING: "groundwork.aws/v1", applyset.SPACES: world.space,
        applyset.KINDS: "ConfigMap,Namespace,Role.rbac.authorization.k8s.io"}
    assert actions(world.run(OBJECTS[:2]))
    parent = world.get("/api/v1/namespaces/default/configmaps/{ns}")["metadata"]
    assert parent["annotations"][applyset.KINDS] == "ConfigMap,Namespace"
    world.clear()
