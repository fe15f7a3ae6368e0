# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bad input and bad circumstances: a clear message, and nothing half-applied."""
from __future__ import annotations

import json
import re
import socket
import time
from pathlib import Path

import pytest
import yaml
from ansible_collections.groundwork.aws.plugins.module_utils.engine.errors import Denied
from ansible_collections.groundwork.aws.plugins.module_utils.types import reasons
from ansible_collections.groundwork.aws.plugins.module_utils.types.kubernetes import KubeObject
from ansible_collections.groundwork.aws.plugins.module_utils.types.reasons import trouble
from ansible_collections.groundwork.aws.plugins.plugin_utils.action import closing
from ansible_collections.groundwork.aws.plugins.plugin_utils.tree import tree
from tests.kube_world import SETS, Watched, manifests
from tests.world import actions

pytestmark = pytest.mark.kube
SPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "{ns}"}}
SETTINGS = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"level": "info"},
            "metadata": {"name": "settings", "namespace": "{ns}"}}
DEPLOYMENT = manifests("""
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: "{ns}"}
spec:
  replicas: 1
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec:
      terminationGracePeriodSeconds: 0
      tolerations: [{operator: Exists}]
      containers:
        - {name: api, image: "example.com/api:1", resources: {requests: {cpu: "1"}}}
""")[0]


def refused(world, objects, *says: str, writes: int = 0, **params) -> dict:
    """The failure of a run, which must say this and may not have written more than that."""
    result = world.run(objects, **params)
    assert result["failed"]
    for text in says:
        assert world.named(text) in result["msg"], result["msg"]
    assert len(world.writes()) <= writes, world.writes()
    return result


def edited(manifest: dict, path: str, value) -> dict:
    """A copy with another value at a dotted path."""
    found = json.loads(json.dumps(manifest))
    place, (*way, last) = found, path.split(".")
    for name in way:
        place = place.setdefault(name, {})
    place[last] = value
    return found


@pytest.mark.parametrize(("objects", "says"), [
    ([{"kind": "ConfigMap", "metadata": {"name": "a"}}, {"apiVersion": "v1", "kind": "Pod"}],
     ["objects[0]: apiVersion is missing", "objects[1]: metadata.name is missing"]),
    ([{"kind": "List", "apiVersion": "v1", "items": [{"metadata": {"generateName": "a-"}}]}],
     ["objects[0].items[0]: apiVersion is missing",
      "objects[0].items[0]: metadata.generateName: an object of a set needs a name of its own"]),
    ([SETTINGS, SETTINGS], ["{ns}/configmap/{ns}:settings: it is in the set twice"]),
    ([edited(SPACE, "metadata.namespace", "other")],
     ["objects[0]: Namespace {ns} is in no namespace; take metadata.namespace other away"]),
    ([edited(SETTINGS, "metadata.annotations",
             {"config.kubernetes.io/depends-on": "/namespaces/{ns}/ConfigMap/setings2"})],
     ["which is not in the set; did you mean ConfigMap {ns}/settings?"]),
    ([{**SETTINGS, "metadata": "settings"}, edited(SETTINGS, "metadata.labels", ["x"]),
      edited(SETTINGS, "metadata.annotations", {"a": 5, "b": "c"}),
      edited(SETTINGS, "metadata.name", "x/scale"), edited(SETTINGS, "metadata.namespace", 5)],
     ["objects[0]: metadata must be a dictionary",
      "objects[1]: metadata.labels must be a dictionary",
      "objects[2]: metadata.annotations.a must be a string",
      "objects[3]: metadata.name 'x/scale' is no name",
      "objects[4]: metadata.namespace 5 is no name"]),
    ([{**SETTINGS, "metadata": {"name": "{ns}"}},
      {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
       "metadata": {"name": "groundwork-{ns}", "namespace": "default"}}],
     ["{ns}/configmap/default:{ns}: this is where the set itself is kept",
      "{ns}/lease/default:groundwork-{ns}: this is where the set itself is kept"]),
])
def test_manifests(world, objects, says):
    refused(world, objects, *says)


