# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What roles would hand to k8s_applyset, without a play: in a process that is Ansible's alone.

Reads a list of [role, file of tasks, variables] as JSON; prints a list of arguments, or of why
there are none.
"""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULE = "groundwork.aws.k8s_applyset"
# What every role finds in a stack.
STACK = {
    "stack_product": "acme", "stack_environment": "test", "aws_region": "us-east-1",
    "stack_cluster_name": "acme-test-eks", "stack_object_tags": {"Project": "acme"},
    "stack_result": {"outputs": {
        key: {"name": f"name of {key}", "arn": f"arn of {key}"} for key in (
            "karpenter/queue/interruption", "karpenter/instance_profile/node",
            "karpenter/role/controller", "iam_roles/role/cluster-autoscaler",
            "iam_roles/role/load-balancer-controller")}},
}


def handed_over(asked: list) -> list:
    """The arguments for each (role, file of tasks, variables), or why there are none."""
    done = subprocess.run([sys.executable, __file__], input=json.dumps(asked), text=True,
                          capture_output=True, check=True, cwd=ROOT)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    from ansible.parsing.dataloader import DataLoader
    from ansible.plugins.loader import init_plugin_loader
    init_plugin_loader()
    print(json.dumps([arguments(DataLoader(), *each) for each in json.load(sys.stdin)]))


def arguments(loader, role: str, tasks: str, variables: dict):
    """Those of the first task of a file."""
    from ansible.errors import AnsibleError
    from ansible.template import Templar
    folder = ROOT / "roles" / role
    known = {**STACK, "ansible_search_path": [str(folder)]}
    for part in ("defaults", "vars"):
        path = folder / part / "main.yml"
        known |= loader.load_from_file(str(path), trusted_as_template=True) \
            if path.exists() else {}
    path = folder / "tasks" / f"{tasks}.yml"
    task = loader.load_from_file(str(path), trusted_as_template=True)[0]
    task = task.get("block", [task])[0]
    try:
        return Templar(loader, {**known, **variables}).template(task[MODULE])
    except AnsibleError as error:
        return str(error)


if __name__ == "__main__":
    main()
