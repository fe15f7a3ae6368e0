# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a plan tells of a chart's objects: what comes, nothing else, and no secret."""
from __future__ import annotations

import functools
import json

import pytest
from ansible_collections.groundwork.aws.plugins.module_utils.clients import helm as program
from tests.integration.applyset.test_releases import SPACE
from tests.kube_gate import Gate
from tests.kube_world import KubeWorld, manifests, plane, text_of
from tests.world import actions

pytestmark = pytest.mark.kube
SETTINGS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {count: {{ .Values.count | quote }}, url: "redis://:{{ .Values.password }}@cache"}
"""
SECRETS = """
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData:
  tls.key: {{ .Values.file | quote }}
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Secret
  metadata: {name: listed}
  data: {plain: {{ .Values.file | b64enc }}}
"""
ASKS = """
{{- if .Capabilities.APIVersions.Has "apps/v1/Deployment" }}
apiVersion: v1
kind: ConfigMap
metadata: {name: only-with-deployments}
{{- end }}
---
{{- if .Release.IsInstall }}
apiVersion: v1
kind: ConfigMap
metadata: {name: only-at-first}
{{- end }}
---
{{- with lookup "v1" "ConfigMap" .Release.Namespace "theirs" }}
apiVersion: v1
kind: ConfigMap
metadata: {name: follows, labels: {mood: {{ .data.mood }}}}
{{- end }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: hooked, annotations: {helm.sh/hook: post-upgrade}}
"""
THEIRS = manifests("""
apiVersion: v1
kind: ConfigMap
metadata: {name: theirs, namespace: "{ns}"}
data: {mood: fine}
""")
KIND = manifests("""
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: "wishes.{ns}.example.com"}
spec:
  group: "{ns}.example.com"
  names: {kind: Wish, plural: wishes}
  scope: Namespaced
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
""")
WISH = """
{{- if .Values.group }}
apiVersion: {{ .Values.group }}/v1
kind: Wish
metadata: {name: more}
{{- end }}
"""


@pytest.fixture(name="world")
def with_helm(world, helm):
    world.run = functools.partial(world.run, helm_binary=helm)
    return world


def chart(folder, *templates: str, version: str = "1.0.0", name: str = "web") -> dict:
    """A release of a chart in a folder on this machine."""
    place = folder / name
    (place / "templates").mkdir(parents=True, exist_ok=True)
    (place / "templates" / "all.yaml").write_text("\n---\n".join(templates))
    (place / "values.yaml").write_text("{count: 1, password: none, file: none, group: ''}")
    (place / "Chart.yaml").write_text(
        json.dumps({"apiVersion": "v2", "name": name, "version": version}))
    return {"name": "web", "namespace": "{ns}", "chart": str(place), "timeout": 60}


def told(result: dict) -> dict:
    """Path -> (before, after) of what the plan tells of the release."""
    assert not result["failed"], result["msg"]
    change = next(c for c in result["plan"] if "/release/" in c["key"])
    return {path: (change["before"].get(path), after) for path, after in change["after"].items()}


def test_no_plan_tells_a_secret(world, tmp_path):
    """Neither of today nor of before; not by a key with a dot, in a list, or in a text."""
    given = chart(tmp_path, SETTINGS, SECRETS)
    secret = {"password": "CANARY-old", "other": "CANARY-other", "file": "CANARY-file"}
    assert not world.run([SPACE], releases=[{**given, "secret_values": secret}])["failed"]
    rotated = {"password": "CANARY-new", "file": "CANARY-file-2"}
    plan = world.run([SPACE], check=True, releases=[{**given, "secret_values": rotated}])
    assert told(plan) == {
        "password": ("(secret)", "(another secret)"), "other": ("(secret)", "(none)"),
        "file": ("(secret)", "(another secret)")}
    without = world.run([SPACE], check=True, releases=[{**given, "values": {"count": 2}}])
    assert told(without)["ConfigMap/settings.data.url"] == (
        "redis://:(secret)@cache", "redis://:none@cache")
    assert told(without)["ConfigMap/settings.data.count"] == ("1", "2")
    assert "CANARY" not in text_of(plan) + text_of(without)


def test_a_version_with_a_v(world, tmp_path):
    """Helm takes 1.0.0 for v1.0.0."""
    given = {**chart(tmp_path, SETTINGS, version="v1.0.0"), "version": "1.0.0"}
    assert not world.run([SPACE], releases=[given])["failed"]
    assert actions(world.run([SPACE], releases=[given], helm_binary="/nowhere/helm")) == {}


def test_only_what_comes(helm, tmp_path):
    """The plan of an upgrade knows the cluster, leaves hooks aside, and writes nothing."""
    gate = Gate(plane(), tmp_path, helm)
    world = KubeWorld(str(gate.kubeconfig))
    run = functools.partial(world.run, [SPACE, *THEIRS], helm_binary=str(gate.helm))
    assert not run()["failed"]
    given = chart(tmp_path, SETTINGS, ASKS)
    assert not run(releases=[given])["failed"]
    gate.begin()
    plan = run(check=True, releases=[{**given, "values": {"count": 2}}])
    assert told(plan) == {"count": ("(none)", 2), "ConfigMap/settings.data.count": ("1", "2"),
                          "ConfigMap/only-at-first.apiVersion": ("v1", "(none)"),
                          "ConfigMap/only-at-first.kind": ("ConfigMap", "(none)"),
                          "ConfigMap/only-at-first.metadata.name": ("only-at-first", "(none)")}
    assert gate.writes == []
    world.clear()
    gate.server.shutdown()


def test_a_kind_that_comes_with_the_set(world, tmp_path):
    """A chart may use what the set defines in the same run."""
    given = chart(tmp_path, SETTINGS, WISH)
    assert not world.run([SPACE], releases=[given])["failed"]
    more = {**given, "values": {"group": "{ns}.example.com"}}
    plan = world.run([SPACE, *KIND], check=True, releases=[more])
    assert told(plan)["Wish/more.metadata.name"] == ("(none)", "more")
    made = world.run([SPACE, *KIND], releases=[more])
    assert not made["failed"], made["msg"]
    assert actions(made) == actions(plan)
    gone = world.run(state="absent", allow_data_loss=[
        "{ns}/namespace/{ns}", "{ns}/customresourcedefinition/wishes.{ns}"
        ".example.com"])
    assert not gone["failed"], gone["msg"]


def test_another_chart(world, tmp_path):
    """Of the same version, under the same name of a release."""
    assert not world.run([SPACE], releases=[chart(tmp_path, SETTINGS)])["failed"]
    other = chart(tmp_path, SETTINGS, name="other")
    plan = world.run([SPACE], check=True, releases=[other])
    assert told(plan) == {"chart": ("web", other["chart"])}
    assert not world.run([SPACE], releases=[other])["failed"]
    assert actions(world.run([SPACE], releases=[other])) == {}


def test_helm_has_time_to_go_back(helm, world, tmp_path, monkeypatch):
    """A rollback may take as long again as what has failed; nobody starts helm a second time."""
    monkeypatch.setattr(program, "SPARE", 1)
    slow, log = tmp_path / "slow", tmp_path / "log"
    slow.write_text(f'#!/bin/sh\necho $1 >> {log}\n'
                    'if [ $1 = upgrade ]; then sleep 5; echo Error: rolled back >&2; exit 1; fi\n'
                    f'exec {helm} "$@"\n')
    slow.chmod(0o700)
    given = {**chart(tmp_path, SETTINGS), "timeout": 3}
    result = world.run([SPACE], releases=[given], helm_binary=str(slow))
    assert world.named("create {ns}/release/{ns}:web: Helm rolled back") in \
        result["msg"], result["msg"]
    assert log.read_text().split().count("upgrade") == 1
