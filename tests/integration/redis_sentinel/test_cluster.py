# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role redis_sentinel on a real control plane of three zones."""
from __future__ import annotations

import base64
import json
import time

import pytest
from ansible_collections.groundwork.aws.plugins.module_utils import connect
from ansible_collections.groundwork.aws.plugins.module_utils.engine.errors import Busy
from tests.integration.kube.worlds import ACCOUNT, REGION, World, soon
from tests.kube_world import CAPACITY, NODE, KubeWorld, start_plane
from tests.redis_world import PASSWORD
from tests.rendering import rendered
from tests.world import actions

from lab.kube.build import built
from lab.kube.fleet import NEEDED

pytestmark = pytest.mark.kube
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
SPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prod", "labels": {
    "pod-security.kubernetes.io/enforce": "restricted"}}}
VARIABLES = {
    "redis_sentinel_namespace": "prod", "redis_sentinel_auth_secret": "acme/redis-auth",
    "redis_sentinel_tls_secret": "acme/redis-tls",
    "redis_sentinel_node_selector": {"workload-type": "redis"},
    "redis_sentinel_tolerations": [{"key": "dedicated", "value": "redis", "effect": "NoSchedule"}]}
LOGIN = dict(region=REGION, access_key=f"LAB0{ACCOUNT}", secret_key="lab")
TLS = {"ca.crt": "authority", "tls.crt": "certificate", "tls.key": "private-canary"}
PODS = "/api/v1/namespaces/prod/pods"
SETS = "/apis/apps/v1/namespaces/prod/statefulsets"


class RedisWorld(KubeWorld):
    """A control plane of its own with a node in each zone, and an AWS that holds the secrets."""

    def __init__(self, folder):
        super().__init__(start_plane(folder))
        self.aws = World()
        self.secrets = self.aws("secretsmanager")
        for zone in ZONES:
            self.node(zone)
        self.api.apply("/apis/storage.k8s.io/v1/storageclasses/gp3", {
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
            "metadata": {"name": "gp3"}, "provisioner": "kubernetes.io/no-provisioner",
            "volumeBindingMode": "WaitForFirstConsumer"})
        for number, zone in enumerate(ZONES * 4):
            self.volume(f"v{number}", zone, "40Gi" if number % 6 < 3 else "1Gi")

    def node(self, zone: str) -> None:
        name = f"node-{zone}"
        self.api.apply(f"/api/v1/nodes/{name}", {**NODE, "metadata": {
            **NODE["metadata"], "name": name, "labels": {
                "kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone,
                "workload-type": "redis"}},
            "spec": {"taints": VARIABLES["redis_sentinel_tolerations"]}})
        self.api.call("PATCH", f"/api/v1/nodes/{name}/status", {"status": {
            "capacity": CAPACITY, "allocatable": CAPACITY}},
            headers={"Content-Type": "application/merge-patch+json"})

    def volume(self, name: str, zone: str, size: str) -> None:
        """One that somebody has made, in a zone."""
        self.api.apply(f"/api/v1/persistentvolumes/{name}", {
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": {
                "capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"],
                "storageClassName": "gp3", "local": {"path": f"/{name}"}, "nodeAffinity": {
                    "required": {"nodeSelectorTerms": [{"matchExpressions": [{
                        "key": "topology.kubernetes.io/zone", "operator": "In",
                        "values": [zone]}]}]}}}})

    def objects(self, **variables) -> list:
        return [SPACE, *rendered("redis_sentinel", {**VARIABLES, **variables})]

    def converge(self, check: bool = False, **variables) -> dict:
        result = self.run(self.objects(**variables), check, name="redis-sentinel", **LOGIN)
        assert not result["failed"], result["msg"]
        return result

    def pods(self, name: str) -> list:
        return [pod for pod in self.api.pages(PODS)
                if pod["metadata"]["name"].rpartition("-")[0] == name]

    def zones(self, name: str) -> list:
        """Where the pods of a StatefulSet run."""
        return sorted(pod["spec"]["nodeName"].removeprefix("node-") for pod in self.pods(name)
                      if pod["status"]["phase"] == "Running")

    def pending(self, name: str) -> str:
        """Why a pod waits; nothing where it does not, or is not there."""
        return "".join(c["message"] for pod in self.api.pages(PODS)
                       if pod["metadata"]["name"] == name and pod["status"]["phase"] == "Pending"
                       for c in pod["status"].get("conditions") or ()
                       if c.get("reason") == "Unschedulable")

    def scale(self, name: str, count: int) -> None:
        self.api.call("PATCH", f"{SETS}/{name}/scale", {"spec": {"replicas": count}},
                      headers={"Content-Type": "application/merge-patch+json"})


