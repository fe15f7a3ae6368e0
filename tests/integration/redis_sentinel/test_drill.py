# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The drill of a failover, as its playbook runs it: a Job, whose pod has real Redis to talk to."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.kube_world import CAPACITY, KubeWorld, start_plane
from tests.redis_world import DOWN_AFTER, pairs

from lab.kube.build import built
from lab.kube.fleet import NEEDED

pytestmark = [pytest.mark.redis, pytest.mark.kube]
ROOT = Path(__file__).parents[3]
PODS = "/api/v1/namespaces/default/pods"
MERGE = {"Content-Type": "application/merge-patch+json"}


class Kubelet(threading.Thread):
    """Of a node that KWOK does not keep: what the Job's container would run, runs here."""

    def __init__(self, api, pod):
        super().__init__(daemon=True)
        self.api, self.pod, self.done = api, pod, None
        api.apply("/api/v1/nodes/here", {"apiVersion": "v1", "kind": "Node",
                                         "metadata": {"name": "here"}})
        api.call("PATCH", "/api/v1/nodes/here/status", {"status": {
            "capacity": CAPACITY, "allocatable": CAPACITY,
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]}},
            headers=MERGE)
        api.call("DELETE", "/api/v1/nodes/node-a")

    def run(self) -> None:
        while not (found := [p for p in self.api.pages(PODS) if p["spec"].get("nodeName")]):
            time.sleep(0.1)
        container, = found[0]["spec"]["containers"]
        self.done = self.pod.script(Path(container["command"][1]).name)
        state = {"exitCode": self.done.returncode, "reason": "Completed",
                 "message": (self.pod.folder / "told").read_text()}
        phase = "Failed" if self.done.returncode else "Succeeded"
        self.api.call("PATCH", f"{PODS}/{found[0]['metadata']['name']}/status", {"status": {
            "phase": phase, "containerStatuses": [{
                "name": container["name"], "image": container["image"], "imageID": "",
                "ready": False, "restartCount": 0, "state": {"terminated": state}}]}},
            headers=MERGE)


@pytest.fixture(name="world")
def made(tmp_path):
    if built(*NEEDED) is None:
        pytest.skip("the control plane is not built; build it with: python -m lab.kube")
    return KubeWorld(start_plane(tmp_path))


def drill(world, folder: Path) -> subprocess.CompletedProcess:
    """The tasks of the drill, on the cluster of a kubeconfig."""
    play = folder / "drill.yml"
    play.write_text(json.dumps([{
        "hosts": "localhost", "connection": "local", "gather_facts": False,
        "vars": {"redis_sentinel_auth_secret": "acme/redis",
                 "ansible_python_interpreter": sys.executable},
        "module_defaults": {"groundwork.aws.k8s_applyset": {"kubeconfig": world.kubeconfig}},
        "tasks": [{"ansible.builtin.include_role": {
            "name": "groundwork.aws.redis_sentinel", "tasks_from": "failover_drill"}}]}]))
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "AWS_"))}
    return subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", play],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=200,
        env={**kept, "LC_ALL": "C.UTF-8", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")})


def test_the_drill(group, world, tmp_path):
    """It tells the seconds, leaves nothing behind, and all as it was with another primary."""
    before, pod = group.primary(), group.sentinels[0]
    kubelet = Kubelet(world.api, pod)
    kubelet.start()
    done = drill(world, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(kubelet.done.stdout)
    assert told["before"] == f"localhost {before.port}"
    assert told["after"] == f"localhost {group.primary().port}" != told["before"]
    assert 0 < told["seconds"] < told["whole_after"]
    assert told["lost"] == 0
    said = f"took over from {told['before']} within {told['seconds']} s; acknowledged"
    assert said in " ".join(done.stdout.split())
    assert not world.api.pages("/apis/batch/v1/jobs")
    assert group.ask(group.primary(), "KEYS", "groundwork:*") == []
    period = group.ask(before, "CONFIG", "GET", "repl-ping-replica-period")
    assert period == ["repl-ping-replica-period", "10"]


def test_it_spares_what_would_not_recover(group, world, tmp_path):
    """The play says why; the primary goes on."""
    before, pod = group.primary(), group.sentinels[0]
    for other in group.sentinels[1:]:
        other.signal(signal.SIGKILL)
    time.sleep(2 * DOWN_AFTER / 1000)
    Kubelet(world.api, pod).start()
    done = drill(world, tmp_path)
    assert done.returncode != 0
    assert "Sentinel is not fit for a failover: NOQUORUM" in done.stdout
    assert not world.api.pages("/apis/batch/v1/jobs")
    assert pairs(group.ask(before, "INFO", "replication"))["role"] == "master"
