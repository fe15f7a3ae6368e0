# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The action behind every module: runs it, shows its progress and its plan."""
from __future__ import annotations

import collections
import json
import os
import tempfile
import threading
import time

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.groundwork.aws.plugins.plugin_utils import local
from ansible_collections.groundwork.aws.plugins.plugin_utils.stop import AGAIN, Stop, hear_nothing
from ansible_collections.groundwork.aws.plugins.plugin_utils.tree import (
    counts, place, progress, rest, tree, waiting,
)

PROGRESS = "GROUNDWORK_PROGRESS"  # where module_utils/session.py writes its events
LONG = 5.0  # seconds; shorter steps are told when they end only
BEAT = 30.0  # seconds without a word, after which it says what it waits for
display = Display()


class ActionModule(ActionBase):
    """One for all modules: they return the same things."""

    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp=None, task_vars=None):
        """Runs the module of the task's own name."""
        result = super().run(tmp, task_vars)
        self._from_here()
        shown = not self._task.no_log
        if local.here(self):
            with tempfile.TemporaryDirectory(prefix="groundwork-") as folder, Stop() as stop:
                path = os.path.join(folder, "progress") if shown else ""
                self._task.environment = [*(self._task.environment or []), {PROGRESS: path}]
                with Follower(path, stop, (task_vars or {}).get("inventory_hostname", "")):
                    result.update(self._module(task_vars or {}))
            if stop.number:
                stop.end(closing(result) if shown and not result.get("failed") else "")
        else:
            result.update(self._module(task_vars or {}))
        if shown and "plan" in result:
            display.display(closing(result))
            if result.get("diff"):  # which is long, and comes below
                result["diff"].append({"prepared": f"{summed(result)}\n"})
        return result

    def _from_here(self) -> None:
        """A relative path begins where the user stands; Ansible would take the playbook."""
        for option in ("plan_file", "kubeconfig"):
            path = self._task.args.get(option)
            if path and self._connection.transport == "local":
                path = os.path.expanduser(os.path.expandvars(path))
                self._task.args[option] = os.path.abspath(path)

    def _module(self, task_vars: dict) -> dict:
        if local.possible(self, task_vars):
            return local.execute(self, task_vars)
        return self._execute_module(task_vars=task_vars)


def closing(result: dict) -> str:
    """What is told last: how many changes were made, else the plan."""
    if not result.get("outcomes"):
        return tree(result) if "plan" in result else ""
    return summed(result)


def summed(result: dict) -> str:
    """How many changes there are, or what became of them."""
    states = collections.Counter(o["state"] for o in result.get("outcomes", {}).values())
    told = counts({**result, "ahead": not states}) if set(states) <= {"done"} else \
        ", ".join(f"{number} {state}" for state, number in states.items())
    return f"{place(result)}: {told}"


class Follower(threading.Thread):
    """Shows the events of a module as they come."""

    def __init__(self, path: str, stop: Stop, host: str):
        super().__init__()
        self.path, self.stop, self.host = path, stop, host
        self._end, self._seen, self._told = threading.Event(), 0, False
        self._open, self._spoke = {}, time.monotonic()  # key -> (since when, usual seconds)

    def __enter__(self):
        self.start()

    def __exit__(self, *_error):
        self._end.set()
        self.join()
        if self.stop.number and not self._told:
            known = " before anything was changed" if self.path else ""
            self._say(f"{self.host}: stopped{known}")

    def run(self):
        """Until the module has ended."""
        hear_nothing()
        heard = 0
        while not self._end.wait(0.2):
            self._show()
            if self.stop.number and (heard := heard + 0.2) >= AGAIN:
                self.stop.again()
                heard = 0
        self._show()

    def _say(self, text: str) -> None:
        """By Ansible's own way, which ends with the main process when that is stopped."""
        if self.stop.number:
            self.stop.say(text)
        else:
            display.display(text)

    def _show(self) -> None:
        events = self._events()
        for event in (e for e in events if "plan" in e):
            self._told = True
            self._say(tree(event))
        shown = [progress(e) for e in events if "state" in e
                 and (e["state"] != "started" or e["expected_seconds"] >= LONG)]
        shown += [line for e in events if "stopped" in e for line in rest(e["stopped"])]
        self._note(events)
        shown = shown or self._beat()
        if shown:
            self._spoke = time.monotonic()
            self._say("\n".join(f"{self.host}: {line}" for line in shown))

    def _note(self, events: list[dict]) -> None:
        """What has started, and what has ended."""
        for event in (e for e in events if "state" in e):
            self._open.pop(event["key"], None)
            if event["state"] == "started":
                self._open[event["key"]] = (time.monotonic(), event["expected_seconds"])

    def _beat(self) -> list[str]:
        """A word while nothing starts or ends."""
        now = time.monotonic()
        if not self._open or now - self._spoke < BEAT:
            return []
        return [waiting({k: (now - since, usual) for k, (since, usual) in self._open.items()})]

    def _events(self) -> list[dict]:
        """What the module has written since."""
        if not os.path.exists(self.path):
            return []
        with open(self.path, encoding="utf-8") as file:
            lines = file.read().splitlines(True)[self._seen:]
        events = [json.loads(line) for line in lines if line.endswith("\n")]
        self._seen += len(events)
        return events