@pytest.fixture(name="world", scope="module")
def made(tmp_path_factory):
    if built(*NEEDED) is None:
        pytest.skip("the control plane is not built; build it with: python -m lab.kube")
    world = RedisWorld(tmp_path_factory.mktemp("redis-cluster"))
    world.secrets.create_secret(Name="acme/redis-auth", SecretString=PASSWORD)
    yield world
    world.aws.lab.close()


@pytest.fixture(autouse=True)
def account(world, monkeypatch):
    class Sessions:
        """As much of boto3 as connect.py uses."""

        class session:
            Session = staticmethod(lambda **options: world.aws.session(
                options["aws_access_key_id"], options["aws_secret_access_key"]))

    monkeypatch.setattr(connect, "boto3", Sessions)


def test_from_nothing_to_running(world):
    """A secret that is still to come is planned, and needed by a run; no result shows a value."""
    plan = world.converge(check=True)
    assert set(actions(plan).values()) == {"create"}
    refused = world.run(world.objects(), name="redis-sentinel", **LOGIN)
    assert refused["problems"] == [
        f"objects[{place}: Secrets Manager has no value of secret acme/redis-tls; "
        "converge the stack, or put it in by hand"
        for place in (*(f"2].stringData.{name}" for name in TLS), "3].stringData.ca.crt")]
    assert not world.api.pages("/api/v1/namespaces/default/configmaps",
                               fieldSelector="metadata.name=redis-sentinel")
    world.secrets.create_secret(Name="acme/redis-tls", SecretString=json.dumps(TLS))
    made = world.converge()
    assert actions(made) == actions(plan)
    again = world.converge()
    assert (actions(again), world.writes()) == ({}, [])
    held = {name: {key: base64.b64decode(value).decode() for key, value in world.api.get(
        f"/api/v1/namespaces/prod/secrets/redis-{name}")["data"].items()}
        for name in ("auth", "tls")}
    assert held == {"auth": {"password": PASSWORD}, "tls": TLS}
    shown = "".join(json.dumps(result, default=str) for result in (plan, refused, made, again))
    assert PASSWORD not in shown and "private-canary" not in shown


@pytest.mark.parametrize("name", ["redis", "redis-sentinel"])
def test_one_a_zone(world, name):
    """A fourth has no place, nor has the third while a zone is away; all others stay."""
    assert world.zones(name) == list(ZONES)
    world.scale(name, 4)
    try:
        why = soon(lambda: world.pending(f"{name}-3"), what="the fourth pod waiting")
        assert "didn't match pod anti-affinity rules" in why
        assert world.zones(name) == list(ZONES)
    finally:
        world.scale(name, 3)
    soon(lambda: len(world.pods(name)) == 3, what="three pods")
    world.api.call("DELETE", "/api/v1/nodes/node-us-east-1b")
    lost = next(pod["metadata"]["name"] for pod in world.pods(name)
                if pod["spec"]["nodeName"] == "node-us-east-1b")
    world.api.call("DELETE", f"{PODS}/{lost}", {"gracePeriodSeconds": 0})
    try:
        soon(lambda: world.pending(lost), what="the pod waiting for its zone")
        assert world.zones(name) == ["us-east-1a", "us-east-1c"]
        other = next(pod for pod in world.pods(name) if pod["metadata"]["name"] != lost)
        with pytest.raises(Busy, match="disruption budget"):
            world.api.call("POST", f"{PODS}/{other['metadata']['name']}/eviction", {
                "apiVersion": "policy/v1", "kind": "Eviction",
                "metadata": {"name": other["metadata"]["name"], "namespace": "prod"}})
    finally:
        world.node("us-east-1b")
    soon(lambda: world.zones(name) == list(ZONES), what="one pod a zone")


