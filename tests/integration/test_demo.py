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
CHANGING = {"build", "the same, applied", "drift repaired", "removal"}


def demo(folder, *options) -> tuple:
    """(what is told, API writes of each step) of a demo with a lab of its own."""
    done = subprocess.run([sys.executable, "tools/demo.py", "--state", str(folder), *options],
                          cwd=ROOT, check=False, text=True, capture_output=True, timeout=900,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    story, table = done.stdout.split("Nothing of sentineltranslate-dev exists any more")
    rows = re.findall(r"^(\S.*?) +([\d.]+) +(\d+) +(\d+)$", table, re.M)
    writes = {step: int(count) for step, _seconds, _reads, count in rows}
    assert {step for step, count in writes.items() if count} == CHANGING
    assert not list(folder.glob("state.json")), "the lab still runs"
    return story, set(writes)


def test_the_story_ends_with_its_table(tmp_path):
    story, steps = demo(tmp_path / "lab", "--aws-only")
    assert re.search(r"workload left out: this\s+lab has no real clusters", story)
    assert steps == CHANGING | SILENT


@pytest.mark.skipif(built(*NEEDED, "helm") is None,
                    reason="the control plane is not built; build it with: python -m lab.kube")
def test_the_story_goes_on_in_the_cluster(tmp_path):
    story, steps = demo(tmp_path / "lab")
    assert steps == CHANGING | SILENT | {"kubeconfig for people"}
    (gpu,) = re.findall(r"^(\S+) .* g4dn\.xlarge$", story, re.M)
    running = r"^sentineltranslate +(\w+)-\S+ +1/1 +Running .* (ip-\S+) "
    nodes = dict(re.findall(running, story, re.M))
    assert nodes.keys() == {"api", "redis", "sidecar", "triton", "worker"}
    assert {service for service, node in nodes.items() if node == gpu} == {"triton"}
    assert "workload/horizontalpodautoscaler/sentineltranslate:api" in \
        re.search(r"has drifted: (.*)", story)[1]


def test_without_control_planes_the_reason_is_told(monkeypatch, capsys):
    def fails(*_names, tell):
        raise BuildError("no Go")

    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    told = importlib.import_module("demo")
    monkeypatch.setattr(told, "build", fails)
    assert not told.clusters()
    assert capsys.readouterr().out == "what runs in the cluster is left out: no Go\n"
