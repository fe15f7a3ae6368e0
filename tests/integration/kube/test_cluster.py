# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A control plane from CreateCluster to DeleteCluster, several at once, and nothing left over."""
from __future__ import annotations

import base64
import json
import os
import signal
import ssl
import subprocess
import time
import urllib.request
from pathlib import Path

import boto3
import kubernetes
import pytest
from tests.integration.kube.worlds import ACCOUNT, REGION, World, soon
from tests.unit.lab import lab_worlds

from lab.launcher import Launcher

pytestmark = pytest.mark.kube
MEGABYTES = 700


def shared_memory(pid):
    """A process's part of the memory it shares with others, and its own, in MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Pss:")).split()[1]) / 1024


def test_describe_cluster_leads_to_it(world):
    live = world.describe("live")
    core = world.core()
    assert core.api_client.configuration.host == live["endpoint"]
    version = kubernetes.client.VersionApi(core.api_client).get_code()
    assert version.git_version.startswith(f"v{live['version']}.")
    assert "default" in [item.metadata.name for item in core.list_namespace().items]
    address = core.read_namespaced_service("kubernetes", "default").spec.cluster_ip
    assert address == live["kubernetesNetworkConfig"]["serviceIpv4Cidr"].replace("0.0/16", "0.1")


def test_memory(world):
    used = {name: shared_memory(child.pid)
            for name, child in world.plane("live").children.items()}
    print({name: f"{size:.0f} MB" for name, size in used.items()})
    assert sum(used.values()) < MEGABYTES


def test_ready_in_five_seconds(world):
    """By the processor's time, which a busy machine does not change: two cores of five seconds."""
    begun = time.monotonic()
    world.cluster("timed")
    seconds, ticks = time.monotonic() - begun, 0
    for child in world.plane("timed").children.values():
        fields = Path(f"/proc/{child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    used = ticks / os.sysconf("SC_CLK_TCK")
    print(f"active after {seconds:.1f} s, {used:.1f} s of processor time")
    world("eks").delete_cluster(name="timed")
    assert used < 10


def get(url, authority):
    context = ssl.create_default_context(cadata=authority)
    with urllib.request.urlopen(url, context=context, timeout=10) as answer:
        return json.load(answer)


def test_a_service_account_token_verifies_against_the_issuer(world):
    """As STS and every other relying party does it: discovery, keys, signature, claims."""
    live = world.describe("live")
    issuer = live["identity"]["oidc"]["issuer"]
    authority = base64.b64decode(live["certificateAuthority"]["data"]).decode()
    known = get(f"{issuer}/.well-known/openid-configuration", authority)
    assert known["issuer"] == issuer
    keys = {key["kid"]: key for key in get(known["jwks_uri"], authority)["keys"]}
    text = world.core().create_namespaced_service_account_token(
        "default", "default", kubernetes.client.AuthenticationV1TokenRequest(
            spec=kubernetes.client.V1TokenRequestSpec(audiences=["sts.amazonaws.com"]))
    ).status.token
    header, claims, signature = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
                                 for part in text.split("."))
    claims = json.loads(claims)
    assert (claims["iss"], claims["aud"]) == (issuer, ["sts.amazonaws.com"])
    assert claims["sub"] == "system:serviceaccount:default:default"
    verify(keys[json.loads(header)["kid"]], text.rsplit(".", 1)[0], signature)


def verify(key, signed, signature):
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    exponent, modulus = (int.from_bytes(base64.urlsafe_b64decode(key[name] + "=="), "big")
                         for name in "en")
    rsa.RSAPublicNumbers(exponent, modulus).public_key().verify(
        signature, signed.encode(), padding.PKCS1v15(), hashes.SHA256())


@pytest.fixture(name="node")
def one_node(world):
    """A node of KWOK in the cluster `live`, for one test."""
    size = {"cpu": "2", "memory": "4Gi", "pods": "10"}
    world.core().create_node({
        "metadata": {"name": "n1", "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "status": {"capacity": size, "allocatable": size, "addresses": [
            {"type": "InternalIP", "address": "10.0.0.9"}]}})
    yield "n1"
    world.core().delete_node("n1")


def pod(name, image=None):
    """Of no real image; `image` tells KWOK what becomes of it."""
    notes = {"lab.groundwork.aws/image": image} if image else {}
    return {"metadata": {"name": name, "annotations": notes}, "spec": {
        "restartPolicy": "Never", "containers": [{"name": "c", "image": "nowhere/nothing:1"}]}}


def test_a_pod_runs_on_a_node_that_kwok_keeps(world, node):
    core = world.core()
    core.create_namespaced_pod("default", pod("p1"))
    live = soon(lambda: in_phase(core, "p1", "Running"), what="the pod Running")
    assert live.spec.node_name == node and live.status.container_statuses[0].ready
    assert live.status.pod_ip and live.status.host_ip == "10.0.0.9"
    core.delete_namespaced_pod("p1", "default")
    soon(lambda: not core.list_namespaced_pod("default").items, what="the pod gone")


