# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where what the server does is not what a manifest says: order, copies, owners, leaving."""
from __future__ import annotations

import base64
import threading
import time

import pytest
from tests.world import actions

pytestmark = pytest.mark.kube
SPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "{ns}"}}
MERGE = {"Content-Type": "application/merge-patch+json"}
SECRET = "/api/v1/namespaces/{ns}/secrets/s"
GONE = dict(state="absent", allow_data_loss=["{ns}/namespace/{ns}"])


def thing(kind, name, version="v1", **more):
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "{ns}"},
            **more}


def patch(world, path, body, **query):
    world.api.call("PATCH", path.replace("{ns}", world.space), body, query, MERGE)


def values(world):
    found = world.get(SECRET)["data"]
    return {key: base64.b64decode(value).decode() for key, value in found.items()}


def test_two_versions_of_a_kind(world):
    """Whichever version is listed, the server tells all objects of the kind in it."""
    spec = {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment",
                                                 "name": "a"}}
    found = world.run([SPACE, *(thing("HorizontalPodAutoscaler", f"of-{v}", f"autoscaling/{v}",
                                      spec=spec) for v in ("v1", "v2"))])
    assert found["msg"] == ("HorizontalPodAutoscaler.autoscaling is in the set as autoscaling/v1 "
                            "and as autoscaling/v2; write one apiVersion")
    assert not world.left()


def test_what_controllers_copy_is_theirs(world):
    """EndpointSlices and Endpoints have the labels of their Service."""
    def port(**spec):
        return {"ports": [{"port": 80}], **spec}
    one = thing("EndpointSlice", "db-1", "discovery.k8s.io/v1", addressType="IPv4",
                endpoints=[{"addresses": ["10.0.0.9"]}], **port())
    one["metadata"]["labels"] = {"kubernetes.io/service-name": "db"}
    two = thing("Endpoints", "cache", subsets=[{"addresses": [{"ip": "10.0.0.8"}], **port()}])
    wanted = [SPACE, one, two, thing("Service", "api", spec=port(selector={"app": "api"})),
              thing("Service", "db", spec=port()), thing("Service", "cache", spec=port())]
    assert not world.run(wanted)["failed"]
    slices = "/apis/discovery.k8s.io/v1/namespaces/{ns}/endpointslices"
    end = time.monotonic() + 30
    while len(world.get(slices)["items"]) < 3 and time.monotonic() < end:
        time.sleep(0.1)
    assert actions(world.run(wanted)) == {}
    assert actions(world.run([w for w in wanted if w is not one])) == {
        "{ns}/endpointslice/{ns}:db-1".replace("{ns}", world.space): "delete"}


@pytest.mark.parametrize("turned", [
    lambda pod: pod["initContainers"], lambda pod: pod["containers"][0]["env"]],
    ids=["init containers", "variables"])
def test_another_order_is_a_change(world, turned):
    """Init containers run one after the other, and a variable may use those before it."""
    pod = {"containers": [{"name": "c", "image": "x", "env": [
        {"name": "B", "value": "$(A)"}, {"name": "A", "value": "1"}]}],
        "initContainers": [{"name": "a", "image": "x"}, {"name": "b", "image": "x"}]}
    given = [SPACE, thing("Deployment", "web", "apps/v1", spec={
        "replicas": 0, "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": pod}})]
    world.run(given)
    turned(pod).reverse()
    assert [*actions(world.run(given)).values()] == ["update"]
    live = world.get("/apis/apps/v1/namespaces/{ns}/deployments/web")["spec"]["template"]["spec"]
    assert [item["name"] for item in turned(live)] == [item["name"] for item in turned(pod)]
    assert actions(world.run(given)) == {}


def test_values_of_a_secret_have_owners(world):
    """However they are written: what is taken out goes, and what somebody changed is told."""
    world.run([SPACE, thing("Secret", "s", stringData={"a": "1", "b": "2"})])
    given = [SPACE, thing("Secret", "s", stringData={"a": "1"})]
    world.run(given)
    assert values(world) == {"a": "1"}
    evil = base64.b64encode(b"evil").decode()
    patch(world, SECRET, {"data": {"a": evil}}, fieldManager="kubectl-edit")
    refused = world.run(given)
    assert "data.a belongs to kubectl-edit" in refused["msg"]
    assert values(world) == {"a": "evil"}
    world.run(given, force_conflicts=["{ns}/secret/{ns}:s"])
    assert values(world) == {"a": "1"}


@pytest.mark.parametrize("part", ["data", "stringData"])
def test_a_secret_value_that_counts_once(world, part):
    def given(**fields):
        coded = {key: base64.b64encode(value.encode()).decode() if part == "data" else value
                 for key, value in fields.items()}
        manifest = thing("Secret", "s", **{part: coded})
        manifest["metadata"]["annotations"] = {"groundwork.aws/only-at-creation": f"{part}.a"}
        return [SPACE, manifest]
    world.run(given(a="first", b="2"))
    assert not world.run(given(a="another", b="3"))["failed"]
    assert values(world) == {"a": "first", "b": "3"}


def test_what_is_leaving_is_waited_for(world):
    path, given = "/api/v1/namespaces/{ns}/configmaps/c", [SPACE, thing("ConfigMap", "c")]
    world.run(given)
    before = world.get(path)["metadata"]["uid"]
    patch(world, path, {"metadata": {"finalizers": ["example.com/slow"]}})
    world.api.call("DELETE", path.replace("{ns}", world.space))
    timer = threading.Timer(3, patch, (world, path, {"metadata": {"finalizers": None}}))
    timer.start()
    assert not world.run(given)["failed"]
    timer.join()
    assert world.get(path)["metadata"]["uid"] != before


def test_a_set_without_its_parent_is_removed_all_the_same(world):
    world.run([SPACE, thing("ConfigMap", "c")])
    world.api.call("DELETE", f"/api/v1/namespaces/default/configmaps/{world.space}")
    assert not world.run(**GONE)["failed"]
    assert not world.left()
