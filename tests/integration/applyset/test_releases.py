# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Helm releases of a set: the laws, and what goes wrong with them."""
from __future__ import annotations

import base64
import functools
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from ansible_collections.groundwork.aws.plugins.module_utils.clients import helm as helm_client
from ansible_collections.groundwork.aws.plugins.module_utils.engine.errors import Busy
from ansible_collections.groundwork.aws.plugins.module_utils.types import helm as helm_type
from ansible_collections.groundwork.aws.plugins.module_utils.types.helm_records import (
    BEGUN, decoded, died,
)
from tests.kube_world import plane, text_of
from tests.oci import Registry
from tests.world import actions

pytestmark = pytest.mark.kube
CANARY = "s3cr3t-canary-4711"
LONG_AGO = {"createdAt": "1700000000", "modifiedAt": "1700000000"}
SPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "{ns}"}}


@pytest.fixture(name="world")
def with_helm(world, helm):
    world.run = functools.partial(world.run, helm_binary=helm)
    return world


def release(repo: str, **more) -> dict:
    return {"name": "web", "namespace": "{ns}", "chart": "web", "repo": repo, "version": "1.0.0",
            "timeout": 60, **more}


def listed(helm: str, world) -> list:
    done = subprocess.run([helm, "list", "-n", world.space, "-o", "json", "--kubeconfig",
                           plane()], check=True, capture_output=True, text=True)
    return [(r["name"], r["chart"], r["status"]) for r in json.loads(done.stdout)]


def test_a_life(helm, repo, world):
    """The laws: plan, build, nothing to do without helm, one change, removal."""
    key = world.named("{ns}/release/{ns}:web")
    given = [release(repo, values={"replicas": 1}, secret_values={"password": CANARY})]
    plan = world.run([SPACE], check=True, releases=given)
    assert actions(plan)[key] == "create"
    assert not world.writes()
    made = world.run([SPACE], releases=given)
    assert actions(made) == actions(plan)
    assert listed(helm, world) == [("web", "web-1.0.0", "deployed")]
    again = world.run([SPACE], releases=given, helm_binary="/nowhere/helm")
    assert (actions(again), world.writes()) == ({}, [])
    more = [release(repo, version="1.1.0", values={"replicas": 2},
                    secret_values={"password": f"{CANARY}-2"})]
    plan = world.run([SPACE], check=True, releases=more)
    change = next(c for c in plan["plan"] if c["key"] == key)
    assert (change["action"], change["impact"]) == ("update", "rolling")
    assert change["after"]["version"] == "1.1.0"
    assert change["after"]["replicas"] == 2
    assert change["after"]["password"] == "(another secret)"
    assert change["after"]["Deployment/web.spec.replicas"] == 2
    changed = world.run([SPACE], releases=more)
    assert actions(changed) == {key: "update"}
    assert actions(world.run([SPACE], releases=more)) == {}
    assert listed(helm, world) == [("web", "web-1.1.0", "deployed")]
    pruned = world.run([SPACE])
    assert actions(pruned) == {key: "delete"}
    assert listed(helm, world) == []
    assert CANARY not in "".join(map(text_of, (plan, made, again, changed, pruned)))


@pytest.mark.parametrize("more", [{BEGUN: "2"}, LONG_AGO], ids=["ours", "old"])
def test_left_pending_by_a_run_that_died(helm, repo, world, more):
    """What our own run has left is repaired at once, what somebody else has, when it is old."""
    assert actions(world.run([SPACE], releases=[release(repo)]))
    pending(world, **more)
    assert listed(helm, world) == [("web", "web-1.0.0", "pending-upgrade")]
    repaired = world.run([SPACE], releases=[release(repo)])
    assert actions(repaired) == {world.named("{ns}/release/{ns}:web"): "update"}
    assert listed(helm, world) == [("web", "web-1.0.0", "deployed")]
    assert actions(world.run([SPACE], releases=[release(repo)])) == {}
    gone = world.run(state="absent", allow_data_loss=["{ns}/namespace/{ns}"])
    assert not gone["failed"], gone["msg"]
    assert world.left() == []