def test_a_pod_whose_image_is_missing_waits(world, node):
    core = world.core()
    core.create_namespaced_pod("default", pod("p2", "missing"))
    soon(lambda: core.read_namespaced_pod("p2", "default").status.container_statuses)
    live = core.read_namespaced_pod("p2", "default")
    assert live.status.phase == "Pending"
    assert live.status.container_statuses[0].state.waiting.reason == "ImagePullBackOff"
    core.delete_namespaced_pod("p2", "default")


@pytest.mark.parametrize(("image", "end"), [(None, "Complete"), ("fails", "Failed")])
def test_a_job_ends(world, node, image, end):
    batch, name = kubernetes.client.BatchV1Api(world.login("live")), f"job-{end.lower()}"
    template = pod(name, image)
    batch.create_namespaced_job("default", {
        "metadata": {"name": name}, "spec": {"backoffLimit": 0, "template": {
            "metadata": {"annotations": template["metadata"]["annotations"]},
            "spec": template["spec"]}}})

    def conditions():
        found = batch.read_namespaced_job(name, "default").status.conditions or []
        return {row.type for row in found}

    soon(lambda: end in conditions(), what=f"the job {end}")
    batch.delete_namespaced_job(name, "default", propagation_policy="Background")


def in_phase(core, name, phase):
    found = core.read_namespaced_pod(name, "default")
    return found if found.status.phase == phase else None


def test_pod_security_is_enforced(world):
    core = world.core()
    core.create_namespace({"metadata": {"name": "strict", "labels": {
        "pod-security.kubernetes.io/enforce": "restricted"}}})
    with pytest.raises(kubernetes.client.ApiException, match="violates PodSecurity"):
        core.create_namespaced_pod("strict", {
            "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}})


def test_several_at_once_of_different_versions(world):
    for name, version in (("older", "1.33"), ("other", "1.35")):
        world.cluster(name, wait=False, version=version)
    endpoints = {world.active(name)["endpoint"] for name in ("older", "other", "live")}
    assert len(endpoints) == 3
    version = kubernetes.client.VersionApi(world.login("older")).get_code()
    assert (version.emulation_major, version.emulation_minor) == ("1", "33")
    world("eks").update_cluster_version(name="older", version="1.34")
    soon(lambda: world.describe("older")["status"] == "ACTIVE", 60, "the upgrade")
    version = kubernetes.client.VersionApi(world.login("older")).get_code()
    assert (world.describe("older")["version"], version.emulation_minor) == ("1.34", "34")
    pids = [child.pid for name in ("older", "other")
            for child in world.plane(name).children.values()]
    folder = world.plane("older").folder
    for name in ("older", "other"):
        world("eks").delete_cluster(name=name)
    world("eks").list_clusters()
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert not folder.exists()
    assert world.core().list_namespace().items


def children_of(pid):
    rows = [Path(f"/proc/{entry}/stat") for entry in os.listdir("/proc") if entry.isdigit()]
    found = []
    for row in rows:
        try:
            fields = row.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(row.parent.name))
    return found


def kubectl(programs, kubeconfig, *arguments):
    done = subprocess.run([programs["control"], "kubectl", "--kubeconfig", kubeconfig, *arguments],
                          check=True, capture_output=True, text=True)
    return done.stdout


@pytest.mark.parametrize("how", ["stop", "kill", "reset"])
def test_nothing_outlives_the_lab(programs, tmp_path, how):
    launcher = Launcher(tmp_path / "state")
    state = launcher.start(settings={"kubernetes": True})

    def client(service):
        return boto3.client(service, endpoint_url=state["endpoint"], region_name=REGION,
                            aws_access_key_id=f"LAB0{ACCOUNT}", aws_secret_access_key="lab")

    names = lab_worlds.network(client)
    role = lab_worlds.role(client, "c", "eks.amazonaws.com", "AmazonEKSClusterPolicy")
    client("eks").create_cluster(name="live", roleArn=role, resourcesVpcConfig={
        "subnetIds": [names["subnet_a"], names["subnet_b"]]})
    soon(lambda: client("eks").describe_cluster(name="live")["cluster"]["status"] == "ACTIVE", 90)
    cluster, = launcher.ask("GET", "clusters")
    assert (cluster["name"], cluster["ready"], cluster["error"]) == ("live", True, None)
    assert kubectl(programs, cluster["kubeconfig"], "auth", "whoami").startswith("ATTRIBUTE")
    children = children_of(state["pid"])
    assert len(children) == 5
    if how == "kill":
        os.kill(state["pid"], signal.SIGKILL)
    else:
        launcher.ask("POST", "reset") if how == "reset" else launcher.stop()
        assert not (tmp_path / "state" / "clusters").exists()
    soon(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), 5, "all gone")
    launcher.stop()


def test_a_start_that_fails_is_told(programs, tmp_path):
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho no such flag >&2\nexit 3\n")
    broken.chmod(0o755)
    world = World()
    world.lab.fleet.programs = lambda: {**programs, "control": broken}
    world.cluster("bad", wait=False)
    cluster = soon(lambda: world.describe("bad")["status"] != "CREATING" and world.describe("bad"))
    assert cluster["status"] == "FAILED"
    assert "ended with 3: no such flag" in cluster["health"]["issues"][0]["message"]
    assert (world.plane("bad").folder / "etcd.log").exists()
    world("eks").delete_cluster(name="bad")
    world("eks").list_clusters()
    assert world.plane("bad") is None
    world.lab.close()
