# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Helm releases of a set: the laws, and what goes wrong with them."""
from __future__ import annotations

import base64
import functools
import gzip
import json
import re
import subprocess

import pytest
from ansible_collections.groundwork.aws.plugins.module_utils.engine.errors import Busy
from ansible_collections.groundwork.aws.plugins.module_utils.types import helm as helm_type
from ansible_collections.groundwork.aws.plugins.module_utils.types.helm_records import (
    BEGUN, decoded, died,
)
from tests.kube_world import KubeWorld, plane, text_of
from tests.oci import Registry
from tests.world import actions

pytestmark = pytest.mark.kube
CANARY = "s3cr3t-canary-4711"
LONG_AGO = {"createdAt": "1700000000", "modifiedAt": "1700000000"}
SPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "{ns}"}}


@pytest.fixture(name="world")
def made(helm):
    world = KubeWorld()
    world.run = functools.partial(world.run, helm_binary=helm)
    yield world
    world.clear()


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