def test_what_the_server_rejects_is_told_all_at_once(world):
    assert actions(world.run([SPACE]))
    wrong = edited(DEPLOYMENT, "spec.replicas", -1)
    other = edited(SETTINGS, "dada", {"a": "b"})
    number = edited(edited(SETTINGS, "metadata.name", "number"), "data.level", 4)
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "one"}}
    bad = edited(SETTINGS, "metadata.name", "Bad")
    result = refused(world, [SPACE, bad, wrong, other, number, widget],
                     "plan {ns}/deployment/{ns}:api: Invalid spec.replicas: Invalid value: -1",
                     "plan {ns}/configmap/{ns}:Bad: Invalid metadata.name:",
                     "plan {ns}/configmap/{ns}:settings: Invalid .dada: field not declared in "
                     "schema\n",
                     "configmap/{ns}:number: Invalid .data.level: expected string, got 4",
                     "unknown kind Widget of example.com/v1 (CRD missing); put its definition")
    assert len(result["problems"]) == len(result["msg"].splitlines()) == 5, result["problems"]


def test_an_object_rejected_in_the_run_leaves_the_others_unharmed(world):
    """Its namespace is made in the same run, so no dry run could tell before."""
    result = world.run([SPACE, SETTINGS, edited(DEPLOYMENT, "spec.replicas", -1)])
    assert result["failed"]
    assert world.named("create {ns}/deployment/{ns}:api: Invalid spec.replicas") in result["msg"]
    states = {key: o["state"] for key, o in result["outcomes"].items()}
    assert states[world.named("{ns}/configmap/{ns}:settings")] == "done"
    assert set(actions(world.run([SPACE, SETTINGS, DEPLOYMENT])).values()) == {"create"}


def test_field_conflict(world):
    """The plan shows what differs and whose it is; it is taken over by the user's word alone."""
    noted = edited(SETTINGS, "metadata.annotations", {"example.com/note": "ours"})
    wanted, key = [SPACE, DEPLOYMENT, noted], "{ns}/deployment/{ns}:api"
    assert actions(world.run(wanted))
    path = "/apis/apps/v1/namespaces/{ns}/deployments/api"
    world.edit(path, {**edited(DEPLOYMENT, "spec", {"replicas": 2}), "metadata": {"name": "api"}},
               manager="autoscaler")
    image = {"containers": [{"name": "api", "image": "example.com/api:2"}]}
    world.edit(path, {**DEPLOYMENT, "metadata": {"name": "api"},
                      "spec": {"template": {"spec": image}}}, manager="kim")
    world.edit("/api/v1/namespaces/{ns}/configmaps/settings",
               edited(edited(SETTINGS, "data", {}), "metadata.annotations",
                      {"example.com/note": "theirs"}))
    plan = world.run(wanted, check=True)
    rows = {c["key"]: c for c in plan["plan"] if c["action"] != "keep"}
    replicas, image = "spec.replicas", "spec.template.spec.containers[api].image"
    assert (rows[world.named(key)]["owners"], rows[world.named(key)]["impact"]) == (
        {replicas: "autoscaler", image: "kim"}, "rolling")
    lines = tree(plan)
    for line in ("spec.replicas 2 -> 1 (belongs to autoscaler)",
                 f"{image} example.com/api:2 -> example.com/api:1 (belongs to kim)",
                 "metadata.annotations[example.com/note] theirs -> ours (belongs to kim)"):
        assert line in lines, lines
    says = ["plan " + key, "spec.replicas belongs to autoscaler", f"{image} belongs to kim",
            f"force_conflicts: [{key}] (of a stack: stack_force_conflicts)"]
    for text in map(world.named, says):
        assert text in "\n".join(plan["warnings"])
    assert len(refused(world, wanted, *says)["problems"]) == len(plan["warnings"]) == 2
    refused(world, wanted, "plan {ns}/configmap/{ns}:settings", force_conflicts=[key])
    forced = world.run(wanted, force_conflicts=[key, "{ns}/configmap/{ns}:settings"])
    assert list(actions(forced).values()) == ["update", "update"]
    assert world.get(path)["spec"]["replicas"] == 1
    assert actions(world.run(wanted)) == {}


