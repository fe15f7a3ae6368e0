# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module as playbooks run it: its examples, and that secrets stay where they belong."""
from __future__ import annotations

import ast
import base64
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.kube_world import KubeWorld, plane
from tests.world import ACCOUNT

from lab.kube.build import built
from lab.launcher import Launcher

pytestmark = pytest.mark.kube
ROOT = Path(__file__).parents[3]
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
MODULE = ROOT / "plugins" / "modules" / "k8s_applyset.py"
CANARY = "s3cr3t-canary-4711"
TEMPLATE = """
apiVersion: v1
kind: Namespace
metadata: {name: tenants}
---
apiVersion: v1
kind: LimitRange
metadata: {name: usual, namespace: tenants}
spec: {limits: [{type: Container, default: {cpu: 500m}}]}
"""


CHART = {"apiVersion": "v2", "name": "web", "version": "1.2.3"}


def play(folder: Path, tasks: list, *words: str, **params) -> subprocess.CompletedProcess:
    """A playbook of these tasks, run where its kubeconfig and its template lie."""
    path = folder / "play.yml"
    path.write_text(json.dumps([{"hosts": "all", "connection": "local", "gather_facts": False,
                                 "tasks": tasks, **params}]))
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "AWS_"))}
    return subprocess.run(
        [PLAYBOOK, "-i", "stack,", "-e", "ansible_python_interpreter={{ansible_playbook_python}}",
         *words, path], cwd=folder, env={**kept, "LC_ALL": "C.UTF-8",
                                         "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                                         "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)


def examples() -> list:
    text = next(node.value.value for node in ast.parse(MODULE.read_text()).body
                if isinstance(node, ast.Assign) and node.targets[0].id == "EXAMPLES")
    return yaml.safe_load(text)


def test_examples(tmp_path):
    """As they stand, beside an AWS in which the stack's cluster is still to be made."""
    shutil.copy(plane(), tmp_path / "kubeconfig")
    (tmp_path / "tenancy.yml.j2").write_text(TEMPLATE)
    (tmp_path / "charts" / "web").mkdir(parents=True)
    (tmp_path / "charts" / "web" / "Chart.yaml").write_text(json.dumps(CHART))
    helm = built("helm")
    if helm is None:
        pytest.skip("helm is not built; build it with: python -m lab.kube helm")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "helm").symlink_to(helm["helm"])
    launcher = Launcher(tmp_path / "lab")
    endpoint = launcher.start()["endpoint"]
    login = {"endpoint_url": endpoint, "access_key": f"LAB0{ACCOUNT}", "secret_key": "x"}
    try:
        done = play(tmp_path, examples(),
                    module_defaults={"group/groundwork.aws.all": login})
    finally:
        launcher.stop()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "+ api/configmap/api:settings" in done.stdout
    assert "+ web/release/web:web" in done.stdout
    assert "+ tenancy/limitrange/tenants:usual" in done.stdout
    assert "- api/namespace/api" in done.stdout


@pytest.mark.parametrize("field", ["stringData", "data"])
def test_no_output_holds_what_a_secret_holds(tmp_path, field):
    """At the greatest verbosity, in the plan's file, and when the server refuses the object."""
    world = KubeWorld()
    coded = base64.b64encode(CANARY.encode()).decode()
    value = CANARY if field == "stringData" else coded
    secret = {"apiVersion": "v1", "kind": "Secret", field: {"password": value},
              "metadata": {"name": "keys", "namespace": "default"}}
    options = {"name": world.space, "kubeconfig": plane(), "plan_file": str(tmp_path / "plan")}
    wrong = {**secret, "metadata": {"name": "Bad_Name"}}
    broken = [{**secret, part: wrong} for part in ("data", "stringData")
              for wrong in ({"password": f"!{CANARY}"}, {"password": {"a": CANARY}}, [CANARY],
                            {"password": [47110815]})]
    more = {**secret, field: {"password": value, "more": value}}
    sets = [[secret], [more], [wrong], *([b] for b in broken),
            [{"kind": "List", "items": [secret, wrong]}]]
    tasks = [{"groundwork.aws.k8s_applyset": {**options, "objects": objects},
              "ignore_errors": True} for objects in sets]
    done = play(tmp_path, tasks, "-vvvvv", "--diff")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "data.more (none) -> (another secret)" in done.stdout
    shown = done.stdout + done.stderr + (tmp_path / "plan").read_text()
    assert CANARY not in shown
    assert coded not in shown
    assert "47110815" not in shown
    world.run(state="absent")
