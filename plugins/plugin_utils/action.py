# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The action behind every module: runs it, shows its progress and its plan."""
from __future__ import annotations

import json
import os
import tempfile
import threading

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.groundwork.aws.plugins.plugin_utils import local
from ansible_collections.groundwork.aws.plugins.plugin_utils.tree import counts, progress, tree

PROGRESS = "GROUNDWORK_PROGRESS"  # where module_utils/session.py writes its events
LONG = 5.0  # seconds; shorter steps are told when they end only
display = Display()


class ActionModule(ActionBase):
    """One for all modules: they return the same things."""

    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp=None, task_vars=None):
        """Runs the module of the task's own name."""
        result = super().run(tmp, task_vars)
        self._from_here()
        with tempfile.TemporaryDirectory(prefix="groundwork-") as folder:
            path = os.path.join(folder, "progress")
            self._task.environment = [*(self._task.environment or []), {PROGRESS: path}]
            end = threading.Event()
            reader = threading.Thread(target=follow, args=(path, end, self._host(task_vars)))
            reader.start()
            try:
                result.update(self._module(task_vars or {}))
            finally:
                end.set()
                reader.join()
        if result.get("outcomes"):
            display.display(f"stack {result['stack']}: {counts({**result, 'ahead': False})}")
        elif "plan" in result:
            display.display(tree(result))
        return result

    def _from_here(self) -> None:
        """A relative plan_file begins where the user stands; Ansible would take the playbook."""
        path = self._task.args.get("plan_file")
        if path and self._connection.transport == "local":
            path = os.path.expanduser(os.path.expandvars(path))
            self._task.args["plan_file"] = os.path.abspath(path)

    def _module(self, task_vars: dict) -> dict:
        if local.possible(self, task_vars):
            return local.execute(self, task_vars)
        return self._execute_module(task_vars=task_vars)

    @staticmethod
    def _host(task_vars) -> str:
        return (task_vars or {}).get("inventory_hostname", "")


def follow(path: str, end: threading.Event, host: str) -> None:
    """Shows the events of a module as they come."""
    seen = 0
    while True:
        last = end.wait(0.2)
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                events = [json.loads(line) for line in file.read().splitlines(True)[seen:]
                          if line.endswith("\n")]
            seen += len(events)
            for event in (e for e in events if "plan" in e):
                display.display(tree(event))
            shown = [progress(e) for e in events if "state" in e
                     and (e["state"] != "started" or e["expected_seconds"] >= LONG)]
            if shown:
                display.display("\n".join(f"{host}: {line}" for line in shown))
        if last:
            return