def test_a_field_that_somebody_else_takes_during_the_run(world, monkeypatch):
    """The plan could not know; the step fails, and the field stays as it is."""
    path, key = "/api/v1/namespaces/{ns}/configmaps/settings", "{ns}/configmap/{ns}:settings"
    assert actions(world.run([SPACE, SETTINGS]))
    theirs, update = edited(SETTINGS, "data.level", "theirs"), KubeObject.apply

    def late(self, *args, **more):
        world.edit(path, theirs)
        return update(self, *args, **more)

    monkeypatch.setattr(KubeObject, "apply", late)
    result = world.run([SPACE, edited(SETTINGS, "data.level", "debug")])
    assert world.named(f"update {key}: FieldManagerConflict data.level belongs to kim; ") in \
        result["msg"]
    assert world.get(path)["data"]["level"] == "theirs"


def test_somebody_elses_object(world):
    """It is neither changed nor, when it is in no list any more, pruned."""
    world.make([SPACE, SETTINGS])
    key = "{ns}/configmap/{ns}:settings"
    refused(world, [SETTINGS], "plan " + key, "belongs to nobody known here", f"adopt: [{key}]")
    assert actions(world.run([edited(SETTINGS, "data", {"more": "1"})], adopt=[key]))
    assert actions(world.run([])) == {world.named(key): "delete"}
    world.make([SETTINGS])
    assert actions(world.run([])) == {}
    assert world.get("/api/v1/namespaces/{ns}/configmaps/settings")


def test_an_object_of_another_set(world):
    assert actions(world.run([SPACE, SETTINGS]))
    result = world.run([SETTINGS], name="other-{ns}")
    assert world.named("{ns}:settings exists and belongs to set {ns}; ").replace(
        f"{world.space}:settings", "") in result["msg"], result["msg"]


def test_prune_keeps_what_holds_data(world):
    assert actions(world.run([SPACE, SETTINGS]))
    result = world.run([])
    assert actions(result) == {world.named("{ns}/configmap/{ns}:settings"): "delete"}
    assert result["left_over"] == [world.named("{ns}/namespace/{ns}")]
    assert actions(world.run([])) == {}
    assert actions(world.run([], prune=False)) == {}
    gone = world.run([], allow_data_loss=["{ns}/namespace/{ns}"])
    assert actions(gone) == {world.named("{ns}/namespace/{ns}"): "delete"}


def test_prune_may_be_off(world):
    assert actions(world.run([SPACE, SETTINGS]))
    result = world.run([SPACE], prune=False)
    assert (actions(result), result["left_over"]) == (
        {}, [world.named("{ns}/configmap/{ns}:settings")])


def test_unknown_kind_and_namespace(world):
    """In check mode they may be still to come."""
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "one"}}
    says = ["unknown kind Widget of example.com/v1 (CRD missing)",
            "namespace {ns} is not there; put it into the set"]
    refused(world, [widget, SETTINGS], *says)
    result = world.run([widget, SETTINGS], check=True)
    assert set(actions(result).values()) == {"create"}
    assert sorted(w.split(";")[0].split(" of ")[0] for w in result["warnings"]) == \
        [f"namespace {world.space} is not there", "unknown kind Widget"]


def test_a_secret_that_nobody_makes(world, monkeypatch):
    """It is told of workloads with something to do, after one listing if that is allowed."""
    asked, pages, there = [], Watched.pages, {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "here", "namespace": "{ns}"}}

    def listed(self, path, headers=None, **query):
        asked.append((path, bool(headers)))
        return pages(self, path, headers, **query)

    def denied(self, path, headers=None, **query):
        if headers:
            raise Denied("Forbidden", "secrets is forbidden")
        return pages(self, path, **query)

    api = edited(DEPLOYMENT, "spec.template.spec.imagePullSecrets",
                 [{"name": "here"}, {"name": "gone"}])
    world.make([SPACE, there])
    monkeypatch.setattr(Watched, "pages", denied)
    assert world.run([api], check=True)["warnings"] == []
    monkeypatch.setattr(Watched, "pages", listed)
    said = world.run([api], check=True)["warnings"]
    assert said == [world.named("{ns}/deployment/{ns}:api: Secret {ns}/gone is neither in the set "
                                "nor in the cluster; until it is made, pods that need it do not "
                                "start")]
    assert [path for path, metadata in asked if metadata] == \
        [world.named("/api/v1/namespaces/{ns}/secrets")]
    assert actions(world.run([api]))
    asked.clear()
    result = world.run([api])
    assert (actions(result), result["warnings"], [m for _p, m in asked if m]) == ({}, [], [])