def test_what_a_killed_upgrade_has_made_goes(helm, repo, world):
    """Its record is all that knows of it; a removal finds nothing of it either."""
    assert actions(world.run([SPACE], releases=[release(repo)]))
    with subprocess.Popen([helm, "upgrade", "web", "web", "--repo", repo, "-n", world.space,
                           "--version", "1.0.0", "--set", "extra=true", "--set-string", "cpu=1000",
                           "--wait",
                           "--labels", f"{BEGUN}=2", "--kubeconfig", plane()]) as program:
        end = time.monotonic() + 60
        while "web-extra" not in names(world) and time.monotonic() < end:
            time.sleep(0.05)
        program.kill()
    assert "web-extra" in names(world)
    given = [release(repo, values={"replicas": 2})]
    assert not world.run([SPACE], releases=given)["failed"]
    assert "web-extra" not in names(world)
    assert listed(helm, world) == [("web", "web-1.0.0", "deployed")]
    assert actions(world.run([SPACE], releases=given)) == {}


def names(world) -> list:
    found = world.get("/api/v1/namespaces/{ns}/configmaps")["items"]
    return [item["metadata"]["name"] for item in found]


def test_helm_ends_with_its_run(helm, repo, world, tmp_path):
    """A helm that goes on after its run would change what the next run has made."""
    note = tmp_path / "pid"
    slow = tmp_path / "helm"
    slow.write_text(f"#!/bin/sh\necho $$ > {note}\nexec sleep 60\n")
    slow.chmod(0o755)
    code = ("import sys; from ansible_collections.groundwork.aws.plugins.module_utils.clients.helm "
            "import Helm; Helm._run([sys.argv[1], 'version'], 60)")
    with subprocess.Popen([sys.executable, "-c", code, slow], env={
            **os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}) as run:
        end = time.monotonic() + 60
        while not (note.exists() and note.read_text().strip()) and time.monotonic() < end:
            time.sleep(0.05)
        run.kill()
    program = Path("/proc") / note.read_text().strip()
    while program.exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not program.exists()


def test_values_leave_no_file(helm, repo, world, monkeypatch, tmp_path):
    """They come by the standard input, so that a killed run leaves none of them behind."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen, run = [], helm_client.Helm._run

    def looked(command, *more):
        seen.extend(p.read_text() for p in tmp_path.rglob("*") if p.is_file())
        return run(command, *more)

    monkeypatch.setattr(helm_client.Helm, "_run", staticmethod(looked))
    made = world.run([SPACE], releases=[release(repo, secret_values={"password": CANARY})])
    assert not made["failed"]
    assert CANARY not in "".join(seen)


@pytest.mark.parametrize(("before", "after"), [
    ({"some": [{"name": "a"}, {"name": "b"}]}, {"some": [{"name": "b"}, {"name": "a"}]}),
    ({"on": True}, {"on": 1}), ({"off": 0}, {"off": False}),
])
def test_values_that_look_alike(helm, repo, world, before, after):
    key = world.named("{ns}/release/{ns}:web")
    world.run([SPACE], releases=[release(repo, values=before)])
    assert actions(world.run([SPACE], releases=[release(repo, values=after)])) == {key: "update"}
    assert actions(world.run([SPACE], releases=[release(repo, values=after)])) == {}


def test_large_numbers(helm, repo, world):
    """Helm keeps numbers in double precision: https://pkg.go.dev/encoding/json#Unmarshal."""
    given = [release(repo, values={"a": 9007199254740993, "b": 1e21, "c": 1.0})]
    assert not world.run([SPACE], releases=given)["failed"]
    assert actions(world.run([SPACE], releases=given)) == {}


@pytest.mark.parametrize("data", [{"release": "eA=="}, {"release": "ZTMwPQ=="}, None])
def test_a_record_that_cannot_be_read(helm, repo, world, data):
    assert actions(world.run([SPACE], releases=[release(repo)]))
    path = world.named("/api/v1/namespaces/{ns}/secrets/sh.helm.release.v1.web.v1")
    record = world.api.get(path)
    world.api.call("DELETE", path)
    world.api.call("POST", path.rpartition("/")[0], {
        **record, "data": data, "metadata": {k: record["metadata"][k] for k in ("name", "labels")}})
    told = world.run([SPACE], releases=[release(repo)])
    assert "Helm's record in it cannot be read; delete it" in told["msg"]
    world.api.call("DELETE", path)
    assert not world.run([SPACE], releases=[release(repo)])["failed"]


