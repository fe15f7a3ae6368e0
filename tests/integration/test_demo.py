# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The demo, as `make demo` starts it."""
from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lab.kube.build import BuildError, built
from lab.kube.fleet import NEEDED

ROOT = Path(__file__).parents[2]
SILENT = {"plan on an empty account", "second run", "one changed option, as a plan", "drift found"}
SERVICES = {f"{name}-service" for name in ("gallery", "generation", "model", "payment", "user")}
KUBE = pytest.mark.skipif(
    built(*NEEDED, "helm") is None,
    reason="the control plane is not built; build it with: python -m lab.kube")
CHANGING = {"build", "the same, applied", "drift repaired", "removal"}


def demo(folder, stack, *options) -> tuple:
    """(what is told, API writes of each step) of a demo with a lab of its own."""
    done = subprocess.run([sys.executable, "tools/demo.py", stack, "--state", str(folder),
                           *options], cwd=ROOT, check=False, text=True, capture_output=True,
                          timeout=900, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    story, table = done.stdout.split(f"Nothing of {stack} exists any more")
    rows = re.findall(r"^(\S.*?) +([\d.]+) +(\d+) +(\d+)$", table, re.M)
    writes = {step: int(count) for step, _seconds, _reads, count in rows}
    assert {step for step, count in writes.items() if count} == CHANGING
    assert not list(folder.glob("state.json")), "the lab still runs"
    return story, set(writes)


def test_the_story_ends_with_its_table(tmp_path):
    story, steps = demo(tmp_path / "lab", "sentineltranslate-dev", "--aws-only")
    assert re.search(r"workload left out: this\s+lab has no real clusters", story)
    assert steps == CHANGING | SILENT


def homes(story: str, space: str) -> dict:
    """Pods of a namespace that run, and their nodes."""
    return dict(re.findall(rf"^{space} +(\S+) +(?:1/1|2/2) +Running .* (ip-\S+) ", story, re.M))


@KUBE
def test_the_story_goes_on_in_the_cluster(tmp_path):
    story, steps = demo(tmp_path / "lab", "sentineltranslate-dev")
    assert steps == CHANGING | SILENT | {"kubeconfig for people"}
    (gpu,) = re.findall(r"^(\S+) .* g4dn\.xlarge$", story, re.M)
    nodes = {pod.split("-")[0]: node for pod, node in homes(story, "sentineltranslate").items()}
    assert nodes.keys() == {"api", "redis", "sidecar", "triton", "worker"}
    assert {service for service, node in nodes.items() if node == gpu} == {"triton"}
    assert "workload/horizontalpodautoscaler/sentineltranslate:api" in \
        re.search(r"has drifted:((?:\n\S+)+)", story)[1]


@KUBE
def test_the_story_of_two_tenants(tmp_path):
    """Redis of prod is on nodes of its own, and nothing else is."""
    story, steps = demo(tmp_path / "lab", "pingvas-shared")
    assert steps == CHANGING | SILENT | {"kubeconfig for people"}
    own = set(re.findall(r"^(\S+) .* r6g\.large$", story, re.M))
    dev, prod = homes(story, "dev"), homes(story, "prod")
    redis = {pod: node for pod, node in prod.items() if pod.startswith("redis-")}
    assert {pod.rsplit("-", 2)[0] for pod in dev} == SERVICES
    assert {pod.rsplit("-", 2)[0] for pod in prod.keys() - redis.keys()} == SERVICES
    for part in ("redis", "redis-sentinel"):
        assert {redis[f"{part}-{number}"] for number in range(3)} == own
    assert own.isdisjoint(node for pod, node in {**dev, **prod}.items() if pod not in redis)
    assert "Kept, as the stack wants it: final snapshot pingvas-shared-aurora" in story
    assert "tenancy/networkpolicy/prod:default-deny" in \
        re.search(r"has drifted:((?:\n\S+)+)", story)[1]


def test_without_control_planes_the_reason_is_told(monkeypatch, capsys):
    def fails(*_names, tell):
        raise BuildError("no Go")

    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    told = importlib.import_module("demo")
    monkeypatch.setattr(told, "build", fails)
    assert not told.clusters()
    assert capsys.readouterr().out == "what runs in the cluster is left out: no Go\n"