def test_unreachable(world, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    config = yaml.safe_load(Path(world.kubeconfig).read_text())
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(config))
    result = world.run([SETTINGS], kubeconfig=str(path))
    assert result["failed"]
    assert result["msg"] == (f"Unreachable context lab at https://127.0.0.1:{port}: [Errno 111] "
                             "Connection refused; is it up, and does it let this machine in? "
                             "(get /api)")


def test_a_server_of_another_authority(world, tmp_path):
    config = yaml.safe_load(Path(world.kubeconfig).read_text())
    cluster, path = config["clusters"][0]["cluster"], tmp_path / "config"
    del cluster["certificate-authority"]
    path.write_text(yaml.safe_dump(config))
    result = world.run([SETTINGS], kubeconfig=str(path))
    assert result["msg"].startswith(f"Unreachable context lab at {cluster['server']}: [SSL: CERT")
    assert "; the kubeconfig's certificate authority is not the server's" in result["msg"]


def test_token_refused(world, tmp_path):
    config = yaml.safe_load(Path(world.kubeconfig).read_text())
    config["users"][0]["user"]["token"] = "unknown"
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(config))
    result = world.run([SETTINGS], kubeconfig=str(path))
    assert result["msg"] == (
        "Unauthorized context lab refuses the credentials; log in again, or let an administrator "
        "give the caller access (EKS: an access entry) (get /api)")


@pytest.mark.parametrize(("params", "says"), [
    ({"context": "none"}, "has no context none; known are lab"),
    ({"kubeconfig": "/nowhere/config"}, "kubeconfig: /nowhere/config cannot be read"),
    ({"kubeconfig": None}, "name a cluster: product and environment of a stack, or kubeconfig"),
    ({"plan_file": "/nowhere/plan"}, "plan_file: /nowhere/plan cannot be written"),
])
def test_options(world, params, says):
    assert says in world.run([SETTINGS], **params)["msg"]


WAITS = yaml.safe_load((SETS / "waits.yml").read_text())


def test_what_does_not_become_ready(world):
    """Each says why in a line: its pods, the scheduler, the quota, who should have answered."""
    result = world.run([SPACE, *WAITS["objects"]], timeout=5)
    assert result["failed"]
    assert closing(result) == f"context lab: 4 done, {len(WAITS['says'])} failed"
    lines = dict(line.split(": not ready in time: ") for line in result["problems"])
    assert lines.keys() == {world.named(f"create {{ns}}/{key}") for key in WAITS["says"]}
    for key, text in WAITS["says"].items():
        assert re.fullmatch(text, lines[world.named(f"create {{ns}}/{key}")]), lines


@pytest.mark.parametrize("case", WAITS["pods"], ids=lambda case: case["name"])
def test_what_keeps_a_pod(case):
    assert trouble({"metadata": case.get("metadata", {}), "status": case["status"]}) == case["says"]


def test_who_may_see_no_pods_is_told_the_rest(world, monkeypatch):
    def denied(*_args):
        raise Denied("Forbidden", "pods is forbidden")

    monkeypatch.setattr(reasons, "of_pods", denied)
    heavy = edited(DEPLOYMENT, "spec.template.spec.nodeSelector", {"no": "node"})
    result = world.run([SPACE, heavy], timeout=2)
    assert "not ready in time: Available: Deployment does not have minimum" in result["msg"]