def test_a_folder_of_another_version(charts, world):
    given = [{**release(""), "chart": str(charts / "web"), "repo": None, "version": "9.9.9"}]
    told = world.run([SPACE], releases=given, check=True)
    assert "releases[0]: version 9.9.9 is not that of the chart in" in told["msg"]


def test_the_namespace_of_a_release_must_be_there(helm, repo, world):
    """Or what is there would go before the run sees that its heir has no place."""
    assert actions(world.run([SPACE], releases=[release(repo)]))
    told = world.run([SPACE], releases=[release(repo, namespace="nowhere")])
    assert "namespace nowhere is not there" in told["msg"]
    assert listed(helm, world) == [("web", "web-1.0.0", "deployed")]


def test_somebody_is_at_it(helm, repo, world, monkeypatch):
    """An upgrade of somebody else that runs is waited for; its record is not taken away."""
    assert actions(world.run([SPACE], releases=[release(repo)]))
    path = pending(world)
    asked = []

    def looked(records, limit):
        if asked:  # by now it has ended
            world.api.call("DELETE", path)
            return died(records[:-1], limit)
        try:
            return died(records, limit)
        except Busy as busy:
            asked.append(str(busy))
            raise

    monkeypatch.setattr(helm_type, "died", looked)
    result = world.run([SPACE], releases=[release(repo, values={"replicas": 2})])
    assert re.match(r"Helm release web is being changed by somebody since \S+Z \(pending-upgrade"
                    r"\); wait for the end of that, or for 300 s from then", asked[0])
    assert not result["failed"], result["msg"]
    assert not [w for w in world.writes() if "/secrets/" in w]
    assert listed(helm, world) == [("web", "web-1.0.0", "deployed")]


def pending(world, revision: int = 2, status: str = "pending-upgrade", **more) -> str:
    """The record that a killed upgrade leaves, or a killed removal in the place of the last."""
    path = f"/api/v1/namespaces/{world.space}/secrets"
    last = world.get(f"{path}/sh.helm.release.v1.web.v1")
    data = decoded(last)
    data["version"], data["info"]["status"] = revision, status
    packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(data).encode())))
    labels = {**last["metadata"]["labels"], "version": str(revision), "status": status, **more}
    if revision == 1:
        world.api.call("DELETE", f"{path}/sh.helm.release.v1.web.v1")
    world.api.call("POST", path, {
        "apiVersion": "v1", "kind": "Secret", "type": last["type"],
        "data": {"release": packed.decode()},
        "metadata": {"name": f"sh.helm.release.v1.web.v{revision}", "labels": labels}})
    return f"{path}/sh.helm.release.v1.web.v{revision}"


@pytest.mark.parametrize(("change", "says"), [
    ({"version": "9.9.9"}, ["9.9.9"]),
    ({"values": {"replicas": 50, "cpu": 1}},
     ["the following chart(s): web: at '/", "at '/cpu': got number, want string",
      "at '/replicas': maximum: got 50, want 5"]),
    ({"repo": "http://127.0.0.1:9"}, ["127.0.0.1:9"]),
    ({"version": None}, ["releases[0]: version is missing; pin the one of web that is meant"]),
    ({"needs": ["other"]}, ["needs other, which is no release of the set"]),
])
def test_refused_before_anything_is_written(repo, world, change, says):
    result = world.run([SPACE], releases=[{**release(repo), **change}])
    assert result["failed"]
    assert all(text in result["msg"] for text in says), result["msg"]
    assert not world.writes()


def test_a_chart_of_a_registry(helm, charts, world, tmp_path, monkeypatch):
    """By its address, at its version; one that is not there is refused before anything is done."""
    registry = Registry(charts / "web-1.0.0.tgz", "1.0.0", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(registry.authority))  # where helm finds authorities
    given = {"name": "web", "namespace": "{ns}", "chart": f"{registry.address}/web", "timeout": 60}
    result = world.run([SPACE], releases=[{**given, "version": "9.9.9"}])
    assert re.search(r"plan \S+:web: Helm .*charts/web:9.9.9: not found", result["msg"]), \
        result["msg"]
    assert not world.writes()
    given["version"] = "1.0.0"
    plan = world.run([SPACE], check=True, releases=[given])
    assert actions(world.run([SPACE], releases=[given])) == actions(plan)
    assert listed(helm, world) == [("web", "web-1.0.0", "deployed")]
    assert actions(world.run([SPACE], releases=[given])) == {}
    registry.server.shutdown()


