# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The EXAMPLES of every module run as they stand: in check mode, then for real."""
from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
import yaml
from tests.world import ACCOUNT

from lab.launcher import Launcher

ROOT = Path(__file__).parents[2]
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
ELSEWHERE = {"k8s_applyset"}  # tests/integration/applyset has its cluster
MODULES = {path.stem: path for path in sorted((ROOT / "plugins" / "modules").glob("*.py"))
           if path.stem not in ELSEWHERE}
# What an example takes for granted: components of its stack that are there before it.
GRANTED = {
    "aurora_cluster": ["network"],
    "efs": ["network"],
    "eks_cluster": ["network"],
    "eks_nodegroups": ["network", "eks_cluster"],
    "elasticache": ["network"],
    "iam_roles": ["network", "eks_cluster"],
    "karpenter": ["network", "eks_cluster"],
    "security_groups": ["network"],
    "stack_info": ["network", "eks_cluster"],
}
TRUST = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "sts:AssumeRole",
     "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}]}
READS_ONLY = {"stack", "stack_info"}


def assigned(path: Path, name: str) -> str:
    """The text that a module assigns to a name."""
    return next(node.value.value for node in ast.parse(path.read_text()).body
                if isinstance(node, ast.Assign) and node.targets[0].id == name)


def granted(module: str, tasks: list) -> list:
    """Tasks for what the examples of a module take for granted, for each of their stacks."""
    found = []
    for task in tasks:
        options = task.get(f"groundwork.aws.{module}")
        if not options:
            continue
        stack = {name: options[name] for name in ("product", "environment", "region")}
        zones = [stack["region"] + letter for letter in "abc"]
        given = {"network": {"cidr_block": "10.0.0.0/16", "availability_zones": zones}}
        found += [{f"groundwork.aws.{name}": {**stack, **given.get(name, {})}}
                  for name in GRANTED.get(module, ())]
    return [task for n, task in enumerate(found) if task not in found[:n]]


def plays(module: str, endpoint: str) -> list:
    """What is granted, the examples in check mode, a look at the calls, the examples."""
    tasks = yaml.safe_load(assigned(MODULES[module], "EXAMPLES"))
    calls = {"url": f"{endpoint}/_lab/calls?log=0"}
    connection = {"endpoint_url": endpoint, "access_key": f"LAB0{ACCOUNT}",
                  "secret_key": "emulated-secret-key"}
    parts = [
        {"tasks": [*granted(module, tasks), {"uri": {**calls, "method": "DELETE"}}]},
        {"tasks": tasks, "check_mode": True},
        {"tasks": [{"uri": calls, "register": "said"},
                   {"assert": {"that": ["said.json.writes == 0", "said.json.reads > 0"]}}]},
        {"tasks": tasks},
    ]
    return [{"hosts": "all", "connection": "local", "gather_facts": False,
             "module_defaults": {"group/groundwork.aws.all": connection}, **part}
            for part in parts]


@pytest.fixture(name="lab")
def started(tmp_path):
    """A lab of the test's own, with the role `admins` that an example names."""
    launcher = Launcher(tmp_path / "lab")
    state = launcher.start()
    boto3.client("iam", region_name="us-east-1", endpoint_url=state["endpoint"],
                 aws_access_key_id=f"LAB0{ACCOUNT}", aws_secret_access_key="x").create_role(
                     RoleName="admins", AssumeRolePolicyDocument=json.dumps(TRUST))
    yield launcher
    launcher.stop()


@pytest.mark.parametrize("module", MODULES)
def test_examples(lab, tmp_path, module):
    play = tmp_path / "play.yml"
    play.write_text(json.dumps(plays(module, lab.running()["endpoint"])))
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "AWS_"))}
    done = subprocess.run(
        [PLAYBOOK, "-i", "stack,", "-e", "ansible_python_interpreter={{ansible_playbook_python}}",
         play], cwd=tmp_path, stdin=subprocess.DEVNULL,
        env={**kept, "LC_ALL": "C.UTF-8", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert bool(lab.ask("GET", "calls?log=0")["writes"]) is (module not in READS_ONLY)