def test_a_failed_workload_is_cured_by_its_next_change(world):
    """A change does not wait for the readiness that it is to bring."""
    heavy = edited(DEPLOYMENT, "spec.replicas", 2)
    heavy["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "64"
    result = world.run([SPACE, heavy], timeout=3)
    assert "Insufficient cpu" in result["msg"]
    assert list(actions(world.run([SPACE, DEPLOYMENT])).values()) == ["update"]
    assert actions(world.run([SPACE, DEPLOYMENT])) == {}


def test_webhook_down(world):
    """A webhook that nobody answers for keeps what it guards from being planned."""
    hook = manifests("""
    apiVersion: admissionregistration.k8s.io/v1
    kind: ValidatingWebhookConfiguration
    metadata: {name: "{ns}"}
    webhooks:
      - name: "guard.{ns}.example.com"
        admissionReviewVersions: [v1]
        sideEffects: None
        timeoutSeconds: 1
        namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: "{ns}"}}
        rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
        clientConfig: {url: "https://localhost:9/deny"}
    """)
    world.make([SPACE, *hook])
    try:
        refused(world, [SETTINGS], "plan {ns}/configmap/{ns}:settings",
                "failed calling webhook", "guard.{ns}.example.com")
    finally:
        world.api.call("DELETE", "/apis/admissionregistration.k8s.io/v1/"
                       f"validatingwebhookconfigurations/{world.space}")


def test_namespace_stuck_in_terminating(world):
    """It says which finalizer, of the namespace or of what is in it."""
    kept = edited(SETTINGS, "metadata.finalizers", ["example.com/kept"])
    assert actions(world.run([SPACE, kept]))
    loss = ["{ns}/namespace/{ns}"]
    result = world.run(state="absent", allow_data_loss=loss, timeout=3)
    assert "delete " + world.named("{ns}/configmap/{ns}:settings") in result["msg"]
    assert "kept by finalizer example.com/kept" in result["msg"]
    world.api.call("DELETE", f"/api/v1/namespaces/{world.space}")
    deadline = time.monotonic() + 30
    while not world.get("/api/v1/namespaces/{ns}")["status"].get("conditions"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    more = edited(SETTINGS, "metadata.name", "more")
    refused(world, [more], "being terminated", "example.com/kept in 1 resource instances")
    world.edit("/api/v1/namespaces/{ns}/configmaps/settings",
               {**SETTINGS, "metadata": {"name": "settings", "finalizers": []}}, "groundwork")
    assert not world.run(state="absent", allow_data_loss=loss)["failed"]
    assert world.left() == []


def test_lease_held(world):
    """Two runs do not interleave; the holder is named, and taken over by word."""
    body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {
        "name": "groundwork-{ns}", "namespace": "default", "annotations": {
            "groundwork.aws/holder": json.dumps({
                "who": "kim", "host": "elsewhere", "pid": 4711, "token": "other",
                "started": "1", "space": "pid:[1]", "until": "2999-01-01T00:00:00+00:00"})}}}
    world.make([body])
    refused(world, [SPACE], "held by kim on elsewhere (process 4711)", "lease_takeover=true")
    assert actions(world.run([SPACE], lease_takeover=True))
    assert "groundwork-" not in "".join(world.left())


@pytest.mark.parametrize(("until", "left"), [("2001-01-01", []), ("2999-01-01", [1])])
def test_a_lease_that_a_dead_removal_has_left(world, until, left):
    """A removal with nothing else to do takes it away, but for one that is held."""
    holder = {"who": "kim", "host": "elsewhere", "pid": 4711, "token": "other", "started": "1",
              "space": "pid:[1]", "until": f"{until}T00:00:00+00:00"}
    world.make([{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {
        "name": "groundwork-{ns}", "namespace": "default",
        "annotations": {"groundwork.aws/holder": json.dumps(holder)}}}])
    result = world.run(state="absent")
    assert (result["failed"], result["changed"], len(world.left())) == (False, False, len(left))


def test_replace_needs_a_word(world):
    assert actions(world.run([SPACE, DEPLOYMENT]))
    other = edited(DEPLOYMENT, "spec.selector.matchLabels.tier", "front")
    other = edited(other, "spec.template.metadata.labels", {"app": "api", "tier": "front"})
    refused(world, [SPACE, other], "spec.selector.matchLabels.tier", "cannot be changed in place",
            "allow_replace: [{ns}/deployment/{ns}:api]")


def test_the_parents_namespace_must_be_there(world):
    refused(world, [SPACE], "namespace nowhere is not there", namespace="nowhere")
