# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Services of the role `workload` on a real API server, scheduler and controllers."""
from __future__ import annotations

import pytest
from tests.integration.kube.worlds import soon
from tests.kube_world import CAPACITY, NODE, KubeWorld
from tests.rendering import cases, rendered
from tests.world import actions

pytestmark = pytest.mark.kube
MERGE = {"Content-Type": "application/merge-patch+json"}
RESTRICTED = {"apiVersion": "v1", "kind": "Namespace", "metadata": {
    "name": "{ns}", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
API = {"name": "api", "image": "example.com/api:1", "ports": [{"port": 8090}],
       "autoscaling": {"min_replicas": 2, "max_replicas": 5, "cpu": 80}}
REDIS = {"name": "redis", "image": "example.com/redis:1", "ports": [{"port": 6379}]}
WORKER = {"name": "worker", "image": "example.com/worker:1", "scaled_by_others": True,
          "replicas": 0, "gpu": {}}
TRITON = {"name": "triton", "image": "example.com/triton:1", "gpu": {}, "replicas": 2}
DEPLOYMENT = "/apis/apps/v1/namespaces/{ns}/deployments/"


def services(*wanted: dict) -> list[dict]:
    return rendered("workload", {"workload_services": list(wanted),
                                 "workload_namespaces": [{"name": "{ns}"}]})


@pytest.fixture(name="world")
def _world():
    world = KubeWorld()
    world.make([RESTRICTED])
    yield world
    world.run(state="absent", allow_data_loss=["*"])
    world.clear()


def pods(world: KubeWorld) -> dict:
    """Name of the service -> (phase, node) of its pods."""
    found = {}
    for pod in world.get("/api/v1/namespaces/{ns}/pods")["items"]:
        name = pod["metadata"]["labels"]["app.kubernetes.io/name"]
        found.setdefault(name, []).append((pod["status"]["phase"], pod["spec"].get("nodeName")))
    return found


def scale(world: KubeWorld, name: str, replicas: int) -> None:
    """As a HorizontalPodAutoscaler does it."""
    path = f"{DEPLOYMENT}{name}/scale".replace("{ns}", world.space)
    world.api.call("PATCH", path, {"spec": {"replicas": replicas}},
                   {"fieldManager": "kube-controller-manager"}, MERGE)


def replicas(world: KubeWorld, name: str) -> int:
    return world.get(DEPLOYMENT + name)["spec"]["replicas"]


@pytest.mark.parametrize("case", [
    pytest.param(case, id=name) for role, name, case in cases()
    if role == "workload" and "objects" in case])
def test_the_server_takes_whatever_is_rendered(case):
    """It knows every field, and refuses none of the values."""
    world = KubeWorld()
    world.make([{**RESTRICTED, "metadata": {"name": "shop"}}])
    planned = actions(world.run(rendered("workload", case["variables"]), check=True))
    assert len(planned) == len(case["objects"]) + 1


def test_from_the_first_run_to_the_last(world):
    objects = services(API, REDIS)
    assert set(actions(world.run(objects)).values()) == {"create"}
    assert {name: [phase for phase, _node in found] for name, found in pods(world).items()} == {
        "api": ["Running"] * 2, "redis": ["Running"]}
    assert actions(world.run(objects)) == {} and not world.writes()
    changed = services({**API, "image": "example.com/api:2"}, REDIS)
    assert actions(world.run(changed)) == {f"{world.space}/deployment/{world.space}:api": "update"}


def test_what_others_change_is_found(world):
    """A value of theirs is so until it is taken back by name; what they took away is missed."""
    objects = services(API, REDIS)
    world.run(objects)
    world.api.call("DELETE", f"/api/v1/namespaces/{world.space}/services/redis")
    key = f"{world.space}/deployment/{world.space}:redis"
    path = f"{DEPLOYMENT}redis".replace("{ns}", world.space)
    world.api.call("PATCH", path, {"spec": {"template": {"spec": {
        "terminationGracePeriodSeconds": 5, "enableServiceLinks": True}}}},
        {"fieldManager": "kim"}, MERGE)
    mended = {key: "update", f"{world.space}/service/{world.space}:redis": "create"}
    found = world.run(objects, check=True)
    assert actions(found) == mended
    (change,) = [change for change in found["plan"] if change["key"] == key]
    path = "spec.template.spec.enableServiceLinks"
    assert change["owners"] == {path: "kim"}
    assert f"{path} belongs to kim" in world.run(objects)["msg"]
    assert actions(world.run(objects, force_conflicts=[key])) == mended
    assert actions(world.run(objects)) == {}


def test_the_number_of_pods_is_the_autoscalers(world):
    """It begins with the least, and no later run touches it, whoever has set it."""
    objects = services(API, WORKER)
    world.run(objects)
    assert (replicas(world, "api"), replicas(world, "worker")) == (2, 0)
    assert actions(world.run(objects)) == {}
    changed = services({**API, "image": "example.com/api:2"}, WORKER)
    world.run(changed)
    assert replicas(world, "api") == 2
    scale(world, "api", 4)
    assert actions(world.run(changed)) == {}
    assert list(actions(world.run(objects)).values()) == ["update"]
    assert replicas(world, "api") == 4
    scale(world, "worker", 1)
    assert actions(world.run(objects)) == {}


def test_what_is_no_longer_wanted_goes(world):
    """What somebody else has made in the same namespace stays, and so do volumes until named."""
    models = {"name": "models", "path": "/models", "efs": "fs-12345678"}
    world.run(services({**API, "volumes": [models]}, REDIS))
    theirs = {"apiVersion": "v1", "kind": "ConfigMap",
              "metadata": {"name": "theirs", "namespace": "{ns}"}}
    world.make([theirs])
    kept = [f"{world.space}/persistentvolume/{world.space}-api-models",
            f"{world.space}/persistentvolumeclaim/{world.space}:api-models"]
    done = world.run(services(REDIS))
    gone = actions(done)
    assert sorted(done["left_over"]) == kept
    assert set(gone.values()) == {"delete"}
    assert {key.split("/")[1] for key in gone} == {
        "deployment", "horizontalpodautoscaler", "poddisruptionbudget", "service",
        "serviceaccount"}
    assert set(soon(lambda: (found := pods(world)) and set(found) == {"redis"} and found)) == \
        {"redis"}
    assert set(actions(world.run(services(REDIS), allow_data_loss=kept))) == set(kept)
    assert world.get("/api/v1/namespaces/{ns}/configmaps/theirs")


def test_gpu_pods_run_on_gpu_nodes_and_nowhere_else(world):
    node = {**NODE, "metadata": {**NODE["metadata"], "name": "gpu-a"}, "spec": {
        "taints": [{"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}]}}
    capacity = {**CAPACITY, "nvidia.com/gpu": "1"}
    world.make([node])
    world.api.call("PATCH", "/api/v1/nodes/gpu-a/status", {"status": {
        "capacity": capacity, "allocatable": capacity}}, headers=MERGE)
    try:
        assert world.run(services(REDIS, TRITON), timeout=5)["failed"]  # there is one GPU for two
        found = soon(lambda: len((now := pods(world)).get("triton", ())) == 2
                     and ("Running", "gpu-a") in now["triton"] and now)
        assert sorted(found["triton"], key=str) == [("Pending", None), ("Running", "gpu-a")]
        assert {node for _phase, node in found["redis"]} == {"node-a"}
    finally:
        world.api.call("DELETE", "/api/v1/nodes/gpu-a")