def test_without_helm(repo, world):
    result = world.run([SPACE], releases=[release(repo)], helm_binary="/nowhere/helm")
    assert "there is no program /nowhere/helm; install Helm" in result["msg"]
    assert not world.writes()


def test_a_failed_upgrade_is_rolled_back(helm, repo, world):
    """The release stays as it was; the next run can bring it where it should be."""
    assert actions(world.run([SPACE], releases=[release(repo)]))
    broken = release(repo, values={"cpu": "64"}, timeout=5, secret_values={"password": CANARY})
    result = world.run([SPACE], releases=[broken])
    assert result["failed"]
    assert world.named("update {ns}/release/{ns}:web: ") in result["msg"]
    assert re.search(r"; pod web-\S+: FailedScheduling: 0/1 nodes are available: 1 Insufficient "
                     "cpu", result["msg"]), result["msg"]
    assert CANARY not in text_of(result)
    assert listed(helm, world) == [("web", "web-1.0.0", "deployed")]
    assert actions(world.run([SPACE], releases=[release(repo)])) == {}


def test_a_field_of_a_release_that_somebody_has_changed(helm, repo, world):
    """Helm 4 leaves it alone; it is taken over by the user's word."""
    assert actions(world.run([SPACE], releases=[release(repo)]))
    world.api.call("PATCH", f"/apis/apps/v1/namespaces/{world.space}/deployments/web/scale",
                   {"spec": {"replicas": 3}}, {"fieldManager": "kim"},
                   {"Content-Type": "application/merge-patch+json"})
    more, key = [release(repo, values={"cpu": "200m"})], world.named("{ns}/release/{ns}:web")
    result = world.run([SPACE], releases=more)
    assert result["msg"].startswith(
        f"update {key}: Helm Deployment {world.space}/web spec.replicas belongs to kim; leave it "
        f"out of the set, or take it over with force_conflicts: [{key}]"), result["msg"]
    assert actions(world.run([SPACE], releases=more, force_conflicts=[key])) == {key: "update"}
    assert world.get("/apis/apps/v1/namespaces/{ns}/deployments/web")["spec"]["replicas"] == 1
    assert listed(helm, world) == [("web", "web-1.0.0", "deployed")]
    assert actions(world.run([SPACE], releases=more)) == {}


@pytest.mark.parametrize(("words", "status"), [
    (["--set", "replicas=nine", "--skip-schema-validation"], "failed"), ([], "uninstalling")])
def test_left_half_way_by_somebody(helm, repo, world, words, status):
    """A release that helm has left failed, or half removed, comes to where it should be."""
    assert actions(world.run([SPACE], releases=[release(repo)]))
    where = ["-n", world.space, "--kubeconfig", plane()]
    if words:
        done = subprocess.run([helm, "upgrade", "web", "web", "--repo", repo, "--version", "1.0.0",
                               *words, *where], capture_output=True, check=False)
        assert done.returncode
    else:
        pending(world, 1, status, **LONG_AGO)
    assert listed(helm, world) == [("web", "web-1.0.0", status)]
    repaired = world.run([SPACE], releases=[release(repo)])
    assert not repaired["failed"], repaired["msg"]
    assert actions(repaired) == {world.named("{ns}/release/{ns}:web"): "update"}
    assert listed(helm, world) == [("web", "web-1.0.0", "deployed")]
    assert actions(world.run([SPACE], releases=[release(repo)])) == {}


def test_somebody_elses_release(helm, repo, world):
    assert actions(world.run([SPACE]))
    subprocess.run([helm, "install", "web", "web", "--repo", repo, "--version", "1.0.0", "-n",
                    world.space, "--kubeconfig", plane()], check=True, capture_output=True)
    result = world.run([SPACE], releases=[release(repo)])
    assert "belongs to nobody known here" in result["msg"]
    key = world.named("{ns}/release/{ns}:web")
    adopted = world.run([SPACE], releases=[release(repo)], adopt=[key])
    assert actions(adopted)[key] == "update"
    assert actions(world.run([SPACE], releases=[release(repo)])) == {}