def test_without_the_toleration_there_is_no_place(world):
    pod = world.pods("redis")[0]
    spec = {**{k: v for k, v in pod["spec"].items() if k in ("containers", "securityContext")},
            "nodeSelector": VARIABLES["redis_sentinel_node_selector"], "tolerations": []}
    spec["containers"] = [{**c, "volumeMounts": []} for c in spec["containers"]]
    world.api.apply(f"{PODS}/stranger", {"apiVersion": "v1", "kind": "Pod", "metadata": {
        "name": "stranger", "namespace": "prod"}, "spec": spec})
    assert "untolerated taint" in soon(lambda: world.pending("stranger"), what="its waiting")
    world.api.call("DELETE", f"{PODS}/stranger")


SET, SENTINEL = "statefulset/prod:redis", "statefulset/prod:redis-sentinel"
CONFIG = "configmap/prod:redis-config"


@pytest.mark.parametrize(("variables", "changed"), [
    ({"redis_sentinel_memory": 2000}, {CONFIG: "in place", SET: "rolling"}),
    ({"redis_sentinel_down_after": 9000}, {CONFIG: "in place", SENTINEL: "rolling"}),
    ({"redis_sentinel_image": "redis:7.2"}, {SET: "rolling", SENTINEL: "rolling"}),
    ({"redis_sentinel_exporter_image": "exporter:2"}, {SET: "rolling"}),
    ({"redis_sentinel_tls_version": "2036-11-18"}, {SET: "rolling", SENTINEL: "rolling"}),
])
def test_one_change(world, variables, changed):
    plan = world.converge(check=True, **variables)
    found = {c["key"].removeprefix("redis-sentinel/"): c["impact"] for c in plan["plan"]
             if c["action"] != "keep"}
    assert found == changed


def test_a_changed_password_reaches_the_secret(world):
    world.secrets.put_secret_value(SecretId="acme/redis-auth", SecretString=json.dumps(
        {"password": f"{PASSWORD}-2"}))
    changed = world.converge(redis_sentinel_auth_key="password")
    assert list(actions(changed)) == ["redis-sentinel/secret/prod:redis-auth"]
    data = world.api.get("/api/v1/namespaces/prod/secrets/redis-auth")["data"]["password"]
    assert base64.b64decode(data).decode() == f"{PASSWORD}-2"
    assert PASSWORD not in json.dumps(changed, default=str)
    wrong = world.run(world.objects(redis_sentinel_auth_key="pass"), name="redis-sentinel", **LOGIN)
    assert wrong["problems"] == ["objects[1].stringData.password: secret acme/redis-auth is not a "
                                 "JSON object with the key pass"]


def test_a_job_tells_what_its_pod_left(world):
    """As the drill's Job does it; the kubelet's part is played here."""
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "told"}, "spec": {
        "template": {"spec": {"restartPolicy": "Never", "tolerations": [{"operator": "Exists"}],
                              "containers": [{"name": "c", "image": "example.com/c:1"}]}}}}
    made = world.run([job], name="told")
    key = "told/job/default:told"
    assert made["outputs"][key] == {"message": ""}
    pod, = world.api.pages("/api/v1/namespaces/default/pods",
                           labelSelector="batch.kubernetes.io/job-name=told")
    pod["status"]["containerStatuses"][0]["state"]["terminated"]["message"] = '{"seconds": 6.1}\n'
    world.api.call("PUT", f"/api/v1/namespaces/default/pods/{pod['metadata']['name']}/status", pod)
    assert world.run([job], name="told")["outputs"][key] == {"message": '{"seconds": 6.1}'}
    world.run(state="absent", name="told")


def test_removal(world):
    """Volumes stay; what holds data goes by the user's word alone."""
    kept = [f"redis-sentinel/{key}" for key in (SET, SENTINEL, "namespace/prod")]
    gone = world.run(state="absent", name="redis-sentinel", allow_data_loss=kept)
    assert not gone["failed"], gone["msg"]
    deadline = time.monotonic() + 60
    while [s for s in world.api.pages("/api/v1/namespaces") if s["metadata"]["name"] == "prod"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
